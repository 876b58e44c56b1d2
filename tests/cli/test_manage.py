"""Changes to a whole distro: clone, rename, move, resize, compact; and their exclusion."""
import itertools
import os
import random
import signal
import subprocess
import sqlite3
import time
from pathlib import Path

import pytest

MIB = 1 << 20


@pytest.fixture
def elsewhere():
    """A directory on another file system, or at least another directory."""
    import shutil
    import tempfile
    path = Path(tempfile.mkdtemp(prefix="berth-cli-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def small(berth, rootfs):
    """A berth with one distro on a disk of 256 MiB, for fast tools."""
    berth.configure("[berth]\ndisk-size = 256M\n")
    berth("import", "box", rootfs).ok()
    return berth


def disk(berth, name):
    return Path(berth.info(name)["disk"])


def check(path):
    """The disk has a valid file system with the test's file."""
    result = subprocess.run(["/usr/sbin/e2fsck", "-fn", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
    text = subprocess.run(["/usr/sbin/debugfs", "-R", "cat /etc/os-release", path],
                          capture_output=True, text=True).stdout
    assert text == "ID=test\n"


def used(path):
    return path.stat().st_blocks * 512


def fill(path, name, size):
    """Write a file of @size random bytes into the disk with e2fsprogs."""
    source = path.parent / "fill"
    source.write_bytes(os.urandom(size))
    subprocess.run(["/usr/sbin/debugfs", "-w", "-R", f"write {source} {name}", path], check=True,
                   capture_output=True)
    source.unlink()


# --- clone and rename -----------------------------------------------------------------------------

def test_clone(box):
    assert box("clone", "box", "Twin").ok() == ""
    assert box("list").ok() == "  NAME  STATE\n* box   stopped\n  Twin  stopped\n"
    one, other = box.info("box"), box.info("Twin")
    assert one["id"] != other["id"] and one["disk"] != other["disk"]
    assert one["disk_size"] == other["disk_size"]
    assert other["disk_used"] <= one["disk_used"] + MIB
    check(other["disk"])
    same = subprocess.run(["cmp", "-n", str(64 * MIB), one["disk"], other["disk"]])
    assert same.returncode == 0
    assert box("run", "-d", "twin", "--", "/bin/echo", "up").ok() == "up\n"
    assert box("run", "-d", "box", "--", "/bin/echo", "up").ok() == "up\n"


def test_clone_gets_its_identity(box):
    box("clone", "box", "twin").ok()
    for name in ("box", "twin"):
        box("start", name).ok()
    machines = {name: (box.runtime / box.info(name)["id"] / "machine.conf").read_text()
                for name in ("box", "twin")}
    assert f"identity={box.info('twin')['id']}\n" in machines["twin"]
    assert "identity=\n" in machines["box"] or "identity" not in machines["box"]


def identity_of(box, name):
    """The identity that is sent to the guest of @name."""
    box("start", name).ok()
    machine = (box.runtime / box.info(name)["id"] / "machine.conf").read_text()
    return next((line.partition("=")[2] for line in machine.splitlines() if line.startswith("identity=")), "")


def test_two_imports_of_one_export_have_two_identities(box, tmp_path):
    box("export", "box", tmp_path / "box.tar").ok()
    box("unregister", "box").ok()
    box("import", "moved", tmp_path / "box.tar").ok()
    box("import", "second", tmp_path / "box.tar", "--size", "2T").ok()
    assert identity_of(box, "moved") == ""  # a moved machine keeps its identity
    assert identity_of(box, "second") == box.info("second")["id"]
    box("import", "third", "-", data=(tmp_path / "box.tar").read_bytes()).ok()
    assert identity_of(box, "third") == box.info("third")["id"]
    for name in ("moved", "second", "third"):
        box("terminate", name).ok()
        box("unregister", name).ok()
    box("import", "again", tmp_path / "box.tar").ok()
    assert identity_of(box, "again") == ""


def test_copied_image_gets_its_own_identity(box, tmp_path):
    image = tmp_path / "copy.ext4"
    subprocess.run(["cp", "--sparse=always", box.info("box")["disk"], image], check=True)
    box("import", "copy", "--in-place", image).ok()
    assert identity_of(box, "copy") == box.info("copy")["id"]


def test_clone_copies_the_row(box):
    with sqlite3.connect(box.data / "registry.db") as registry:
        registry.execute("UPDATE distro SET account = 'me', account_uid = 4711, oobe = 1")
    registry.close()
    box("clone", "box", "twin").ok()
    registry = sqlite3.connect(box.data / "registry.db")
    row = registry.execute("SELECT account, account_uid, oobe, is_default, own_identity FROM distro WHERE name = 'twin'")
    assert row.fetchall() == [("me", 4711, 1, 0, 1)]
    registry.close()


def test_clone_refusals(box, rootfs):
    box("import", "other", rootfs).ok()
    box("clone", "box", "OTHER").failed(1, "registry.exists", "clone box: there is a distro called other")
    box("clone", "box", "Box").failed(1, "registry.exists", "there is a distro called box")
    box("clone", "none", "x").failed(1, "distro.not-found", "clone none: ")
    box("clone", "box", "a b").failed(1, "name.invalid")
    box("clone", "box").failed(2, "usage.arguments")
    box("start", "box", env={"FAKE_QEMU_MODE": "no-stop"}).ok()
    box("clone", "box", "OTHER").failed(1, "registry.exists", "clone box: there is a distro called other")
    assert "continues" not in box("logs", "box").ok()  # it did not stand still for that
    box("clone", "box", "x").failed(1, "qmp.command", "clone box: ", "Cannot stop")
    assert box("run", "--", "echo", "on").ok() == "on\n"
    assert sorted(box.names()) == ["box", "other"] and box.left_over() == []


@pytest.mark.parametrize("first", [None, "suspend"])
def test_clone_of_a_running_distro(box, first):
    """It goes on as it was, and the clone is a distro as any other."""
    box("start", "box").ok()
    if first is not None:
        box(first, "box").ok()
    before = box.info("box")["state"]
    assert box("clone", "box", "twin").ok() == ""
    assert (box.info("box")["state"], box.info("twin")["state"]) == (before, "stopped")
    assert len(box.qemus()) == 1
    check(Path(box.info("twin")["disk"]))
    assert box("run", "-d", "twin", "--", "echo", "twin").ok() == "twin\n"
    assert box("run", "--", "echo", "on").ok() == "on\n"


def test_clone_without_space(box):
    result = box("clone", "box", "twin", preexec_fn=lambda: __import__("resource").setrlimit(
        __import__("resource").RLIMIT_FSIZE, (MIB, MIB)))
    result.failed(1, "clone.copy.too-big", "clone box: copy ", "file too large")
    assert box.names() == ["box"] and box.left_over() == []


def test_rename(box, rootfs):
    before = box.info("box")
    assert box("rename", "box", "Crate").ok() == ""
    assert box.names() == ["Crate"]
    after = box.info("Crate")
    assert {**after, "name": "box"} == before and after["default"] is True
    box("rename", "crate", "CRATE").ok()  # only the case changes
    assert box.names() == ["CRATE"]

    box("import", "other", rootfs).ok()
    box("rename", "CRATE", "Other").failed(1, "registry.exists")
    box("rename", "none", "x").failed(1, "distro.not-found")
    box("rename", "other", "../x").failed(1, "name.invalid")
    assert sorted(box.names()) == ["CRATE", "other"] and box.left_over() == []


def test_rename_while_it_runs(box):
    box("start", "box").ok()
    pid = box.info("box")["qemu_pid"]
    box("rename", "box", "crate").ok()
    assert box.info("crate")["qemu_pid"] == pid
    assert box("run", "-d", "crate", "--", "/bin/echo", "same").ok() == "same\n"
    box("terminate", "crate").ok()
    box("start", "crate").ok()
    machine = (box.runtime / box.info("crate")["id"] / "machine.conf").read_text()
    assert "hostname=crate\n" in machine


# --- move -----------------------------------------------------------------------------------------

def test_move_and_back(box, elsewhere):
    home = disk(box, "box")
    content = home.read_bytes()[:MIB] if home.stat().st_size < MIB else open(home, "rb").read(64 * MIB)
    box("move", "box", elsewhere / "new").ok()
    assert disk(box, "box") == elsewhere / "new/box.ext4" and not home.exists()
    assert open(disk(box, "box"), "rb").read(64 * MIB) == content
    assert box("run", "--", "/bin/echo", "up").ok() == "up\n"
    box("terminate", "box").ok()

    box("move", "box", elsewhere / "new").ok()  # already there
    box("--manage", "box", "--move", elsewhere).ok()  # within one file system, in WSL's syntax
    assert disk(box, "box") == elsewhere / "box.ext4"
    box("move", "box", "--default").ok()
    assert disk(box, "box") == home
    assert list(elsewhere.rglob("*.ext4")) == [] and box.left_over() == []
    check(home)


def test_move_to_a_relative_directory(box, elsewhere):
    box("move", "box", "here", cwd=elsewhere).ok()
    assert disk(box, "box") == elsewhere / "here/box.ext4"
    box("unregister", "box").ok()
    assert list(elsewhere.rglob("*.ext4")) == []  # unregister deletes it anywhere
    assert box.left_over() == []


def test_move_refusals(box, elsewhere):
    home = disk(box, "box")
    (elsewhere / "box.ext4").write_text("the user's")
    box("move", "box", elsewhere).failed(1, "move.create.exists", str(elsewhere / "box.ext4"))
    box("move", "box", elsewhere / "a/b").failed(1, "move.directory.missing", str(elsewhere / "a/b"))
    (elsewhere / "file").write_text("")
    result = box("move", "box", elsewhere / "file")
    assert result.status == 1 and result.code.startswith("move."), result
    for arguments in (["box"], ["box", elsewhere, "--default"], ["box", ""]):
        box("move", *arguments).failed(2, "usage.arguments")
    box("manage", "box").failed(2, "usage.arguments")
    box("manage", "box", "--move", elsewhere, "--resize", "1G").failed(2, "usage.arguments")
    box("start", "box").ok()
    box("move", "box", elsewhere).failed(1, "instance.running", "box is running")
    assert (elsewhere / "box.ext4").read_text() == "the user's"
    assert disk(box, "box") == home and home.exists() and box.left_over() == []


def test_move_without_space(box, elsewhere):
    home = disk(box, "box")
    if home.stat().st_dev == elsewhere.stat().st_dev:
        pytest.skip("there is one file system only")
    import resource
    result = box("move", "box", elsewhere / "new",
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB)))
    result.failed(1, "move.copy.too-big")
    assert disk(box, "box") == home and list(elsewhere.iterdir()) == []
    check(home)


# --- resize and compact ---------------------------------------------------------------------------

def test_grow(small):
    small("resize", "box", "300M").ok()
    info = small.info("box")
    assert info["disk_size"] == 300 * MIB == Path(info["disk"]).stat().st_size
    small("--manage", "box", "--resize", "1T").ok()
    assert small.info("box")["disk_size"] == 1 << 40 and small.info("box")["disk_used"] < 64 * MIB
    small("resize", "box", "300M").ok()  # the file system has not grown into it: nothing has to be moved
    assert small.info("box")["disk_size"] == 300 * MIB
    check(disk(small, "box"))


def test_grow_under_a_running_distro(small):
    small("start", "box").ok()
    small("resize", "box", "300M").ok()
    info = small.info("box")
    assert info["state"] == "running" and info["disk_size"] == 300 * MIB == Path(info["disk"]).stat().st_size
    small("resize", "box", "300M").failed(1, "instance.running")  # a running distro cannot shrink
    small("terminate", "box").ok()
    assert small.info("box")["disk_size"] == 300 * MIB
    check(disk(small, "box"))


def test_grow_rejected_by_qemu(small):
    small("start", "box", env={"FAKE_QEMU_MODE": "no-resize"}).ok()
    small("resize", "box", "300M").failed(1, "qmp.command", "resize box: ", "Cannot grow")
    info = small.info("box")
    assert info["state"] == "running" and info["disk_size"] == 256 * MIB == Path(info["disk"]).stat().st_size


def test_shrink(small):
    fill(disk(small, "box"), "noise", 20 * MIB)
    small("resize", "box", "128M").ok()
    info = small.info("box")
    assert info["disk_size"] == 128 * MIB == Path(info["disk"]).stat().st_size
    check(info["disk"])
    assert 20 * MIB <= info["disk_used"] < 40 * MIB
    small("resize", "box", "128M").ok()
    result = small("resize", "box", "64M")
    if result.status != 0:  # resize2fs's minimum depends on its version
        result.failed(1, "resize.too-small", "resize box: what is on the disk does not fit")
    assert small.left_over() == []


def test_resize_refusals(small):
    fill(disk(small, "box"), "noise", 150 * MIB)
    before = disk(small, "box").stat()
    result = small("resize", "box", "100M").failed(1, "resize.too-small", "it needs ", " MiB")
    least = result.hint.split("the minimum is ")[1].split(";")[0]
    for size in ("", "x", "1X", "1.5G"):
        small("resize", "box", size).failed(2, "usage.value", "is not a size")
    small("resize", "box", "5M").failed(1, "resize.too-small")
    small("resize", "none", "1G").failed(1, "distro.not-found")
    after = disk(small, "box").stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    small("start", "box").ok()
    small("resize", "box", least).failed(1, "instance.running")
    small("terminate", "box").ok()
    small("resize", "box", least).ok()  # the size from the hint
    check(disk(small, "box"))


@pytest.mark.parametrize("tool, status, code", [("e2fsck", 4, "resize.check"), ("resize2fs", 1, "resize.failed"),
                                                ("resize2fs", 0, "resize.failed")])
def test_failed_tool_changes_nothing(small, tool, status, code):
    (small.bin / tool).write_text(f"#!/bin/sh\necho first; echo that did not go well >&2; exit {status}\n")
    (small.bin / tool).chmod(0o755)
    before = disk(small, "box").stat()
    result = small("resize", "box", "128M").failed(
        1, code, f"{disk(small, 'box')}: {tool}: that did not go well")
    assert result.hint or code != "resize.check"
    after = disk(small, "box").stat()
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    assert small.left_over() == []


def test_a_tool_can_be_cancelled_where_the_caller_blocks_signals(small, tmp_path):
    """Cancelling is a SIGTERM to the tool, which must not have inherited it blocked. A shell would unblock it."""
    (small.bin / "e2fsck").write_text("#!/usr/bin/python3\nimport os, signal, sys\n"
                                      f"print(list(signal.pthread_sigmask(signal.SIG_BLOCK, [])), file=open('{tmp_path}/seen', 'w'))\n"
                                      "os.execv('/usr/sbin/e2fsck', sys.argv)\n")
    (small.bin / "e2fsck").chmod(0o755)
    small("resize", "box", "128M",
          preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])).ok()
    assert (tmp_path / "seen").read_text() == "[]\n"


