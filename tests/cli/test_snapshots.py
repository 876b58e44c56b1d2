# SPDX-License-Identifier: MIT
"""Snapshots of a stopped distro's disk: taken, listed, removed, gone back to; and what happens to them with the distro."""
import itertools
import json
import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import Terminal
from test_manage import MIB, check, end, fill
from test_read_only import make_read_only, plain  # noqa: F401, a fixture

STAMP = re.compile(r"\d{8}-\d{6}(-\d+)?\n")


@pytest.fixture
def box(berth, rootfs):
    """A berth with one distro on a small disk."""
    berth.configure("[berth]\ndisk-size = 128M\n")
    berth("import", "box", rootfs).ok()
    return berth


@pytest.fixture
def elsewhere():
    """A directory on another file system, or at least another directory."""
    path = Path(tempfile.mkdtemp(prefix="berth-cli-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)


def disk(box, name="box"):
    return Path(box.info(name)["disk"])


def files(box, name="box"):
    """The disk and what is named after it, temporary files too."""
    path = disk(box, name)
    return sorted(p.name for p in path.parent.iterdir() if path.name in p.name)


def write(box, text, name="box"):
    """Put a file with @text into the distro."""
    source = box.path / "text"
    source.write_text(text)
    subprocess.run(["/usr/sbin/debugfs", "-w", "-f", "-", disk(box, name)], check=True, capture_output=True,
                   input=f"rm /mark\nwrite {source} /mark\n", text=True)


def read(box, name="box"):
    return read_file(disk(box, name))


def read_file(path):
    return subprocess.run(["/usr/sbin/debugfs", "-R", "cat /mark", path], check=True, capture_output=True,
                          text=True).stdout


def snapshots(box, *words):
    return json.loads(box("snapshots", "--json", *words).ok())["snapshots"]


def tags(box, name="box"):
    return [row["tag"] for row in snapshots(box, name)]


# --- taking, listing, going back ----------------------------------------------------------------

def test_there_and_back(box):
    write(box, "one")
    assert box("snapshot", "box", "first").ok() == "first\n"
    write(box, "two")
    out = box("restore", "box", "First").ok()
    assert re.fullmatch(r"box is as it was at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, \S+ ago \(first\)\n"
                        r"to take that back: berth restore box before-restore\n", out), out
    assert read(box) == "one" and tags(box) == ["first", "before-restore"]
    check(disk(box))
    box("restore", "box", "before-restore").ok()
    assert read(box) == "two"
    assert box("run", "--", "/bin/echo", "up").ok() == "up\n"


def test_undo_goes_to_the_last_snapshot_that_was_taken(box):
    for text in ("one", "two"):
        write(box, text)
        box("snapshot", "box", text).ok()
    write(box, "three")
    assert "(two)\n" in box("undo", "box").ok()
    assert read(box) == "two"
    write(box, "four")
    out = box("undo", "box").ok()  # not to before-restore, which is newer
    assert "(two)\n" in out and out.endswith("to take that back: berth restore box before-restore\n")
    assert read(box) == "two"
    box("restore", "box", "before-restore").ok()
    assert read(box) == "four"  # what the last undo replaced
    assert tags(box) == ["one", "two", "before-restore"]


def test_undo_twice_loses_nothing(box):
    write(box, "one")
    box("snapshot", "box", "it").ok()
    write(box, "two")
    box("undo", "box").ok()
    before = disk(box).stat()
    out = box("undo", "box").ok()
    assert out.startswith("box has not changed since ") and out.count("\n") == 1, out
    assert disk(box).stat() == before
    box("restore", "box", "before-restore").ok()
    assert read(box) == "two"
    box("undo", "box").ok()
    assert read(box) == "one"
    assert tags(box) == ["it", "before-restore"]


def test_disk_that_is_a_snapshot_is_not_kept_twice(box):
    write(box, "one")
    box("snapshot", "box", "one").ok()
    write(box, "two")
    box("snapshot", "box", "two").ok()
    out = box("restore", "box", "one").ok()
    assert out.endswith("to take that back: berth restore box two\n"), out
    assert tags(box) == ["one", "two"] and len(files(box)) == 3
    box("restore", "box", "two").ok()
    assert read(box) == "two"


def test_name_of_its_own(box):
    """By the time, however many there are in a second."""
    names = [box("snapshot", "box").ok() for _ in range(4)]
    assert all(STAMP.fullmatch(name) for name in names), names
    assert len(set(names)) == 4 and tags(box) == [name.strip() for name in names]
    rows = snapshots(box)
    assert rows == sorted(rows, key=lambda row: row["taken"])


def test_lists(box, rootfs):
    assert box("snapshots").ok() == "DISTRO  TAG  TAKEN  BY  USED  MEMORY\n"
    assert snapshots(box) == []
    box("import", "other", rootfs).ok()
    box("snapshot", "other", "a").ok()
    box("snapshot", "box", "b").ok()
    assert [(row["distro"], row["tag"]) for row in snapshots(box)] == [("box", "b"), ("other", "a")]
    row, = snapshots(box, "OTHER")
    assert row == {"distro": "other", "tag": "a", "taken": row["taken"], "automatic": False, "checkpoint": False, "missing": False,
                   "disk_size": 128 * MIB, "disk_used": row["disk_used"], "memory_used": 0}
    assert 0 < row["disk_used"] < 32 * MIB
    lines = box("snapshots", "box").ok().splitlines()
    assert len(lines) == 2 and re.fullmatch(r"box     b    \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  you  [\d.]+ \wiB +-", lines[1]), lines
    box("snapshots", "none").failed(1, "distro.not-found")


def test_figures_of_the_disk(box):
    used = json.loads(box("status", "--json").ok())["disk_used"]
    assert box.info("box")["snapshots_used"] == 0 and "snapshots" not in box("list", "-v").ok()
    box("snapshot", "box").ok()
    info = box.info("box")
    assert info["snapshots_used"] == snapshots(box)[0]["disk_used"] > 0
    assert ", snapshots " in box("list", "-v").ok()
    assert json.loads(box("status", "--json").ok())["disk_used"] == used + info["snapshots_used"]


def test_remove(box):
    for tag in ("a", "b", "c"):
        box("snapshot", "box", tag).ok()
    box("snapshot", "--remove", "box", "a", "none").failed(1, "snapshot.not-found", "box has no snapshot called none")
    assert tags(box) == ["a", "b", "c"]
    box("snapshot", "--remove", "box", "A", "c", "a").ok()
    assert tags(box) == ["b"] and len(files(box)) == 2
    box("start", "box").ok()
    box("snapshot", "box", "--remove", "b").ok()  # the disk is not touched
    assert tags(box) == [] and files(box) == [disk(box).name]


def test_size_comes_back(box):
    box("snapshot", "box", "small").ok()
    box("resize", "box", "256M").ok()
    box("snapshot", "box", "large").ok()
    box("restore", "box", "small").ok()
    assert box.info("box")["disk_size"] == 128 * MIB == disk(box).stat().st_size
    box("restore", "box", "large").ok()
    assert box.info("box")["disk_size"] == 256 * MIB


def test_holes_stay_holes(box):
    fill(disk(box), "noise", 8 * MIB)
    used = disk(box).stat().st_blocks * 512
    box("snapshot", "box", "it").ok()
    assert snapshots(box)[0]["disk_used"] <= used + MIB
    write(box, "two")
    box("undo", "box").ok()
    assert disk(box).stat().st_blocks * 512 <= used + MIB
    check(disk(box))


def test_lost_disk_comes_back(box):
    write(box, "one")
    box("snapshot", "box", "it").ok()
    disk(box).unlink()
    out = box("undo", "box").ok()
    assert "(it)\n" in out and "to take that back" not in out
    assert read(box) == "one" and tags(box) == ["it"]


def test_lost_snapshot(box):
    box("snapshot", "box", "it").ok()
    write(box, "two")
    (disk(box).parent / files(box)[1]).unlink()
    assert snapshots(box)[0]["missing"] and "its file is missing" in box("snapshots").ok()
    result = box("undo", "box").failed(1, "restore.snapshot.missing", "undo box: ")
    assert "berth snapshot --remove box it" in result.hint
    assert read(box) == "two"
    box("snapshot", "--remove", "box", "it").ok()
    assert tags(box) == []


# --- input ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("tag", ["", "a b", "../x", "-", ".hidden", "a/b", "a@b", "x" * 65, "ä", "a\nb",
                                 "before-restore", "Before-Restore"])
