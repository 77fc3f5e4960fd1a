"""The Python wheel, compared with the package requests and with a dict."""

import sys
from pathlib import Path
from typing import Dict, Mapping

from lookups import server
from measure import Claim, Contender, Measured, in_turn
from report import Row
from tools import ROOT, Bench, environment

LOOKUPS = 1_000_000
OURS, REQUESTS, DICT, EMPTY = "klayers", "requests", "a dict", "empty"
CALL = 'klayers.latest_arn("requests", region="us-east-1", python="3.13")'


def imports(bench: Bench, folder: Path) -> Row:
    """The time that importing the package adds to an empty program."""
    programs = {OURS: "import klayers", REQUESTS: "import requests", EMPTY: "pass"}
    measured = beyond_empty(bench, programs, {}, folder)
    return Row(
        "Python: import", measured, "new processes; less the time of python -c pass",
        [Claim(OURS, REQUESTS, longer=0.1)],
    )


def first(bench: Bench, folder: Path) -> Row:
    """The time that an import and one lookup add to an empty program."""
    with server() as url:
        page = f"{url}/api/v2/p3.13/layers/us-east-1/requests"
        programs = {
            OURS: f"import klayers; print({CALL})",
            REQUESTS: f"import requests; print(requests.get({page!r}).json()[0]['arn'])",
            EMPTY: "pass",
        }
        measured = beyond_empty(bench, programs, {"KLAYERS_API_URL": url}, folder)
    return Row(
        "Python: the first lookup of a process", measured,
        "from loopback, with the import; less the time of python -c pass",
        [Claim(OURS, REQUESTS, longer=0.5)],
    )


def cached(bench: Bench, folder: Path) -> Row:
    """The time of a lookup with a cached answer."""
    loop = f"for _ in range({LOOKUPS}): "
    with server() as url:
        programs = {
            OURS: f"import klayers\n{CALL}\n{loop}{CALL}",
            DICT: f"import klayers\narns = {{'requests': {CALL}}}\n{loop}arns['requests']",
            EMPTY: f"import klayers\n{CALL}\n{loop}pass",
        }
        measured = beyond_empty(bench, programs, {"KLAYERS_API_URL": url}, folder)
    return Row(
        "Python: 1,000,000 lookups of an ARN that is kept", measured,
        "one thread; less the time of a loop that does nothing",
        [Claim(OURS, DICT, longer=20)],
    )


def beyond_empty(
    bench: Bench, programs: Mapping[str, str], variables: Mapping[str, str], folder: Path
) -> Measured:
    """The times of programs beyond an empty one, by round, in an environment with the wheel and
    requests."""
    python = environment(folder, wheel(), "requests")
    contenders = {
        name: Contender([python, "-c", text], env={"PATH": "/usr/bin:/bin", **variables})
        for name, text in programs.items()
    }
    measured = in_turn(contenders, bench.rounds, folder)
    empty = measured.pop(EMPTY)
    less: Dict[str, list] = {}
    for name, runs in measured.items():
        less[name] = [run.minus(base) for run, base in zip(runs, empty)]
    return less


def wheel() -> Path:
    wheels = list((ROOT / "build" / "wheels").glob("*.whl"))
    if len(wheels) != 1:
        sys.exit("bench: there is no wheel in build/wheels: run make wheel")
    return wheels[0]
