# SPDX-License-Identifier: MIT
"""RECLAIM, with directories in place of /proc and of the hierarchy of control groups."""

import os
import struct

import pytest
import wire

PAGE = os.sysconf("SC_PAGE_SIZE")


class System:
    def __init__(self, root):
        self.root, self.proc, self.groups = root, root / "proc", root / "groups"
        self.groups.mkdir()
        os.mkfifo(self.groups / "memory.reclaim")
        self.requests = os.open(self.groups / "memory.reclaim", os.O_RDWR | os.O_NONBLOCK)
        self.write("meminfo", "Inactive(file):     4096 kB\nAnonPages:    4096 kB\nSwapFree:   8192 kB\n")
        self.write("vmstat", "nr_free_pages 100\nworkingset_refault_file 5\n")
        self.write("sys/vm/drop_caches", "")
        self.write("sys/vm/compact_memory", "")

    def write(self, name, text):
        path = self.proc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = self.root / "new"
        new.write_text(text)
        new.rename(path)

    def asked(self):
        try:
            return os.read(self.requests, 4096).decode()
        except BlockingIOError:
            return ""


@pytest.fixture
def system(tmp_path):
    made = System(tmp_path)
    yield made
    os.close(made.requests)


@pytest.fixture
def agent(start_agent, system):
    return start_agent("--no-listeners", "--cgroups", str(system.groups), "--proc", str(system.proc))


def reclaim(host, urgent=0):
    """The answer: busy, taken, refaulted."""
    before = len(host.find(wire.RECLAIMED))
    host.queue(wire.frame(wire.RECLAIM, bytes([urgent])))
    host.until(lambda: len(host.find(wire.RECLAIMED)) > before)
    return struct.unpack("<BQQ", host.find(wire.RECLAIMED)[-1].payload)


def test_page_cache_only(agent, system):
    assert reclaim(agent.host) == (0, 0, 5 * PAGE)
    assert system.asked() == "4194304 swappiness=0"
    assert reclaim(agent.host, urgent=1) == (0, 0, 0)
    assert system.asked() == "4194304 swappiness=02097152 swappiness=200"


def test_what_was_taken_and_read_again(agent, system):
    """The kernel's counters are read before and after: the request in between waits here until they have changed."""
    os.close(system.requests)
    for before, after, refaulted, answer in ((100, 350, 5, (250, 5)), (350, 300, 25, (0, 20)), (300, 301, 5, (1, 0))):
        system.write("vmstat", f"nr_free_pages {before}\nworkingset_refault_file {refaulted}\n")
        count = len(agent.host.find(wire.RECLAIMED))
        agent.host.queue(wire.frame(wire.RECLAIM, b"\0"))
        agent.host.until(lambda: agent.children() != [])
        system.write("vmstat", f"nr_free_pages {after}\nworkingset_refault_file {refaulted}\n")
        with open(system.groups / "memory.reclaim", encoding="ascii") as requests:
            assert requests.read() == "4194304 swappiness=0"
        agent.host.until(lambda: len(agent.host.find(wire.RECLAIMED)) > count)
        payload = agent.host.find(wire.RECLAIMED)[-1].payload
        assert struct.unpack("<BQQ", payload) == (0, *(pages * PAGE for pages in answer))
    system.requests = os.open(system.groups / "memory.reclaim", os.O_RDWR | os.O_NONBLOCK)


def test_one_at_a_time(agent, system):
    """The second is answered at once, and sessions go on meanwhile."""
    os.close(system.requests)
    agent.host.queue(wire.frame(wire.RECLAIM, b"\1") * 2)
    agent.host.until(lambda: len(agent.host.find(wire.RECLAIMED)) == 1)
    assert agent.host.find(wire.RECLAIMED)[0].payload[0] == 1
    assert agent.host.run("echo", "on").stdout == b"on\n"
    system.requests = os.open(system.groups / "memory.reclaim", os.O_RDWR | os.O_NONBLOCK)
    agent.host.until(lambda: len(agent.host.find(wire.RECLAIMED)) == 2)
    assert agent.host.find(wire.RECLAIMED)[1].payload[0] == 0


def test_it_rests_afterwards(agent, system):
    """No timer remains: an idle guest is not woken for its memory."""
    reclaim(agent.host)
    agent.expect_rest()


def test_malformed(agent, system):
    """Ignored, as any malformed frame on stream 0."""
    for payload in (b"", b"\0\0"):
        agent.host.queue(wire.frame(wire.RECLAIM, payload))
    assert agent.host.run("echo", "on").stdout == b"on\n"
    assert agent.host.find(wire.RECLAIMED) == []
    assert reclaim(agent.host)[0] == 0


def test_without_a_proc(start_agent):
    """As where the distro has none: answered all the same."""
    host = start_agent("--no-listeners").host
    assert reclaim(host) == (0, 0, 0)
    assert reclaim(host, urgent=1) == (0, 0, 0)
