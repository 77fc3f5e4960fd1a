"""Running commands in turn and comparing what they took.

The contenders of a comparison run one after the other, again and again, so that a machine that
becomes slower becomes slower for all of them. Ratios are taken round by round for the same reason.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Union

Command = Sequence[Union[str, Path]]


@dataclass(frozen=True)
class Run:
    """What one run took: wall time and processor time in seconds, peak memory in bytes.

    A process begins with the peak of the one that started it, so a small peak is told as that of
    this program. It is the reason not to hold much in memory here.
    """

    seconds: float
    cpu_seconds: float
    peak: int

    def minus(self, other: "Run") -> "Run":
        """What was taken beyond another run."""
        seconds = self.seconds - other.seconds
        return Run(seconds, self.cpu_seconds - other.cpu_seconds, self.peak)


# The runs of each contender, in the order of the rounds.
Measured = Dict[str, List[Run]]


@dataclass(frozen=True)
class Contender:
    """A command that is measured, and what puts things in order before it, which is not."""

    command: Command
    before: Callable[[], None] = lambda: None
    env: Optional[Mapping[str, str]] = None


def run(command: Command, cwd: Path, env: Optional[Mapping[str, str]] = None) -> Run:
    """Runs a command to its end. Where it fails, so does the benchmark."""
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            said = errors.read().decode(errors="replace")
            sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{said}")
    # Linux counts the peak in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit)


def in_turn(contenders: Mapping[str, Contender], rounds: int, folder: Path) -> Measured:
    """Runs all contenders in turn, once for warmth and then as many rounds, each time in a new
    folder below `folder`. Each round begins with another one, so that none gains by its place."""
    measured: Measured = {name: [] for name in contenders}
    names = list(contenders)
    for turn in range(rounds + 1):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            contender = contenders[name]
            cwd = Path(tempfile.mkdtemp(prefix="run-", dir=folder))
            contender.before()
            result = run(contender.command, cwd, contender.env)
            shutil.rmtree(cwd)
            if turn:
                measured[name].append(result)
    return measured


@dataclass(frozen=True)
class Spread:
    """The median of some figures, and the quartiles, between which half of them lie."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        if len(figures) == 1:
            return cls(figures[0], figures[0], figures[0])
        low, median, high = statistics.quantiles(figures, n=4, method="inclusive")
        return cls(median, low, high)


@dataclass(frozen=True)
class Claim:
    """That one contender is faster than a peer, or not much slower. With neither bound, it is only
    told how the two compare."""

    ours: str
    peer: str
    # At least so many times as fast as the peer.
    faster: Optional[float] = None
    # At most so many times as long as the peer.
    longer: Optional[float] = None

    def ratio(self, measured: Measured) -> Spread:
        """How many times as fast the first is, or takes as long, of each round."""
        pairs = list(zip(measured[self.ours], measured[self.peer]))
        if self.longer is not None:
            return Spread.of([ours.seconds / peer.seconds for ours, peer in pairs])
        return Spread.of([peer.seconds / ours.seconds for ours, peer in pairs])

    def verdict(self, measured: Measured) -> Optional[str]:
        """Whether the target is met. Where it lies between the quartiles, the next run might well
        say otherwise, so nothing is said of it."""
        ratio = self.ratio(measured)
        if self.faster is not None:
            target, met = self.faster, ratio.median >= self.faster
        elif self.longer is not None:
            target, met = self.longer, ratio.median <= self.longer
        else:
            return None
        if ratio.low < target < ratio.high:
            return "within the noise"
        return "met" if met else "missed"
