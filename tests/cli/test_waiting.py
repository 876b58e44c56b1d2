# SPDX-License-Identifier: MIT
"""tests/lib/waiting.py and ports.py: what the suites stand on."""
import os
import socket
import subprocess
import sys

import pytest

import ports
from ports import free_port
from waiting import accepts, is_alive, wait_for

FIRST_THREAD_ENDS = """
import ctypes, sys, threading
threading.Thread(target=sys.stdin.read).start()
ctypes.CDLL(None).syscall(60, 0)  # exit(2): of this thread alone
"""


def test_a_process_lives_until_its_last_thread_ends():
    process = subprocess.Popen([sys.executable, "-c", FIRST_THREAD_ENDS], stdin=subprocess.PIPE)
    with open(f"/proc/{process.pid}/stat", encoding="ascii") as stat:
        wait_for(lambda: stat.seek(0) == 0 and stat.read().rpartition(")")[2].split()[0] == "Z")
    assert is_alive(process.pid)
    process.stdin.close()
    wait_for(lambda: not is_alive(process.pid))
    assert process.wait() == 0 and not is_alive(process.pid)


def test_a_socket_accepts_once_it_listens(tmp_path):
    path = tmp_path / "socket"
    assert not accepts(path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        assert path.exists() and not accepts(path)
        server.listen()
        assert accepts(path)


def test_a_limit_is_named():
    with pytest.raises(AssertionError, match="the moon did not happen within 0 s"):
        wait_for(lambda: False, timeout=0, what="the moon")


ASK = "import sys; sys.path.insert(0, sys.argv[1]); import ports; print(ports.free_port(), flush=True); sys.stdin.read()"


def test_no_port_is_given_twice():
    """Not in another process either, nor by the kernel to a socket that names none."""
    low, high = map(int, open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii").read().split())
    lib = os.path.dirname(ports.__file__)
    others = [subprocess.Popen([sys.executable, "-c", ASK, lib], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
              for _ in range(4)]
    given = [free_port() for _ in range(50)] + [int(other.stdout.readline()) for other in others]
    assert len(set(given)) == 54
    assert [port for port in given if low <= port <= high] == []
    for other in others:
        other.communicate()


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_port_that_is_bound_is_not_free(address, kind):
    port = free_port()
    assert ports.is_unused(port)
    with socket.socket(socket.AF_INET, kind) as one:
        one.bind((address, port))
        assert not ports.is_unused(port)
