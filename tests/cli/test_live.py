# SPDX-License-Identifier: MIT
"""The memory of a distro for a copy of its disk: snapshots with it, clones that go on, and what can go wrong.
tests/vm has what a guest keeps of it."""
import contextlib
import fcntl
import hashlib
import json
import os
import resource
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from conftest import wait_for
from test_hold import DONE, ERROR, HOLD, RELEASE, WAIT, clients, held  # noqa: F401, clients is a fixture
from test_suspend import state
from test_throwaway import box, clones, digest, gone  # noqa: F401, box is a fixture
from waiting import is_alive

SAVE, SAVED, WRITTEN = 96, 97, 98  # lib/instance/control/control.h
BESIDE, IN_ITS_OWN = b"\0" + 5 * b"\0", b"\1" + 5 * b"\0"  # how it was saved, and no path
LEND, LENT = 2, 2


@pytest.fixture
def running(box):  # noqa: F811
    box("start", "box").ok()
    return box


@pytest.fixture(params=["running", "suspended", "parked"])
def source(request, running):
    if request.param != "running":
        running({"suspended": "suspend", "parked": "park"}[request.param], "box").ok()
    running.before = request.param
    return running


def disk(box, name="box"):  # noqa: F811
    return Path(box.info(name)["disk"])


def memories(box):  # noqa: F811
    return sorted(path.name for path in disk(box).parent.iterdir() if path.name.endswith((".parked", ".parking")) and "@" in path.name)


def rows(box):  # noqa: F811
    return json.loads(box("snapshots", "--json", "box").ok())["snapshots"]


def goes_on(box, *words):  # noqa: F811
    """The next command finds a loaded guest, and no boot."""
    assert box("run", *words, "--", "echo", "on").ok() == "on\n"
    assert box.qemus()[-1]["argv"][-2:] == ["-incoming", "defer"]


def boots(box, *words):  # noqa: F811
    result = box("run", *words, "--", "echo", "on")
    assert (result.status, result.out) == (0, "on\n"), result
    assert "-incoming" not in box.qemus()[-1]["argv"]
    return result.err


# --- snapshots ---

def test_snapshot_has_the_memory(source):
    before = len(source.qemus())
    assert source("snapshot", "box", "it").ok() == "it\n"
    assert state(source) == source.before and len(source.qemus()) == before
    (row,) = rows(source)
    assert row["memory_used"] > 0 and len(memories(source)) == 1
    table = source("snapshots", "box").ok().splitlines()
    assert table[0].split() == ["DISTRO", "TAG", "TAKEN", "BY", "USED", "MEMORY"] and not table[1].endswith("-")
    assert source("run", "--", "echo", "on").ok() == "on\n"
    source("terminate", "box").ok()
    out = source("restore", "box", "it").ok()
    assert "its programs continue with the next command\n" in out
    goes_on(source)
    source("terminate", "box").ok()
    assert "its programs continue" in source("undo", "box").ok()  # once more, the same
    goes_on(source)


def test_disk_alone(running):
    assert running("snapshot", "--disk", "box", "it").ok() == "it\n"
    assert rows(running)[0]["memory_used"] == 0 and memories(running) == []
    running("terminate", "box").ok()
    assert "programs continue" not in running("restore", "box", "it").ok()
    assert boots(running) == ""


def test_stopped_one_has_no_memory(box):  # noqa: F811
    box("snapshot", "box", "it").ok()
    assert rows(box)[0]["memory_used"] == 0
    assert box("snapshots", "box").ok().splitlines()[1].endswith("-")


def test_restore_without_it(running):
    running("snapshot", "box", "it").ok()
    running("terminate", "box").ok()
    assert "programs continue" not in running("restore", "--disk", "box", "it").ok()
    assert boots(running) == ""


def test_removed_with_its_snapshot(running):
    running("snapshot", "box", "it").ok()
    running("snapshot", "--remove", "box", "it").ok()
    assert memories(running) == [] and running.left_over() == []


