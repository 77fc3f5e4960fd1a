"""Imports one module of a layer as Lambda would, and says how that went.

The answer is one line of JSON on what was standard output at the start. It is only given after the
import has returned or raised, so that a module which ends the process gives none.
"""

import sys

sys.path.pop(0)  # The current folder, which `-c` puts there.

import errno
import faulthandler
import importlib
import json
import os
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


def refuse_network(event, _arguments):
    if event in NETWORK:
        raise OSError(errno.ENETUNREACH, "a module may not use the network while it is imported")


def limit(kind, most):
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(kind, (most, most))


def explain(error, layer):
    try:
        text = "".join(traceback.format_exception_only(type(error), error)).strip()
    except Exception:  # A module's own exception may not be able to say what it is.
        text = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(layer)]
    if inside:
        text += f" ({inside[-1].filename}, line {inside[-1].lineno})"
    return text.replace(layer, "/opt")[:4000].encode(errors="replace").decode()


def main():
    job = json.load(sys.stdin)
    answer = os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    faulthandler.enable()
    # The most memory that a function may have is 10 GiB, reserved addresses included.
    limit(resource.RLIMIT_AS, 10 * GIB)
    limit(resource.RLIMIT_DATA, 4 * GIB)
    limit(resource.RLIMIT_CPU, job["seconds"])
    limit(resource.RLIMIT_FSIZE, GIB // 16)
    limit(resource.RLIMIT_CORE, 0)
    sys.addaudithook(refuse_network)
    sys.path.insert(0, os.path.join(job["layer"], "python"))
    failure = None
    try:
        for before in job["before"]:
            importlib.import_module(before)
        importlib.import_module(job["module"])
    except BaseException as error:  # SystemExit is no success, either.
        failure = explain(error, job["layer"])
    line = json.dumps({"module": job["module"], "failure": failure}) + "\n"
    os.write(answer, line.encode())
    # Ends what the module has started, too. In a namespace of its own this process cannot be
    # killed from within, and all others end with it.
    os.kill(0, signal.SIGKILL)
    os._exit(0)


main()
