"""Runs commands in turn and compares their times.

The contenders of a comparison run in turn in every round, so that a machine that slows down affects
all of them. For the same reason, ratios are taken within a round.
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
    """The cost of one run: wall time and processor time in seconds, peak memory in bytes.

    A process inherits the peak of its parent, so a smaller peak is reported as that of this program.
    Therefore this program must not hold much in memory.
    """

    seconds: float
    cpu_seconds: float
    peak: int

    def minus(self, other: "Run") -> "Run":
        """The cost beyond another run."""
        seconds = self.seconds - other.seconds
        return Run(seconds, self.cpu_seconds - other.cpu_seconds, self.peak)


# The runs of each contender, in the order of the rounds.
Measured = Dict[str, List[Run]]


@dataclass(frozen=True)
class Contender:
    """A command to measure, with a preparation that is not measured."""

    command: Command
    before: Callable[[], None] = lambda: None
    env: Optional[Mapping[str, str]] = None


def run(command: Command, cwd: Path, env: Optional[Mapping[str, str]] = None) -> Run:
    """Runs a command to its end. If the command fails, exits."""
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
    """Runs all contenders in turn: one warm-up round and then `rounds` rounds, each run in a new
    folder below `folder`. Each round begins with another contender, so that none benefits from its
    place."""
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
    """The median and the quartiles of several figures."""

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
    """A claim that one contender is faster than a peer, or not much slower. Without a bound, the
    ratio is only reported."""

    ours: str
    peer: str
    # The smallest allowed ratio of the peer's time to ours.
    faster: Optional[float] = None
    # The largest allowed ratio of our time to the peer's.
    longer: Optional[float] = None

    def ratio(self, measured: Measured) -> Spread:
        """The ratios of all rounds: of our time to the peer's if `longer` is set, else the inverse."""
        pairs = list(zip(measured[self.ours], measured[self.peer]))
        if self.longer is not None:
            return Spread.of([ours.seconds / peer.seconds for ours, peer in pairs])
        return Spread.of([peer.seconds / ours.seconds for ours, peer in pairs])

    def verdict(self, measured: Measured) -> Optional[str]:
        """Whether the target is met. Undecided if the target lies between the quartiles, because the
        next run might have another result."""
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
