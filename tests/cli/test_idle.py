"""Distros that nobody uses, and what keeps them awake; tests/vm has what real guests do.

Each of these waits for a state of the distro: with an idle-timeout of one second it comes soon.
"""
import json
import socket
import subprocess

import pytest

from conftest import wait_for
from ports import free_port
from test_forward import listens
from test_suspend import state


@pytest.fixture
def quick(box):
    """The default, but sooner."""
    del box.environment["BERTH_IDLE"]
    box.configure("[berth]\nidle-timeout = 1\n")
    return box


def status(box, name="box"):
    return json.loads(box("status", name, "--json").ok())


def is_suspended(box):
    """Ask as people do, which is no use of the distro."""
    box("status", "box").ok()
    box("ports", "box").ok()
    return state(box) == "suspended"


def test_the_default(berth):
    del berth.environment["BERTH_IDLE"]
    assert berth("config", "get", "idle").ok() == "suspend\n"
    assert berth("config", "get", "idle-timeout").ok() == "60\n"


def test_is_suspended_again_and_again(quick):
    quick("start", "box").ok()
    for _ in range(3):
        wait_for(lambda: is_suspended(quick))
        assert quick("run", "--", "echo", "on").ok() == "on\n"
    assert "box is idle: it is suspended" in quick("logs", "box").ok()


def test_suspended_says_what_it_will_do(quick):
    quick("start", "box").ok()
    wait_for(lambda: is_suspended(quick))
    row = status(quick)
    assert (row["state"], row["awake"], row["idle_in_usec"], row["problem"]) == ("suspended", None, None, None)
    assert "suspends after 1s without use\n" in quick("status", "box").ok()


def test_stopped_instead(quick):
    quick.configure("[distro BOX]\nidle = stop\nidle-timeout = 1\n")
    quick("start", "box").ok()
    wait_for(lambda: state(quick) == "stopped")
    assert "box is idle: it is stopped" in quick("logs", "box").ok()
    assert len(quick.qemus()) == 1
    assert "stops after 1s without use\n" in quick("status", "box").ok()


def test_never(quick, rootfs):
    quick("import", "other", rootfs).ok()
    quick.configure("[berth]\nidle-timeout = 1\n[distro box]\nidle = never\n")
    quick("start", "box").ok()
    quick("start", "other").ok()
    wait_for(lambda: quick.info("other")["state"] == "suspended")
    row = status(quick)
    assert (row["state"], row["awake"], row["idle_in_usec"]) == ("running", "setting", None)
    assert "never sleeps" in quick("status", "box").ok()
    quick("suspend", "box").ok()  # which may still be asked for
    assert state(quick) == "suspended"


def test_a_command_that_someone_waits_for(quick):
    with quick.start("run", "--", "cat", stdin=subprocess.PIPE) as process:
        wait_for(lambda: state(quick) == "running" and status(quick)["awake"] == "command")
        row = status(quick)
        assert (row["idle_in_usec"], row["kept"], row["idle"], row["idle_timeout"]) == (None, False, "suspend", 1)
        text = quick("status", "box").ok()
        assert "someone waits for a command" in text and "at the earliest" not in text
        assert quick.finish(process, b"data").out == "data"
    wait_for(lambda: is_suspended(quick))


def test_a_quiet_command_ends_by_itself(quick):
    """Nothing but time ends it, and nothing would wake the distro for it."""
    assert quick("run", "--", "sh", "-c", "sleep 3; echo slept").ok() == "slept\n"
    assert "is idle" not in quick("logs", "box").ok()


def test_keep(quick):
    quick("start", "box").ok()
    wait_for(lambda: is_suspended(quick))
    assert quick("keep", "box").ok() == ""  # wakes it
    row = status(quick)
    assert (row["state"], row["awake"], row["idle_in_usec"]) == ("running", "kept", None)
    assert (row["kept"], row["kept_usec"]) == (True, None)
    assert "Kept:           until it stops\n" in quick("status", "box").ok()
    quick("keep", "box", "2h").ok()
    row = status(quick)
    assert row["awake"] == "kept" and 0 < row["kept_usec"] <= 2 * 3600 * 10**6
    assert abs(row["idle_in_usec"] - row["kept_usec"]) < 10**6
    quick("keep", "box", "off").ok()
    wait_for(lambda: is_suspended(quick))
    assert not status(quick)["kept"]


