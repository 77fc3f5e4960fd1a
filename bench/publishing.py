"""The time to publish to many regions, compared with one region."""

import base64
import csv
import hashlib
import io
import os
import random
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import List

from measure import Claim, Contender, in_turn
from report import Row, peak
from tools import Bench, need

REGIONS = [
    *(f"ap-{place}" for place in (
        "east-1", "east-2", "northeast-1", "northeast-2", "northeast-3", "south-1", "south-2",
        "southeast-1", "southeast-2", "southeast-3", "southeast-4", "southeast-5", "southeast-6",
        "southeast-7",
    )),
    *(f"eu-{place}" for place in (
        "central-1", "central-2", "north-1", "south-1", "south-2", "west-1", "west-2", "west-3",
    )),
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "ca-west-1", "sa-east-1",
    "af-south-1", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
]
# The response time of the stub of AWS, in milliseconds.
DELAY = 200


def publishing(bench: Bench, size: int, title: str, folder: Path) -> Row:
    """Compares a run that publishes one layer of about `size` bytes to every region with one that
    publishes it to one region. Both use a stub that answers each call after the same time."""
    stub = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("lambda_stub.py"), str(DELAY)],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        assert stub.stdout
        env = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{stub.stdout.readline().strip()}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "KLAYERS_CACHE_DIR": str(folder / "cache"),
            "UV_CACHE_DIR": str(folder / "uv"),
        }
        wheel(folder / "wheels", size)
        many, one = f"a run to {len(REGIONS)} regions", "a run to one region"
        contenders = {}
        for name, regions in ((many, REGIONS), (one, REGIONS[:1])):
            collection = folder / str(len(regions))
            describe(collection, regions, folder / "wheels")
            need("uv")
            run = 'cp -r "$1/." . && exec "$0" run'
            command = ["sh", "-c", run, bench.pipeline, collection]
            contenders[name] = Contender(command, env=env)
        measured = in_turn(contenders, bench.rounds, folder)
    finally:
        stub.kill()
        stub.wait()
    return Row(
        title,
        measured,
        f"one layer of {size / 1e6:.1f} MB in the request, resolved, built and published, by a stub"
        f" that answers after {DELAY} ms",
        # The stub takes longer for large bodies than AWS, which has many machines.
        [Claim(many, one, longer=3 if size < 1_000_000 else None)],
        [peak(many, 200)],
    )


def wheel(folder: Path, size: int) -> None:
    """Creates a wheel with a file that cannot be compressed."""
    folder.mkdir()
    info = "sample-1.0.dist-info"
    files = {
        "sample.bin": random.Random(1).randbytes(size),
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: sample\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.writerow([name, f"sha256={digest}", len(content)])
    rows.writerow([f"{info}/RECORD", "", ""])
    files[f"{info}/RECORD"] = record.getvalue().encode()
    with zipfile.ZipFile(folder / "sample-1.0-py3-none-any.whl", "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def describe(folder: Path, regions: List[str], wheels: Path) -> None:
    """Creates a collection with that one package."""
    config = folder / "config"
    config.mkdir(parents=True)
    (config / "config.json").write_text(
        '{"python_versions": ["p3.12"], "p3.12": {"packages_file": "packages.csv"}}'
    )
    (config / "packages.csv").write_text("Package_Name,License,Authors/Maintainers\nsample,MIT,x\n")
    rows = "".join(f"{region},A place\n" for region in regions)
    (config / "regions.csv").write_text(f"Code,Name\n{rows}")
    (folder / "klayers.toml").write_text(
        'config_dir = "config"\n[gate]\nimports = false\n'
        f'[build]\nbytecode = "off"\nno_index = true\nfind_links = ["{wheels}"]\n'
        '[publish]\ntarget = "aws"\npublic = true\n[publish.aws]\nin_request = 52428800\n'
    )
