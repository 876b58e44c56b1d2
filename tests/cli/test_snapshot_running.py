# SPDX-License-Identifier: MIT
"""Snapshots of a distro that runs or is suspended: all waits meanwhile and goes on, and no copy has two states of the disk."""
import itertools
import os
import signal
import stat
from pathlib import Path

import pytest

from conftest import Terminal, wait_for
from test_hold import DONE, WAIT, clients  # noqa: F401, clients is a fixture
from test_manage import end
from test_snapshots import (box, clean_up, disk, files, killed_at, read, read_file,  # noqa: F401, box is a fixture
                            shares_blocks, tags, write)
from waiting import is_alive


def state(box):
    return box.info("box")["state"]


@pytest.fixture
def running(box):
    write(box, "one")
    box("start", "box").ok()
    return box


def copies(box):
    return [read_file(path) for path in disk(box).parent.glob("disk.ext4@*Z")]


def test_taken_while_it_stands_still(running):
    """tests/vm has what goes on in the guest."""
    assert running("snapshot", "box", "it").ok() == "it\n"
    assert state(running) == "running" and len(running.qemus()) == 1
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert copies(running) == ["one"] and tags(running) == ["it"]


def test_it_can_be_gone_back_to(running):
    running("snapshot", "box", "it").ok()
    running("terminate", "box").ok()
    write(running, "two")
    running("undo", "box").ok()
    assert read(running) == "one"


def test_suspended_one_stays_suspended(running):
    running("suspend", "box").ok()
    running("snapshot", "box", "it").ok()
    assert state(running) == "suspended" and len(running.qemus()) == 1 and copies(running) == ["one"]
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_terminal_says_how_long(running):
    terminal = Terminal(running, "snapshot", "box", "it")
    terminal.expect(b"berth: box stood still for ")
    terminal.expect(b"it\r\n")
    terminal.end(0)
    terminal.close()


def test_refusals(running):
    running("snapshot", "box", "it").ok()
    running("snapshot", "box", "IT").failed(1, "snapshot.exists", "called it")
    assert running("logs", "box").ok().count("box continues") == 1  # it did not stand still for those
    running("snapshot", "box", "a/b").failed(1, "snapshot.tag")
    for words in (["restore", "box", "it"], ["undo", "box"]):
        running(*words).failed(1, "instance.running", "box is running")
    assert tags(running) == ["it"]


def test_paused_by_a_full_host(box, tmp_path):
    full = tmp_path / "full"
    box("start", "box", env={"FAKE_QEMU_FULL": str(full)}).ok()
    full.write_text("No space left on device")
    os.kill(box.qemus()[-1]["pid"], signal.SIGRTMIN)
    wait_for(lambda: state(box) == "paused")
    box("snapshot", "box").failed(1, "suspend.busy", "box", "it is paused")
    full.unlink()
    wait_for(lambda: state(box) == "running")
    assert tags(box) == [] and files(box) == ["disk.ext4"]


def test_it_cannot_be_stopped(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-stop"}).ok()
    box("snapshot", "box").failed(1, "qmp.command", "Cannot stop")
    assert state(box) == "running" and tags(box) == [] and files(box) == ["disk.ext4"]
    assert box("run", "--", "echo", "on").ok() == "on\n"


def test_without_room(running):
    with open(disk(running), "r+b") as image:
        image.seek(64 << 20)
        image.write(bytes(range(256)) * 40000)
    before = files(running)

    def limit():
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    running("snapshot", "box", preexec_fn=limit).failed(1, "snapshot.copy.too-big")
    assert state(running) == "running" and tags(running) == [] and files(running) == before
    assert running("run", "--", "echo", "on").ok() == "on\n"


def is_copying(process, path):
    """Whether the stopped @process has begun a copy of the disk at @path."""
    disk_stat = path.stat()
    for fd in Path(f"/proc/{process.pid}/fd").iterdir():
        found = fd.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size == disk_stat.st_size and found.st_ino != disk_stat.st_ino:
            return True
    return False


def stopped_while_it_copies(box):
    """A snapshot that stands still in the midst of its copy."""
    path = disk(box)
    for at in itertools.count(1):
        process = box.start("snapshot", "box", "it", env=box.faulty("berth", at, -1))
        done = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert done.si_code == os.CLD_STOPPED
        if is_copying(process, path):
            return process
        end(process)


def go_on(box, process):
    os.kill(process.pid, signal.SIGCONT)
    return box.finish(process)


@pytest.mark.parametrize("first", [None, "suspend"])
def test_commands_wait_while_it_copies(running, clients, first):
    if shares_blocks(running):
        pytest.skip("nothing is copied here")
    if first is not None:
        running(first, "box").ok()
    process = stopped_while_it_copies(running)
    waiting = clients()
    waiting.send(WAIT)
    command = running.start("run", "--", "echo", "on")
    assert state(running) == "snapshotting" and not waiting.has_answer()
    assert go_on(running, process).ok() == "it\n"
    assert waiting.answer().type == DONE and running.finish(command).ok() == "on\n"
    assert state(running) == "running" and tags(running) == ["it"] and copies(running) == ["one"]


@pytest.mark.parametrize("how", ["force", "kill"])
def test_end_of_the_distro_while_it_copies(running, how):
    """Another command might have started it again, and written the disk."""
    if shares_blocks(running):
        pytest.skip("nothing is copied here")
    keeper = running.info("box")["keeper_pid"]
    process = stopped_while_it_copies(running)
    if how == "force":
        running("terminate", "--force", "box").ok()
    else:
        os.kill(running.qemus()[-1]["pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(keeper))
    go_on(running, process).failed(1, "instance.lost")
    assert tags(running) == [] and len(clean_up(running)) == 1
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_disk_that_is_written_while_it_copies(running):
    """A write is seen by its time, whoever made it."""
    if shares_blocks(running):
        pytest.skip("nothing is copied here")
    running("suspend", "box").ok()
    process = stopped_while_it_copies(running)
    with open(disk(running), "r+b") as image:
        image.seek(100 << 20)
        image.write(b"x")
    go_on(running, process).failed(1, "disk.written", "was written while it was copied")
    assert state(running) == "suspended" and tags(running) == [] and len(clean_up(running)) == 1


@pytest.mark.parametrize("first", [None, "suspend"])
def test_killed_while_it_copies(running, first):
    """The distro goes on with the next command, and nothing half made is left."""
    if shares_blocks(running):
        pytest.skip("nothing is copied here")
    if first is not None:
        running(first, "box").ok()
    end(stopped_while_it_copies(running))
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert tags(running) == [] and {read_file(path) for path in clean_up(running)} == {"one"}


def test_killed_at_every_write(running):
    """The distro goes on with the next command, and nothing half made is left."""
    kills = 0
    for at in range(1, 200, 5):
        done = killed_at(running, at, "snapshot", "box", f"it{at}")
        assert running("run", "--", "echo", "on").ok() == "on\n"
        assert {read_file(path) for path in clean_up(running)} == {"one"}
        kills += not done
        if done:
            break
    assert done and kills >= 3 and state(running) == "running", kills
