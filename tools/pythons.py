#!/usr/bin/env python3
"""The CPythons that the wheel is tested with and released for.

    python3 tools/pythons.py >>"$GITHUB_OUTPUT"

The list is that of the classifiers in klayers-py/pyproject.toml: to add a version, add its classifier
there. tools/test-wheel, tools/dist and .github/workflows/release.yml read it here. (The runtimes of
Lambda that layers are built for are another list, in klayers-core/src/runtime.rs.)
"""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent
PYPROJECT = (ROOT / "klayers-py" / "pyproject.toml").read_text(encoding="utf-8")

#: All versions, the oldest first: "3.9", "3.10" and so on.
VERSIONS = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PYPROJECT)
#: The oldest version with the stable ABI that the wheel for most versions uses.
[STABLE] = re.findall(r'feature = "pyo3/abi3-py\d+", python-version = ">=(3\.\d+)"', PYPROJECT)
#: The oldest version whose free-threaded build PyO3 supports. It has no stable ABI, so each version
#: from this one on gets a wheel of its own.
FREE_THREADED = "3.14"


def minor(version):
    return int(version.partition(".")[2])


def tag(version):
    """The tag of a version in the name of a wheel, as in cp310."""
    return f"cp3{minor(version)}"


#: The versions that are older than the stable ABI. Each gets a wheel of its own.
OLDER = [version for version in VERSIONS if minor(version) < minor(STABLE)]
#: The interpreters that the release workflow builds with, one per wheel. The newest builds the wheel
#: for the stable ABI; it is the last, which actions/setup-python makes the default.
RELEASED = [
    *OLDER,
    *(f"{version}t" for version in VERSIONS if minor(version) >= minor(FREE_THREADED)),
    VERSIONS[-1],
]


if __name__ == "__main__":
    print(f"interpreters={' '.join(RELEASED)}")
    print("setup<<END", *RELEASED, "END", sep="\n")
