"""Formats rows as text and as JSON."""

from dataclasses import asdict, dataclass, field
from typing import Callable, Dict, List

from measure import Claim, Measured, Run, Spread


@dataclass(frozen=True)
class Bound:
    """An upper bound for every run of a contender."""

    ours: str
    at_most: float
    # The bounded figure, its verb and unit in the report, and the number of digits.
    of: Callable[[Run], float]
    verb: str
    unit: str
    digits: int

    def sentence(self, measured: Measured) -> str:
        """The result as a sentence."""
        most = max(self.of(run) for run in measured[self.ours])
        verdict = "met" if most <= self.at_most else "missed"
        said = f"{self.ours} {self.verb} {most:.{self.digits}f} {self.unit}"
        return f"{said} (target at most {self.at_most:g}: {verdict})"


def peak(ours: str, at_most: float) -> Bound:
    """A bound for the peak memory, in MiB."""
    return Bound(ours, at_most, lambda run: run.peak / 2**20, "needs", "MiB", 0)


def time(ours: str, at_most: float, digits: int = 1) -> Bound:
    """A bound for the time, in seconds."""
    return Bound(ours, at_most, lambda run: run.seconds, "takes", "s", digits)


@dataclass(frozen=True)
class Row:
    """A comparison with its claims, and a note on what was measured."""

    title: str
    measured: Measured
    note: str
    claims: List[Claim] = field(default_factory=list)
    bounds: List[Bound] = field(default_factory=list)


def text(row: Row) -> str:
    """A row as text."""
    lines = [row.title]
    width = max(map(len, row.measured))
    for name, runs in row.measured.items():
        wall = Spread.of([run.seconds * 1000 for run in runs])
        cpu = Spread.of([run.cpu_seconds * 1000 for run in runs])
        peak = max(run.peak for run in runs) / 2**20
        lines.append(
            f"  {name:<{width}}  {wall.median:8.1f} ms  ({wall.low:.1f} to {wall.high:.1f};"
            f" processors {cpu.median:.0f} ms; peak {peak:.0f} MiB)"
        )
    for claim in row.claims:
        lines.append(f"  {sentence(claim, row.measured)}")
    lines.extend(f"  {bound.sentence(row.measured)}" for bound in row.bounds)
    rounds = max(map(len, row.measured.values()))
    lines.append(f"  {row.note}; {rounds} round{'s' if rounds > 1 else ''}")
    return "\n".join(lines)


def sentence(claim: Claim, measured: Measured) -> str:
    """The result of a claim as a sentence."""
    ratio = claim.ratio(measured)
    said = f"{claim.ours} is {ratio.median:.2f} times as fast as {claim.peer}"
    if claim.longer is not None:
        said = f"{claim.ours} takes {ratio.median:.2f} times as long as {claim.peer}"
    spread = f"{ratio.low:.2f} to {ratio.high:.2f}"
    verdict = claim.verdict(measured)
    if verdict is None:
        return f"{said} ({spread})"
    target = f"at least {claim.faster:g}" if claim.longer is None else f"at most {claim.longer:g}"
    return f"{said} ({spread}; target {target}: {verdict})"


def data(row: Row) -> Dict[str, object]:
    """A row as data for JSON, with every single run."""
    claims = [
        {
            **asdict(claim),
            "ratio": asdict(claim.ratio(row.measured)),
            "verdict": claim.verdict(row.measured),
        }
        for claim in row.claims
    ]
    contenders = {name: [asdict(run) for run in runs] for name, runs in row.measured.items()}
    bounds = [bound.sentence(row.measured) for bound in row.bounds]
    return {
        "title": row.title, "contenders": contenders, "claims": claims, "bounds": bounds,
        "note": row.note,
    }
