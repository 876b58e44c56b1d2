# SPDX-License-Identifier: MIT
"""berth diff: which files of a distro are others than at a snapshot."""
import fcntl
import json
import os
import signal
import subprocess

import json_schema
import pytest

from conftest import Terminal
from test_snapshots import box, disk, write  # noqa: F401, box is a fixture


def edit(box, *lines, name="box"):
    """Change the distro's disk as its kernel might; lines are debugfs's. Files come from the directory `from`."""
    run = subprocess.run(["/usr/sbin/debugfs", "-w", "-f", "-", disk(box, name)], capture_output=True, text=True,
                         input="".join(line + "\n" for line in lines), check=True, cwd=source(box))
    assert not [line for line in run.stderr.splitlines() if not line.startswith("debugfs 1.")], run.stderr


def source(box):
    path = box.path / "from"
    path.mkdir(exist_ok=True)
    return path


def give(box, name, content):
    (source(box) / name).write_bytes(content)


def differences(box, *words):
    value = json.loads(box("diff", "--json", *words).ok())
    json_schema.check(value, json_schema.read("diff"), "diff")
    return value


@pytest.fixture
def begun(box):
    """A box with files of every kind, and the snapshot `first` of it."""
    give(box, "one", b"one")
    give(box, "two", b"two")
    give(box, "long", b"x" * 3_000_000)
    give(box, "other", b"x" * 2_999_999 + b"y")
    edit(box, "mkdir /d", "write one /d/one", "write two /d/two", "write long /d/long", "symlink /d/link one",
         "cd /d", "mknod pipe p", "mknod null c 1 3", "cd /", "mkdir /d/sub", "write one /d/sub/in")
    box("snapshot", "box", "first").ok()
    return box


def test_nothing(begun):
    assert begun("diff", "box").ok() == ""
    assert begun("diff", "box", "first").ok() == ""
    value = differences(begun, "box")
    assert value["differences"] == [] and value["old"] == "first" and value["new"] is None


def test_each_kind_of_difference(begun):
    edit(begun, "write one /d/new", "mkdir /d/fresh", "write two /d/fresh/file", "rm /d/two",
         "sif /d/one mode 0100600", "sif /d/one uid 7", "rm /d/long", "write other /d/long",
         "rm /d/link", "symlink /d/link two", "rm /d/sub/in", "rmdir /d/sub", "write one /d/sub",
         "rm /d/null", "cd /d", "mknod null c 1 5", "cd /", "ea_set /d/pipe user.note hello")
    assert begun("diff", "box").ok() == ("added    /d/fresh/\n"
                                         "added    /d/fresh/file\n"
                                         "changed  /d/link (target)\n"
                                         "changed  /d/long (content)\n"
                                         "added    /d/new\n"
                                         "changed  /d/null (device)\n"
                                         "changed  /d/one (owner, mode)\n"
                                         "changed  /d/pipe (attributes)\n"
                                         "changed  /d/sub (type)\n"
                                         "deleted  /d/sub/in\n"
                                         "deleted  /d/two\n")
    assert differences(begun, "box", "first")["differences"][6] == {
        "change": "changed", "type": "file", "path": "/d/one", "aspects": ["owner", "mode"]}


def test_content_counts_and_times_do_not(begun):
    """A file that has other bytes, with the same inode, size and times; and one with other times only."""
    stat = subprocess.run(["/usr/sbin/debugfs", "-R", "blocks /d/two", disk(begun)], check=True, capture_output=True,
                          text=True).stdout
    with open(disk(begun), "r+b") as image:
        image.seek(int(stat.split()[0]) * 4096)
        assert image.read(3) == b"two"
        image.seek(-3, os.SEEK_CUR)
        image.write(b"TWO")
    edit(begun, "sif /d/one mtime 20300101000000", "sif /d/one ctime 20300101000000")
    assert begun("diff", "box").ok() == "changed  /d/two (content)\n"


def test_between_two_snapshots_while_it_runs(begun):
    edit(begun, "write two /d/new")
    begun("snapshot", "box", "second").ok()
    edit(begun, "rm /d/new", "rm /d/two")
    assert begun("diff", "box", "first", "second").ok() == "added    /d/new\n"
    assert begun("diff", "box", "second", "first").ok() == "deleted  /d/new\n"
    assert begun("diff", "box").ok() == "deleted  /d/new\ndeleted  /d/two\n"  # the last one is the second
    assert differences(begun, "box", "first", "second")["new"] == "second"
    begun("start", "box").ok()
    assert begun("diff", "box", "first", "SECOND").ok() == "added    /d/new\n"
    begun("diff", "box").failed(1, "instance.running", "box is running")


def test_names_of_one_file(begun):
    """Which of several names comes first says nothing of a file's content."""
    edit(begun, "ln /d/one /d/b", "sif /d/one links_count 2")
    begun("snapshot", "box", "linked").ok()
    assert begun("diff", "box", "first", "linked").ok() == "added    /d/b\n"
    edit(begun, "rm /d/b", "write one /d/b")
    assert begun("diff", "box", "linked").ok() == ""
    edit(begun, "rm /d/b", "write two /d/b", "ln /d/b /d/one~", "sif /d/b links_count 2")
    assert begun("diff", "box", "linked").ok() == "changed  /d/b (content)\nadded    /d/one~\n"