def test_tags_are_as_names(box, tag):
    box("snapshot", "--", "box", tag).failed(1, "snapshot.tag", "cannot be a snapshot's name")
    assert tags(box) == [] and files(box) == [disk(box).name]


def test_tag_of_another(box):
    box("snapshot", "box", "It").ok()
    result = box("snapshot", "box", "iT").failed(1, "snapshot.exists", "there is a snapshot called It already")
    assert result.hint == "choose another name, or remove the other: berth snapshot --remove box It"
    assert len(files(box)) == 2


def test_refusals(box):
    for words in (["snapshot"], ["snapshot", "box", "a", "b"], ["snapshot", "--remove", "box"], ["restore", "box"],
                  ["restore", "box", "a", "b"], ["undo"], ["undo", "box", "a"], ["snapshots", "a", "b"]):
        box(*words).failed(2, "usage.arguments")
    box("snapshot", "none").failed(1, "distro.not-found", "snapshot none: ")
    box("restore", "none", "a").failed(1, "distro.not-found")
    result = box("undo", "box").failed(1, "snapshot.none", "undo box: box has no snapshot")
    assert "berth snapshot box" in result.hint
    box("restore", "box", "none").failed(1, "snapshot.not-found", "box has no snapshot called none")
    box("restore", "box", "before-restore").failed(1, "snapshot.not-found")


