# SPDX-License-Identifier: MIT
"""waiting — conditions that other processes make true in their own time, and the one limit of all such waits."""
import os
import select
import socket
import time

LIMIT = 180  # seconds, for what must happen: far more than it takes with sanitizers on a machine that is busy


def wait_for(condition, timeout=LIMIT, what="it"):
    """Until @condition() is true; its value."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {timeout} s"
        time.sleep(0.02)
    return value


def accepts(path):
    """Whether a process accepts connections at the Unix socket @path: it is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def is_alive(pid):
    """Whether a thread of process @pid is left: the process is a zombie before that, if its first thread ends first."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        return not poll.poll(0)
    finally:
        os.close(process)