def test_order_is_that_of_directories(begun):
    """`d-x` and `d.x` sort before `d/x` as bytes, but a directory's content follows it."""
    edit(begun, "mkdir /e", "write one /e/x", "write one /e-x", "write one /e.x", "write one /ee", "mkdir /e-d",
         "write one /e-d/x")
    lines = [line.split()[1] for line in begun("diff", "box").ok().splitlines()]
    assert lines == ["/e/", "/e/x", "/e-d/", "/e-d/x", "/e-x", "/e.x", "/ee"]
    begun("snapshot", "box", "second").ok()
    edit(begun, "rm /e-d/x", "rmdir /e-d", "rm /e/x", "rm /ee")
    lines = begun("diff", "box").ok().splitlines()
    assert lines == ["deleted  /e/x", "deleted  /e-d/", "deleted  /e-d/x", "deleted  /ee"]


def test_names_are_escaped(begun):
    edit(begun, 'write one "/d/a b"', "write one /d/\x1b[31mred", "write one /d/" + "n" * 255, "write one /d/é")
    out = begun("diff", "box").ok()
    assert out == ("added    /d/\\033[31mred\nadded    /d/a b\n" f"added    /d/{'n' * 255}\nadded    /d/é\n"), out
    assert differences(begun, "box")["differences"][0]["path"] == "/d/\x1b[31mred"


def test_root_itself(begun):
    edit(begun, "sif / mode 040711")
    assert begun("diff", "box").ok() == "changed  / (mode)\n"


# --- refusals -----------------------------------------------------------------------------------

def test_refusals(box):
    box("diff", "nobody").failed(1, "distro.not-found", "nobody")
    assert box("diff", "box").failed(1, "snapshot.none", "box has no snapshot").hint.endswith("berth snapshot box")
    box("snapshot", "box", "it").ok()
    box("diff", "box", "other").failed(1, "snapshot.not-found", "box has no snapshot called other")
    box("diff", "box", "it", "other").failed(1, "snapshot.not-found", "other")
    box("diff", "box", "it", "it", "it").failed(2, "usage.arguments", "too many")
    box("diff").failed(2, "usage.arguments", "missing")


def test_missing_file_of_a_snapshot(begun):
    for path in disk(begun).parent.glob("disk.ext4@*"):
        path.unlink()
    error = begun("diff", "box").failed(1, "diff.snapshot.missing", "no such file")
    assert error.hint == "put it back, or: berth snapshot --remove box first"


def test_damaged_image_is_named(begun):
    snapshot, = disk(begun).parent.glob("disk.ext4@*")
    edit(begun, "clri /d/sub", "write one /d/a")
    result = begun("diff", "box")
    assert (result.status, result.code) == (1, "export.read.damaged"), result
    assert result.err.startswith("berth: diff box: disk: d/sub: ") and result.out == "added    /d/a\n"  # found before
    edit(begun, "rm /d/a")
    assert begun("diff", "--json", "box").failed(1, "export.read.damaged", "disk: d/sub").out == ""
    with open(snapshot, "r+b") as image:
        image.seek(1024)
        image.write(bytes(4096))
    begun("diff", "box").failed(1, "export.read.not-ext4", "snapshot first: ")


def test_disk_with_a_journal_to_replay(begun):
    edit(begun, "feature needs_recovery")
    error = begun("diff", "box").failed(1, "diff.unclean", "disk: the distro was not shut down")
    assert error.hint == "start box and stop it again; of a snapshot: berth restore box TAG first"


def test_disk_that_is_held(begun):
    with open(disk(begun), "r+b") as image:
        fcntl.lockf(image, fcntl.LOCK_EX)
        begun("diff", "box").failed(1, "disk.busy")
    assert begun("diff", "box").ok() == ""


# --- ends ---------------------------------------------------------------------------------------

def fill(box):
    """Enough names for more than a pipe holds."""
    give(box, "e", b"")
    edit(box, "mkdir /many", *(f"write e /many/{'n' * 200}{i:04}" for i in range(1500)))


def claims(box):
    directory = box.data / "claims"
    return [path.name for path in directory.iterdir() if path.name != ".lock"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signal_leaves_nothing(begun, number):
    fill(begun)
    process = begun.start("diff", "box")
    assert process.stdout.readline() == b"added    /many/\n"  # the rest waits in a pipe that nobody reads
    process.send_signal(number)
    process.stdout.close()
    process.communicate()
    assert process.returncode != 0
    assert begun("diff", "box").ok().count("\n") == 1501
    assert claims(begun) == []


def test_closed_output(begun):
    fill(begun)
    process = begun.start("diff", "box")
    assert process.stdout.readline() == b"added    /many/\n"
    process.stdout.close()
    process.wait()
    assert process.returncode != 0
    assert begun("diff", "box", "first").ok() != "" and claims(begun) == []


def test_terminal_says_what_was_compared(begun):
    write(begun, "text")
    terminal = Terminal(begun, "diff", "box")
    terminal.expect(b"added    /mark\r\n")
    terminal.expect(b"berth: compared with the snapshot first, taken at ")
    terminal.end(0)
    terminal.close()
