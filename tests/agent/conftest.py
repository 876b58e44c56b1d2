# SPDX-License-Identifier: MIT
"""A real agent over a socketpair for each test: `agent` has .host, .process and .pid."""

import os
import pwd
import select
import socket
import subprocess
import time

import pytest
import wire

GUEST = os.environ.get("BERTH_GUEST")
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


class Agent:
    def __init__(self, *options, user=None):
        assert GUEST, "BERTH_GUEST must name the berth-guest program"
        ours, theirs = socket.socketpair()
        # What a sanitizer keeps of freed memory is not what the agent uses.
        sanitizer = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        program = os.open(GUEST, os.O_RDONLY)  # @user may be one who cannot enter the tree
        self.process = subprocess.Popen(
            [GUEST, "--agent", str(theirs.fileno()), *options],
            executable=f"/proc/self/fd/{program}" if user else GUEST,
            pass_fds=[theirs.fileno(), *([program] if user else [])],
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

    def cpu(self):
        with open(f"/proc/{self.pid}/stat", encoding="ascii") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def sleeps_for(self, seconds):
        """Whether it neither ran nor woke up in that time."""
        def watch():
            with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
                fields = dict(line.split(":", 1) for line in status)
            return fields["State"].split()[0], fields["voluntary_ctxt_switches"], self.cpu()
        before = watch()
        time.sleep(seconds)
        return before[0] == "S" and watch() == before

    def expect_sleep(self, seconds):
        """It comes to rest, and stays there for @seconds, before our patience ends."""
        deadline = time.monotonic() + PATIENCE
        while not self.sleeps_for(seconds):
            assert time.monotonic() < deadline, "the agent is busy"
            self.host.step(0)

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
