"""The package as a whole: its documentation and its example."""

from __future__ import annotations

import asyncio
import doctest
import importlib.metadata
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from types import ModuleType
from typing import Any

import klayers
import klayers.pipeline
import pytest
from conftest import Server

REPOSITORY = Path(__file__).parents[2]


def test_the_version_is_the_packages() -> None:
    assert klayers.__version__ == importlib.metadata.version("klayers")


def test_all_names_are_documented_and_say_where_they_are_from() -> None:
    for name in set(klayers.__all__) - {"__version__"}:
        assert getattr(klayers, name).__doc__, name
    for kind in (klayers.Region, klayers.Client, klayers.LayerVersion):
        assert kind.__module__ == "klayers"


def test_all_errors_are_klayers_errors() -> None:
    for name in klayers.__all__:
        if name.endswith("Error"):
            assert issubclass(getattr(klayers, name), klayers.KlayersError)


@pytest.mark.parametrize("module", [klayers, klayers.pipeline])
def test_the_examples_in_docstrings_run(server: Server, module: ModuleType) -> None:
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


def test_the_readme_runs(server: Server) -> None:
    readme = REPOSITORY / "klayers-py" / "README.md"
    outcome = doctest.testfile(str(readme), module_relative=False)
    assert outcome.attempted and not outcome.failed


def test_the_example_runs(server: Server) -> None:
    program = REPOSITORY / "examples" / "lookup.py"
    output = subprocess.run(
        [sys.executable, str(program)], check=True, capture_output=True, text=True
    )
    assert output.stdout == (
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-requests:4\n"
        "arn:aws:lambda:us-east-1:770693421928:layer:Klayers-p313-Pillow:2\n"
        "no reqeusts, but requests\n"
    )
