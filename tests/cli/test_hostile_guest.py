"""A guest that means harm loses itself, and no more: the keeper answers, stays small, and ends it when told to."""
import contextlib
import fcntl
import json
import os
import subprocess

import pytest
import wire

from conftest import wait_for
from waiting import is_alive

MIB = 1 << 20


def mode(kind):
    limit = {"BERTH_BOOT_TIMEOUT": "1"} if kind == "half-a-frame" else {}  # it is waited for
    return {"FAKE_QEMU_MODE": f"hostile-{kind}", **limit}


def peak_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))


@pytest.fixture
def small(box):
    """Asserts that the keeper which runs at the end never needed much memory. A sanitizer needs its own."""
    yield box
    sanitized = b"__asan_init" in box.program.read_bytes()
    limit = 1024 * MIB if sanitized else 40 * MIB  # it keeps 256 MiB of what was freed, and pads the rest
    pid = box.info("box")["keeper_pid"]
    assert pid and peak_memory(pid) < limit


def assert_gone_and_good_again(box):
    info = box.info("box")
    assert info["state"] == "stopped"
    assert all(not is_alive(start["pid"]) for start in box.qemus())
    assert box("run", "echo", "fine").ok() == "fine\n"


def start(box, kind):
    """It starts, and what the guest says of its start is not too long for a terminal."""
    result = box("start", env=mode(kind))
    assert result.status == 0 and result.out == "" and len(result.err) < 100000, result


@pytest.mark.parametrize("kind, code", [
    ("garbage", "wire.frame"), ("late-garbage", "wire.frame"), ("half-a-frame", "instance.boot-timeout"),
])
def test_nonsense_ends_the_instance(box, kind, code):
    box("run", "true", env=mode(kind)).failed(125, code)
    wait_for(lambda: box.info("box")["state"] == "stopped")
    assert_gone_and_good_again(box)


@pytest.mark.parametrize("kind", ["newer", "older"])
def test_a_guest_of_another_version(box, kind):
    for status, words in [(125, ("run", "true")), (1, ("start",))]:
        result = box(*words, env=mode(kind))
        result.failed(status, "instance.guest-version", f"the guest's agent is {kind} than its keeper")
        assert "install berth again" in result.hint
    wait_for(lambda: box.info("box")["state"] == "stopped")
    assert_gone_and_good_again(box)


@pytest.mark.parametrize("kind", ["newer-once", "older-once"])
def test_a_guest_of_another_version_than_the_keeper_of_before_an_upgrade(box, kind):
    """The start is tried again, with a keeper of the guest's version."""
    assert box("run", "true", env=mode(kind)).status == 7
    assert len(box.qemus()) == 2


def test_a_frame_that_is_too_large(box):
    box("start", env=mode("oversized"))
    wait_for(lambda: box.info("box")["state"] == "stopped")
    assert_gone_and_good_again(box)


def test_flood_of_a_session(small):
    process = small.start("run", "cat", env=mode("flood"), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    result = small.finish(process)
    result = (result.status, result.code)
    assert result == (125, "session.flood")
    assert small("run", "true").status == 7  # by the same guest


def is_running(box):
    """The keeper answers."""
    return box.info("box")["state"] == "running"


def test_flood_of_stages(small):
    """The log keeps to its size: it has been full at least once."""
    start(small, "stage-flood")
    logs = small.data / "distros" / small.ids()[0]
    wait_for(lambda: is_running(small) and (logs / "console.log.old").exists(), 120)
    assert sum(path.stat().st_size for path in logs.glob("console.log*")) < 20 * MIB


def test_flood_of_listeners(small):
    """Those of some moment are told, and then those of another."""
    start(small, "listeners-flood")

    def ports():
        found = json.loads(small("ports", "--json").ok())["ports"]
        assert is_running(small) and len(found) <= 1024
        return found
    seen = wait_for(ports)
    for _ in range(3):
        seen = wait_for(lambda: (now := ports()) != seen and now)


def test_a_guest_that_stops_reading(small):
    """Input that the guest does not read waits in the client, not in the keeper."""
    process = small.start("run", "cat", env=mode("stops-reading"), stdin=subprocess.PIPE)
    os.set_blocking(process.stdin.fileno(), False)
    taken = 0

    def write():
        """All that the pipe has room for; whether it has been more than the session's credit and what the pipe holds."""
        nonlocal taken
        with contextlib.suppress(BlockingIOError):
            while taken <= most:
                taken += os.write(process.stdin.fileno(), bytes(4096))
        return taken >= most
    most = wire.WINDOW + fcntl.fcntl(process.stdin, fcntl.F_GETPIPE_SZ)
    wait_for(write)
    assert small.info("box")["sessions"] == 1
    write()
    assert taken == most
    process.kill()
    process.communicate()
    wait_for(lambda: small.info("box")["sessions"] == 0)


def test_long_words_of_itself(small):
    start(small, "long-words")
    info = small.info("box")
    assert info["state"] == "running" and info["qemu_pid"]
    assert all(len(info[key]) <= 64 for key in ("kernel", "init", "init_status"))
    assert "1, 1 running" in small("status").ok()


@pytest.mark.parametrize("kind", ["credit-without-end", "bad-exit"])
def test_a_lie_to_a_session_ends_it(small, kind):
    result = small("run", "cat", env=mode(kind))
    assert (result.status, result.code) == (125, "session.frame")
    assert small.info("box")["state"] == "running"


def test_frames_of_streams_that_are_no_more(small):
    assert small("run", "true", env=mode("dead-streams")).status == 7
    assert small("run", "true").status == 7


@pytest.mark.parametrize("kind", ["stage-flood", "listeners-flood", "stops-reading", "dead-streams"])
def test_it_can_be_stopped(box, kind):
    start(box, kind)
    box("terminate", "--force", "box").ok()
    assert_gone_and_good_again(box)
