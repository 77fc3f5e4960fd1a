"""How long a change of the catalog takes to be seen by who asks the server."""

import json
import signal
import sqlite3
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

from measure import Measured, Run
from report import Row, time as bound
from tools import Bench

PACKAGE = "package-007"
LIST = "/api/v2/p3.13/layers/latest/us-east-1"
VERSIONS = f"/api/v2/p3.13/layers/us-east-1/{PACKAGE}"


def changing(bench: Bench, folder: Path) -> Row:
    """Layer versions are withdrawn from a catalog of a million, one a round."""
    catalog = folder / "klayers.db"
    subprocess.run(
        [bench.pipeline.parent / "examples/planning", "fill", catalog], check=True,
        stdout=subprocess.DEVNULL,
    )
    (folder / "klayers.toml").write_text('config_dir = "config"\n')
    server = subprocess.Popen(
        [bench.pipeline, "serve", "--config", folder / "klayers.toml", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE, text=True,
    )
    shown = "a change until it is shown"
    measured: Measured = {shown: []}
    database = sqlite3.connect(catalog)
    try:
        assert server.stdout
        address = server.stdout.readline().strip().removeprefix("listening on ")
        for turn in range(bench.rounds + 1):
            get(address + LIST)
            number = get(address + VERSIONS)[-1]["layerVersion"]
            with database:
                database.execute(
                    "UPDATE layer_versions SET status = 'deleted', status_at = created_at"
                    " WHERE package = ? AND target = 'p3.13' AND region = 'us-east-1'"
                    " AND arn LIKE ?",
                    (PACKAGE, f"%:{number}"),
                )
            changed = time.perf_counter()
            while get(address + VERSIONS)[-1]["layerVersion"] == number:
                time.sleep(0.005)
            seconds = time.perf_counter() - changed
            if turn:
                measured[shown].append(Run(seconds, 0, 0))
            # A round takes a version, and the layer must not run out of them.
            with database:
                database.execute(
                    "UPDATE layer_versions SET status = 'deprecated'"
                    " WHERE package = ? AND status = 'deleted'",
                    (PACKAGE,),
                )
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


def get(url: str) -> Any:
    with urllib.request.urlopen(url) as answer:
        return json.load(answer)
