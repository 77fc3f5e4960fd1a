"""The time to verify every byte of wheels for the first time."""

import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import List, Sequence

import layer
from layer import Layer
from measure import Claim, Contender, in_turn
from report import Row
from tools import Bench, cores, need


def verification(bench: Bench, packages: Sequence[str], title: str, folder: Path) -> Row:
    """Compares a build that has the wheels but no inventories with sha256sum of the unpacked files.

    The build does more than verify: it starts, reads the lock, hashes the wheel files and writes the
    layer. All of this counts as its time.
    """
    built = layer.first(bench, packages, folder)

    def forget() -> None:
        forgotten = list((built.cache / "wheels").rglob("*.inventory"))
        if not forgotten:
            raise SystemExit("bench: there is no inventory beside the wheels, nothing to measure")
        for inventory in forgotten:
            inventory.unlink()

    count = cores()
    parts = unpacked(built, folder, count)
    size = sum(part.stat().st_size for part in parts)
    hash_one = need("sha256sum")
    at_once = " & ".join(shlex.join([hash_one, str(part)]) for part in parts)
    ours, again = "first build, which verifies", "build after that"
    one, all_cores = "sha256sum on one core", f"sha256sum on all {count} cores"
    off = ["--bytecode", "off"]
    contenders = {
        ours: Contender(built.build(bench, ".", *off), before=forget),
        again: Contender(built.build(bench, ".", *off)),
        one: Contender([hash_one, *parts]),
        all_cores: Contender(["sh", "-c", f"{at_once} & wait"]),
    }
    return Row(
        title,
        in_turn(contenders, bench.rounds, folder),
        f"{built.contents()}; the whole build counts; sha256sum reads the {size / 1e6:.1f} MB of "
        f"the wheels' files as {count} large files",
        [Claim(ours, all_cores, longer=3), Claim(ours, one, longer=3)],
    )


def unpacked(built: Layer, folder: Path, count: int) -> List[Path]:
    """Writes the bytes of all files of the wheels to a number of files of equal size, so that sha256sum
    only hashes, with the same amount on each core."""
    whole = folder / "unpacked"
    with whole.open("wb") as file:
        for wheel in built.wheels:
            with zipfile.ZipFile(wheel) as archive:
                for entry in archive.infolist():
                    with archive.open(entry) as source:
                        shutil.copyfileobj(source, file)
    share = -(-whole.stat().st_size // count)
    subprocess.run([need("split"), "-b", str(share), "unpacked", "part-"], cwd=folder, check=True)
    return sorted(folder.glob("part-*"))
