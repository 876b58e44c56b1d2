"""Memory that a quiet guest is asked to give back: when, and how often. tests/agent has what the guest does then, and
tests/vm what the host gets.

With an idle-timeout of one second samples are half a second apart.
"""
import functools
import os
import re
from pathlib import Path

import pytest

from conftest import wait_for
from guest_memory import memory_file

REQUEST = "4194304 swappiness=0"


class Kernel:
    """Of the guest: the files that its agent uses."""

    def __init__(self, root):
        self.root = root
        (root / "groups").mkdir(parents=True)
        (root / "proc").mkdir()
        os.mkfifo(root / "groups/memory.reclaim")
        self.requests = os.open(root / "groups/memory.reclaim", os.O_RDWR | os.O_NONBLOCK)
        (root / "proc/meminfo").write_text("Inactive(file): 4096 kB\n")
        self.asked = ""

    def requested(self):
        try:
            self.asked += os.read(self.requests, 4096).decode()
        except BlockingIOError:
            pass
        return self.asked

    def forget(self):
        self.requested()
        self.asked = ""


@pytest.fixture
def kernel(box, tmp_path):
    made = Kernel(tmp_path / "kernel")
    box.environment["FAKE_QEMU_KERNEL"] = str(made.root)
    box.configure("[berth]\nidle-timeout = 1\nidle = never\n")
    yield made
    os.close(made.requests)


def stalled():
    """Microseconds for which programs of this host have waited for memory."""
    try:
        return int(re.search(r"some .*total=(\d+)", Path("/proc/pressure/memory").read_text(encoding="ascii"))[1])
    except OSError:
        return 0


def undisturbed(test):
    """Once more, if this host was short of memory meanwhile (lib/instance/host/host_pressure.c): a guest is asked then, too."""
    @functools.wraps(test)
    def repeated(box, kernel):
        while True:
            before = stalled()
            try:
                return test(box, kernel)
            except AssertionError:
                if stalled() - before < 200_000:
                    raise
            box("terminate", "box").ok()
            kernel.forget()
    return repeated


def hold(box, mebibytes):
    with memory_file(box.info("box")["keeper_pid"]).open("r+b") as memory:
        os.posix_fallocate(memory.fileno(), 0, mebibytes << 20)


def samples(box, count):
    """Wait for at least so many, by the wake-ups of the keeper."""
    keeper = box.info("box")["keeper_pid"]

    def woken():
        status = Path(f"/proc/{keeper}/task/{keeper}/status").read_text(encoding="ascii")
        return int(status.partition("voluntary_ctxt_switches:")[2].split()[0])

    before = woken()
    wait_for(lambda: woken() >= before + count, what="samples")


@undisturbed
def test_once_and_again_when_it_has_grown(box, kernel):
    box.environment["FAKE_QEMU_HOLDS"] = str(100 << 20)
    box("start", "box").ok()
    wait_for(lambda: kernel.requested() == REQUEST, what="the first request")
    samples(box, 8)
    assert kernel.requested() == REQUEST
    hold(box, 131)
    samples(box, 8)
    assert kernel.requested() == REQUEST
    hold(box, 132)
    wait_for(lambda: kernel.requested() == 2 * REQUEST, what="the second request")
    samples(box, 8)
    assert kernel.requested() == 2 * REQUEST


@undisturbed
def test_a_small_one_is_left_alone(box, kernel):
    box.environment["FAKE_QEMU_HOLDS"] = str(31 << 20)
    box("start", "box").ok()
    samples(box, 8)
    assert kernel.requested() == ""


@undisturbed
def test_before_it_is_suspended_unasked(box, kernel):
    del box.environment["BERTH_IDLE"]
    box.configure("[berth]\nidle-timeout = 4\n")
    box.environment["FAKE_QEMU_HOLDS"] = str(100 << 20)
    box("start", "box").ok()
    wait_for(lambda: box.info("box")["state"] == "suspended")
    assert kernel.requested() == REQUEST


@undisturbed
def test_after_a_wake_as_before(box, kernel):
    box.environment["FAKE_QEMU_HOLDS"] = str(100 << 20)
    box("start", "box").ok()
    wait_for(lambda: kernel.requested() == REQUEST, what="the request")
    samples(box, 4)
    box("suspend", "box").ok()
    assert kernel.requested() == REQUEST
    box("run", "--", "true").ok()
    samples(box, 8)
    assert kernel.requested() == REQUEST  # it is the same guest
    hold(box, 140)
    wait_for(lambda: kernel.requested() == 2 * REQUEST, what="the next request")
