"""The time of a build with everything cached."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Sequence

import layer
from layer import Layer
from measure import Claim, Command, Contender, in_turn, run
from report import Row
from tools import PYTHON, Bench, interpreter, need, uv_platform


def assembling(bench: Bench, packages: Sequence[str], title: str, folder: Path) -> Row:
    """Compares building a layer without bytecode with installing and zipping, and with cat."""
    built = layer.first(bench, packages, folder)
    ours, uv, cat = "klayers-pipeline build", "uv pip install, zip -r", "cat of the wheels"
    contenders = {
        ours: Contender(built.build(bench, ".", "--bytecode", "off")),
        uv: Contender(install_and_zip(built)),
        cat: Contender(["sh", "-c", 'cat "$@" > layer', "cat", *built.wheels]),
    }
    return Row(
        title,
        in_turn(contenders, bench.rounds, folder),
        f"{built.contents()}; from its lock, wheels cached, no bytecode",
        [Claim(ours, uv), Claim(ours, cat)],
    )


def with_bytecode(bench: Bench, packages: Sequence[str], title: str, folder: Path) -> Row:
    """Compares layers with bytecode, which klayers-pipeline caches and uv compiles each time."""
    built = layer.first(bench, packages, folder)
    python = interpreter()
    on = ["--bytecode", "on", "--interpreter", python]
    # uv pip install --compile-bytecode does not cache bytecode, so it compiles in each round. Our
    # build compiles once, here.
    run(built.build(bench, "compiled", *on), folder)
    ours, uv = "klayers-pipeline build", "uv pip install --compile-bytecode, zip -r"
    contenders = {
        ours: Contender(built.build(bench, ".", *on)),
        uv: Contender(install_and_zip(built, "--compile-bytecode")),
    }
    return Row(
        title,
        in_turn(contenders, bench.rounds, folder),
        f"{built.contents()}, before bytecode; from its lock, wheels and our bytecode cached",
        [Claim(ours, uv, faster=20)],
    )


def beside_before(bench: Bench, packages: Sequence[str], title: str, folder: Path) -> Row:
    """Compares a cached layer with bytecode with one by an earlier klayers-pipeline."""
    python = interpreter()
    on = ["--bytecode", "on", "--interpreter", python]
    contenders = {}
    for name, pipeline in (("klayers-pipeline build", bench.pipeline), ("before", bench.before)):
        # Each binary has its own cache, because the formats may differ.
        own = folder / name.split()[-1]
        own.mkdir()
        one = replace(bench, pipeline=pipeline)
        built = layer.first(one, packages, own)
        run(built.build(one, "compiled", *on), own)
        contenders[name] = Contender(built.build(one, ".", *on))
    ours, before = contenders
    return Row(
        title,
        in_turn(contenders, bench.rounds, folder),
        f"{built.contents()}, before bytecode; from its lock, wheels and bytecode cached",
        [Claim(ours, before, longer=1.1)],
    )


def install_and_zip(built: Layer, *options: str) -> Command:
    """The usual way with uv: install into a folder and zip it."""
    install = [
        need("uv"), "pip", "install", "--quiet", "--target", "python",
        "--python", str(interpreter()), "--python-version", PYTHON,
        "--python-platform", uv_platform(), *options, "-r", str(built.lock),
    ]
    return ["sh", "-c", f"{shlex.join(install)} && {need('zip')} -q -r layer.zip python"]