def test_damaged_disk_is_not_changed(small):
    path = disk(small, "box")
    with open(path, "r+b") as file:  # damage the root's inode, which e2fsck would have to guess
        file.seek(1024 + 0x38)
        file.write(b"\0\0")
    for arguments, code in ((["resize", "box", "128M"], "disk.not-ext4"), (["compact", "box"], "disk.not-ext4")):
        small(*arguments).failed(1, code, str(path))
    assert path.stat().st_size == 256 * MIB


def test_compact(small):
    path = disk(small, "box")
    fill(path, "noise", 60 * MIB)
    full = used(path)
    subprocess.run(["/usr/sbin/debugfs", "-w", "-R", "rm noise", path], check=True, capture_output=True)
    assert used(path) == full > 60 * MIB
    text = small("compact", "box").ok()
    assert " before, " in text and "freed\n" in text
    assert used(path) < full - 55 * MIB
    check(path)
    assert small("compact", "BOX").ok().endswith(": 0 B freed\n")


def test_compact_refusals(small):
    path = disk(small, "box")
    small("compact", "none").failed(1, "distro.not-found")
    subprocess.run(["/usr/sbin/debugfs", "-w", "-R", "feature needs_recovery", path], check=True,
                   capture_output=True)
    refused = small("compact", "box").failed(1, "compact.unclean", str(path))
    assert "berth start box; berth terminate box" in refused.hint