def test_moved_with_its_snapshot(running, tmp_path):
    running("snapshot", "box", "it").ok()
    running("terminate", "box").ok()
    former = disk(running).parent
    running("move", "box", tmp_path / "elsewhere").ok()
    assert len(memories(running)) == 1 and [path for path in former.glob("*@*")] == []
    running("restore", "box", "it").ok()
    goes_on(running)


def test_a_setting_has_changed(running):
    running("snapshot", "box", "it").ok()
    running("terminate", "box").ok()
    running("config", "set", "-d", "box", "memory", "600M").ok()
    out = running("restore", "box", "it").ok()
    assert "programs continue" not in out
    assert boots(running) == ""


@pytest.mark.parametrize("at", [0, 5000])
def test_a_memory_that_is_damaged(running, at):
    running("snapshot", "box", "it").ok()
    running("terminate", "box").ok()
    path = disk(running).parent / memories(running)[0]
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    running("restore", "box", "it").ok()
    boots(running)


def test_no_room_for_it(running):
    keeper = running.info("box")["keeper_pid"]
    limits = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (2048, limits[1]))
    running("snapshot", "box", "it").failed(1, "park.write.too-big", "its memory could not be saved: ")
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, limits)
    assert rows(running) == [] and memories(running) == [] and running.left_over() == []
    assert state(running) == "running" and running("run", "--", "echo", "on").ok() == "on\n"
    running("snapshot", "box", "it").ok()


def test_qemu_does_not_give_its_state(box):  # noqa: F811
    box("start", "box", env={"FAKE_QEMU_MODE": "no-save"}).ok()
    box("snapshot", "box", "it").failed(1, "vmm.state.failed", "its memory could not be saved: ")
    assert rows(box) == [] and memories(box) == []
    wait_for(lambda: state(box) == "running")
    assert box("run", "--", "echo", "on").ok() == "on\n"
    box("snapshot", "--disk", "box", "it").ok()


# --- clones ---

def test_live_clone(source):
    before = digest(source)
    assert source("clone", "--live", "box", "twin").ok() == ""
    assert (state(source), source.info("twin")["state"]) == (source.before, "running")
    assert source.qemus()[-1]["argv"][-2:] == ["-incoming", "defer"]
    assert source.info("twin")["id"] != source.info("box")["id"]
    assert source("run", "-d", "twin", "--", "echo", "on").ok() == "on\n"
    assert not Path(f"{disk(source, 'twin')}.parked").exists()
    assert digest(source) == before
    assert source("run", "--", "echo", "on").ok() == "on\n"
    for verb in ("suspend", "park"):
        source(verb, "twin").ok()
        goes_on(source, "-d", "twin")


def test_live_clone_of_a_stopped_one(box):  # noqa: F811
    box("clone", "--live", "box", "twin").failed(1, "clone.stopped", "box is neither running nor suspended")
    assert box.names() == ["box"] and box.left_over() == []


def test_live_clone_with_other_settings(box):  # noqa: F811
    box("config", "set", "-d", "box", "memory", "600M").ok()
    running = box
    running("start", "box").ok()
    running("clone", "--live", "box", "twin").failed(1, "clone.memory", "twin would have other settings than box was started with")
    assert running.names() == ["box"] and running.left_over() == []
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_live_clone_in_no_room(running):
    keeper = running.info("box")["keeper_pid"]
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (2048, resource.RLIM_INFINITY))
    running("clone", "--live", "box", "twin").failed(1, "park.write.too-big", "its memory could not be saved")
    assert running.names() == ["box"] and running.left_over() == [] and state(running) == "running"


def test_name_is_taken(running):
    running("clone", "--live", "box", "box").failed(1, "registry.exists", "there is a distro called box")
    assert running("run", "--", "echo", "on").ok() == "on\n"


# --- run --rm ---

def test_throwaway_goes_on(source):
    before = digest(source)
    assert source("run", "--rm", "--", "echo", "on").ok() == "on\n"
    assert source.qemus()[-1]["argv"][-2:] == ["-incoming", "defer"]
    assert state(source) == source.before and digest(source) == before
    assert gone(source)


