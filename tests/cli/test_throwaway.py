# SPDX-License-Identifier: MIT
"""berth run --rm: a clone for one command, which is gone with it, however it ends."""
import configparser
import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import is_alive, stop_process

AT_ONCE = 8


@pytest.fixture
def box(berth, rootfs):
    """A berth with one distro on a small disk."""
    berth.configure("[berth]\ndisk-size = 64M\n")
    berth("import", "box", rootfs).ok()
    return berth


def digest(box):
    return hashlib.sha256(Path(box.info("box")["disk"]).read_bytes()).hexdigest()


def clones(box):
    return [name for name in box.names() if name != "box"]


def gone(box):
    """Nothing of any clone is left, neither in the registry nor on the disk nor in the runtime directory."""
    assert box.names() == ["box"]
    assert box.left_over() == []
    ids = box.ids()
    assert [path.name for path in box.runtime.glob("?" * 16) if path.name not in ids] == []
    return True


class Clone:
    """A `berth run --rm` whose command has begun and reads its input."""

    def __init__(self, box, *options):
        self.box = box
        self.process = box.start("run", "--rm", *options, "--", "sh", "-c", "echo begun; cat; exit 3",
                                 stdin=subprocess.PIPE)
        assert self.process.stdout.readline() == b"begun\n", self.process.stderr.read()
        (self.name,) = [row["name"] for row in box.json_list() if row.get("holder_pid") == self.process.pid]

    def info(self):
        return self.box.info(self.name)

    def machine(self):
        parser = configparser.RawConfigParser()
        parser.read(self.box.runtime / self.info()["id"] / "machine.conf")
        return parser["machine"]

    def end(self):
        result = self.box.finish(self.process, b"")
        assert (result.status, result.out, result.err) == (3, "", ""), result

    def kill(self):
        self.process.kill()
        self.process.communicate()