# --- exclusion -------------------------------------------------------------------------------------

@pytest.fixture
def stopped_clone(box):
    """A clone of box that has made its directory and stands still before the next write: it holds both claims."""
    for at in itertools.count(1):
        process = box.start("clone", "box", "twin", env=box.faulty("berth", at, -1))
        state = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if state.si_code != os.CLD_STOPPED or len(list((box.data / "distros").iterdir())) == 2:
            break
        end(process)
    yield process
    end(process)


def end(process):
    process.kill()
    process.communicate()


def test_busy_distro_names_its_holder(box, stopped_clone, tmp_path):
    assert (box.info("box")["state"], box.info("box")["holder_pid"]) == ("cloning", stopped_clone.pid)
    words = f"box is being cloned by process {stopped_clone.pid}"
    for arguments in (["start", "box"], ["unregister", "box"], ["rename", "box", "x"], ["move", "box", tmp_path],
                      ["resize", "box", "2T"], ["compact", "box"], ["clone", "box", "third"]):
        box(*arguments).failed(1, "distro.busy", words)
    box("run", "-d", "box", "--", "true").failed(125, "distro.busy", words)
    end(stopped_clone)
    assert box("run", "-d", "box", "--", "/bin/echo", "free").ok() == "free\n"  # a dead holder's claim is void
    assert box.names() == ["box"]
    box("rename", "box", "box2").ok()  # and the next claim cleans up
    assert box.left_over() == []


