# SPDX-License-Identifier: MIT
"""`berth mount` with this host's kernel and the real agent: the distro's files are this host's."""
import contextlib
import errno
import mmap
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import fuse
import pytest

from conftest import wait_for
from waiting import LIMIT, stop_process

pytestmark = fuse.marks()

MIB = 1 << 20


def mounts():
    """The directories on which distros are mounted."""
    return [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()
            if line.split()[2] == "fuse.berth"]


def servers(directory):
    """The pids of the berth-mounts that serve @directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if os.path.basename(words[0]) == b"berth-mount" and words[2:3] == [os.fsencode(directory)]:
            found.append(int(path.parent.name))
    return found


def keeper_of(box):
    """The pid of the distro's keeper, which its lock names."""
    return int(next(box.runtime.glob("*/lock")).read_text().split()[0])


@pytest.fixture
def mountable(box, tmp_path):
    """A box and a directory for a mount, which is unmounted at the end."""
    directory = tmp_path / "mnt"
    directory.mkdir()
    yield box, directory
    while str(directory) in mounts():
        subprocess.run(["fusermount3", "-u", "-z", directory], check=True)
    wait_for(lambda: not servers(directory))


@pytest.fixture
def mounted(mountable):
    box, directory = mountable
    box("start").ok()
    assert box("mount", "box", directory).ok() == ""
    return box, directory


@pytest.fixture
def place(mounted, tmp_path):
    """The same directory: as the mount shows it, and as the distro has it."""
    real = tmp_path / "place"
    real.mkdir()
    shown = mounted[1] / str(real)[1:]
    return shown, real


def fails_at_once(number, call):
    """@call fails with @number; a request that hangs would be waited for in another thread."""
    result = []

    def run():
        try:
            call()
            result.append(None)
        except OSError as problem:
            result.append(problem.errno)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(timeout=LIMIT)
    assert result == [number], (result, errno.errorcode.get(number))


# ---- the files ----

def test_content_and_names(place):
    shown, real = place
    data = os.urandom(3 * MIB + 17)
    (shown / "new").write_bytes(data)
    assert (real / "new").read_bytes() == data
    (real / "theirs").write_bytes(data[::-1])
    assert (shown / "theirs").read_bytes() == data[::-1]
    for name in ["x" * 255, "ä€😀", " blank ", "line\nend", "-r"]:
        (shown / name).write_text(name)
        assert (real / name).read_text() == name
    with pytest.raises(OSError) as problem:
        (shown / ("x" * 256)).touch()
    assert problem.value.errno == errno.ENAMETOOLONG
    assert sorted(os.listdir(shown)) == sorted(os.listdir(real))


def test_attributes(place):
    shown, real = place
    (real / "file").write_bytes(b"0123456789")
    os.chmod(shown / "file", 0o4741)
    os.utime(shown / "file", ns=(10**18 + 1, 10**18 + 123456789))
    one, other = (shown / "file").stat(), (real / "file").stat()
    for name in ("st_mode", "st_size", "st_nlink", "st_uid", "st_gid", "st_mtime_ns", "st_atime_ns", "st_blocks"):
        assert getattr(one, name) == getattr(other, name), name
    assert other.st_mtime_ns == 10**18 + 123456789
    assert stat.S_IMODE(other.st_mode) == 0o4741
    os.setxattr(shown / "file", "user.berth", b"value")
    assert os.getxattr(real / "file", "user.berth") == b"value"
    assert os.listxattr(shown / "file") == os.listxattr(real / "file")
    os.removexattr(shown / "file", "user.berth")
    with pytest.raises(OSError) as problem:
        os.getxattr(shown / "file", "user.berth")
    assert problem.value.errno == errno.ENODATA
    space, there = os.statvfs(shown), os.statvfs(real)
    assert (space.f_blocks, space.f_frsize, space.f_namemax) == (there.f_blocks, there.f_frsize, there.f_namemax)


def test_links(place):
    shown, real = place
    (shown / "a").write_text("text")
    os.link(shown / "a", shown / "b")
    assert (shown / "a").stat().st_ino == (shown / "b").stat().st_ino
    assert (real / "b").stat().st_nlink == 2
    os.unlink(shown / "a")
    (shown / "b").write_text("more")
    assert (real / "b").read_text() == "more"
    os.symlink("b", shown / "link")
    assert os.readlink(real / "link") == "b" and (shown / "link").read_text() == "more"
    os.symlink("nowhere", real / "dangling")
    assert os.readlink(shown / "dangling") == "nowhere" and not (shown / "dangling").exists()
    os.utime(shown / "dangling", ns=(5, 7), follow_symlinks=False)
    assert os.lstat(real / "dangling").st_mtime_ns == 7
    os.mkfifo(shown / "fifo")
    assert stat.S_ISFIFO(os.lstat(real / "fifo").st_mode)


