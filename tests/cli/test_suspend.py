"""Suspend and wake as the user and the keeper see them; tests/vm has what a guest keeps of it."""
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from conftest import wait_for
from test_clean_keeper import children
from ports import free_port
from test_forward import listens
from waiting import is_alive


def state(box):
    return box.info("box")["state"]


@pytest.fixture
def suspended(box):
    box("start", "box").ok()
    box("suspend", "box").ok()
    return box


def test_suspended_distro_is_shown(suspended):
    row = suspended.info("box")
    assert (row["state"], row["qemu_pid"]) == ("suspended", 0)
    assert is_alive(row["keeper_pid"])
    assert "suspended" in suspended("list").ok()
    assert "suspended" in suspended("list", "--running").ok()
    assert "suspended" in suspended("--list", "--verbose").ok()
    assert "1, 1 running" in suspended("status").ok()
    assert suspended.info("box")["state"] == "suspended"  # asking wakes nobody


def test_qemu_has_gone(suspended):
    pid = suspended.qemus()[-1]["pid"]
    assert not is_alive(pid)
    assert suspended("suspend", "box").ok() == ""
    assert len(suspended.qemus()) == 1


@pytest.mark.parametrize("words", [["run", "--", "echo", "on"], ["start", "box"],
                                   pytest.param(["console", "box"], marks=pytest.mark.as_root)])
def test_commands_wake_it(suspended, words):
    suspended(*words).ok()
    assert state(suspended) == "running"
    first, second = suspended.qemus()
    assert second["argv"][-2:] == ["-incoming", "defer"]
    # The same machine: only the kernel and initramfs are the files that the keeper holds.
    same = [(a, b) for a, b in zip(first["argv"], second["argv"]) if a == b]
    assert len(same) >= len(first["argv"]) - 2


def test_resize_wakes_it(suspended):
    suspended("resize", "box", "2T").ok()
    assert state(suspended) == "running"
    assert suspended.info("box")["disk_size"] == 2 << 40


@pytest.mark.parametrize("words", [["ports"], ["ports", "box"], ["status"], ["logs", "box"]])
def test_questions_wake_nobody(suspended, words):
    suspended(*words).ok()
    assert state(suspended) == "suspended"


def net_of(box):
    """The pid of its berth-net; None between two of them."""
    for pid in children(box.info("box")["keeper_pid"]):
        with contextlib.suppress(FileNotFoundError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "berth-net":
                return pid
    return None


@pytest.fixture
def forwarded(box):
    """A suspended distro, and a port that leads into it. Nobody answers there, but it is asked who has its address."""
    box("start", "box").ok()
    port = free_port()
    box("forward", "add", "box", f"{port}:80").ok()
    box("forward", "add", "box", f"udp:{port}:80").ok()
    wait_for(lambda: listens("127.0.0.1", port) and listens("127.0.0.1", port, socket.SOCK_DGRAM))
    box("suspend", "box").ok()
    assert state(box) == "suspended"
    return box, port


def test_a_connection_wakes_it(forwarded):
    box, port = forwarded
    with socket.create_connection(("127.0.0.1", port), 30):
        wait_for(lambda: state(box) == "running")
    assert box("logs", "box").ok().count("a packet from the network waits for box") == 1
    assert len(box.qemus()) == 2


def test_a_datagram_wakes_it(forwarded):
    box, port = forwarded
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"hello", ("127.0.0.1", port))
        wait_for(lambda: state(box) == "running")


def test_a_killed_network_still_wakes_it(forwarded):
    box, port = forwarded
    net = net_of(box)
    os.kill(net, signal.SIGKILL)
    wait_for(lambda: net_of(box) not in (None, net) and listens("127.0.0.1", port))
    with socket.create_connection(("127.0.0.1", port), 30):
        wait_for(lambda: state(box) == "running")


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_terminate(suspended, options):
    keeper = suspended.info("box")["keeper_pid"]
    suspended("terminate", *options, "box").ok()
    assert state(suspended) == "stopped"
    wait_for(lambda: not is_alive(keeper))
    assert len(suspended.qemus()) == (1 if options else 2)


def test_shutdown_and_unregister(suspended):
    suspended("shutdown").ok()
    assert state(suspended) == "stopped"
    suspended("start", "box").ok()
    suspended("suspend", "box").ok()
    suspended("unregister", "box").ok()
    assert suspended.names() == []


