"""The time until a change of the catalog is visible in the server's answers or in a static copy."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from measure import Command, Measured, Run, run
from report import Row, peak, time as bound
from tools import Bench

PACKAGE = "package-007"
LIST = "/api/v2/p3.13/layers/latest/us-east-1"
VERSIONS = f"/api/v2/p3.13/layers/us-east-1/{PACKAGE}"


def changing(bench: Bench, folder: Path) -> Row:
    """Deletes one layer version per round from a catalog of a million."""
    catalog = filled(bench, folder)
    server = subprocess.Popen(
        [bench.pipeline, "serve", "--config", folder / "klayers.toml", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, text=True,
    )
    shown = "from a change to its first answer"
    measured: Measured = {shown: []}
    database = sqlite3.connect(catalog)
    try:
        assert server.stdout
        address = server.stdout.readline().strip().removeprefix("listening on ")
        for turn in range(bench.rounds + 1):
            get(address + LIST)
            number = get(address + VERSIONS)[-1]["layerVersion"]
            delete(database, number)
            changed = time.perf_counter()
            while get(address + VERSIONS)[-1]["layerVersion"] == number:
                time.sleep(0.005)
            seconds = time.perf_counter() - changed
            if turn:
                measured[shown].append(Run(seconds, 0, 0))
            bring_back(database)
            while get(address + VERSIONS)[-1]["layerVersion"] != number:
                time.sleep(0.005)
    finally:
        database.close()
        server.send_signal(signal.SIGTERM)
        server.wait()
    return Row(
        "One change in a catalog of 1,000,000 layer versions",
        measured,
        "a layer version deleted by another process, until the server's list of versions shows it",
        [],
        [bound(shown, 1)],
    )


def filled(bench: Bench, folder: Path) -> Path:
    """Creates a catalog of a million layer versions, with a config file beside it."""
    catalog = folder / "klayers.db"
    subprocess.run(
        [bench.pipeline.parent / "planning", "fill", catalog], check=True,
        stdout=subprocess.DEVNULL,
    )
    (folder / "klayers.toml").write_text('config_dir = "config"\n')
    return catalog


def delete(database: sqlite3.Connection, number: int) -> None:
    """Records one version of the package as deleted."""
    with database:
        database.execute(
            "UPDATE layer_versions SET status = 'deleted', status_at = created_at"
            " WHERE package = ? AND target = 'p3.13' AND region = 'us-east-1'"
            " AND arn LIKE ?",
            (PACKAGE, f"%:{number}"),
        )


def bring_back(database: sqlite3.Connection) -> None:
    """Restores the deleted version, so that the layer does not run out of versions."""
    with database:
        database.execute(
            "UPDATE layer_versions SET status = 'deprecated'"
            " WHERE package = ? AND status = 'deleted'",
            (PACKAGE,),
        )


def exporting(bench: Bench, folder: Path) -> Row:
    """Makes the same changes and exports a static copy after each."""
    catalog = filled(bench, folder)
    command: Command = [
        bench.pipeline, "export", "--config", folder / "klayers.toml", "--out", folder / "site",
    ]
    first, changed = "the whole catalog", "one change"
    measured: Measured = {first: [run(command, folder)], changed: []}
    versions = folder / "site/current" / VERSIONS.lstrip("/")
    database = sqlite3.connect(catalog)
    try:
        for turn in range(bench.rounds):
            number = json.loads(versions.read_text())[-1]["layerVersion"]
            delete(database, number)
            measured[changed].append(run(command, folder))
            if json.loads(versions.read_text())[-1]["layerVersion"] == number:
                sys.exit("bench: the copy does not show the change")
            if not turn:
                written = check(folder / "site/current")
            bring_back(database)
            # Not measured: this only restores the state for the next round.
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    finally:
        database.close()
    return Row(
        "A static copy of a catalog of 1,000,000 layer versions",
        measured,
        "exported to a folder, and again after a layer version was deleted, which writes"
        f" {written[0]} of {written[1]:,} objects; all others are links to existing files",
        [],
        [peak(first, 1024), peak(changed, 1024)],
    )


def check(site: Path) -> "tuple[int, int]":
    """Returns the number of newly written objects of a copy, and the number of all objects. Exits if an
    object was written that the change did not make stale."""
    written, objects = [], 0
    for parent, _, names in os.walk(site.resolve()):
        for name in names:
            if name.endswith(".gz") or name == "manifest.json":
                continue
            objects += 1
            # An unchanged object is the same file in both copies.
            if os.stat(os.path.join(parent, name)).st_nlink == 1:
                written.append(os.path.relpath(os.path.join(parent, name), site.resolve()))
    stale = re.compile(f"us-east-1|{PACKAGE}|feed.atom")
    strange = [name for name in written if not stale.search(name)]
    if strange or not written:
        sys.exit(f"bench: written needlessly: {strange}; all written: {written}")
    return len(written), objects


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)