def test_rename(place):
    shown, real = place
    (shown / "dir/sub").mkdir(parents=True)
    (shown / "dir/sub/file").write_text("one")
    with open(shown / "dir/sub/file") as file:
        os.rename(shown / "dir", shown / "other")
        assert (shown / "other/sub/file").read_text() == "one"
        assert os.fstat(file.fileno()).st_size == 3
    (shown / "over").write_text("old")
    with open(shown / "over") as old:
        os.rename(shown / "other/sub/file", shown / "over")
        assert old.read() == "old" and os.fstat(old.fileno()).st_nlink == 0
    assert (real / "over").read_text() == "one"
    os.mkdir(shown / "full")
    (shown / "full/x").touch()
    with pytest.raises(OSError) as problem:
        os.rmdir(shown / "full")
    assert problem.value.errno == errno.ENOTEMPTY


def test_a_rename_by_the_distro_is_followed(place):
    shown, real = place
    (real / "dir").mkdir()
    (real / "dir/file").write_text("one")
    with open(shown / "dir/file", "r+") as file:
        os.rename(real / "dir", real / "moved")
        file.write("two")
        file.flush()
        os.fchmod(file.fileno(), 0o600)
        assert (real / "moved/file").read_text() == "two"
        assert stat.S_IMODE((real / "moved/file").stat().st_mode) == 0o600
    assert (shown / "moved/file").read_text() == "two"
    wait_for(lambda: not (shown / "dir").exists())


def test_unlink_while_open(place):
    shown, real = place
    with open(shown / "file", "w+b") as file:
        file.write(b"before")
        file.flush()
        os.unlink(shown / "file")
        assert not (real / "file").exists()
        file.write(b" and after")
        file.flush()
        os.ftruncate(file.fileno(), 12)
        file.seek(0)
        assert file.read() == b"before and a"
        assert os.fstat(file.fileno()).st_size == 12
    (real / "theirs").write_bytes(b"kept")
    with open(shown / "theirs", "rb") as file:
        os.unlink(real / "theirs")
        assert os.fstat(file.fileno()).st_size == 4 and file.read() == b"kept"


def test_append(place):
    shown, real = place
    (real / "log").write_bytes(b"")
    one, other = (os.open(path / "log", os.O_WRONLY | os.O_APPEND) for path in place)
    for i in range(50):
        os.write(one, b"host %d\n" % i)
        os.write(other, b"distro %d\n" % i)
    os.close(one)
    os.close(other)
    expected = b"".join(b"host %d\ndistro %d\n" % (i, i) for i in range(50))
    assert (real / "log").read_bytes() == expected
    wait_for(lambda: (shown / "log").read_bytes() == expected)


def test_mapping(place):
    shown, real = place
    (shown / "file").write_bytes(bytes(3 * mmap.PAGESIZE))
    fd = os.open(shown / "file", os.O_RDWR | os.O_APPEND)  # pages have their place all the same
    with mmap.mmap(fd, 0) as mapped:
        mapped[mmap.PAGESIZE:mmap.PAGESIZE + 5] = b"hello"
        mapped.flush()
    os.close(fd)
    content = (real / "file").read_bytes()
    assert len(content) == 3 * mmap.PAGESIZE and content[mmap.PAGESIZE:mmap.PAGESIZE + 5] == b"hello"
    shutil.copy("/bin/true", shown / "true")
    assert subprocess.run([shown / "true"]).returncode == 0


def test_large_and_holes(place):
    shown, real = place
    with open(shown / "large", "wb") as file:
        file.seek(5 << 30)
        file.write(b"end")
    info = (shown / "large").stat()
    assert info.st_size == (5 << 30) + 3 and info.st_blocks < 1000
    with open(shown / "large", "rb") as file:
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) >= (5 << 30) - (1 << 20)
        file.seek(5 << 30)
        assert file.read() == b"end"
    os.truncate(shown / "large", 10)
    assert (real / "large").stat().st_size == 10
    with open(shown / "space", "wb") as file:
        os.posix_fallocate(file.fileno(), 0, MIB)
    assert (real / "space").stat().st_blocks * 512 >= MIB
    (real / "source").write_bytes(os.urandom(MIB))
    with open(shown / "source", "rb") as source, open(shown / "target", "wb") as target:
        assert os.copy_file_range(source.fileno(), target.fileno(), MIB) == MIB
        os.fsync(target.fileno())
    assert (real / "target").read_bytes() == (real / "source").read_bytes()


