"""A folder that cannot be written to, as /opt is in a Lambda function."""

import contextlib
import os
import stat
import subprocess
from pathlib import Path
from typing import Dict, Iterator, Tuple


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Tuple[Path, Dict[str, str], str]]:
    """Makes a folder read-only. Gives the path to read it by, variables for Python to be started
    with, and in words what was done."""
    mounted = folder.with_name(folder.name + "-read-only")
    mounted.mkdir()
    mount = ["mount", "--bind", "-o", "ro", folder, mounted]
    with contextlib.suppress(OSError):
        if subprocess.run(mount, capture_output=True).returncode == 0:
            try:
                if not writable(mounted):
                    yield mounted, {}, "mounted read-only"
                    return
            finally:
                subprocess.run(["umount", mounted], check=True)
    set_writable(folder, False)
    try:
        if not writable(folder):
            yield folder, {}, "without permission to write"
        else:
            # Only root gets here, where it may not mount.
            without = {"PYTHONDONTWRITEBYTECODE": "1"}
            yield folder, without, "writable, with PYTHONDONTWRITEBYTECODE=1"
    finally:
        set_writable(folder, True)


def writable(folder: Path) -> bool:
    """Whether a file can be made in it: root may whatever the permissions say."""
    probe = folder / ".probe"
    try:
        probe.touch()
    except OSError:
        return False
    probe.unlink()
    return True


def set_writable(folder: Path, allowed: bool) -> None:
    for parent, _, files in os.walk(folder):
        for path in [parent, *(os.path.join(parent, name) for name in files)]:
            mode = stat.S_IMODE(os.stat(path).st_mode)
            write = stat.S_IWUSR if allowed else 0
            os.chmod(path, (mode & ~0o222) | write)
