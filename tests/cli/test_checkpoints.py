# SPDX-License-Identifier: MIT
"""Snapshots that berth takes by itself of a distro that is used, as the setting checkpoint says.

Each waits for the snapshot: with an interval of one second and an idle-timeout of one it comes soon.
"""
import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, wait_for
from test_manage import MIB, fill
from test_manage import end as end_process
from test_snapshots import (box, disk, files, read, read_file, shares_blocks, snapshots, tags,  # noqa: F401, box is a fixture
                            write)
from waiting import is_alive

AUTO = re.compile(r"auto-\d{8}-\d{6}(-\d+)?")


def plan(box, text, more=""):
    box.configure(f"[berth]\ndisk-size = 128M\nidle-timeout = 1\ncheckpoint = {text}\n{more}")


@pytest.fixture
def quick(box):
    write(box, "one")
    plan(box, "every 1s keep 2")
    return box


def checkpoints(box):
    return [row["tag"] for row in snapshots(box, "box") if row["checkpoint"]]


def use(box):
    """Do something in the distro, and say whether it works."""
    assert box("run", "--", "echo", "on").ok() == "on\n"


def used_until(box, condition):
    def probe():
        use(box)
        return condition()
    wait_for(probe)


def status(box):
    return json.loads(box("status", "box", "--json").ok())


def test_setting(box):
    assert box("config", "get", "checkpoint").ok() == "\n"
    plan(box, "every 30min keep 5 within 20G")
    assert box("config", "get", "checkpoint").ok() == "every 30min keep 5 within 20G\n"
    row = status(box)
    assert (row["checkpoint"], row["checkpoint_last"], row["checkpoint_problem"]) == (
        "every 30min keep 5 within 20G", None, None)
    assert "Checkpoints:    every 30min keep 5 within 20G; the last one: none yet\n" in box("status", "box").ok()
    box("set", "box", "checkpoint=off").ok()
    assert status(box)["checkpoint"] is None and "Checkpoints" not in box("status", "box").ok()


@pytest.mark.parametrize("text, message", [
    ("every 30", 'berth.conf:4: checkpoint: "every" must be followed by a time with its unit'),
    ("every 30min keep 0", '"keep" must be followed by a number from 1 to 1000'),
    ("30min", '"30min" is not "every"'),
    ("every 30min within 1G keep 2", '"keep" is not expected here')])
def test_setting_that_cannot_be_understood(box, text, message):
    plan(box, text)
    box("start", "box").failed(1, "config.value", message)
    assert box.qemus() == []
    box("set", "box", f"checkpoint={text}").failed(1, "config.value")


def test_taken_by_itself(quick):
    quick("start", "box").ok()
    used_until(quick, lambda: checkpoints(quick))
    row = snapshots(quick, "box")[0]
    assert AUTO.fullmatch(row["tag"]) and row["automatic"] is True
    assert re.search(rf"^box +{row['tag']} +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d  automatic  [\d.]+ \wiB +-$",
                     quick("snapshots", "box").ok(), re.M)
    assert status(quick)["checkpoint_last"] is not None and "none yet" not in quick("status", "box").ok()
    assert f"box has the automatic snapshot {row['tag']}" in quick("logs", "box").ok()
    assert read_file(disk(quick).with_name(f"disk.ext4@{suffix(quick, row['tag'])}")) == "one"
    assert len(quick.qemus()) == 1  # it went on


def suffix(box, tag):
    import sqlite3
    path = disk(box).parents[2] / "registry.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        return db.execute("SELECT suffix FROM snapshot WHERE tag = ?", (tag,)).fetchone()[0]


def test_undo_goes_to_it_and_back(quick):
    quick("start", "box").ok()
    used_until(quick, lambda: checkpoints(quick))
    plan(quick, "off")
    quick("terminate", "box").ok()
    tag = checkpoints(quick)[-1]
    write(quick, "two")
    out = quick("undo", "box").ok()
    assert re.fullmatch(rf"box is as it was at \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d, \S+ ago \({tag}\)\n"
                        r"to take that back: berth restore box before-restore\n", out), out
    assert read(quick) == "one" and tag in tags(quick) and tags(quick)[-1] == "before-restore"
    quick("restore", "box", "before-restore").ok()
    assert read(quick) == "two" and tag in tags(quick)


