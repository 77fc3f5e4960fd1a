"""Each lookup exists four times: as a method of `Client`, as a function of the module, as a coroutine
of `AsyncClient`, and as a constructor of `_Lookup`. All four and the stub must have the same
parameters; the documented three must have the same documentation."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import klayers
import klayers._klayers as extension
import pytest

STUB = ast.parse(Path(extension.__file__ or "").parent.joinpath("_klayers.pyi").read_text())
LOOKUPS = [
    name for name in vars(klayers.Client) if not name.startswith("_") and name in klayers.__all__
]

#: Name, kind and default of each parameter, without `self` and `cls`.
Parameters = list[tuple[str, str, object]]


def of_callable(function: Any) -> Parameters:
    return [
        (parameter.name, parameter.kind.name, parameter.default)
        for parameter in inspect.signature(function).parameters.values()
        if parameter.name not in ("self", "cls")
    ]


def of_stub(function: ast.FunctionDef) -> Parameters:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [
        *[None] * (len(positional) - len(arguments.defaults)),
        *arguments.defaults,
        *arguments.kw_defaults,
    ]
    kinds = [
        *["POSITIONAL_ONLY"] * len(arguments.posonlyargs),
        *["POSITIONAL_OR_KEYWORD"] * len(arguments.args),
        *["KEYWORD_ONLY"] * len(arguments.kwonlyargs),
    ]
    names = [argument.arg for argument in [*positional, *arguments.kwonlyargs]]
    empty = inspect.Parameter.empty
    return [
        (name, kind, empty if default is None else ast.literal_eval(default))
        for name, kind, default in zip(names, kinds, defaults)
        if name not in ("self", "cls")
    ]


def stubs(name: str, kind: str | None = None) -> Iterator[ast.FunctionDef]:
    """The definitions of a function, or of a method of a class, in the stub: one per overload."""
    body: list[ast.stmt] = STUB.body
    if kind is not None:
        [body] = [
            node.body for node in STUB.body if isinstance(node, ast.ClassDef) and node.name == kind
        ]
    found = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == name]
    assert found, f"the stub has no {kind or 'function'} {name}"
    yield from found


def test_all_lookups_are_compared() -> None:
    coroutines = [
        name
        for name, member in vars(klayers.AsyncClient).items()
        if inspect.iscoroutinefunction(member) and not name.startswith("_") and name != "aclose"
    ]
    constructors = [name for name in vars(extension._Lookup) if not name.startswith("_")]
    assert sorted(LOOKUPS) == sorted(coroutines) == sorted(constructors)
    assert len(LOOKUPS) == 8


@pytest.mark.parametrize("name", LOOKUPS)
def test_all_forms_of_a_lookup_have_the_same_parameters(name: str) -> None:
    expected = of_callable(getattr(klayers.Client, name))
    assert of_callable(getattr(klayers, name)) == expected
    assert of_callable(getattr(klayers.AsyncClient, name)) == expected
    assert of_callable(getattr(extension._Lookup, name)) == expected


@pytest.mark.parametrize("name", LOOKUPS)
def test_the_stub_has_the_parameters_of_each_lookup(name: str) -> None:
    expected = of_callable(getattr(klayers.Client, name))
    [plain] = stubs(name, "_Lookup")
    assert of_stub(plain) == expected
    # An overload requires some of the parameters that have the default None.
    expected_names = [(parameter, kind) for parameter, kind, _ in expected]
    for overload in [*stubs(name, "Client"), *stubs(name)]:
        found = of_stub(overload)
        assert [(parameter, kind) for parameter, kind, _ in found] == expected_names
        for (_, _, default), (_, _, real) in zip(found, expected):
            assert default in (real, inspect.Parameter.empty)


def test_both_clients_and_the_stub_have_the_same_options() -> None:
    expected = of_callable(klayers.Client)
    assert of_callable(klayers.AsyncClient) == expected
    [constructor] = stubs("__new__", "Client")
    assert of_stub(constructor) == expected


@pytest.mark.parametrize("name", LOOKUPS)
def test_all_forms_of_a_lookup_have_the_same_documentation(name: str) -> None:
    expected = inspect.getdoc(getattr(klayers.Client, name)) or ""
    for other in (getattr(klayers.AsyncClient, name), getattr(klayers, name)):
        # The examples differ.
        text = (inspect.getdoc(other) or "").partition(">>>")[0]
        assert text.split() == expected.split()
