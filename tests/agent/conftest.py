# SPDX-License-Identifier: MIT
"""A real agent over a socketpair for each test: `agent` has .host, .process and .pid."""

import os
import pwd
import select
import socket
import subprocess
from pathlib import Path

import pytest
import wire

GUEST = os.environ.get("BERTH_GUEST")
EPOLL_WAIT = "232"  # its number on x86-64
PATIENCE = 60  # seconds; only a test that fails waits so long


def assert_ends(pid):
    """@pid has gone, or is dead and only waits for its parent, before our patience ends."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([pidfd], [], [], PATIENCE)[0], f"process {pid} lives on"
    finally:
        os.close(pidfd)


def turns(pid):
    """The state of @pid, and how often it gave the processor up and lost it."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        fields = dict(line.split(":", 1) for line in status)
    return fields["State"].split()[0], fields["voluntary_ctxt_switches"], fields["nonvoluntary_ctxt_switches"]


class Agent:
    def __init__(self, *options, user=None, pass_fds=()):
        assert GUEST, "BERTH_GUEST must name the berth-guest program"
        ours, theirs = socket.socketpair()
        # What a sanitizer keeps of freed memory, and of frames that have returned, is not what the agent uses.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + (":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
                                                         ":detect_stack_use_after_return=0")
        program = os.open(GUEST, os.O_RDONLY)  # @user may be one who cannot enter the tree
        self.process = subprocess.Popen(
            [GUEST, "--agent", str(theirs.fileno()), *options],
            executable=f"/proc/self/fd/{program}" if user else GUEST,
            pass_fds=[theirs.fileno(), *pass_fds, *([program] if user else [])],
            env={**os.environ, "ASAN_OPTIONS": sanitizer},
            stdin=subprocess.DEVNULL, cwd="/", user=user, extra_groups=[] if user else None)
        theirs.close()
        os.close(program)
        self.pid = self.process.pid
        self.host = wire.Host(ours)

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def rss(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def children(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children", encoding="ascii") as children:
            return [int(pid) for pid in children.read().split()]

    def waits_without_limit(self):
        """Whether it is in epoll_wait(epoll, events, most, -1) and has set no timer: only an event wakes it."""
        with open(f"/proc/{self.pid}/syscall", encoding="ascii") as syscall:
            words = syscall.read().split()
        if words[0] != EPOLL_WAIT or int(words[4], 16) & 0xffffffff != 0xffffffff:
            return False
        timers = [path.read_text(encoding="ascii") for path in Path(f"/proc/{self.pid}/fdinfo").iterdir()]
        return all("it_value: (0, 0)" in text for text in timers if "it_value" in text)

    def rests(self):
        """Whether it waits for an event, and its commands sleep, too, so that none is on its way."""
        try:
            before = [turns(pid) for pid in (self.pid, *self.children())]
            return self.waits_without_limit() and all(state == "S" for state, *_ in before) and \
                before == [turns(pid) for pid in (self.pid, *self.children())]
        except OSError:  # a process or a descriptor has gone meanwhile
            return False

    def expect_rest(self):
        self.host.until(self.rests, PATIENCE, "rest")

    def stop(self):
        self.host.close()
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def start_agent():
    started = []

    def start(*options, **keywords):
        started.append(Agent(*options, **keywords))
        return started[-1]

    yield start
    for agent in started:
        if agent.process.poll() is None:
            agent.stop()
        else:
            agent.host.close()


@pytest.fixture
def agent(start_agent):
    return start_agent("--no-listeners")


@pytest.fixture
def host(agent):
    return agent.host


@pytest.fixture
def me():
    return pwd.getpwuid(os.getuid())
