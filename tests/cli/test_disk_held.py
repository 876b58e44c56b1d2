"""A disk that a machine has open is exclusive, whatever runtime directory the next command uses. The machine is started
with one XDG_RUNTIME_DIR; later commands have another one, or the first was removed, as by a logout. The fake QEMU does
not open the disk, so this tests berth's own lock.
"""
import contextlib
import fcntl
import json
import os
import shutil
import signal
import struct
import tempfile
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import is_alive

WAYS = ("elsewhere", "forgotten", "removed")


@pytest.fixture(params=WAYS)
def away(box, request):
    """Box runs, and later commands have another runtime directory. elsewhere: the data directory links to the first;
    forgotten: it does not; removed: the first is deleted.
    """
    box("start").ok()
    box.keeper = box.info("box")["keeper_pid"]
    box.first_runtime = box.runtime.parent
    other = Path(tempfile.mkdtemp(prefix="berth-cli-", dir="/tmp"))
    box.environment["XDG_RUNTIME_DIR"] = str(other)
    box.way = request.param
    if box.way == "removed":
        shutil.rmtree(box.first_runtime)
    if box.way == "forgotten":
        (box.data / "runtime").unlink()
    keeper = os.pidfd_open(box.keeper)
    yield box
    box("shutdown", "--force")
    shutil.rmtree(other, ignore_errors=True)
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(keeper, signal.SIGKILL)
    os.close(keeper)


def disk_of(home, name="box"):
    return Path(home.info(name)["disk"])


@pytest.mark.parametrize("verb", [
    ["move", "box", "{new}"],
    ["resize", "box", "64M"],
    ["export", "box", "{new}.tar"],
    ["export", "box", "{new}.ext4"],
    ["compact", "box"],
], ids=lambda verb: " ".join(verb))
def test_verb_refuses_a_disk_in_use(away, verb):
    disk = disk_of(away)
    before = disk.stat()
    new = away.path / "new"
    away(*[word.format(new=new) for word in verb]).failed(1, "instance.running", "box")
    after = disk.stat()
    assert (after.st_ino, after.st_size, after.st_blocks) == (before.st_ino, before.st_size, before.st_blocks)
    assert disk_of(away) == disk and away.names() == ["box"]
    assert not [path for path in away.path.glob("new*")]
    assert is_alive(away.keeper)


def test_clone_holds_the_distro_or_refuses_a_disk_in_use(away):
    """A keeper that can be reached stands still for it."""
    if away.way == "elsewhere":
        away("clone", "box", "copy").ok()
        assert away.names() == ["box", "copy"]
    else:
        away("clone", "box", "copy").failed(1, "instance.running", "box")
        assert away.names() == ["box"]
    assert is_alive(away.keeper)


def test_import_in_place_refuses_a_disk_in_use(away):
    """By another registry, which does not know the first."""
    other = {"XDG_DATA_HOME": str(away.path / "other")}
    away("import-in-place", "second", disk_of(away), env=other).failed(1, "disk.busy", str(away.keeper))


def test_list_shows_it_running(away):
    info = away.info("box")
    assert info["state"] == ("unresponsive" if away.way == "removed" else "running")
    assert info["keeper_pid"] == away.keeper
    assert json.loads(away("status", "--json").ok())["running"] == 1


def test_run_reaches_it_or_fails_with_reason(away):
    if away.way == "removed":
        result = away("run", "true").failed(125, "instance.unreachable", str(away.keeper), str(away.first_runtime))
        assert "berth terminate box" in result.hint
    else:
        away("run", "true").ok()
    assert len(away.qemus()) == 1


@pytest.mark.parametrize("verb", [["terminate", "box"], ["terminate", "--force", "box"], ["shutdown"],
                                  ["shutdown", "--force"]], ids=" ".join)
def test_terminate_ends_it(away, verb):
    away(*verb).ok()
    wait_for(lambda: not is_alive(away.keeper) and not is_alive(away.qemus()[0]["pid"]))
    assert away.info("box")["state"] == "stopped"
    away("run", "true").ok()
    assert len(away.qemus()) == 2


def test_unregister_stops_it_first(away):
    disk = disk_of(away)
    away("unregister", "box").ok()
    wait_for(lambda: not is_alive(away.keeper))
    assert not disk.exists()
    assert away.left_over() == []


def test_rename_works_while_running(away):
    away("rename", "box", "crate").ok()
    away("terminate", "crate").ok()
    wait_for(lambda: not is_alive(away.keeper))


