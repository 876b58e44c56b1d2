# SPDX-License-Identifier: MIT
"""The host sleeps: its logind waits until a running distro has written its files and stands still."""
import os
import signal

import pytest

from conftest import wait_for
from fake_logind import Logind
from test_suspend import state

INHIBIT = "inhibit sleep berth delay: box writes its files to the disk"


@pytest.fixture
def bus(berth):
    """Starts a logind that box's keeper will find; it ends with the test."""
    started = []
    path = berth.runtime.parent / "bus"
    berth.environment["DBUS_SYSTEM_BUS_ADDRESS"] = f"unix:path={path}"

    def start(*options):
        started.append(Logind(path, *options))
        return started[-1]
    yield start
    for logind in started:
        logind.end()


@pytest.fixture
def logind(bus, box):
    """A logind with box's inhibitor."""
    logind = bus()
    box("start", "box").ok()
    assert logind.event() == INHIBIT
    return logind


def log(box):
    return box("logs", "box").ok()


def sleep(logind):
    """The host is about to sleep, and may once this returns."""
    assert (logind.command("sleep") + [logind.event()])[0] == "released"


def wake(box, logind):
    assert (logind.command("wake") + [logind.event()])[0] == INHIBIT
    wait_for(lambda: state(box) == "running")


def test_the_distro_stands_still_while_the_host_sleeps(box, logind):
    sleep(logind)
    assert state(box) == "suspended"  # as for a client that holds it
    assert len(box.qemus()) == 1  # and in its QEMU
    wake(box, logind)
    assert box("run", "-d", "box", "--", "echo", "on").ok() == "on\n"
    assert len(box.qemus()) == 1
    assert log(box).index("the host is about to sleep") < log(box).index("the host has woken")


def test_twice(box, logind):
    for _ in range(2):
        sleep(logind)
        wake(box, logind)
    box("run", "-d", "box", "--", "true").ok()


def test_a_command_waits_until_the_host_has_woken(box, logind):
    sleep(logind)
    command = box.start("run", "-d", "box", "--", "echo", "on")
    assert box.info("box")["state"] == "suspended"
    logind.command("wake")
    assert box.finish(command).ok() == "on\n"


def test_a_session_goes_on(box, logind):
    session = box.start("run", "-d", "box", "--", "cat", stdin=-1)
    session.stdin.write(b"before\n")
    session.stdin.flush()
    assert session.stdout.readline() == b"before\n"
    sleep(logind)
    session.stdin.write(b"meanwhile\n")
    session.stdin.flush()
    logind.command("wake")
    assert session.stdout.readline() == b"meanwhile\n"
    session.stdin.close()
    assert session.wait() == 0
    session.stdout.close()
    session.stderr.close()


def test_a_suspended_distro_delays_nothing_and_stays_suspended(box, logind):
    box("suspend", "box").ok()
    sleep(logind)
    assert (logind.command("wake") + [logind.event()])[0] == INHIBIT
    assert state(box) == "suspended"
    box("run", "-d", "box", "--", "true").ok()


def test_a_command_for_a_suspended_distro_waits_for_the_host(box, logind):
    box("suspend", "box").ok()
    sleep(logind)
    command = box.start("run", "-d", "box", "--", "echo", "on")
    logind.command("wake")
    assert box.finish(command).ok() == "on\n"
    assert len(box.qemus()) == 2


def test_a_stop_while_the_host_sleeps(box, logind):
    sleep(logind)
    command = box.start("terminate", "box")
    logind.command("wake")
    box.finish(command).ok()
    assert state(box) == "stopped"


def test_a_qemu_that_does_not_answer_delays_the_sleep_for_a_limited_time(box, logind):
    qemu = box.qemus()[-1]["pid"]
    os.kill(qemu, signal.SIGSTOP)
    try:
        sleep(logind)  # the keeper's own limit
    finally:
        os.kill(qemu, signal.SIGCONT)
    logind.command("wake")
    box("run", "-d", "box", "--", "true").ok()
    wait_for(lambda: state(box) == "running")


@pytest.mark.parametrize("event", ["logind leaves", "the bus ends"])
def test_the_distro_goes_on_if_nobody_can_say_that_the_host_has_woken(box, bus, logind, event):
    sleep(logind)
    if event == "logind leaves":
        logind.command("leave")
    else:
        logind.end()
        logind = bus()
    wait_for(lambda: state(box) == "running")
    if event == "logind leaves":
        logind.command("join")
    assert logind.event() == INHIBIT
    sleep(logind)
    assert state(box) == "suspended"
    wake(box, logind)


def test_a_bus_that_comes_later(box, bus):
    box("start", "box").ok()
    assert bus().event() == INHIBIT


def test_a_bus_without_logind(box, bus):
    logind = bus()
    logind.command("leave")
    box("start", "box").ok()
    logind.command("join")
    assert logind.event() == INHIBIT


def test_a_refused_inhibitor_is_one_line_in_the_log(box, bus):
    logind = bus("--refuse")
    box("start", "box").ok()
    line = "the host will not wait for box before it sleeps: not allowed"
    wait_for(lambda: line in log(box))
    logind.command("sleep")  # it may come too late, and is heard nevertheless
    wait_for(lambda: state(box) == "suspended")
    logind.command("wake")
    wait_for(lambda: state(box) == "running")
    assert log(box).count(line) == 1


def test_without_logind_a_stopped_keeper_and_qemu_go_on(box):
    """A host without logind stops all processes, and continues them."""
    box("start", "box").ok()
    pids = [box.info("box")["keeper_pid"], box.qemus()[-1]["pid"]]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    command = box.start("run", "-d", "box", "--", "echo", "on")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    assert box.finish(command).ok() == "on\n"
