"""The Python in the READMEs passes mypy and pyright in strict mode, with the wheel that is installed.

It does not depend on the interpreter: tools/test-wheel runs it with the newest alone.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
READMES = ["README.md", "klayers-py/README.md"]

Checker = Callable[[Path], "subprocess.CompletedProcess[str]"]


def modules(text: str) -> list[str]:
    """The blocks of a page as modules: each block of Python alone, and all sessions as one, since
    they share their names."""
    blocks = re.findall(r"^```(python|pycon)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    parser = doctest.DocTestParser()
    sessions = [
        example.source
        for kind, block in blocks
        if kind == "pycon"
        for example in parser.get_examples(block)
    ]
    return [block for kind, block in blocks if kind == "python"] + ["".join(sessions)]


def mypy(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output"]
    return check([*command, "--cache-dir", str(folder / "cache"), "."], folder)


def pyright(folder: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("basedpyright")
    if program is None:
        reason = "basedpyright is missing: run make setup"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    settings = {
        "include": ["."],
        "typeCheckingMode": "strict",
        # A session shows what an expression gives.
        "reportUnusedExpression": False,
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    return check([program, "--project", ".", "--pythonpath", sys.executable], folder)


def check(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)


checkers = pytest.mark.parametrize("checker", [mypy, pyright])


@checkers
@pytest.mark.parametrize("readme", READMES)
def test_readme_passes_type_checkers(
    readme: str, checker: Checker, tmp_path: Path
) -> None:
    found = modules((REPOSITORY / readme).read_text(encoding="utf-8"))
    assert any("klayers." in module for module in found)
    for number, module in enumerate(found):
        (tmp_path / f"block_{number}.py").write_text(module, encoding="utf-8")
    done = checker(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@checkers
def test_arguments_in_dict_pass_type_checkers(checker: Checker, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(
        """
import klayers

PLACE = {"region": "us-east-1", "target": "p3.13"}


def look_up(client: klayers.Client, python: str | None, target: klayers.Target | None) -> None:
    arn: str = klayers.latest_arn("requests", **PLACE)
    rows: list[klayers.LayerVersion] = client.versions("requests", **PLACE)
    print(arn, rows, klayers.packages(python=python, arch=None, target=target))
"""
    )
    done = checker(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@checkers
@pytest.mark.parametrize(
    "mistake",
    [
        'klayers.latest_arn("x", region=klayers.Region.from_environment(), python="3.13")',
        'place = {"region": klayers.Region.from_environment(), "target": "p3.13"}\n'
        'klayers.latest_arn("x", **place)',
        'klayers.latest_arn("x", region="us-east-1")',
        'klayers.latest_arn("x", region="us-east-1", python="3.13", target="p3.13")',
        'arn: int = klayers.latest_arn("x", region="us-east-1", python="3.13")',
    ],
)
def test_type_checkers_find_mistakes(mistake: str, checker: Checker, tmp_path: Path) -> None:
    """The types that are checked are those of the wheel."""
    (tmp_path / "block.py").write_text(f"import klayers\n\n{mistake}\n")
    done = checker(tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "block.py:3" in done.stdout or "block.py:4" in done.stdout
