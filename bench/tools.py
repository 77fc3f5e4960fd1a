"""Finds the programs to measure and to compare with."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Union

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.12"
HOW_TO_GET = {
    "uv": "run make setup, or see https://docs.astral.sh/uv",
    "zip": "install the package zip (apt-get install zip)",
    "unzip": "install the package unzip (apt-get install unzip)",
    "sha256sum": "install the package coreutils",
    "taskset": "install the package util-linux",
    "wrk": "install the package wrk (apt-get install wrk)",
    "split": "install the package coreutils",
    "cargo": "install Rust from https://rustup.rs, or name the binary's folder with --binaries",
}


@dataclass(frozen=True)
class Bench:
    """The settings for all rows."""

    pipeline: Path
    rounds: int
    # A klayers-pipeline of an earlier commit, if given.
    before: Optional[Path] = None


def need(tool: str) -> str:
    """The path of a program. If it is missing, exits with advice on installing it."""
    path = shutil.which(tool)
    if path is None:
        sys.exit(f"bench: {tool} is missing: {HOW_TO_GET[tool]}")
    return path


def pipeline(folder: str) -> Path:
    """The path of klayers-pipeline in `folder`, or in cargo's folder for releases."""
    path = Path(folder).absolute() if folder else target_folder() / "release"
    path /= "klayers-pipeline"
    if not path.is_file():
        sys.exit(f"bench: {path} is missing: run make build, or name its folder with --binaries")
    return path


def target_folder() -> Path:
    metadata = subprocess.run(
        [need("cargo"), "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return Path(json.loads(metadata.stdout)["target_directory"])


def interpreter() -> Path:
    """A Python with the version of the layers: bytecode works with one version only."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
    explicit = os.environ.get("KLAYERS_PYTHON_3_12")
    for name in [explicit] if explicit else [f"python{PYTHON}", uv_python()]:
        if not shutil.which(name):
            continue
        # The name may belong to a launcher without such a Python.
        asked = subprocess.run([name, "-I", "-c", ask], capture_output=True, text=True)
        version, _, path = asked.stdout.strip().partition(" ")
        if asked.returncode == 0 and version == PYTHON:
            return Path(path)
    sys.exit(
        f"bench: Python {PYTHON} is missing: run uv python install {PYTHON}, or name one in"
        f" KLAYERS_PYTHON_3_12{' instead of ' + explicit if explicit else ''}"
    )


def uv_python() -> str:
    """The Python that uv finds, or an empty name."""
    find = [need("uv"), "python", "find", "--no-python-downloads", "--no-project", PYTHON]
    return subprocess.run(find, capture_output=True, text=True).stdout.strip()


def environment(folder: Path, *packages: Union[str, Path]) -> Path:
    """The Python of a new virtual environment with some packages, compiled."""
    place = folder / "environment"
    python = place / "bin" / "python"
    for command in (
        ["venv", "--quiet", "--no-project", "--python", interpreter(), place],
        ["pip", "install", "--quiet", "--python", python, "--compile-bytecode", *packages],
    ):
        subprocess.run([need("uv"), *command], check=True)
    return python


def architecture() -> str:
    """This machine's architecture, in Lambda's words."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def uv_platform() -> str:
    """The platform of the layers, in uv's words."""
    return "aarch64-manylinux_2_34" if architecture() == "arm64" else "x86_64-manylinux_2_34"


def cores() -> int:
    """The number of processors available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
