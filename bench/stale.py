"""Counts the bytecode files in a folder that Python would ignore."""

import subprocess
from pathlib import Path
from typing import Tuple

# Run by the Python that the bytecode is for. https://peps.python.org/pep-0552/ has the format: a
# magic number, flags, and without flags the time and the size of the source.
PROGRAM = """
import importlib.util, os, pathlib, struct, sys
stale = count = 0
for path in pathlib.Path(sys.argv[1]).rglob("*.pyc"):
    with open(path, "rb") as file:
        magic, flags, time, size = struct.unpack("<4sLLL", file.read(16))
    count += 1
    source = os.stat(importlib.util.source_from_cache(str(path)))
    found = (int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF)
    unused = flags == 0 and (time, size) != found
    stale += magic != importlib.util.MAGIC_NUMBER or unused
print(stale, count)
"""


def stale(folder: Path, python: Path) -> Tuple[int, int]:
    """The number of outdated `.pyc` files, and the number of all `.pyc` files."""
    asked = subprocess.run(
        [python, "-c", PROGRAM, folder], check=True, capture_output=True, text=True
    )
    first, second = asked.stdout.split()
    return int(first), int(second)