def test_throwaways_at_once(running):
    running("suspend", "box").ok()
    commands = [running.start("run", "--rm", "--", "echo", str(number)) for number in range(8)]
    for number, command in enumerate(commands):
        assert running.finish(command).ok() == f"{number}\n"
    assert state(running) == "suspended" and gone(running)
    assert all(start["argv"][-2:] == ["-incoming", "defer"] for start in running.qemus()[1:])


def test_throwaway_boots_where_the_memory_does_not_fit(running):
    running("config", "set", "-d", "box", "memory", "600M").ok()
    assert boots(running, "--rm") == ""
    assert gone(running)


# --- a memory that is lent ---

def memory_path(box, name="box"):  # noqa: F811
    """The file of a suspended guest's memory, which its keeper has."""
    keeper = box.info(name)["keeper_pid"]
    (path,) = [path for path in Path(f"/proc/{keeper}/fd").iterdir() if os.readlink(path).startswith("/memfd:berth-memory")]
    return path


def memory_digest(box):  # noqa: F811
    return hashlib.sha256(memory_path(box).read_bytes()).hexdigest()


def is_sealed(path):
    with path.open("rb") as file:
        return fcntl.fcntl(file, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE != 0


def maps_privately(start):
    return any("memory-backend-file" in word and word.endswith(",share=off") for word in start["argv"])


def test_throwaways_share_the_memory(running):
    running("suspend", "box").ok()
    before = memory_digest(running)
    for _ in range(2):
        goes_on(running, "--rm")
        assert maps_privately(running.qemus()[-1])
    assert is_sealed(memory_path(running)) and memory_digest(running) == before
    assert state(running) == "suspended" and gone(running)


def test_one_that_has_lent_its_memory_goes_on(running):
    """With a memory that it can write, which it can lend again."""
    for _ in range(2):
        running("suspend", "box").ok()
        goes_on(running, "--rm")
        goes_on(running)
        assert not maps_privately(running.qemus()[-1])
        running("suspend", "box").ok()
        assert not is_sealed(memory_path(running))
    assert gone(running)


def test_clone_outlives_what_it_was_lent(running):
    """It may go on, or end, while the clone runs."""
    running("suspend", "box").ok()
    clone = running.start("run", "--rm", "--", "sh", "-c", "echo begun; cat", stdin=subprocess.PIPE)
    assert clone.stdout.readline() == b"begun\n"
    running("run", "--", "true").ok()
    running("terminate", "box").ok()
    assert running.finish(clone, b"still\n").ok() == "still\n"
    assert gone(running)


def test_one_that_has_lent_its_memory_is_parked(running):
    running("suspend", "box").ok()
    goes_on(running, "--rm")
    running("park", "box").ok()
    goes_on(running, "--rm")
    assert not maps_privately(running.qemus()[-1])  # of a file each has its own
    goes_on(running)
    running("suspend", "box").ok()
    assert running("snapshot", "box", "it").ok() == "it\n"
    assert gone(running)


def test_clone_that_shares_is_not_suspended(running):
    running("suspend", "box").ok()
    clone = running.start("run", "--rm", "--", "sh", "-c", "echo begun; cat", stdin=subprocess.PIPE)
    assert clone.stdout.readline() == b"begun\n"
    (name,) = clones(running)
    running("suspend", name).failed(1, "suspend.refused", "it shares memory with the distro that it is a clone of")
    running("park", name).failed(1, "park.refused")
    assert running.finish(clone, b"on\n").ok() == "on\n"
    assert gone(running)


def test_only_a_throwaway_shares(running):
    running("suspend", "box").ok()
    running("clone", "--live", "box", "twin").ok()
    assert not maps_privately(running.qemus()[-1]) and not is_sealed(memory_path(running))


# --- the keeper's end ---

def save(client, path, unsynced=0):
    text = os.fsencode(path)
    return client.ask(SAVE, struct.pack("<BI", unsynced, len(text)) + text + b"\0")


@pytest.mark.parametrize("verb", [None, "suspend"])
def test_save(running, clients, tmp_path, verb):  # noqa: F811
    if verb:
        running(verb, "box").ok()
    holder = held(running, clients, verb is None)
    answer = save(holder, tmp_path / "copy")
    assert (answer.type, answer.payload) == (SAVED, BESIDE)
    if verb is None:
        assert holder.ask(RELEASE).type == DONE
        assert clients().ask(WAIT).type == DONE  # while it is written, or after
    assert holder.ask(WRITTEN).type == DONE
    assert [path.name for path in tmp_path.glob("copy*")] == ["copy.parked"]
    holder.close()
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_save_of_a_parked_one(running, clients, tmp_path):  # noqa: F811
    running("park", "box").ok()
    holder = held(running, clients, False) if state(running) == "suspended" else None
    holder = holder or clients()
    if state(running) == "parked":
        assert holder.ask(HOLD).type == 94
    answer = save(holder, tmp_path / "copy")
    assert (answer.type, answer.payload) == (SAVED, IN_ITS_OWN)
    assert list(tmp_path.glob("copy*")) == []


@pytest.mark.parametrize("verb", [None, "suspend"])
def test_save_for_one_that_would_borrow(running, clients, tmp_path, verb):  # noqa: F811
    """A memory that is written still is not lent; what is beside the disk is all but the memory, then."""
    if verb:
        running(verb, "box").ok()
    holder = held(running, clients, verb is None)
    answer = save(holder, tmp_path / "copy", LEND)
    path = answer.payload[5:-1].decode()
    assert answer.type == SAVED and answer.payload[0] == (0 if verb is None else LENT) and bool(path) == bool(verb)
    assert not verb or is_sealed(Path(path))
    assert holder.ask(RELEASE if verb is None else WRITTEN).type == DONE
    assert holder.ask(WRITTEN).type == DONE
    assert ((tmp_path / "copy.parked").stat().st_size < 20000) == bool(verb)
    holder.close()
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_save_without_a_hold(running, clients, tmp_path):  # noqa: F811
    answer = save(clients(), tmp_path / "copy")
    assert answer.type == ERROR and b"hold.lost" in answer.payload
    assert list(tmp_path.glob("copy*")) == []


def test_save_where_nothing_can_be_written(running, clients, tmp_path):  # noqa: F811
    holder = held(running, clients, True)
    assert save(holder, tmp_path / "missing/copy").type == SAVED
    answer = holder.ask(WRITTEN)
    assert answer.type == ERROR and b"park.write" in answer.payload
    assert holder.ask(RELEASE).type == DONE
    assert clients().ask(WAIT).type == DONE and state(running) == "running"


@pytest.mark.parametrize("waits", [False, True])
def test_a_client_that_goes_away(running, clients, tmp_path, waits):  # noqa: F811
    """Whether it has its answer or not: the distro goes on, and no half file is left."""
    holder = held(running, clients, True)
    if waits:
        assert save(holder, tmp_path / "copy").type == SAVED
    else:
        text = os.fsencode(tmp_path / "copy")
        holder.send(SAVE, struct.pack("<BI", 0, len(text)) + text + b"\0")
    holder.close()
    assert clients().ask(WAIT).type == DONE and state(running) == "running"
    assert list(tmp_path.glob("*.parking")) == []
    assert held(running, clients, True).ask(RELEASE).type == DONE


def test_a_second_one_while_the_first_is_saved(running, clients, tmp_path):  # noqa: F811
    first, second = held(running, clients, True), held(running, clients, True)
    assert save(first, tmp_path / "copy").type == SAVED
    answer = save(second, tmp_path / "other")
    assert answer.type == ERROR and b"save.refused" in answer.payload
    assert second.ask(RELEASE).type == DONE and first.ask(WRITTEN).type == DONE
    first.close()
    assert clients().ask(WAIT).type == DONE
    assert save(held(running, clients, True), tmp_path / "other").type == SAVED


def test_killed_qemu_before_a_save(running, clients, tmp_path):  # noqa: F811
    holder = held(running, clients, True)
    qemu = running.qemus()[-1]["pid"]
    os.kill(qemu, signal.SIGKILL)
    wait_for(lambda: not is_alive(qemu))
    with contextlib.suppress(StopIteration, AssertionError, OSError):
        save(holder, tmp_path / "copy")
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert list(tmp_path.glob("copy*")) == []