def test_directory_of_many(place):
    shown, real = place
    (real / "many").mkdir()
    for number in range(10000):
        os.close(os.open(real / "many" / f"entry {number}", os.O_CREAT))
    names = {f"entry {number}" for number in range(10000)}
    assert sorted(os.listdir(shown / "many")) == sorted(names)
    with os.scandir(shown / "many") as entries:
        assert {entry.name: entry.stat().st_size for entry in entries} == dict.fromkeys(names, 0)
    shutil.rmtree(shown / "many")
    assert not (real / "many").exists()


def test_changes_of_the_distro_are_seen(place):
    shown, real = place
    (real / "file").write_text("one")
    assert (shown / "file").read_text() == "one"
    for text in ["two", "three, which is longer", ""]:
        (real / "file").write_text(text)
        assert (shown / "file").read_text() == text  # at each open
    (real / "file").write_text("kept open")
    with open(shown / "file") as file:
        assert file.read() == "kept open"
        (real / "file").write_text("newer")

        def text():
            file.seek(0)
            return file.read()
        wait_for(lambda: os.stat(shown / "file").st_size == 5 and text() == "newer")
    assert not (shown / "later").exists()
    (real / "later").touch()
    assert (shown / "later").exists()  # that it was missing is not cached
    os.unlink(real / "later")
    wait_for(lambda: not (shown / "later").exists())


def test_reading_far_ahead(place):
    shown, real = place
    data = os.urandom(24 * MIB + 4321)
    (real / "data").write_bytes(data)
    with open(shown / "data", "rb", buffering=0) as file:
        assert b"".join(iter(lambda: file.read(100_000), b"")) == data
        for at in (5 * MIB + 1, 0, 24 * MIB, 24 * MIB + 4000):
            file.seek(at)
            assert file.read(300_000) == data[at:at + 300_000]
    with open(shown / "data", "r+b", buffering=0) as file:  # what was read ahead is not used then
        assert file.read(MIB) == data[:MIB]
        with open(shown / "data", "r+b", buffering=0) as other:
            other.seek(2 * MIB)
            other.write(b"changed")
        file.seek(2 * MIB)
        assert file.read(7) == b"changed"


def test_kernel_files_are_read(mounted):
    assert (mounted[1] / "proc/version").read_text() == Path("/proc/version").read_text()


def test_its_own_mount_is_left_out(mounted):
    inside = mounted[1] / str(mounted[1])[1:]
    fails_at_once(errno.EREMOTE, lambda: os.listdir(inside))


def test_tools(place):
    shown, real = place
    subprocess.run(["git", "init", "-q", shown / "repository"], check=True)
    (shown / "repository/file").write_text("text")
    git = ["git", "-C", shown / "repository", "-c", "user.name=x", "-c", "user.email=x@y", "-c",
           "safe.directory=*"]
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    subprocess.run(["cp", "-a", shown / "repository", shown / "copy"], check=True)
    subprocess.run(["diff", "-r", real / "repository", real / "copy"], check=True)
    subprocess.run(["rm", "-r", "-f", shown / "copy"], check=True)
    assert not (real / "copy").exists()


# ---- the distro comes and goes ----

def test_unmount(mounted):
    box, directory = mounted
    (pid,) = servers(directory)
    with open(directory / "etc/hostname"):
        box("umount", directory).failed(1, "umount.busy", str(directory))
    assert box("umount", directory).ok() == ""
    assert os.listdir(directory) == []
    wait_for(lambda: not servers(directory))
    assert pid not in servers(directory)
    assert box("list", "-q").ok() == "box\n"


def test_lazy_unmount(mounted):
    box, directory = mounted
    with open(directory / "etc/passwd") as file:
        box("umount", "--lazy", directory).ok()
        assert os.listdir(directory) == [] and file.read() != ""
    wait_for(lambda: not servers(directory))


def test_a_stopped_distro_fails_and_comes_back(place, mounted):
    box, directory = mounted
    shown, real = place
    (shown / "file").write_text("text")
    file = open(shown / "file")
    box("terminate", "box").ok()
    fails_at_once(errno.ENOTCONN, lambda: os.listdir(directory))
    fails_at_once(errno.ENOTCONN, lambda: os.open(shown / "file", os.O_RDONLY))
    assert box.info("box")["state"] == "stopped"  # the accesses have not started it
    assert directory.stat().st_mode == stat.S_IFDIR | 0o755
    os.statvfs(directory)
    box("start").ok()
    assert (shown / "file").read_text() == "text"
    fails_at_once(errno.ESTALE, lambda: os.fchmod(file.fileno(), 0o600))
    fails_at_once(errno.ESTALE, file.close)
    (shown / "new").write_text("new")
    assert (real / "new").read_text() == "new"


def test_a_killed_keeper_gives_errors(place, mounted):
    box, directory = mounted
    (place[0] / "file").write_text("text")
    os.kill(keeper_of(box), signal.SIGKILL)
    fails_at_once(errno.ENOTCONN, lambda: (place[0] / "other").write_text("text"))
    fails_at_once(errno.ENOTCONN, lambda: os.listdir(directory))
    box("start").ok()
    assert (place[0] / "file").read_text() == "text"


