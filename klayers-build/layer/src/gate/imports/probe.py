"""Says which extension modules this interpreter loads, its C library's version, and which files it
loads for itself: those of its own extension modules, and the system's libraries that these need.
"""

import sys

sys.path.pop(0)  # The current folder, which `-c` puts there.

import _imp
import importlib
import json
import os

# Lambda's Python has no Tk, and the tests of Python are no part of what it does.
NOT_IN_RUNTIME = ("_ctypes_test", "_test", "_tkinter", "_xx", "xx")


def standard_folders():
    """The folders of the standard library."""
    folders = {os.path.dirname(os.path.realpath(os.__file__))}
    folders.update(os.path.realpath(path) for path in sys.path if path.endswith("lib-dynload"))
    return sorted(folder for folder in folders if os.path.isdir(folder))


def import_extensions(folder):
    for file in sorted(os.listdir(folder)):
        name = file.split(".")[0]
        if file.endswith(".so") and not name.startswith(NOT_IN_RUNTIME):
            try:
                importlib.import_module(name)
            except Exception:  # One that needs what this machine lacks loads nothing.
                pass


def mapped_files():
    files = set()
    try:
        with open("/proc/self/maps", "rb") as maps:
            for line in maps:
                fields = line.rstrip(b"\n").split(None, 5)
                if len(fields) == 6 and b"x" in fields[1] and fields[5].startswith(b"/"):
                    files.add(fields[5].decode(errors="replace"))
    except OSError:
        return []
    return sorted(files)


try:
    library = os.confstr("CS_GNU_LIBC_VERSION")
except (AttributeError, OSError, ValueError):
    library = None
folders = standard_folders()
for folder in folders:
    if folder.endswith("lib-dynload"):
        import_extensions(folder)
answer = {
    "suffixes": _imp.extension_suffixes(),
    "libc": library,
    "own": folders + mapped_files(),
}
print(json.dumps(answer))
