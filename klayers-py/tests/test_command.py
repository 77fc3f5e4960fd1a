"""The command `klayers` as the wheel has it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import klayers
from conftest import Server

PLACE = ["--region", "us-east-1", "--python", "3.13", "--no-cache"]


def run(*arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Runs the script that is installed beside the interpreter."""
    script = Path(sys.executable).with_name("klayers")
    done = subprocess.run([str(script), *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == status, done.stderr
    return done


def test_latest_arn_prints_arn(server: Server) -> None:
    done = run("latest-arn", "Requests", *PLACE)
    assert done.stdout == f"{klayers.latest_arn('requests', region='us-east-1', python='3.13')}\n"
    assert done.stderr == ""


def test_json_output(server: Server) -> None:
    rows = json.loads(run("latest", *PLACE, "--json").stdout)
    assert [row["package"] for row in rows] == ["numpy", "Pillow", "requests"]


def test_version_of_command_and_module() -> None:
    assert run("--version").stdout == f"klayers {klayers.__version__}\n"
    module = subprocess.run(
        [sys.executable, "-m", "klayers", "--version"], capture_output=True, text=True, check=True
    )
    assert module.stdout == f"klayers {klayers.__version__}\n"


def test_exit_status_of_failures(server: Server) -> None:
    done = run("latest-arn", "reqeusts", *PLACE, status=1)
    assert "did you mean requests?" in done.stderr and done.stdout == ""
    assert "Usage" in run("no-such-command", status=2).stderr