@pytest.mark.parametrize("words, meant", [(["rm", "box"], "berth snapshot --remove NAME TAG"),
                                          (["create", "box"], "berth snapshot NAME TAG"),
                                          (["list"], "berth snapshots NAME"), (["apply", "box"], "berth restore NAME TAG")])
def test_words_of_other_programs(box, words, meant):
    assert box("snapshot", *words).failed(1, "distro.not-found").hint == f'did you mean "{meant}"?'


def test_running(box):
    write(box, "one")
    box("snapshot", "box", "it").ok()
    write(box, "two")
    box("start", "box").ok()
    for words in (["restore", "box", "it"], ["undo", "box"]):
        result = box(*words).failed(1, "instance.running", "box is running")
        assert "berth terminate box" in result.hint
    box("suspend", "box").ok()
    box("undo", "box").failed(1, "instance.running")
    box("run", "--", "true").ok()
    assert "(it)\n" in box("undo", "--terminate", "box").ok()
    assert box.info("box")["state"] == "stopped" and read(box) == "one"
    write(box, "three")
    result = box("undo", "-t", "box")  # no remark about one that was stopped already
    assert (result.status, result.err) == (0, ""), result


# --- with the distro ---------------------------------------------------------------------------------

def test_unregister_deletes_them(box, elsewhere):
    box("move", "box", elsewhere).ok()
    box("snapshot", "box", "a").ok()
    assert len(list(elsewhere.iterdir())) == 2
    box("unregister", "box").ok()
    assert list(elsewhere.iterdir()) == [] and snapshots(box) == [] and box.left_over() == []


def test_unregister_of_an_image_in_place(box, elsewhere):
    image = elsewhere / "mine.ext4"
    subprocess.run(["cp", "--sparse=always", disk(box), image], check=True)
    image.chmod(0o640)
    box("import-in-place", "mine", image).ok()
    write(box, "one", "mine")
    box("snapshot", "mine", "it").ok()
    write(box, "two", "mine")
    box("undo", "mine").ok()
    assert read(box, "mine") == "one" and image.stat().st_mode & 0o777 == 0o640
    box("unregister", "mine").ok()
    assert list(elsewhere.iterdir()) == [image] and read_file(image) == "one"


def test_move_takes_them_along(box, elsewhere):
    home = disk(box).parent
    write(box, "one")
    box("snapshot", "box", "it").ok()
    write(box, "two")
    box("undo", "box").ok()
    for directory in (elsewhere / "a", elsewhere / "b", None):
        box("move", "box", *([directory] if directory else ["--default"])).ok()
        assert tags(box) == ["it", "before-restore"] and not any(row["missing"] for row in snapshots(box))
        assert len(files(box)) == 3
    assert disk(box).parent == home and list(elsewhere.rglob("*@*")) == []
    box("restore", "box", "before-restore").ok()
    assert read(box) == "two"
    box("undo", "box").ok()
    assert read(box) == "one"


def test_move_onto_a_file_changes_nothing(box, elsewhere):
    box("snapshot", "box", "it").ok()
    home, mine = disk(box), elsewhere / files(box)[1].replace("disk.ext4", "box.ext4")
    mine.write_text("the user's")
    box("move", "box", elsewhere).failed(1, "move.create.exists", str(mine))
    assert disk(box) == home and list(elsewhere.iterdir()) == [mine] and mine.read_text() == "the user's"
    assert len(files(box)) == 2 and not snapshots(box)[0]["missing"]


def test_clone_and_export_are_without_and_rename_keeps(box, tmp_path):
    box("snapshot", "box", "it").ok()
    box("clone", "box", "twin").ok()
    box("export", "box", tmp_path / "box.tar").ok()
    box("rename", "box", "crate").ok()
    assert [(row["distro"], row["tag"]) for row in snapshots(box)] == [("crate", "it")]
    assert len(files(box, "twin")) == 1
    write(box, "two", "crate")
    box("undo", "crate").ok()


