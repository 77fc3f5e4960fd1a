"""Measures Klayers beside other tools, in turn, in one run, and prints ratios of medians.

Each row is a command and its peers. They run one after the other, again and again, so that a
machine that becomes slower becomes slower for all of them.
"""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "9"))
PYTHON = "3.12"


def target_folder():
    metadata = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    return pathlib.Path(json.loads(metadata.stdout)["target_directory"])


PIPELINE = target_folder() / "release" / "klayers-pipeline"


def need(tool):
    path = shutil.which(tool)
    if path is None:
        sys.exit(f"bench: {tool} is missing; install it and try again")
    return path


def interpreter():
    """An interpreter of PYTHON, which uv lays out for; any other will do where there is none."""
    names = [os.environ.get("KLAYERS_PYTHON_3_12"), f"python{PYTHON}"]
    for name in filter(None, names):
        asked = subprocess.run(
            [name, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"],
            capture_output=True, text=True,
        ) if shutil.which(name) else None
        if asked and asked.returncode == 0 and asked.stdout.split()[0] == PYTHON:
            return asked.stdout.split()[1]
    return sys.executable


def run(command, cwd):
    """Runs a command to its end; gives its wall time in seconds and its peak memory in bytes."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"bench: {' '.join(map(str, command))} failed:\n{errors.decode()}")
    return elapsed, usage.ru_maxrss * 1024


def in_turn(contenders, prepare):
    """Runs all contenders in turn, a first time for warmth and then ROUNDS times."""
    measured = {name: [] for name in contenders}
    for turn in range(ROUNDS + 1):
        for name, command in contenders.items():
            cwd = prepare()
            result = run(command, cwd)
            shutil.rmtree(cwd)
            if turn:
                measured[name].append(result)
    return measured


def report(title, ours, measured, note):
    print(f"\n{title}")
    medians = {}
    for name, results in measured.items():
        times = [elapsed for elapsed, _ in results]
        medians[name] = statistics.median(times)
        peak = max(peak for _, peak in results) / 2**20
        print(
            f"  {name:<28} {medians[name] * 1000:8.1f} ms"
            f"  (from {min(times) * 1000:.1f} to {max(times) * 1000:.1f}; peak {peak:.0f} MiB)"
        )
    for name, median in medians.items():
        if name != ours:
            faster = median / medians[ours]
            print(f"  {ours} is {faster:.2f} times as fast as {name}")
    print(f"  {note}")


def assembling(folder, package, title):
    """A layer whose wheels are cached, against installing and zipping, and against cat."""
    cache = folder / "cache"
    out = folder / "first"
    build = [PIPELINE, "build", package, "--python", PYTHON, "--cache-dir", cache]
    run([*build, "--out", out], folder)
    zipped = next(out.glob("*.zip"))
    with zipfile.ZipFile(zipped) as archive:
        name = next(name for name in archive.namelist() if name.endswith("/pylock.toml"))
        lock = folder / "pylock.toml"
        lock.write_bytes(archive.read(name))
        unpacked = sum(entry.file_size for entry in archive.infolist())
    wheels = sorted((cache / "wheels").rglob("*.whl"))
    need("zip")
    install = (
        f'uv pip install --quiet --target python --python "{interpreter()}" '
        f'--python-version {PYTHON} --python-platform x86_64-manylinux_2_34 -r "{lock}" '
        "&& zip -q -r layer.zip python"
    )
    contenders = {
        "klayers-pipeline build": [*build, "--lock", lock, "--out", "."],
        "uv pip install, zip -r": ["sh", "-c", install],
        "cat of the wheels": ["sh", "-c", 'cat "$@" > layer', "cat", *wheels],
    }
    count = 0

    def prepare():
        nonlocal count
        count += 1
        cwd = folder / f"run-{count}"
        cwd.mkdir()
        return cwd

    measured = in_turn(contenders, prepare)
    total = sum(wheel.stat().st_size for wheel in wheels)
    report(
        title, "klayers-pipeline build", measured,
        f"{len(wheels)} wheels of {total / 1e6:.1f} MB, unpacked {unpacked / 1e6:.1f} MB; "
        f"medians of {ROUNDS} runs in turn, after one for warmth",
    )


def main():
    if not PIPELINE.exists():
        sys.exit("bench: run make build first")
    need("uv")
    for package, title in [
        ("pandas", "A layer of pandas and its dependencies, wheels cached"),
        ("awswrangler", "A layer of more than 200 MB unpacked, wheels cached"),
    ]:
        with tempfile.TemporaryDirectory(prefix="klayers-bench-") as folder:
            assembling(pathlib.Path(folder), package, title)


if __name__ == "__main__":
    main()