def test_keep_that_runs_out(quick):
    quick("keep", "box", "1s").ok()
    wait_for(lambda: is_suspended(quick))
    assert not status(quick)["kept"]


def test_keep_starts_it(quick):
    quick("keep", "box").ok()
    assert status(quick)["awake"] == "kept"
    quick("terminate", "box").ok()
    result = quick("keep", "box", "0")
    assert (result.status, result.err) == (0, "berth: box was not running\n")
    assert state(quick) == "stopped"
    quick("start", "box").ok()  # and was kept until it stopped
    assert not status(quick)["kept"]


@pytest.mark.parametrize("word", ["soon", "-1", "1.5h", "2h30m", "4294967296", "", "OFF"])
def test_keep_for_no_duration(box, word):
    box("keep", "box", "--", word).failed(2, "usage.value", "is no duration")
    assert state(box) == "stopped"


def test_keep_without_a_distro(box):
    box("keep").failed(2, "usage.arguments")
    for words in (["nobox"], ["nobox", "2h"], ["nobox", "off"]):
        box("keep", *words).failed(1, "distro.not-found", "nobox")
    box("status", "nobox").failed(1, "distro.not-found", "nobox")


def test_traffic(quick):
    """Each try asks for the address of a guest that does not answer."""
    port = free_port()
    quick.configure("[berth]\nidle-timeout = 4\n")
    quick("start", "box").ok()
    quick("forward", "add", "box", f"{port}:80").ok()
    wait_for(lambda: listens("127.0.0.1", port))

    def is_awake_for_it():
        with socket.create_connection(("127.0.0.1", port), 30):
            return status(quick)["awake"] == "network"
    wait_for(is_awake_for_it)
    wait_for(lambda: is_suspended(quick))


def test_a_failure_is_shown_and_tried_again_later(quick):
    quick("start", "box", env={"FAKE_QEMU_MODE": "no-save"}).ok()

    def failures():
        return quick("logs", "box").ok().count("box cannot be suspended: ")
    wait_for(lambda: failures() >= 2)
    wait_for(lambda: (status(quick)["idle_in_usec"] or 0) > 2 * 10**6)  # twice the timeout, and more each time
    row = status(quick)
    assert row["awake"] == "retry"
    assert row["state"] == "running" and "QEMU could not save" in row["problem"]
    text = quick("status", "box").ok()
    assert "Problem:        it could not be suspended: QEMU could not save" in text
    assert "could not be suspended, which is tried again" in text
    assert quick("run", "--", "echo", "on").ok() == "on\n"


@pytest.mark.parametrize("word", ["vmIdleTimeout", "general.instanceIdleTimeout"])
def test_names_of_wsl(berth, word):
    berth("config", "set", word, "30001").ok()
    assert berth("config", "get", "idle-timeout").ok() == "31\n"


@pytest.mark.parametrize("key, value", [("idle", "sleep"), ("idle-timeout", "0"), ("idle-timeout", "-1"),
                                        ("idle-timeout", "99999999")])
def test_bad_settings(box, key, value):
    box.configure(f"[berth]\n{key} = {value}\n")
    del box.environment["BERTH_IDLE"]
    box("start", "box").failed(1, "config.value", key)


def test_a_stopped_distro(quick):
    row = status(quick)
    assert (row["state"], row["awake"], row["idle"], row["idle_timeout"]) == ("stopped", None, "suspend", 1)
    assert quick("status", "box").ok().startswith("Distro:         box, stopped\n"
                                                  "Idle:           suspends after 1s without use\nDisk:           ")