def test_newer_registry_of_a_former_berth(box):
    """A registry from before snapshots, with its distros, takes some."""
    with sqlite3.connect(box.data / "registry.db") as registry:
        registry.executescript("DROP TABLE snapshot; ALTER TABLE distro DROP COLUMN template; PRAGMA user_version = 10;")
    registry.close()
    box("snapshot", "box", "it").ok()
    assert tags(box) == ["it"]


def stopped_with_claim(box, *words):
    """A process of the verb's, stopped at its first write after it has made the claim."""
    claim = box.data / "claims/box"
    for at in itertools.count(1):
        process = box.start(*words, env=box.faulty("berth", at, -1))
        done = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert done.si_code == os.CLD_STOPPED
        if claim.exists() and f" {process.pid} " in claim.read_text():
            return process
        end(process)


def shares_blocks(box):
    return subprocess.run(["cp", "--reflink=always", disk(box), box.path / "copy"], capture_output=True).returncode == 0


# --- failures --------------------------------------------------------------------------------------

def limit():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))


def test_file_size_limit(box):
    box("snapshot", "box", "it").ok()
    write(box, "two")
    box("snapshot", "box", "big", preexec_fn=limit).failed(1, "snapshot.copy.too-big")
    box("undo", "box", preexec_fn=limit).failed(1, "restore.copy.too-big")
    assert tags(box) == ["it"] and len(files(box)) == 2 and read(box) == "two"


WRITING = [["snapshot", "box", "new"], ["snapshot", "--remove", "box", "it"], ["restore", "box", "it"], ["undo", "box"]]


@pytest.mark.parametrize("words", WRITING, ids=lambda words: " ".join(words[:2]))
def test_read_only(plain, words):  # noqa: F811
    plain("snapshot", "box", "it").ok()
    make_read_only(plain)
    result = plain.plain(*words)
    assert result.status == 1 and result.code.endswith((".denied", ".read-only")), result
    assert "it" in plain.plain("snapshots").ok()
    assert [row["tag"] for row in json.loads(plain.plain("snapshots", "--json").ok())["snapshots"]] == ["it"]


def test_cost_is_said_on_a_terminal(box):
    """Where blocks cannot be shared; a script reads nothing of it."""
    terminal = Terminal(box, "snapshot", "box", "it")
    if not shares_blocks(box):
        terminal.expect(b"berth: the file system cannot share blocks: copying ")
    terminal.expect(b"it\r\n")
    terminal.end(0)
    terminal.close()
    assert box("snapshot", "box", "quiet").err == ""


@pytest.mark.parametrize("words", [["snapshot", "box", "new"], ["undo", "box"]], ids=lambda words: words[0])
def test_interrupted(box, words):
    """A copy ends at once; where blocks are shared there is none to interrupt."""
    fill(disk(box), "noise", 60 * MIB)
    box("snapshot", "box", "it").ok()
    write(box, "two")
    process = stopped_with_claim(box, *words)
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGCONT)
    result = box.finish(process)
    if not shares_blocks(box):
        result.failed(-signal.SIGTERM, f"{'snapshot' if words[0] == 'snapshot' else 'restore'}.cancelled", hint=False)
        assert tags(box) == ["it"] and read(box) == "two"
    assert len(files(box)) == 1 + len(tags(box))


# --- exclusion -------------------------------------------------------------------------------------

@pytest.mark.parametrize("verb, state", [("snapshot", "snapshotting"), ("restore", "restoring")])
def test_busy(box, verb, state):
    box("snapshot", "box", "it").ok()
    write(box, "two")
    process = stopped_with_claim(box, verb, "box", "it" if verb == "restore" else "new")
    assert (box.info("box")["state"], box.info("box")["holder_pid"]) == (state, process.pid)
    words = f"box is being {state.removesuffix('ing')}ed by process {process.pid}"
    for arguments in (["start", "box"], ["unregister", "box"], ["clone", "box", "x"], ["snapshot", "box"],
                      ["undo", "box"], ["restore", "box", "it"], ["snapshot", "--remove", "box", "it"]):
        box(*arguments).failed(1, "distro.busy", words)
    end(process)
    box("undo", "box").ok()
    assert tags(box)[0] == "it"


def test_many_at_once(box):
    processes = [box.start("snapshot", "box") for _ in range(8)]
    results = [box.finish(process) for process in processes]
    taken = [result.out.strip() for result in results if result.status == 0]
    assert taken and all(result.code == "distro.busy" for result in results if result.status != 0), results
    assert sorted(tags(box)) == sorted(taken) and len(files(box)) == 1 + len(taken)


