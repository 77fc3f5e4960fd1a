"""Reports which extension modules this interpreter loads, the version of its C library, and the
files that it loads itself: its own extension modules and the system libraries that they need.
"""

import sys

sys.path.pop(0)  # The current folder, which `-c` puts first.

import _imp
import importlib
import json
import os

# Lambda's Python has neither Tk nor CPython's test modules.
NOT_IN_RUNTIME = ("_ctypes_test", "_test", "_tkinter", "_xx", "xx")


def standard_folders():
    """Returns the folders of the standard library."""
    folders = {os.path.dirname(os.path.realpath(os.__file__))}
    folders.update(os.path.realpath(path) for path in sys.path if path.endswith("lib-dynload"))
    return sorted(folder for folder in folders if os.path.isdir(folder))


def import_extensions(folder):
    for file in sorted(os.listdir(folder)):
        name = file.split(".")[0]
        if file.endswith(".so") and not name.startswith(NOT_IN_RUNTIME):
            try:
                importlib.import_module(name)
            except Exception:  # An extension that lacks a library on this machine.
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
