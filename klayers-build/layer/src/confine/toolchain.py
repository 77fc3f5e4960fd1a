"""Prints what this interpreter consists of: its prefixes, and the files that it has loaded."""

import json
import os
import sys

# These modules load libraries, which may be outside the prefix.
for name in ("bz2", "ctypes", "curses", "dbm", "lzma", "readline", "sqlite3", "ssl", "zlib"):
    try:
        __import__(name)
    except Exception:  # Not every interpreter has all of them.
        pass

prefixes = {sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix}
paths = set(sys.path)
paths.update(path for path in (sys.executable, getattr(sys, "_base_executable", None)) if path)
try:
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) == 6 and os.path.isfile(fields[5]):
                paths.add(fields[5])
except OSError:
    pass
print(json.dumps({"prefixes": sorted(prefixes), "paths": sorted(paths)}))
