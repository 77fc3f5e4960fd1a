"""Imports one module of a layer as Lambda would, and reports the outcome.

The report is one line of JSON on the original standard output. It is written only after the import
has returned or raised, so a module that ends the process produces no report.
"""

import sys

sys.path.pop(0)  # The current folder, which `-c` puts first.

import errno
import faulthandler
import importlib
import json
import os
import re
import resource
import signal
import traceback

NETWORK = {
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyaddr",
    "socket.gethostbyname",
    "socket.getnameinfo",
    "socket.sendmsg",
    "socket.sendto",
}
GIB = 1 << 30
NOT_FOUND = ": cannot open shared object file"
# The message of an import of an unknown name from a package that has no file of its own.
NO_PART = re.compile(r"cannot import name '(\w+)' from '([\w.]+)' \(unknown location\)")


def refuse_network(event, _arguments):
    if event in NETWORK:
        raise OSError(errno.ENETUNREACH, "a module may not use the network while it is imported")


def set_limit(kind, maximum):
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        maximum = min(maximum, hard)
    resource.setrlimit(kind, (maximum, maximum))


def explain(error, layer):
    try:
        text = "".join(traceback.format_exception_only(type(error), error)).strip()
    except Exception:  # A module's own exception may fail to format itself.
        text = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(layer)]
    if inside:
        text += f" ({inside[-1].filename}, line {inside[-1].lineno})"
    return text.replace(layer, "/opt")[:4000].encode(errors="replace").decode()


def causes(error):
    """Returns the exception and its chain of causes and contexts."""
    seen = []
    while error is not None and all(error is not other for other in seen):
        seen.append(error)
        error = error.__cause__ or error.__context__
    return seen


def missing(error):
    """Returns the module or native library that was not found, if the import failed for that."""
    try:
        for cause in causes(error):
            if isinstance(cause, ModuleNotFoundError) and isinstance(cause.name, str):
                return {"module": cause.name[:200]}
            part = isinstance(cause, ImportError) and NO_PART.fullmatch(str(cause))
            # The parts of a namespace package come from several distributions.
            if part and getattr(sys.modules.get(part[2]), "__file__", None) is None:
                return {"module": f"{part[2]}.{part[1]}"[:200]}
            if isinstance(cause, (ImportError, OSError)):
                library, found, _ = str(cause).partition(NOT_FOUND)
                if found and library and not set(library) & set("/ \n"):
                    return {"library": library[:200]}
    except Exception:  # An exception of a module may run any code.
        pass
    return None


def mapped_files():
    """Returns the files whose code this process has mapped; None if the system does not list them."""
    files = {}
    try:
        with open("/proc/self/maps", "rb") as maps:
            for line in maps:
                fields = line.rstrip(b"\n").split(None, 5)
                if len(fields) == 6 and b"x" in fields[1] and fields[5].startswith(b"/"):
                    files[fields[5].decode(errors="replace")] = None
    except OSError:
        return None
    return list(files)


def main():
    job = json.load(sys.stdin)
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    faulthandler.enable()
    # The most memory that a function may have is 10 GiB, reserved addresses included.
    set_limit(resource.RLIMIT_AS, 10 * GIB)
    set_limit(resource.RLIMIT_DATA, 4 * GIB)
    set_limit(resource.RLIMIT_CPU, job["seconds"])
    set_limit(resource.RLIMIT_FSIZE, GIB // 16)
    set_limit(resource.RLIMIT_CORE, 0)
    sys.addaudithook(refuse_network)
    sys.path.insert(0, os.path.join(job["layer"], "python"))
    # The runtime's packages come last, like its site-packages.
    sys.path.extend(os.path.join(folder, "python") for folder in job["runtime_packages"])
    result = {"module": job["module"], "failure": None, "missing": None}
    try:
        for before in job["before"]:
            importlib.import_module(before)
        importlib.import_module(job["module"])
    except BaseException as error:  # SystemExit counts as a failure, too.
        result["failure"] = explain(error, job["layer"])
        result["missing"] = missing(error)
    result["mapped"] = mapped_files()
    os.write(answer, (json.dumps(result) + "\n").encode())
    # Kills all processes that the module started. In a PID namespace of its own, this process is
    # not killed by the signal; it exits, and all others end with it.
    os.kill(0, signal.SIGKILL)
    os._exit(0)


main()
