"""A layer that was built once, so that its wheels are cached and its lock exists."""

import json
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence

from measure import Command
from tools import PYTHON, Bench, architecture


@dataclass(frozen=True)
class Layer:
    """A layer without bytecode, and its inputs."""

    packages: Sequence[str]
    cache: Path
    zip: Path
    lock: Path
    # The packages as name==version.
    pins: List[str]
    # The size of its files, in bytes.
    unpacked: int

    @property
    def wheels(self) -> List[Path]:
        """The cached wheels."""
        return sorted((self.cache / "wheels").rglob("*.whl"))

    def contents(self) -> str:
        """The size as text."""
        zipped = sum(wheel.stat().st_size for wheel in self.wheels)
        return (
            f"{len(self.wheels)} wheels of {zipped / 1e6:.1f} MB, "
            f"unpacked {self.unpacked / 1e6:.1f} MB"
        )

    def build(self, bench: Bench, out: str, *options: object) -> Command:
        """The command that builds it again from its lock."""
        return build(bench, self.packages, self.cache, out, "--lock", self.lock, *options)


def build(
    bench: Bench, packages: Sequence[str], cache: Path, out: object, *options: object
) -> Command:
    """The command that builds a layer."""
    target = ["--python", PYTHON, "--arch", architecture()]
    places = ["--cache-dir", str(cache), "--out", str(out)]
    return [bench.pipeline, "build", *packages, *target, *places, *map(str, options)]


def first(bench: Bench, packages: Sequence[str], folder: Path) -> Layer:
    """Resolves packages, fetches their wheels and builds their layer, below a folder."""
    cache, out = folder / "cache", folder / "first"
    command = build(bench, packages, cache, out, "--bytecode", "off", "--json")
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=folder)
    if done.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))} failed, see above")
    result = json.loads(done.stdout)
    lock = folder / "pylock.toml"
    path = folder / result["path"]
    with zipfile.ZipFile(path) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/pylock.toml"))
        lock.write_bytes(archive.read(name))
    return Layer(packages, cache, path, lock, result["dependencies"], result["unzippedSize"])