def test_start_during_move(box, elsewhere):
    """Both at once, repeatedly: one is refused, or they run one after the other. Until more than one of that was seen."""
    directories = [elsewhere / "a", elsewhere / "b"]
    outcomes, turn = set(), 0
    while turn < 25 or (len(outcomes) == 1 and turn < 250):
        mover = box.start("move", "box", directories[turn % 2])
        time.sleep(random.random() * 0.03)
        starter = box.start("start", "box")
        moved, started = box.finish(mover), box.finish(starter)
        assert moved.status == 0 or moved.code in ("instance.running", "distro.busy"), moved
        assert started.status == 0 or started.code == "distro.busy", started
        assert moved.status == 0 or started.status == 0
        outcomes.add((moved.status, started.status))
        turn += 1
        path = disk(box, "box")
        assert path.exists()
        if started.status == 0:
            blocks = [word for word in box.qemus()[-1]["argv"] if str(path) in word]
            assert blocks, "it runs from another disk than the registry says"
            box("terminate", "--force", "box").ok()
    assert len(outcomes) > 1, outcomes
    assert box.left_over() == [] or disk(box, "box").parent != box.data


KILLED = {"clone": "berth", "move": "berth", "resize": "berth", "resize in the tool": "resize2fs"}


@pytest.mark.parametrize("verb", KILLED)
def test_kill_at_every_write(berth, rootfs, elsewhere, verb):
    """At any moment: the distro exists with a valid disk, and the next command cleans up."""
    berth.configure("[berth]\ndisk-size = 128M\n")
    berth("import", "box", rootfs).ok()
    fill(disk(berth, "box"), "noise", 6 * MIB)
    worked, killed = 0, 0
    for at in range(1, 400):
        arguments = {"clone": ["clone", "box", "twin"], "resize": ["resize", "box", "80M"],
                     "move": ["move", "box", elsewhere if disk(berth, "box").is_relative_to(berth.data)
                              else "--default"]}[verb.split()[0]]
        result = berth(*arguments, env=berth.faulty(KILLED[verb], at, 0))
        worked, killed = (worked + 1, killed) if result.status == 0 else (0, killed + 1)
        check(disk(berth, "box"))
        assert berth.info("box")["state"] == "stopped"
        berth("rename", "box", "box").ok()  # makes a claim, so cleans up
        images = [p for p in [*berth.data.rglob("*"), *elsewhere.rglob("*")]
                  if p.is_file() and p.stat().st_size >= 64 * MIB]
        assert len(images) == len(berth.names()), (at, images)
        assert berth.left_over() == [], at
        if worked == 2:  # no writes are left
            break
        if "twin" in berth.names():
            check(disk(berth, "twin"))
            berth("unregister", "twin").ok()
        if verb.startswith("resize"):
            berth("resize", "box", "128M").ok()
            subprocess.run(["/usr/sbin/resize2fs", "-f", disk(berth, "box")], check=True, capture_output=True)
    assert worked == 2 and killed >= 20, killed
