# SPDX-License-Identifier: MIT
"""waiting — conditions that other processes make true in their own time, and the one limit of all such waits."""
import os
import select
import signal
import socket
import time
from pathlib import Path

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


def stop_process(pid):
    """Stop process @pid; each of its threads stands still then. One that waits for a disk goes on for a while after
    the signal, and so do all the others if it is the one that has to take the signal.
    """
    os.kill(pid, signal.SIGSTOP)

    def is_stopped():
        try:
            states = [stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
        except OSError:  # a thread has just ended
            return False
        return all(state in "TtZX" for state in states)
    wait_for(is_stopped, what=f"the stop of {pid}")
