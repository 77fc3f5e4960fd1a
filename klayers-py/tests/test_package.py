"""The package as a whole: its documentation and its example."""

from __future__ import annotations

import asyncio
import doctest
import importlib.metadata
import json
import re
import runpy
import subprocess
import sys
import sysconfig
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import klayers
import klayers._klayers
import klayers.pipeline
import pytest
from conftest import Server

REPOSITORY = Path(__file__).parents[2]


def test_version_is_that_of_the_metadata() -> None:
    assert klayers.__version__ == importlib.metadata.version("klayers")


def line_of(file: str, text: str) -> str:
    """The place of a text in a file, for messages: `file:line`."""
    lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
    numbers = [number for number, line in enumerate(lines, 1) if text in line]
    return f"{file}:{numbers[0] if numbers else 1}"


def test_metadata_and_files_agree_on_the_python_versions() -> None:
    """The classifiers are the list of versions; everything else reads them or is compared here."""
    metadata: Any = importlib.metadata.metadata("klayers")
    classifiers: list[str] = metadata.get_all("Classifier")
    versions = [
        version
        for classifier in classifiers
        if (version := classifier.removeprefix("Programming Language :: Python :: "))
        and re.fullmatch(r"3\.\d+", version)
    ]
    oldest, newest = (int(version[2:]) for version in (versions[0], versions[-1]))
    assert versions == [f"3.{minor}" for minor in range(oldest, newest + 1)]
    assert metadata["Requires-Python"] == f">={versions[0]}"
    assert "{}.{}".format(*sys.version_info) in versions

    pythons = runpy.run_path(str(REPOSITORY / "tools" / "pythons.py"))
    assert pythons["VERSIONS"] == versions
    stable = pythons["STABLE"].partition(".")[2]
    free_threaded = [version for version in pythons["RELEASED"] if version.endswith("t")]
    assert free_threaded and any("Free Threading" in classifier for classifier in classifiers)

    oldest_name = versions[0]
    for file, text, expected in [
        ("klayers-py/pyproject.toml", "requires-python", f'requires-python = ">={oldest_name}"'),
        ("klayers-py/pyproject.toml", "pythonVersion", f'pythonVersion = "{oldest_name}"'),
        ("klayers-py/pyproject.toml", "pyo3/abi3-py", f'feature = "pyo3/abi3-py3{stable}"'),
        (
            "klayers-py/tests-deploy/pyrightconfig.json",
            "pythonVersion",
            f'"pythonVersion": "{oldest_name}"',
        ),
        ("klayers-py/README.md", "CPython", f"CPython {oldest_name} or newer"),
    ]:
        assert expected in (REPOSITORY / file).read_text(encoding="utf-8"), (
            f"{line_of(file, text)} does not say {expected}"
        )
    # These read the list, so a version in them would be a second place.
    for file in (".github/workflows/release.yml", "tools/test-wheel", "tools/dist", "Makefile"):
        lines = (REPOSITORY / file).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, 1):
            found = re.search(r"\b3\.\d+t?\b|\bcp3\d+", line)
            assert found is None, (
                f"{file}:{number} names a Python version; tools/pythons.py has the list"
            )


def test_wheel_fits_this_python() -> None:
    """The stable ABI of 3.9 would make a lookup slow there, so that its wheel is outside of it."""
    distribution = importlib.metadata.distribution("klayers")
    tags = re.findall("^Tag: (.*?-.*?)-", distribution.read_text("WHEEL") or "", re.MULTILINE)
    library = Path(klayers._klayers.__file__ or "").name
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        version = "cp{}{}".format(*sys.version_info)
        assert set(tags) == {f"{version}-{version}t"} and ".abi3." not in library
    elif sys.version_info < (3, 10):
        assert set(tags) == {"cp39-cp39"} and ".cpython-39-" in library
    else:
        assert set(tags) == {"cp310-abi3"} and ".abi3." in library


def test_public_names_have_documentation_and_module() -> None:
    for name in set(klayers.__all__) - {"__version__"}:
        assert getattr(klayers, name).__doc__, name
    for kind in (klayers.Region, klayers.Client, klayers.LayerVersion):
        assert kind.__module__ == "klayers"


def test_all_errors_derive_from_klayers_error() -> None:
    for name in klayers.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(klayers, name), klayers.KlayersError)


@pytest.mark.parametrize("module", [klayers, klayers.pipeline])
def test_examples_in_docstrings(server: Server, module: ModuleType) -> None:
    """Of the module, and of all that it exports, which doctest would not look for elsewhere."""
    names: dict[str, Any] = {"asyncio": asyncio, "klayers": klayers, "datetime": datetime, "timezone": timezone}
    names.update(vars(klayers.pipeline))
    texts = {module.__name__: module.__doc__}
    for name in module.__all__:
        exported = getattr(module, name)
        texts[name] = exported.__doc__
        if isinstance(exported, type):
            texts.update((f"{name}.{key}", member.__doc__) for key, member in vars(exported).items())
    runner = doctest.DocTestRunner()
    for name, text in texts.items():
        test = doctest.DocTestParser().get_doctest(text or "", dict(names), name, None, 0)
        runner.run(test)
    outcome = runner.summarize()
    assert outcome.attempted > 3 and not outcome.failed


def test_sessions_in_readme(server: Server) -> None:
    readme = REPOSITORY / "klayers-py" / "README.md"
    outcome = doctest.testfile(str(readme), module_relative=False)
    assert outcome.attempted and not outcome.failed


def test_lambda_function_in_readme(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    readme = (REPOSITORY / "klayers-py" / "README.md").read_text()
    [block] = re.findall("^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    for name in ["AWS_REGION", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV"]:
        monkeypatch.delenv(name, raising=False)
    names: dict[str, Any] = {}
    exec(block, names)
    with pytest.raises(RuntimeError, match="not a Lambda function"):
        names["handler"]({"package": "requests"}, None)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    exec(block, names)
    found = klayers.LayerVersionArn(json.loads(json.dumps(names["handler"]({"package": "requests"}, None))))
    assert (found.region, found.layer_name) in [
        ("us-east-1", "Klayers-p313-requests"),
        ("us-east-1", "Klayers-p313-arm64-requests"),
    ]


def test_example_lookup(server: Server) -> None:
    program = REPOSITORY / "examples" / "lookup.py"
    output = subprocess.run(
        [sys.executable, str(program)], check=True, capture_output=True, text=True
    )
    assert output.stdout == (
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n"
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-Pillow:2\n"
        "no reqeusts, but requests\n"
    )
