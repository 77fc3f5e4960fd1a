"""Measures Klayers and other tools in turn, in one run, and prints ratios.

    python bench/bench.py [--rounds N] [--only ROW,ROW] [--json FILE] [--binaries FOLDER]
                          [--before FOLDER]

`make bench` reads the same options from BENCH_ROUNDS, BENCH_ONLY, BENCH_JSON, BENCH_BINARIES and
BENCH_BEFORE.
"""

import argparse
import hashlib
import json
import os
import platform
import signal
import sys
import tempfile
from functools import partial
from pathlib import Path

import lookups
import python_wheel
import report
from assembling import assembling, beside_before, with_bytecode
from changing import changing, exporting
from cold_start import cold_start
from planning import planning
from publishing import publishing
from serving import crowded, serving, unknown
from tools import Bench, cores, interpreter, need, pipeline
from verification import verification

ROWS = {
    "bytecode": partial(
        with_bytecode, packages=["pandas"], title="A layer of pandas with bytecode, all cached"
    ),
    "assembly": partial(
        assembling, packages=["pandas"], title="A layer of pandas without bytecode, wheels cached"
    ),
    "large": partial(
        # More than 200 MB, with room below Lambda's limit for growth in new versions.
        assembling, packages=["pyarrow", "numpy"],
        title="A layer of more than 200 MB unpacked, wheels cached",
    ),
    # These need a binary of an earlier commit (--before).
    "before": partial(
        beside_before, packages=["pandas"], title="A layer of pandas, all cached, now and before"
    ),
    "before-large": partial(
        beside_before, packages=["pyarrow", "numpy"],
        title="A layer of more than 200 MB unpacked, all cached, now and before",
    ),
    "verify": partial(
        verification, packages=["pandas"], title="First verification of the wheels of pandas"
    ),
    "import-pandas": partial(
        cold_start, packages=["pandas"], statement="import pandas", faster=4, often=1
    ),
    # These take a fraction of a second, so noise is large and they run more often.
    "import-boto3": partial(
        cold_start, packages=["boto3"], statement="import boto3", faster=0, often=3
    ),
    # The modules that functions import; the packages themselves load almost nothing.
    "import-cryptography": partial(
        cold_start, packages=["cryptography"], statement="import cryptography.fernet", faster=0,
        often=3,
    ),
    "import-pydantic": partial(
        cold_start, packages=["pydantic"], statement="from pydantic import BaseModel", faster=0,
        often=3,
    ),
    "publish": partial(publishing, size=100_000, title="A small layer to 34 regions"),
    "publish-large": partial(publishing, size=45_000_000, title="A layer of 45 MB to 34 regions"),
    "serve-plain": partial(serving, encoding="identity", slower=1.35),
    "serve-gzip": partial(serving, encoding="gzip", slower=1),
    "serve-br": partial(serving, encoding="br", slower=1),
    "serve-crowded": crowded,
    "serve-unknown": unknown,
    "change": changing,
    "export-change": exporting,
    "client-cached": partial(lookups.cached, title="1,000,000 lookups of a cached ARN"),
    "client-callers": partial(lookups.callers, title="100 concurrent requests for the same list"),
    "client-decoding": partial(lookups.decoding, title="A list of 300 packages, 200 times"),
    "client-process": partial(lookups.process, title="One lookup in a new process"),
    "python-import": python_wheel.imports,
    "python-first": python_wheel.first,
    "python-cached": python_wheel.cached,
    "planning": partial(planning, title="A month with nothing to do, of 1,000,000 layer versions"),
}


def arguments() -> argparse.Namespace:
    setting = os.environ.get
    parser = argparse.ArgumentParser(
        description="Measures Klayers and other tools in turn.",
        epilog=f"rows: {', '.join(ROWS)}",
    )
    parser.add_argument(
        "--rounds", type=int, default=setting("BENCH_ROUNDS", "9"), help="default: 9"
    )
    parser.add_argument(
        "--only", metavar="ROWS", default=setting("BENCH_ONLY", ""),
        help="rows or prefixes of rows, separated by commas; default: all",
    )
    parser.add_argument(
        "--json", metavar="FILE", default=setting("BENCH_JSON", ""),
        help="a file for the figures of every single run",
    )
    parser.add_argument(
        "--binaries", metavar="FOLDER", default=setting("BENCH_BINARIES", ""),
        help="the folder of klayers-pipeline; default: cargo's target folder",
    )
    parser.add_argument(
        "--before", metavar="FOLDER", default=setting("BENCH_BEFORE", ""),
        help="the folder of klayers-pipeline of an earlier commit, for comparison; default: skip "
        "the rows that need it",
    )
    args = parser.parse_args()
    if args.rounds < 1:
        parser.error("at least one round is needed")
    wanted = [name.strip() for name in args.only.split(",") if name.strip()]
    for name in wanted:
        if not any(row.startswith(name) for row in ROWS):
            parser.error(f"there is no row {name}; there are {', '.join(ROWS)}")
    args.rows = [row for row in ROWS if not wanted or row.startswith(tuple(wanted))]
    if not args.before:
        args.rows = [row for row in args.rows if not row.startswith("before")]
        if not args.rows:
            parser.error("these rows need --before with the folder of an earlier klayers-pipeline")
    return args


def digest(path: Path) -> str:
    """The SHA-256 of a file, read in pieces to keep this process small."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        for piece in iter(lambda: file.read(1 << 16), b""):
            sha256.update(piece)
    return sha256.hexdigest()


def main() -> None:
    args = arguments()
    # Exits on SIGTERM in a way that unmounts and removes temporary folders.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    # Checks all tools first, so that a missing one is reported at once.
    for tool in ["uv", "zip", "unzip", "sha256sum", "split"]:
        need(tool)
    python = interpreter()
    before = pipeline(args.before) if args.before else None
    bench = Bench(pipeline(args.binaries), args.rounds, before)
    machine = {
        "system": platform.platform(),
        "cores": cores(),
        "python": str(python),
        # Identifies the build, for comparisons of two runs.
        "pipeline": digest(bench.pipeline),
    }
    print(
        "Medians of rounds in turn, after one warm-up round; in brackets the"
        f" quartiles of times and ratios.\n{machine['cores']} cores; {machine['system']}"
    )
    rows = {}
    for name in args.rows:
        before = os.getloadavg()[0]
        with tempfile.TemporaryDirectory(prefix="klayers-bench-") as folder:
            row = ROWS[name](bench, folder=Path(folder))
        load = {"before": before, "after": os.getloadavg()[0]}
        print(f"\n{report.text(row)}", flush=True)
        print(f"  load average {load['before']:.1f}, at the end {load['after']:.1f}", flush=True)
        rows[name] = {**report.data(row), "load": load}
        # After each row, so that an interrupted run keeps its results.
        if args.json:
            result = {"rounds": bench.rounds, "machine": machine, "rows": rows}
            Path(args.json).write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    sys.exit(main())
