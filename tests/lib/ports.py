# SPDX-License-Identifier: MIT
"""ports — ports of this host that nobody takes before the test that asked for them."""
import contextlib
import itertools
import random
import socket
from pathlib import Path

RESERVED = []  # open for as long as this process lives
POSSIBLE = range(16384, 65536)


def free_port():
    """A port that is free on every address, for TCP and UDP. The kernel gives it to no socket that names no port, nor
    this function to another process of the same network: a name among abstract Unix sockets says that it is taken.
    """
    return next(taken for taken in map(reserve, candidates()) if taken)


def candidates():
    """All ports from a random one on; those the kernel gives away come last."""
    low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    safe = [port for port in POSSIBLE if not low <= port <= high]
    first = random.randrange(len(safe) or 1)
    return itertools.chain(safe[first:], safe[:first], range(low, high + 1))


def reserve(port):
    """@port, or None if it is taken."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0berth-test-port-{port}")
    except OSError:
        name.close()
        return None
    RESERVED.append(name)
    return port if is_unused(port) else None


def is_unused(port):
    try:
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
            with contextlib.closing(everywhere(kind)) as one:
                one.bind(("", port))
    except OSError:
        return False
    return True


def everywhere(kind):
    """An unbound socket for all addresses of both families, or of the only one."""
    try:
        one = socket.socket(socket.AF_INET6, kind)
    except OSError:
        return socket.socket(socket.AF_INET, kind)
    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    return one
