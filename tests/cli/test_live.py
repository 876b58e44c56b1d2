# SPDX-License-Identifier: MIT
"""The memory of a distro for a copy of its disk: snapshots with it, clones that go on, and what can go wrong.
tests/vm has what a guest keeps of it."""
import contextlib
import json
import os
import resource
import signal
import struct
from pathlib import Path

import pytest

from conftest import wait_for
from test_hold import DONE, ERROR, HOLD, RELEASE, WAIT, clients, held  # noqa: F401, clients is a fixture
from test_suspend import state
from test_throwaway import box, clones, digest, gone  # noqa: F401, box is a fixture
from waiting import is_alive

SAVE, SAVED, WRITTEN = 96, 97, 98  # lib/instance/control/control.h


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
    assert (answer.type, answer.payload) == (SAVED, b"\0")
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
    assert (answer.type, answer.payload) == (SAVED, b"\1")
    assert list(tmp_path.glob("copy*")) == []


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
