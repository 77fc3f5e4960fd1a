"""The time to plan a month with nothing to do, with a large catalog."""

import subprocess
import sys
from pathlib import Path

from measure import Contender, in_turn
from report import Row, peak, time
from tools import Bench


def planning(bench: Bench, title: str, folder: Path) -> Row:
    """Plans a month for 300 packages, 12 targets and 34 regions with 1,000,000 layer versions in the
    catalog, without resolving."""
    program = bench.pipeline.parent / "planning"
    if not program.is_file():
        sys.exit(f"bench: {program} is missing: run make bench")
    catalog = folder / "klayers.db"
    filled = subprocess.run([program, "fill", catalog], check=True, capture_output=True, text=True)
    ours, locks = "planning", "locks"
    contenders = {
        ours: Contender([program, "plan", catalog]), locks: Contender([program, "locks"]),
    }
    measured = in_turn(contenders, bench.rounds, folder)
    # Parsing the locks belongs to resolving.
    planned = [run.minus(read) for run, read in zip(measured[ours], measured[locks])]
    size = catalog.stat().st_size
    return Row(
        title,
        {ours: planned},
        f"{filled.stdout.strip()}, {size / 1e6:.0f} MB; 3,600 layers are planned, in a new process,"
        " beyond the time in which another reads their locks",
        bounds=[time(ours, 10), peak(ours, 500)],
    )