def test_start_during_undo(box):
    """Both at once, repeatedly: one is refused, or they run one after the other."""
    box("snapshot", "box", "it").ok()
    for _ in range(10):
        write(box, "other")
        undoer, starter = box.start("undo", "box"), box.start("start", "box")
        undone, started = box.finish(undoer), box.finish(starter)
        assert undone.status == 0 or undone.code in ("instance.running", "distro.busy"), undone
        assert started.status == 0 or started.code == "distro.busy", started
        if started.status == 0:
            box("terminate", "--force", "box").ok()
    assert tags(box)[0] == "it" and len(files(box)) == 1 + len(tags(box))


# --- killed ----------------------------------------------------------------------------------------

def killed_at(box, at, *words):
    """Whether the command ended by itself before its write number @at."""
    result = box(*words, env=box.faulty("berth", at, 0))
    assert result.status in (0, -signal.SIGKILL), result
    return result.status == 0


def clean_up(box):
    """After a kill each row has its file, each file its row, each memory its file, and no snapshot is the disk itself.
    The paths of all but the memories."""
    box("rename", "box", "box").ok()  # makes a claim, so cleans up
    rows, path = snapshots(box), disk(box)
    paths = [path, *(p for p in path.parent.iterdir() if path.name in p.name and p != path)]
    memories = [p for p in paths if p.suffix == ".parked"]
    paths = [p for p in paths if p not in memories]
    assert all(p.with_suffix("") in paths for p in memories), (paths, memories)
    assert not any(row["missing"] for row in rows), rows
    assert len(paths) == 1 + len(rows), (paths, rows)
    assert len({p.stat().st_ino for p in paths}) == len(paths)
    assert list((box.data / "claims").glob("[!.]*")) == []
    return paths


def test_snapshot_killed_at_every_write(box):
    write(box, "one")
    kills = 0
    for at in range(1, 200):
        done = killed_at(box, at, "snapshot", "box", f"it{at}")
        paths = clean_up(box)
        assert {read_file(path) for path in paths} == {"one"}
        kills += not done
        if done:
            break
    assert done and kills >= 10, kills
    check(paths[1])


def test_restore_killed_at_every_write(box):
    """At any moment the disk is the one or the other, and neither content is lost."""
    write(box, "one")
    box("snapshot", "box", "it").ok()
    kills = {"one": 0, "two": 0}
    for at in range(1, 200):
        write(box, "two")
        done = killed_at(box, at, "restore", "box", "it")
        now, *others = contents = [read_file(path) for path in clean_up(box)]
        assert {"one", "two"} == set(contents), (at, contents)
        if done:
            break
        kills[now] += 1
        if len(others) > 2:  # kills after the disk was replaced; each is one more for the next restore to remove
            box("snapshot", "--remove", "box", *[tag for tag in tags(box) if tag != "it"]).ok()
    assert done and now == "one" and kills["two"] >= 10 and kills["one"] >= 1, kills
    assert tags(box) == ["it", "before-restore"]  # what kills left of former ones is gone


def test_going_forward_again_killed_at_every_write(box):
    """Restoring before-restore replaces before-restore: neither is lost before the other is there."""
    kills = 0
    box("snapshot", "box").ok()
    for at in range(1, 200, 3):
        write(box, "one")
        box("snapshot", "--remove", "box", *tags(box)).ok()
        box("snapshot", "box", "it").ok()
        write(box, "two")
        box("undo", "box").ok()
        write(box, "three")
        done = killed_at(box, at, "restore", "box", "before-restore")
        contents = {read_file(path) for path in clean_up(box)}
        assert contents == {"one", "two", "three"}, (at, contents)
        kills += not done
        if done:
            break
    assert done and kills >= 10 and read(box) == "two", kills
    box("restore", "box", "before-restore").ok()
    assert read(box) == "three"


def test_move_killed_at_every_write(box, elsewhere):
    write(box, "one")
    box("snapshot", "box", "it").ok()
    for at in range(1, 200):
        target = [elsewhere] if disk(box).is_relative_to(box.data) else ["--default"]
        done = killed_at(box, at, "move", "box", *target)
        paths = clean_up(box)
        all_there_are = {*box.data.rglob("*.ext4*"), *elsewhere.rglob("*.ext4*")}
        assert set(paths) == all_there_are, (at, paths, all_there_are)
        assert {read_file(path) for path in paths} == {"one"}
        if done:
            break
    assert done
