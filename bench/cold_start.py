"""The time to import a package in a new process from read-only layers."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Dict, Sequence

import layer
from layer import Layer
from measure import Claim, Contender, Measured, in_turn, run
from read_only import read_only
from report import Row
from stale import stale
from tools import Bench, interpreter, need

WITH, WITHOUT = "ours with bytecode", "ours without"
ZIPPED, FRESH = "pip's, zipped, unpacked", "pip's, as installed"
EMPTY = "pass"


def cold_start(
    bench: Bench, packages: Sequence[str], statement: str, faster: float, often: int, folder: Path
) -> Row:
    """Compares a layer with bytecode with the same layer without, and with an installation by pip.

    `faster` is the required speed relative to the layer without bytecode, 0 for no target. `often`
    multiplies the number of rounds.
    """
    built = layer.first(bench, packages, folder)
    python = environment(folder)
    opt = folder / "opt"
    opt.mkdir()
    pip_install(built, python, opt / FRESH)
    zip_and_unzip(opt / FRESH, opt / ZIPPED)
    on = ["--bytecode", "on", "--interpreter", interpreter()]
    run(built.build(bench, "compiled", *on), folder)
    unzip(next((folder / "compiled").glob("*.zip")), opt / WITH)
    unzip(built.zip, opt / WITHOUT)
    stale_count, count = stale(opt / ZIPPED, python)
    with read_only(opt) as (place, variables, how):
        measured = import_times(bench.rounds * often, python, statement, place, variables, folder)
    return Row(
        f"Cold start: {statement}",
        measured,
        f"{', '.join(built.pins[:3])}{', …' if built.pins[3:] else ''}; new processes, files in "
        f"memory, {how}; less the time of python -c pass; of pip's {count} .pyc, {stale_count} "
        "are stale once zipped and unpacked",
        [
            Claim(WITH, WITHOUT, faster=faster or None),
            Claim(WITH, ZIPPED),
            Claim(WITH, FRESH, longer=1),
        ],
    )


def import_times(
    rounds: int, python: Path, statement: str, place: Path, variables: Dict[str, str], folder: Path
) -> Measured:
    """The time of the import beyond an empty program, by round."""
    contenders = {
        EMPTY: Contender([python, "-c", "pass"], env=clean(variables)),
        **{
            name: Contender(
                [python, "-c", statement],
                env={**clean(variables), "PYTHONPATH": str(place / name / "python")},
            )
            for name in [WITH, WITHOUT, ZIPPED, FRESH]
        },
    }
    measured = in_turn(contenders, rounds, folder)
    empty = measured.pop(EMPTY)
    return {
        name: [run.minus(nothing) for run, nothing in zip(runs, empty)]
        for name, runs in measured.items()
    }


def clean(variables: Dict[str, str]) -> Dict[str, str]:
    """The environment without variables that change how Python loads modules."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, **variables}


def environment(folder: Path) -> Path:
    """The Python of a new virtual environment with only pip."""
    venv = folder / "venv"
    made = subprocess.run([interpreter(), "-m", "venv", venv], capture_output=True, text=True)
    if made.returncode:
        raise SystemExit(
            f"bench: {interpreter()} cannot make virtual environments: install its venv module\n"
            f"{made.stderr}"
        )
    return venv / "bin" / "python"


def pip_install(built: Layer, python: Path, place: Path) -> None:
    """Installs the same packages with pip, which compiles them."""
    # Only wheels from the lock, as for a layer.
    how = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check"]
    target = ["--target", place / "python"]
    run([python, "-m", "pip", "install", *how, *target, *built.pins], place.parent)


def zip_and_unzip(source: Path, place: Path) -> None:
    """Zips a tree as common scripts for layers do, and unpacks it."""
    archive = shutil.make_archive(str(place), "zip", root_dir=source, base_dir="python")
    unzip(Path(archive), place)


def unzip(archive: Path, place: Path) -> None:
    run([need("unzip"), "-q", archive, "-d", place], place.parent)
