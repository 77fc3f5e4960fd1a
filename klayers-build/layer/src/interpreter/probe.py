# Describes this interpreter, one fact a line. Run with -I -S -B.
import sys, os, importlib.util

version = sys.version_info
stage = {"alpha": "a", "beta": "b", "candidate": "rc"}.get(version.releaselevel)
print("klayers probe")
print(sys.implementation.name)
print("%d.%d.%d%s" % (version[:3] + ("%s%d" % (stage, version.serial) if stage else "",)))
print(sys.implementation.cache_tag)
print(int.from_bytes(importlib.util.MAGIC_NUMBER[:2], "little"))
print(sys.abiflags)
print(os.uname().machine)
print(os.path.realpath(sys.executable))
