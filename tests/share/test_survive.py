"""What the guest has open, and its watchers, when a server is killed and another takes its place."""
import errno
import fcntl
import hashlib
import mmap
import os
import random
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from conftest import Server, wait_until
from test_events import Watcher, write
from waiting import stop_process

ROOT = "/home/ann"


class Guest:
    """A process of the guest's: it runs Python, a line at a time. This one must have no file of the mount open: it
    starts servers, and a child that closes such a file waits for one."""

    CODE = ("import sys, os, ctypes, fcntl, mmap\n"
            "names = {'os': os, 'fcntl': fcntl, 'mmap': mmap, 'ctypes': ctypes}\n"
            "for line in sys.stdin:\n"
            "    try: result = ('ok', eval(line, names))\n"
            "    except SyntaxError: result = ('ok', exec(line, names))\n"
            "    except OSError as error: result = ('error', error.errno)\n"
            "    print(repr(result), flush=True)\n")

    def __init__(self, directory):
        self.process = subprocess.Popen([sys.executable, "-c", self.CODE], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, cwd=directory)
        assert self("'ready'") == "ready"

    def begin(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def result(self):
        kind, value = eval(self.process.stdout.readline())
        if kind == "error":
            raise OSError(value, os.strerror(value))
        return value

    def __call__(self, line):
        self.begin(line)
        return self.result()

    def end(self):
        self.process.stdin.close()
        self.process.wait(60)


@pytest.fixture
def guest(share):
    made = Guest(share)
    yield made
    made.end()


def kill(mounted, *roots):
    mounted.server.end()
    mounted.server = mounted.serve(roots)


@pytest.fixture
def killed(mounted, source):
    return lambda: kill(mounted, ("rw", source, ROOT))


def test_open_files_go_on(guest, killed, source, share):
    (source / "f").write_text("0123456789")
    (source / "d").mkdir()
    guest("r = os.open('f', os.O_RDONLY)")
    guest("a = os.open('log', os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)")
    guest("w = os.open('f', os.O_RDWR)")
    assert guest("os.read(r, 3)") == b"012"
    guest("os.write(a, b'one ')")
    guest("d = os.open('d', os.O_RDONLY)")
    killed()
    assert guest("os.read(r, 3)") == b"345"
    with open(source / "log", "a") as log:
        log.write("host ")
    guest("os.write(a, b'two ')")
    guest("os.pwrite(w, b'X', 9)")
    assert guest("os.pread(r, 100, 0)") == b"012345678X"
    assert (source / "log").read_text() == "one host two "
    assert guest("os.listdir(d)") == []
    assert guest("os.getcwd()") == str(share)
    guest("os.close(os.open('new', os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=d))")
    assert (source / "d/new").exists()
    killed()
    assert guest("[os.fstat(fd).st_ino for fd in (r, a, w, d)]") == guest(
        "[os.stat(name).st_ino for name in ('f', 'log', 'f', 'd')]")


def test_a_file_that_has_moved_goes_on(guest, killed, source):
    """The guest has moved it itself, and one of the directories above it."""
    (source / "d/e").mkdir(parents=True)
    (source / "d/e/f").write_text("text")
    guest("f = os.open('d/e/f', os.O_RDWR)")
    guest("os.rename('d/e/f', 'd/e/a-long-name-which-takes-more-room-than-one-unit')")
    guest("os.rename('d', 'other')")
    guest("os.chdir('other/e')")
    killed()
    assert guest("os.read(f, 10)") == b"text"
    assert guest("os.listdir('.')") == ["a-long-name-which-takes-more-room-than-one-unit"]


def test_a_shared_mapping_goes_on(guest, killed, source):
    (source / "f").write_bytes(bytes(8192))
    guest("f = os.open('f', os.O_RDWR)")
    guest("m = mmap.mmap(f, 8192)")
    guest("m[0:3] = b'one'")
    killed()
    guest("m[4096:4099] = b'two'")
    guest("m.flush()")
    data = (source / "f").read_bytes()
    assert data[:3] + data[4096:4099] == b"onetwo"


# ---- requests that a server has when it ends ----

def has_stopped(process):
    """All of its threads."""
    return all((task / "stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
               for task in Path(f"/proc/{process.pid}/task").iterdir())


def unread(port):
    """Bytes that its other end has sent."""
    return struct.unpack("i", fcntl.ioctl(port, termios.FIONREAD, bytes(4)))[0]


def test_a_read_under_way_is_answered_by_the_next_server(guest, mounted, source):
    data = random.Random(1).randbytes(65536)
    (source / "f").write_bytes(data)
    guest("f = os.open('f', os.O_RDONLY)")
    mounted.server.end()
    port = mounted.join()
    with port.dup() as same:
        mounted.server = Server([("rw", source, ROOT)], pair=(socket.socket(), port), ledger=mounted.ledger,
                                **mounted.ids)
        mounted.server.wait_for_report("ready")
        stop_process(mounted.server.process.pid)
        wait_until(lambda: has_stopped(mounted.server.process), "the stop")
        guest.begin("os.read(f, 65536)")
        wait_until(lambda: unread(same) > 0, "the request")
        mounted.server.process.kill()
    kill(mounted, ("rw", source, ROOT))
    assert guest.result() == data


READER = """
import hashlib, os, sys
number = 0
for line in sys.stdin:
    number += 1
    names = [f'missing-{number}-{i}' for i in range(9)]
    fd = os.open('f', os.O_RDONLY)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    digest = hashlib.md5(os.pread(fd, 1 << 20, 0)).hexdigest()
    found = sorted(os.listdir('d')), os.readlink('l'), [name for name in names if os.path.exists(name)]
    os.close(fd)
    print(digest, found, flush=True)
"""


def test_readers_notice_no_end_of_a_server(killed, source, share):
    """All that they ask may be asked twice, and much is under way at each of them."""
    data = random.Random(2).randbytes(1 << 20)
    (source / "f").write_bytes(data)
    (source / "d").mkdir()
    (source / "l").symlink_to("f")
    for i in range(50):
        (source / f"d/{i}").touch()
    expected = f"{hashlib.md5(data).hexdigest()} {(sorted(os.listdir(source / 'd')), 'f', [])}\n"
    readers = [subprocess.Popen([sys.executable, "-S", "-c", READER], cwd=share, text=True, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE) for _ in range(8)]
    for _ in range(12):
        for reader in readers:
            reader.stdin.write("\n" * 5)
            reader.stdin.flush()
        assert all(reader.stdout.readline() == expected for reader in readers)
        killed()
        assert all(reader.stdout.readline() == expected for reader in readers for _ in range(4))
    for reader in readers:
        reader.stdin.close()
        assert reader.wait() == 0
        reader.stdout.close()


# ---- files that are not there any more ----

def fails(guest, line, *errors):
    with pytest.raises(OSError) as caught:
        guest(line)
    assert caught.value.errno in errors, caught.value


def test_another_file_in_its_place_is_not_it(guest, mounted, source):
    """Even where the file system gives the next file the number of the removed one."""
    (source / "f").write_text("old")
    (source / "d").mkdir()
    guest("f = os.open('f', os.O_RDWR)")
    guest("d = os.open('d', os.O_PATH)")
    mounted.server.process.kill()
    mounted.server.process.wait()
    os.unlink(source / "f")
    os.rmdir(source / "d")
    (source / "d").mkdir()
    (source / "f").write_text("new")
    (source / "d/x").touch()
    kill(mounted, ("rw", source, ROOT))
    fails(guest, "os.write(f, b'bad')", errno.ESTALE, errno.EIO)
    fails(guest, "os.open('x', os.O_RDONLY, dir_fd=d)", errno.ESTALE, errno.ENOENT)
    assert (source / "f").read_text() == "new"
    assert guest("open('f').read()") == "new"
    assert guest("os.listdir('d')") == ["x"]


def test_what_is_shared_no_more_is_stale_and_the_rest_goes_on(tmp_path, mounted, guest, source, share):
    (tmp_path / "other").mkdir()
    (tmp_path / "other/f").write_text("other")
    kill(mounted, ("rw", source, ROOT), ("rw", tmp_path / "other", "/other"))
    (source / "f").write_text("text")
    wait_until(lambda: guest("os.path.exists('../../other/f')"), "the other share")
    guest("f = os.open('f', os.O_RDWR)")
    guest("o = os.open('../../other/f', os.O_RDWR)")
    kill(mounted, ("rw", source, ROOT), ("was", "-", "/other"))
    assert guest("os.read(f, 9)") == b"text"
    fails(guest, "os.read(o, 9)", errno.ESTALE, errno.EIO)
    fails(guest, "os.write(o, b'bad')", errno.ESTALE, errno.EIO)
    wait_until(lambda: not guest("os.path.exists('../../other')"), "the end of the other share")
    assert guest("os.getcwd()") == str(share)
    kill(mounted, ("ro", source, ROOT))
    fails(guest, "os.write(f, b'bad')", errno.EROFS, errno.ESTALE, errno.EIO)
    assert (source / "f").read_text() == "text" and (tmp_path / "other/f").read_text() == "other"


# ---- watchers ----

def test_a_watcher_sees_what_follows(killed, source, share):
    (source / "d").mkdir()
    watcher = Watcher(share, ["", "d"])
    killed()
    write(source / "first")  # the server may find it or be told of it
    wait_until(lambda: ("", "close_write", "first", 0) in watcher.read(), "the first events")
    write(source / "d/f")
    write(source / "g")
    wait_until(lambda: ("", "close_write", "g", 0) in watcher.read(), "the events")
    assert [event[:3] for event in watcher.events if event[2] in "fg"] == [
        (at, what, name) for at, name in [("d", "f"), ("", "g")] for what in ["create", "modify", "close_write"]]
    watcher.close()


def chmod(path):
    """At a later time than the file's last change."""
    def changed():
        os.chmod(path, 0o400)
        info = os.stat(path)
        return info.st_ctime_ns != info.st_mtime_ns
    wait_until(changed, "the next tick of the clock")


CHANGES = {
    "a new file": (lambda at: write(at / "d/new"), ("d", "close_write", "new")),
    "a new directory": (lambda at: os.mkdir(at / "d/new"), ("d", "create_dir", "new")),
    "a known file": (lambda at: write(at / "d/known", "other"), ("d", "close_write", "known")),
    "a mode": (lambda at: chmod(at / "d/known"), ("d", "attrib", "known")),
    "an unknown file's mode": (lambda at: chmod(at / "d/unknown"), ("d", "attrib", "unknown")),
    "a deletion": (lambda at: os.unlink(at / "d/known"), ("d", "delete", "known")),
    "a directory's end": (lambda at: os.rmdir(at / "d/e"), ("d", "delete_dir", "e")),
    "a move": (lambda at: os.rename(at / "d/known", at / "d/new"), ("d", "create", "new")),
    "another in its place": (lambda at: (write(at / "d/t"), os.rename(at / "d/t", at / "d/known")),
                             ("d", "create", "known")),
    "an unknown file's end": (lambda at: os.unlink(at / "d/unknown"), ("", "attrib_dir", "d")),
    "a file that was not there": (lambda at: write(at / "d/missing"), ("d", "create", "missing")),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_while_there_is_no_server_is_seen(mounted, source, share, what):
    change, expected = CHANGES[what]
    (source / "d/e").mkdir(parents=True)
    (source / "d/known").write_text("known")
    (source / "d/unknown").write_text("unknown")
    watcher = Watcher(share, ["", "d"])
    assert (share / "d/known").read_text() == "known" and (share / "d/e").is_dir()
    assert not (share / "d/missing").exists()
    mounted.server.end()
    change(source)
    mounted.server = mounted.serve([("rw", source, ROOT)])
    wait_until(lambda: expected in [event[:3] for event in watcher.read()], "the event")
    assert_same(source, share)
    watcher.close()


def tree(top):
    found = {}
    for at, directories, files in os.walk(top):
        for name in directories:
            found[os.path.relpath(os.path.join(at, name), top)] = None
        for name in files:
            with open(os.path.join(at, name), "rb") as file:
                found[os.path.relpath(os.path.join(at, name), top)] = file.read()
    return found


def assert_same(source, share):
    def holds():
        try:
            return tree(share) == tree(source)
        except OSError:
            return False
    wait_until(holds, "the same tree")
