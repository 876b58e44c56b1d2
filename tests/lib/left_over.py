# SPDX-License-Identifier: MIT
"""left_over — ends what a test left running: keepers, emulators and commands that have its directories in their words.

Each keeper that stays uses up inotify instances and memory of the tests to come.
"""
import os
import signal
import time
import warnings
from pathlib import Path

GRACE = 5  # seconds, for what ends by itself


def words_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return []


def is_of(words, directories):
    return any(word == path or f"{path}/" in word for word in words for path in map(str, directories))


def processes_of(directories):
    """{pid: words} of all that name one of @directories, or what is in it; without us and the processes we are of."""
    ours, pid = set(), os.getpid()
    while pid > 1:
        ours.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    pids = {int(entry) for entry in os.listdir("/proc") if entry.isdigit()} - ours
    return {pid: words for pid in pids if is_of(words := words_of(pid), directories)}


def kill(pid, directories):
    """The process, if it is still that one."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if is_of(words_of(pid), directories):
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    finally:
        os.close(pidfd)


def end(*directories, grace=GRACE):
    """Wait for all of @directories to end; kill the rest after @grace seconds, and warn, which names the test."""
    deadline = time.monotonic() + grace
    while (left := processes_of(directories)) and time.monotonic() < deadline:
        time.sleep(0.02)
    killed = {}
    deadline = time.monotonic() + GRACE
    while left and time.monotonic() < deadline:  # one of them may have begun another
        for pid in left:
            kill(pid, directories)
        killed |= left
        left = processes_of(directories)
    for pid, words in killed.items():
        warnings.warn(f"left running: {pid} {' '.join(words)[:200]}")
    return killed
