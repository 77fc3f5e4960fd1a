"""The package as a whole: its stubs, its documentation and its example."""

from __future__ import annotations

import doctest
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import klayers
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


def test_the_examples_in_docstrings_run(server: Server) -> None:
    outcome = doctest.testmod(klayers)
    assert outcome.attempted and not outcome.failed


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


def test_the_stubs_are_those_of_the_module(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    output = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "klayers"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert output.returncode == 0, output.stdout + output.stderr