def test_keeper_told_to_end_wakes_and_powers_off(suspended):
    """SIGTERM parks it: test_park.py."""
    keeper = suspended.info("box")["keeper_pid"]
    os.kill(keeper, signal.SIGINT)
    wait_for(lambda: not is_alive(keeper))
    assert len(suspended.qemus()) == 2
    assert "was powered off" in suspended("logs", "box").ok()


def test_keeper_killed(suspended):
    os.kill(suspended.info("box")["keeper_pid"], signal.SIGKILL)
    assert suspended("run", "--", "echo", "on").ok() == "on\n"
    assert "-incoming" not in suspended.qemus()[-1]["argv"]


def test_state_that_cannot_be_saved(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-save"}).ok()
    for _ in range(2):
        box("suspend", "box").failed(1, "vmm.state.failed", "QEMU could not save the guest's state")
        assert state(box) == "running"
        assert box("run", "--", "echo", "on").ok() == "on\n"
    assert len(box.qemus()) == 1


def test_state_that_cannot_be_loaded(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-load"}).ok()
    box("suspend", "box").ok()
    result = box("run", "--", "echo", "on")
    assert (result.status, result.out) == (0, "on\n"), result  # of a cold boot
    assert "box could not be woken, so its programs are lost: " in result.err
    assert "load of migration failed" in box("logs", "box").ok()
    assert len(box.qemus()) == 3


def test_terminate_one_that_cannot_be_woken(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-load"}).ok()
    box("suspend", "box").ok()
    result = box("terminate", "box")
    assert result.status == 0, result
    assert "box could not be woken, so its programs are lost: " in result.err
    assert state(box) == "stopped"


@pytest.fixture
def busy(box, tmp_path):
    """A file; Box is suspended, and while the file is there its kernel does not follow the host's shares."""
    (tmp_path / "guest").mkdir()
    file = tmp_path / "busy"
    box.environment = box.fake_qemu({**box.environment, "FAKE_QEMU_SHARES": str(tmp_path / "guest"),
                                     "FAKE_QEMU_BUSY": str(file)})
    box("start", "box").ok()
    box("suspend", "box").ok()
    file.touch()
    return file


def test_its_processes_wait_for_the_shares(box, busy):
    """What the host changed meanwhile is never seen as it was."""
    command = box.start("run", "--", "echo", "on")
    wait_for(lambda: "box continues" in box("logs", "box").ok())
    assert state(box) == "waking"
    busy.unlink()
    assert box.finish(command).ok() == "on\n"
    assert state(box) == "running"


def test_suspended_again_while_its_processes_wait(box, busy):
    woken = box.start("start", "box")
    wait_for(lambda: "box continues" in box("logs", "box").ok())
    again = box.start("suspend", "box")
    busy.unlink()
    box.finish(again).ok()
    assert state(box) == "suspended"
    box.finish(woken)


@pytest.mark.usefixtures("busy")
def test_shares_that_never_follow(box):
    """They hold a wake up for a limited time."""
    assert box("run", "--", "echo", "on").ok() == "on\n"
    assert "the shares have not followed the host within 10 s" in box("logs", "box").ok()


@pytest.mark.usefixtures("busy")
def test_terminate_one_whose_shares_do_not_follow(box):
    box("terminate", "box").ok()
    assert state(box) == "stopped"


def test_not_running(box):
    result = box("suspend", "box")
    assert (result.status, result.out, result.err) == (0, "", "berth: box was not running\n")
    box("suspend", "nobox").failed(1, "distro.not-found", "nobox")


def test_refused_while_paused(box, tmp_path):
    full = tmp_path / "full"
    box("start", "box", env={"FAKE_QEMU_FULL": str(full)}).ok()
    full.write_text("No space left on device")
    os.kill(box.qemus()[-1]["pid"], signal.SIGRTMIN)
    wait_for(lambda: state(box) == "paused")
    box("suspend", "box").failed(1, "suspend.busy", "it is paused")
    full.unlink()
    wait_for(lambda: state(box) == "running")


def test_several(box, rootfs):
    box("import", "other", rootfs).ok()
    box("start", "box").ok()
    box("start", "other").ok()
    box("suspend", "other", "box").ok()
    assert [box.info(name)["state"] for name in ("box", "other")] == ["suspended", "suspended"]
    box("shutdown").ok()
