"""Read-only folders, like /opt in a Lambda function."""

import contextlib
import os
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Dict, Iterator, Tuple


@contextlib.contextmanager
def read_only(folder: Path) -> Iterator[Tuple[Path, Dict[str, str], str]]:
    """Makes a folder read-only. Yields its path, environment variables for Python, and a description
    of the method."""
    mounted = folder.with_name(folder.name + "-read-only")
    mounted.mkdir()
    if mount(folder, mounted):
        try:
            yield mounted, {}, "mounted read-only"
        finally:
            subprocess.run(["umount", mounted], check=True)
        return
    set_writable(folder, False)
    try:
        if not writable(folder):
            yield folder, {}, "without permission to write"
        else:
            # Root can write even without permission.
            without = {"PYTHONDONTWRITEBYTECODE": "1"}
            yield folder, without, "writable, with PYTHONDONTWRITEBYTECODE=1"
    finally:
        set_writable(folder, True)


def mount(folder: Path, mounted: Path) -> bool:
    """Mounts a folder read-only at another path, if the system and the user allow it."""
    if not shutil.which("mount"):
        return False
    done = subprocess.run(["mount", "--bind", "-o", "ro", folder, mounted], capture_output=True)
    if done.returncode:
        return False
    # Old kernels ignore the option in a bind mount until a remount.
    if writable(mounted):
        subprocess.run(["umount", mounted], check=True)
        return False
    return True


def writable(folder: Path) -> bool:
    """Whether a file can be created in the folder. Root can, whatever the permissions."""
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