def test_an_access_starts_the_distro(mountable):
    box, directory = mountable
    box("mount", "--start", "box", directory).ok()
    assert box.info("box")["state"] == "stopped"
    os.stat(directory)
    assert box.info("box")["state"] == "stopped"
    assert "etc" in os.listdir(directory)
    assert box.info("box")["state"] == "running"
    box("terminate", "box").ok()
    assert "etc" in os.listdir(directory)


def test_a_killed_server_is_cleaned(mounted):
    box, directory = mounted
    ends = [os.pidfd_open(pid) for pid in servers(directory)]
    for end in ends:
        signal.pidfd_send_signal(end, signal.SIGKILL)
    for end in ends:  # until /dev/fuse is closed: a dying process loses its command line earlier
        assert select.select([end], [], [], LIMIT)[0]
        os.close(end)
    fails_at_once(errno.ENOTCONN, lambda: os.listdir(directory))
    box("mount", "box", directory).failed(1, "mount.dead", str(directory))
    box("umount", directory).ok()
    box("mount", "box", directory).ok()
    assert "etc" in os.listdir(directory)


def test_unregister(mounted):
    box, directory = mounted
    box("terminate", "box").ok()
    box("unregister", "box").ok()
    fails_at_once(errno.ENOTCONN, lambda: os.listdir(directory))
    box("umount", directory).ok()


def test_an_interrupt_ends_a_wait(place, mounted):
    """The distro stands still: its agent is stopped, and the file server with it."""
    box, directory = mounted
    shown, real = place
    (real / "file").write_text("text")
    (server,) = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
                 if b"\0--mount\0" in read_or_empty(path) and is_below(int(path.parent.name), keeper_of(box))]
    stop_process(server)
    try:
        reader = subprocess.Popen(["cat", shown / "file"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_for(lambda: "S" in state_of(reader.pid) or "D" in state_of(reader.pid))
        reader.send_signal(signal.SIGINT)
        assert reader.wait(timeout=LIMIT) == -signal.SIGINT
    finally:
        os.kill(server, signal.SIGCONT)
    assert (shown / "file").read_text() == "text"


def test_a_mount_that_does_not_answer_holds_no_shutdown_up(place, mounted):
    """Who uses a disk is found by the files that processes have open; one of a distro that stands still does not answer."""
    box, _ = mounted
    shown, real = place
    (real / "file").write_text("text")
    (server,) = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/cmdline")
                 if b"\0--mount\0" in read_or_empty(path) and is_below(int(path.parent.name), keeper_of(box))]
    with (shown / "file").open() as file, subprocess.Popen(["sleep", "1000"], stdin=file) as user:
        file.close()
        os.truncate(real / "file", 1)  # what the kernel keeps of it is out of date
        stop_process(server)
        try:
            assert box("terminate", "--force", "box").status == 0
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server, signal.SIGCONT)
            user.kill()


def read_or_empty(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def state_of(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def is_below(pid, ancestor):
    while pid > 1 and pid != ancestor:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):  # another test's, which has ended
            return False
    return pid == ancestor


# ---- refusals ----

def test_not_running(mountable):
    box, directory = mountable
    result = box("mount", "box", directory).failed(1, "mount.not-running", "box is not running")
    assert "berth start box" in result.hint and "--start" in result.hint
    assert not servers(directory)


def test_refusals(mounted, tmp_path):
    box, directory = mounted
    box("mount", "box", directory).failed(1, "mount.exists", "box is mounted there already")
    box("mount", "box", tmp_path / "none").failed(1, "mount.directory.missing", "none")
    (tmp_path / "file").touch()
    box("mount", "box", tmp_path / "file").failed(1, "mount.directory.io")
    box("mount", "nosuch", tmp_path).failed(1, "distro.not-found")
    box("umount", tmp_path).failed(1, "umount.not-mounted", str(tmp_path))
    box("umount", tmp_path / "none/none").failed(1, "umount.not-mounted")
    assert box("mount", "box").status == 2
    assert box("umount").status == 2
    (tmp_path / "second").mkdir()
    box("mount", "-u", "nosuch", "box", tmp_path / "second").failed(1, "session.refused", "nosuch")
    wait_for(lambda: not servers(tmp_path / "second"))


def test_without_fusermount(mountable):
    box, directory = mountable
    box("start").ok()
    path = f"{box.bin}:{box.path}/none"
    result = box("mount", "box", directory, env={"PATH": path}).failed(1, "mount.fusermount", "fusermount3")
    assert "fuse3" in result.hint
    wait_for(lambda: not servers(directory))