@pytest.fixture
def clone(box):
    started = []

    def start(*options):
        started.append(Clone(box, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


# --- a command ------------------------------------------------------------------------------------

def test_streams_and_status_are_the_commands(box):
    before = digest(box)
    result = box("run", "--rm", "--", "sh", "-c", "cat; echo to errors >&2; exit 7", data=b"input\n")
    assert (result.status, result.out, result.err) == (7, "input\n", "to errors\n"), result
    assert gone(box) and digest(box) == before
    assert box.info("box")["state"] == "stopped"  # it was never started itself


def test_template_may_be_named(box):
    box("clone", "box", "other").ok()
    box("run", "--rm", "-d", "OTHER", "--", "true").ok()
    assert sorted(box.names()) == ["box", "other"] and box.left_over() == []


def test_clone_is_listed_while_it_runs(box, clone):
    one = clone()
    row = one.info()
    assert (row["template"], row["state"], row["default"]) == ("box", "running", False)
    assert row["name"] == f"box-{row['id'][:8]}" and one.name in box("list").ok()
    assert "template" not in box.info("box")
    one.end()
    assert gone(box)


def test_other_commands_join_it(box, clone):
    one = clone()
    assert box("run", "-d", one.name, "--", "echo", "there too").ok() == "there too\n"
    box("terminate", one.name).ok()
    result = box.finish(one.process, b"")
    assert result.status in (125, 129), result  # the machine ended, or the command by its SIGHUP before that
    assert gone(box)


@pytest.mark.parametrize("words", [["unregister", "{}"], ["rename", "{}", "kept"], ["clone", "{}", "kept"],
                                   ["export", "{}", "kept.tar"], ["move", "{}", "/tmp"]], ids=lambda words: words[0])
def test_nobody_else_works_on_it(box, clone, words):
    one = clone()
    result = box(*[word.format(one.name) for word in words], cwd=box.path)
    result.failed(1, "distro.busy", f"{one.name} is being run by process {one.process.pid}")
    one.end()
    assert gone(box)


def test_many_at_once(box):
    before = digest(box)
    running = [box.start("run", "--rm", "--", "sh", "-c", f"cat; exit {number}", stdin=subprocess.PIPE)
               for number in range(AT_ONCE)]
    wait_for(lambda: [row["state"] for row in box.json_list() if "template" in row] == ["running"] * AT_ONCE)
    assert len({row["address"] for row in box.json_list()}) == AT_ONCE + 1
    results = [box.finish(process, f"{number}\n".encode()) for number, process in enumerate(running)]
    assert [(r.status, r.out, r.err) for r in results] == [(n, f"{n}\n", "") for n in range(AT_ONCE)]
    assert gone(box) and digest(box) == before


# --- what it sees ---------------------------------------------------------------------------------

def test_it_has_its_templates_settings(box, clone):
    box.configure("[berth]\ndisk-size = 64M\n[distro box]\nmemory = 384M\n")
    assert clone().machine()["memory"] == str(384 << 20)


def test_it_is_isolated(box, clone):
    assert clone().machine()["isolated"] == "true"


def test_host_access_on_request(box, clone):
    assert clone("--host-access").machine().get("isolated", "false") == "false"


def test_template_that_is_isolated_stays_so(box, clone):
    box.configure("[distro box]\nisolated = true\n")
    assert clone("--host-access").machine()["isolated"] == "true"


# --- refusals -------------------------------------------------------------------------------------

def test_template_that_runs_goes_on(box):
    program = box.start("run", "--", "cat", stdin=subprocess.PIPE)
    program.stdin.write(b"one\n")
    program.stdin.flush()
    assert program.stdout.readline() == b"one\n"
    assert box("run", "--rm", "--", "echo", "clone").ok() == "clone\n"
    assert box.finish(program, b"two\n").ok() == "two\n"
    assert box.info("box")["state"] == "running" and gone(box)


def test_template_that_cannot_be_stopped(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-stop"}).ok()
    box("run", "--rm", "--", "true").failed(125, "qmp.command", "Cannot stop")
    assert gone(box) and box("run", "--", "echo", "on").ok() == "on\n"


def test_without_a_template(berth):
    berth("run", "--rm", "--", "true").failed(125, "distro.none")
    berth("run", "--rm", "-d", "nobody", "--", "true").failed(125, "distro.not-found")


def test_host_access_is_for_rm(box):
    box("run", "--host-access", "--", "true").failed(125, "usage.value", "--host-access is for --rm")


def test_command_that_is_missing(box):
    result = box("run", "--rm", "--", "/no/such/program")
    assert result.status == 127, result
    assert gone(box)


def test_clone_that_cannot_start(box):
    result = box("run", "--rm", "--", "true", env={"FAKE_QEMU_MODE": "crash"})
    assert result.status == 125 and "cannot set up the machine" in result.err, result
    assert gone(box)


def test_no_room_for_the_clone(box):
    result = box("run", "--rm", "--", "true", env=box.faulty("berth", 1, errno.ENOSPC))
    assert result.status == 125 and result.out == "", result
    assert gone(box)


# --- ends -----------------------------------------------------------------------------------------

def test_signal_is_passed_on(box):
    process = box.start("run", "--rm", "--", "sh", "-c", "trap 'exit 9' TERM; echo begun; while :; do sleep 0.05; done")
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    assert box.finish(process).status == 9
    assert gone(box)


def test_signal_during_the_boot(box):
    process = box.start("run", "--rm", "--", "true", env={"FAKE_QEMU_MODE": "silent"})
    wait_for(lambda: [row for row in box.json_list() if row.get("qemu_pid")])
    process.send_signal(signal.SIGHUP)
    assert box.finish(process).status == -signal.SIGHUP
    assert gone(box)


def test_killed_client(box, clone):
    one = clone()
    row = one.info()
    one.kill()
    wait_for(lambda: not is_alive(row["keeper_pid"]) and not is_alive(row["qemu_pid"]))  # by itself
    assert gone(box)


def test_killed_keeper(box, clone):
    one = clone()
    os.kill(one.info()["keeper_pid"], signal.SIGKILL)
    result = box.finish(one.process, b"")
    assert result.status == 125, result
    assert gone(box)


def test_client_and_keeper_killed(box, clone):
    one = clone()
    row = one.info()
    stop_process(row["keeper_pid"])  # it cannot follow
    one.kill()
    os.kill(row["keeper_pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(row["keeper_pid"]) and not is_alive(row["qemu_pid"]))
    assert gone(box)


def test_client_killed_and_keeper_hangs(box, clone):
    one = clone()
    row = one.info()
    stop_process(row["keeper_pid"])
    one.kill()
    wait_for(lambda: box.names() == ["box"])  # each list tries it; QEMU may need its time to end
    assert gone(box)
    assert not is_alive(row["keeper_pid"])


def test_after_a_reboot_of_the_host(box, clone):
    one = clone()
    row = one.info()
    stop_process(row["keeper_pid"])
    one.kill()
    os.kill(row["keeper_pid"], signal.SIGKILL)
    wait_for(lambda: not is_alive(row["keeper_pid"]) and not is_alive(row["qemu_pid"]))
    shutil.rmtree(box.runtime)
    assert gone(box)


@pytest.mark.parametrize("words", [["run", "--rm", "--", "true"], ["start", "box"]], ids=["run", "start"])
def test_next_start_removes_what_was_left(box, clone, words):
    one = clone()
    row = one.info()
    one.kill()
    wait_for(lambda: not is_alive(row["keeper_pid"]))
    assert Path(row["disk"]).exists()
    box(*words).ok()
    assert not Path(row["disk"]).parent.exists()


# --- the disk's blocks ------------------------------------------------------------------------------

def open_files(pid):
    """What the descriptors of process @pid lead to, but for those that are closed meanwhile."""
    files = []
    with contextlib.suppress(OSError):
        for number in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                files.append(os.readlink(f"/proc/{pid}/fd/{number}"))
    return files


def holders(box):
    """The processes that have a removed disk of @box's open."""
    pids = filter(str.isdecimal, os.listdir("/proc"))
    return [int(pid) for pid in pids
            if any(path.startswith(str(box.path)) and path.endswith("/disk.ext4 (deleted)") for path in open_files(pid))]


def stopped_holders(box):
    return [pid for pid in holders(box)
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"]


@pytest.fixture
def slow(box):
    """The end of a command whose disk the file system takes long to free: the process that waits for it."""
    before = digest(box)
    environment = {**box.faulty("berth", 1, -1), "BERTH_FAULT_CALL": "close"}
    result = box("run", "--rm", "--", "sh", "-c", "echo out; exit 5", env=environment)
    assert (result.status, result.out, result.err) == (5, "out\n", ""), result
    (pid,) = wait_for(lambda: stopped_holders(box))
    assert gone(box) and digest(box) == before
    yield pid
    assert holders(box) == []


def test_no_wait_for_a_slow_file_system(box, slow):
    """And it has nothing of the command's: not its streams, nor its directory."""
    assert len(open_files(slow)) == 2, open_files(slow)  # with a pipe
    assert os.readlink(f"/proc/{slow}/cwd") == "/"
    box("run", "--rm", "--", "true").ok()
    os.kill(slow, signal.SIGCONT)
    wait_for(lambda: not is_alive(slow))


def test_killed_while_it_frees(box, slow):
    os.kill(slow, signal.SIGKILL)
    wait_for(lambda: not is_alive(slow))


# --- taking turns ---------------------------------------------------------------------------------

@contextlib.contextmanager
def held(box):
    """The template, as by another process that clones it."""
    fd = os.open(Path(box.info("box")["disk"]).parent, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def waits(process):
    """Whether it waits for a lock."""
    return re.search(rf"-> FLOCK .* {process.pid} ", Path("/proc/locks").read_text())


def test_waits_for_another_that_clones(box):
    with held(box):
        process = box.start("run", "--rm", "--", "echo", "at last")
        wait_for(lambda: waits(process))
        assert clones(box) == []
    assert box.finish(process).ok() == "at last\n"


def test_waiting_can_be_cancelled(box):
    with held(box):
        process = box.start("run", "--rm", "--", "true")
        wait_for(lambda: waits(process))
        process.send_signal(signal.SIGTERM)
        assert box.finish(process).status == -signal.SIGTERM
    assert gone(box)