def test_idle_one_has_no_more(quick):
    """Nobody uses it after the first, so that only its own sleep follows."""
    del quick.environment["BERTH_IDLE"]
    plan(quick, "every 1s keep 9")
    quick("start", "box").ok()
    used_until(quick, lambda: checkpoints(quick))
    wait_for(lambda: quick.info("box")["state"] == "suspended")
    wait_for(lambda: not children(quick))
    before = tags(quick)
    log = quick("logs", "box").ok()
    use(quick)
    wait_for(lambda: quick.info("box")["state"] == "suspended")
    assert "is suspended" in quick("logs", "box").ok()[len(log):]
    assert len(tags(quick)) <= len(before) + 1


def children(box):
    keeper = box.info("box")["keeper_pid"]
    names = subprocess.run(["ps", "--ppid", str(keeper), "-o", "comm="], capture_output=True, text=True).stdout
    return "berth-checkpoi" in names


def older(box, *made):
    """Give the stopped box rows of automatic and other snapshots from before."""
    import sqlite3
    path = disk(box).parents[2] / "registry.db"
    with sqlite3.connect(path) as db:
        distro = db.execute("SELECT id FROM distro WHERE name = 'box'").fetchone()[0]
        for number, (tag, automatic) in enumerate(made):
            name = f"20200101T00000{number}.000000Z"
            db.execute("INSERT INTO snapshot VALUES (?, ?, ?, ?, ?)", (distro, tag, name, 1577836800000000 + number, automatic))
            disk(box).with_name(f"disk.ext4@{name}").write_bytes(b"x" * MIB)


def test_oldest_automatic_one_goes(quick):
    older(quick, ("auto-a", 1), ("mine", 0), ("auto-b", 1), ("auto-of-mine", 0), ("before-restore", 1))
    quick("start", "box").ok()
    used_until(quick, lambda: any(AUTO.fullmatch(tag) for tag in checkpoints(quick)))
    wait_for(lambda: "auto-a" not in tags(quick))
    left = tags(quick)
    assert len(checkpoints(quick)) == 2 and left[:4] == ["mine", "auto-b", "auto-of-mine", "before-restore"]
    assert len(files(quick)) == 1 + len(left)


def test_within_a_size(quick):
    used = disk(quick).stat().st_blocks * 512
    older(quick, ("auto-a", 1), ("auto-b", 1), ("mine", 0))
    plan(quick, f"every 1s keep 9 within {used + used // 2 + MIB + MIB // 2}")
    quick("start", "box").ok()
    used_until(quick, lambda: any(AUTO.fullmatch(tag) for tag in checkpoints(quick)))
    wait_for(lambda: "auto-a" not in tags(quick))
    assert "mine" in tags(quick)


def no_new_one(box, message):
    used_until(box, lambda: status(box)["checkpoint_problem"])
    assert message in status(box)["checkpoint_problem"]
    assert f"Problem:        no automatic snapshot: {status(box)['checkpoint_problem']}\n" in box("status", "box").ok()
    assert "box has no new automatic snapshot: " in box("logs", "box").ok()
    assert checkpoints(box) == [] and len(files(box)) == 1
    assert box.info("box")["state"] == "running" and len(box.qemus()) == 1


def test_larger_than_allowed(quick):
    fill(disk(quick), "noise", 8 * MIB)
    plan(quick, "every 1s within 1M")
    quick("start", "box").ok()
    no_new_one(quick, "one checkpoint takes ")


