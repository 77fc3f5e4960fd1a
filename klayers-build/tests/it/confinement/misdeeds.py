"""Tries actions that confinement must prevent, and raises the list of those that succeed."""

import ctypes
import json
import os
import socket
import struct
import sys

WORLD = json.loads(r"""WORLD""")
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
done = []


def attempt(action):
    try:
        action()
    except BaseException:
        return
    done.append(action.__name__)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno())
    return result


# Calls the C library: in an import check Python's own sockets fail before the kernel is asked.
def connect(family, kind, address):
    descriptor = checked(libc.socket(family, kind, 0))
    try:
        checked(libc.connect(descriptor, address, len(address)))
        if kind == socket.SOCK_DGRAM:
            checked(libc.send(descriptor, b"x", 1, 0))
    finally:
        os.close(descriptor)


def internet(port):
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, bytes([127, 0, 0, 1]))


def local(name):
    return struct.pack("=H", socket.AF_UNIX) + name.encode()


@attempt
def read_file():
    open(WORLD["secret"]).read()


@attempt
def list_folder():
    os.listdir(os.path.dirname(WORLD["secret"]))


@attempt
def write_file():
    open(WORLD["secret"], "a").close()


@attempt
def write_system():
    open("/usr/klayers-was-here", "w").close()


@attempt
def write_layer():
    open(os.path.join(os.path.dirname(__file__), "more.py"), "w").close()


@attempt
def make_home():
    os.makedirs(os.path.expanduser("~"))


@attempt
def read_environment():
    open(f"/proc/{WORLD['pipeline']}/environ", "rb").read()


@attempt
def read_command_line():
    open(f"/proc/{WORLD['pipeline']}/cmdline", "rb").read()


@attempt
def change_kernel():
    open("/proc/sys/kernel/core_pattern", "a").close()


@attempt
def signal():
    os.kill(WORLD["victim"], 0)


@attempt
def trace():
    checked(libc.ptrace(16, WORLD["victim"], 0, 0))
    libc.ptrace(17, WORLD["victim"], 0, 0)


@attempt
def use_tcp():
    connect(socket.AF_INET, socket.SOCK_STREAM, internet(WORLD["tcp"]))


@attempt
def use_udp():
    connect(socket.AF_INET, socket.SOCK_DGRAM, internet(WORLD["udp"]))


@attempt
def use_abstract_socket():
    connect(socket.AF_UNIX, socket.SOCK_STREAM, local("\0" + WORLD["abstract"]))


@attempt
def use_named_socket():
    connect(socket.AF_UNIX, socket.SOCK_STREAM, local(WORLD["named"] + "\0"))


@attempt
def use_socket_of_machine():
    os.close(checked(libc.socket(40, socket.SOCK_STREAM, 0)))


@attempt
def have_capabilities():
    status = open("/proc/self/status").read()
    effective = [line for line in status.splitlines() if line.startswith("CapEff:")]
    assert int(effective[0].split()[1], 16) != 0


# These must work.
with open(os.path.join(os.environ["TMPDIR"], "file"), "w") as file:
    file.write("x")
assert os.path.exists("/proc/self/maps")
raise RuntimeError(" ".join(["could:", *done]))