def test_growing_reaches_the_keeper(away):
    size = disk_of(away).stat().st_size
    result = away("resize", "box", str(size * 2))
    if away.way == "removed":
        result.failed(1, "instance.unreachable")
        assert disk_of(away).stat().st_size == size
    else:
        result.ok()
        assert disk_of(away).stat().st_size == size * 2


def test_keeper_removes_only_its_own_directory(box):
    """Its directory was removed, and another process has created one of that name."""
    box("start").ok()
    keeper = box.info("box")["keeper_pid"]
    directory = box.runtime / box.ids()[0]
    shutil.rmtree(box.runtime)
    directory.mkdir(parents=True, mode=0o700)
    box.runtime.chmod(0o700)
    names = ("control", "docker.sock", "ports", "machine.conf")
    for name in names:
        (directory / name).write_text("another's\n")
    os.kill(keeper, signal.SIGTERM)
    wait_for(lambda: not is_alive(keeper))
    assert sorted(path.name for path in directory.iterdir()) == sorted(names)


def hold(path, kind=fcntl.F_RDLCK, start=100, length=1):
    """Open and lock @path as QEMU does, from its byte 100 on. Returns the descriptor."""
    fd = os.open(path, os.O_RDWR)
    fcntl.fcntl(fd, 37, struct.pack("hhqqi4x", kind, 0, start, length, 0))  # F_OFD_SETLK
    return fd


VERBS = [["start", "{box}"], ["run", "-d", "{box}", "true"], ["move", "{box}", "{new}"], ["clone", "{box}", "{box}-copy"],
         ["resize", "{box}", "64M"], ["resize", "{box}", "2T"], ["export", "{box}", "{new}.tar"], ["compact", "{box}"],
         ["unregister", "{box}"]]


def test_disk_locked_by_another_program_is_refused(berth, rootfs):
    """By a program that locks as QEMU does: virt-manager's machine, libguestfs, a manual QEMU. Each verb has a distro of
    its own, and they run at once: each waits for the disk first.
    """
    boxes = [f"box{i}" for i in range(len(VERBS))]
    for name in boxes:
        berth("import", name, rootfs).ok()
    disks = [disk_of(berth, name) for name in boxes]
    holders = [hold(disk) for disk in disks]
    before = [os.fstat(holder) for holder in holders]
    commands = [berth.start(*[word.format(box=name, new=berth.path / name) for word in verb])
                for verb, name in zip(VERBS, boxes)]
    for verb, command, disk in zip(VERBS, commands, disks):
        status = 125 if verb[0] == "run" else 1
        # some process of this program: one that starts a command has its descriptors, too, until it becomes the command
        berth.finish(command).failed(status, "disk.busy", str(disk), "in use by python3, process ")
    after = [os.fstat(holder) for holder in holders]
    assert [(st.st_size, st.st_nlink) for st in after] == [(st.st_size, st.st_nlink) for st in before]
    assert berth.qemus() == [] and berth.names() == boxes
    for name, holder in zip(boxes, holders):
        os.close(holder)
        berth("start", name).ok()


def test_worker_keeps_the_lock_of_a_killed_command(box):
    """berth-image may outlive a killed berth, and still holds the disk."""
    disk = disk_of(box)
    worker = box.support / "berth-image"
    worker.unlink()
    ready = box.path / "ready"
    worker.write_text(f"#!/bin/sh\necho $$ >{ready}\nexec sleep 1000\n")
    worker.chmod(0o755)
    command = box.start("compact", "box")
    wait_for(lambda: ready.exists() and ready.read_text().strip())
    pid = int(ready.read_text())
    command.kill()
    command.wait()
    command.stdout.close()
    command.stderr.close()
    try:
        box("start").failed(1, "disk.busy", str(disk), f"process {pid}")
    finally:
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid))
    box("start").ok()


def test_second_registry_cannot_use_a_running_disk(box):
    """It was adopted while stopped; the lock of the disk protects it."""
    disk = disk_of(box)
    other = {"XDG_DATA_HOME": str(box.path / "other")}
    box("import-in-place", "second", disk, env=other).ok()
    box("start").ok()
    box("start", "second", env=other).failed(1, "disk.busy", str(disk), str(box.info("box")["keeper_pid"]))
    box("terminate", "box").ok()
    box("start", "second", env=other).ok()
    assert box.info("box")["state"] == "busy"
    box("start").failed(1, "disk.busy", str(disk))
    box("terminate", "second", env=other).ok()