def test_no_room(quick):
    """The keeper hands its limit on to what it starts."""
    if shares_blocks(quick):
        pytest.skip("nothing is copied here")
    import resource
    quick("start", "box").ok()
    keeper = quick.info("box")["keeper_pid"]
    hard = resource.prlimit(keeper, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (MIB, hard))
    no_new_one(quick, "ile too large")


def test_program_is_missing(quick):
    (quick.support / "berth-checkpoint").unlink()
    quick("start", "box").ok()
    no_new_one(quick, "berth-checkpoint")


def break_it(box, at, error, call=None):
    """Have berth-checkpoint fail at its write number @at, or its @call of that number, as Home.faulty does it. The file
    that gets its pid.
    """
    program, pid_file = box.support / "berth-checkpoint", box.path / f"pid{at}"
    program.unlink()
    program.write_text(f"#!/bin/sh\necho $$ >{pid_file}\n"
                       f"export LD_PRELOAD={BUILD}/tests/cli/fault.so ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0\n"
                       f"export BERTH_FAULT_PROGRAM=berth-checkpoint BERTH_FAULT_AT={at} BERTH_FAULT_ERROR={error}\n"
                       f"{'export BERTH_FAULT_CALL=' + call if call else ''}\n"
                       f'exec {BUILD}/cmd/berth-checkpoint "$@"\n')
    program.chmod(0o755)
    return pid_file


def stopped_at(box, call):
    """The pid of a berth-checkpoint that stands still at its first @call, with the distro's claim."""
    if call == "copy_file_range" and shares_blocks(box):
        pytest.skip("nothing is copied here")
    pid_file = break_it(box, 1, -1, call)
    box("start", "box").ok()
    talks = box.start("run", "--", "sh", "-c", "while echo on; do sleep 0.1; done", stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL)
    wait_for(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    end_process(talks)
    pid = int(pid_file.read_text())
    wait_for(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "tT")
    return pid


@pytest.mark.parametrize("call", ["fdatasync", "copy_file_range"])  # of its claim; of the copy, while the distro is held
@pytest.mark.parametrize("end", ["terminate", "kill"])
def test_end_of_the_distro_while_one_is_taken(quick, call, end):
    """Its claim ends with the distro, and what it made: the next command need not wait."""
    pid = stopped_at(quick, call)
    keeper = quick.info("box")["keeper_pid"]
    if end == "kill":
        os.kill(keeper, signal.SIGKILL)
    else:
        quick("terminate", "--force", "box").ok()
    wait_for(lambda: not is_alive(keeper) and not is_alive(pid))
    plan(quick, "off")
    use(quick)
    assert checkpoints(quick) == [] and files(quick) == ["disk.ext4"]


def test_other_commands_wait_for_its_end(quick):
    pid = stopped_at(quick, "fdatasync")
    waiting = quick.start("snapshot", "box", "mine")
    row = quick.info("box")
    assert (row["state"], row.get("holder_pid")) == ("running", None)
    assert waiting.poll() is None
    os.kill(pid, signal.SIGCONT)
    assert quick.finish(waiting).ok() == "mine\n"
    assert len(checkpoints(quick)) == 1 and "mine" in tags(quick)


def test_killed_at_every_write(quick):
    """Nothing half made is left, and the distro goes on."""
    kills = 0
    for at in range(1, 200, 4):
        break_it(quick, at, 0)
        quick("start", "box").ok()
        used_until(quick, lambda: status(quick)["checkpoint_problem"] or checkpoints(quick))
        problem = status(quick)["checkpoint_problem"]
        kills += problem is not None
        assert problem in (None, "berth-checkpoint has ended")
        quick("terminate", "box").ok()
        quick("snapshot", "box", "mine").ok()  # cleans up
        quick("snapshot", "--remove", "box", "mine").ok()
        assert len(files(quick)) == 1 + len(tags(quick))
        assert {read_file(path) for path in disk(quick).parent.glob("disk.ext4*")} == {"one"}
        if problem is None:
            break
        for tag in checkpoints(quick):
            quick("snapshot", "--remove", "box", tag).ok()
    assert problem is None and kills >= 2, kills
