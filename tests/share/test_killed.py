"""A server is killed at any moment, and programs in the guest do not notice: what they change is changed once, what they
have locked stays locked, and what they open is not what the host has changed meanwhile."""
import errno
import fcntl
import json
import os
import random
import socket
import stat
import struct
import subprocess
import sys
import threading

import pytest

from conftest import Server, wait_until
from waiting import LIMIT
from test_survive import ROOT, Guest, fails, guest, kill, killed  # noqa: F401 (fixtures)

REQUESTS_AT = 32  # wire/share_report.h
KILLS = 60

# Each runs in a directory of its own until its input ends; then it prints what the files must have.
PROLOGUE = """
import errno, hashlib, json, os, random, select, sys
rng = random.Random(int(sys.argv[1]))
def go_on():
    return not select.select([0], [], [], 0)[0]
def put(fd, data, at=None):
    done = 0
    while done < len(data):
        done += os.write(fd, data[done:]) if at is None else os.pwrite(fd, data[done:], at + done)
turns = 0
"""
WRITER = """
size = 300000
mirror = bytearray(size)
fd = os.open('data', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
put(fd, bytes(mirror), 0)
while go_on():
    data = rng.randbytes(rng.choice([1, 100, 4096, 70000]))
    at = rng.randrange(size - len(data))
    put(fd, data, at)
    mirror[at:at + len(data)] = data
    if rng.random() < 0.2:
        os.fsync(fd)
    at = rng.randrange(size - 1000)
    assert os.pread(fd, 1000, at) == mirror[at:at + 1000]
    turns += 1
expected = {'data': hashlib.sha256(mirror).hexdigest()}
"""
APPENDER = """
digest = hashlib.sha256()
fd = os.open('log', os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
while go_on():
    data = b'%08d ' % turns + rng.randbytes(rng.choice([0, 50, 5000, 60000])) + b'\\n'
    put(fd, data)
    digest.update(data)
    turns += 1
expected = {'log': digest.hexdigest()}
"""
MAKER = """
expected = {}
while go_on():
    name, data = f'f{turns}', rng.randbytes(rng.choice([0, 9, 9000]))
    fd = os.open('new', os.O_RDWR | os.O_CREAT | os.O_EXCL, rng.choice([0o600, 0o644, 0o444, 0o200]))
    put(fd, data)
    os.rename('new', name) if rng.random() < 0.5 else (os.close(fd), os.rename('new', name), fd := None)
    if fd is not None:
        put(fd, b'more')
        data += b'more'
        os.close(fd)
    os.link(name, 'second')
    os.unlink('second')
    os.mkdir('d')
    os.rename(name, 'd/' + name)
    os.rename('d', 'e')
    os.symlink('e/' + name, 'l')
    assert os.stat('l').st_size == len(data)
    os.chmod('l', 0o640)
    os.setxattr('l', 'user.one', b'1', os.XATTR_CREATE)
    os.removexattr('l', 'user.one')
    os.rename('e/' + name, name)
    os.unlink('l')
    os.rmdir('e')
    expected[name] = hashlib.sha256(data).hexdigest()
    if len(expected) > 20:
        gone = rng.choice(list(expected))
        os.unlink(gone)
        del expected[gone]
    turns += 1
"""
REWRITER = """
expected = {}
while go_on():
    data = rng.randbytes(rng.choice([10, 5000]))
    fd = os.open('data', os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    put(fd, data)
    if rng.random() < 0.5:
        os.ftruncate(fd, 5)
        data = data[:5]
    os.close(fd)
    assert open('data', 'rb').read() == data
    expected['data'] = hashlib.sha256(data).hexdigest()
    turns += 1
"""
EPILOGUE = "\nprint(json.dumps([turns, expected]), flush=True)\n"
WORKERS = {"writer": WRITER, "appender": APPENDER, "maker": MAKER, "rewriter": REWRITER}


def start(share, name, seed):
    """A process of the guest's in a directory of its own."""
    return subprocess.Popen([sys.executable, "-S", "-c", PROLOGUE + WORKERS[name] + EPILOGUE, str(seed)],
                            cwd=share / name, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def requests(mounted):
    return struct.unpack("Q", os.pread(mounted.ledger, 8, REQUESTS_AT))[0]


def kill_at_random(mounted, killed, workers, rng, kills):
    for _ in range(kills):
        goal = requests(mounted) + 20 + rng.randrange(400)
        wait_until(lambda: requests(mounted) >= goal or any(worker.poll() is not None for worker in workers) or
                   mounted.server.process.poll() is not None, "requests")
        assert mounted.server.process.poll() is None, mounted.server.process.stderr.read()
        if any(worker.poll() is not None for worker in workers):
            return
        killed()


def digests(directory):
    found = {}
    for at, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(at, name)
            os.chmod(path, 0o600)
            found[os.path.relpath(path, directory)] = subprocess.run(
                ["sha256sum", path], capture_output=True, text=True, check=True).stdout.split()[0]
    return found


def modes_of(tmp_path):
    """A share that is written, one whose changes are kept beside it, and one with a limit."""
    for name in ("overlay", "counts"):
        (tmp_path / name).mkdir(mode=0o700)
    return {"rw": "rw", "cow": f"cow={tmp_path / 'overlay'}", "limit": f"limit={1 << 30}:count={tmp_path / 'counts/count'}"}


@pytest.mark.parametrize("mode", ["rw", "cow", "limit"])
@pytest.mark.parametrize("seed", range(int(os.environ.get("BERTH_TEST_SEEDS", "1"))))
def test_writers_notice_no_end_of_a_server(mounted, tmp_path, source, share, seed, mode):
    """Nothing is lost, torn, made twice, or refused."""
    root = (modes_of(tmp_path)[mode], source, ROOT)
    mounted.server.wait_for_report("begun")  # the carrier has its first port: it looks for no other before
    kill(mounted, root)
    for name in WORKERS:
        (source / name).mkdir()
    workers = [start(share, name, seed) for name in WORKERS]
    kill_at_random(mounted, lambda: kill(mounted, root), workers, random.Random(seed), KILLS)
    results = [worker.communicate("") for worker in workers]
    assert [worker.returncode for worker in workers] == [0] * len(workers), [problem for _, problem in results if problem]
    for name, (output, _) in zip(WORKERS, results):
        turns, expected = json.loads(output)
        assert turns > 0
        assert digests((share if mode == "cow" else source) / name) == expected, name


# ---- a change that was made, and whose answer nobody got ----

class Swallowed:
    """A server whose first answer to a request @opcode does not arrive: it is killed instead, and another begins."""

    def __init__(self, mounted, source, opcode):
        self.opcode, self.unique = opcode, None
        mounted.server.end()
        self.guest, (self.host, theirs) = mounted.join(), socket.socketpair()
        self.server = mounted.server = Server([("rw", source, ROOT)], pair=(socket.socket(), theirs), ledger=mounted.ledger,
                                              **mounted.ids)
        self.threads = [threading.Thread(target=self.carry, args=ends) for ends in
                        ((self.guest, self.host, self.see_request), (self.host, self.guest, self.see_answer))]
        for thread in self.threads:
            thread.start()
        self.server.wait_for_report("ready")

    def see_request(self, message):
        opcode, unique, pid = struct.unpack_from("=4xIQ16xI", message)
        if opcode == self.opcode and self.unique is None and pid != 0xffffffff:  # not a replay's
            self.unique = unique
        return True

    def see_answer(self, message):
        return struct.unpack_from("=8xQ", message)[0] != self.unique

    def carry(self, source, target, see):
        """Until @see returns false."""
        try:
            while (message := self.read(source)) and see(message):
                target.sendall(message)
        except OSError:
            pass
        for end in (source, target):
            end.shutdown(socket.SHUT_RDWR)

    @staticmethod
    def read(source):
        size, = struct.unpack("=I", source.recv(4, socket.MSG_PEEK | socket.MSG_WAITALL) or bytes(4))
        return source.recv(size, socket.MSG_WAITALL)

    def end(self):
        """Once it was swallowed."""
        for thread in self.threads:
            thread.join(LIMIT)
        self.server.end()
        self.guest.close()
        self.host.close()


def names(directory):
    return sorted(path.name for path in directory.iterdir())


MKNOD, MKDIR, SYMLINK, LINK, UNLINK, RMDIR, RENAME, WRITE, CREATE = 8, 9, 6, 13, 10, 11, 12, 16, 35
RENAME2, SETXATTR, REMOVEXATTR, OPEN, SETATTR, FALLOCATE = 45, 21, 24, 14, 4, 43
NEW = "(f := os.open('new', os.O_RDWR | os.O_CREAT | os.O_EXCL, {}), os.write(f, b'x'), os.close(f))[1]"
MADE = {
    "a new file": (CREATE, NEW.format("0o644"), lambda at: (at / "new").read_text() == "x"),
    "a new file that cannot be opened again": (CREATE, NEW.format("0o444"), lambda at: (at / "new").read_text() == "x"),
    "a mode without reading": (CREATE, NEW.format("0o200"), lambda at: (at / "new").stat().st_size == 1),
    "a fifo": (MKNOD, "os.mkfifo('new', 0o640)", lambda at: stat.filemode((at / "new").stat().st_mode) == "prw-r-----"),
    "a directory": (MKDIR, "os.mkdir('new', 0o750)", lambda at: stat.filemode((at / "new").stat().st_mode) == "drwxr-x---"),
    "a link": (SYMLINK, "os.symlink('to/there', 'new')", lambda at: os.readlink(at / "new") == "to/there"),
    "a second name": (LINK, "os.link('f', 'new')", lambda at: (at / "new").stat().st_nlink == 2),
    "a removal": (UNLINK, "os.unlink('f')", lambda at: names(at) == ["d", "g"]),
    "a directory's removal": (RMDIR, "os.rmdir('d')", lambda at: names(at) == ["f", "g"]),
    "a move": (RENAME, "os.rename('f', 'new')", lambda at: names(at) == ["d", "g", "new"]),
    "a move of one of two names": (RENAME, "(os.link('f', 'x'), os.unlink('x'), os.rename('f', 'new'))[2]", lambda at: names(at) == ["d", "g", "new"]),
    "a removal of one of two names": (UNLINK, "(os.link('f', 'x'), os.unlink('f'))[1]", lambda at: names(at) == ["d", "g", "x"]),
    "a move over another": (RENAME, "os.rename('f', 'g')", lambda at: (at / "g").read_text() == "f" and names(at) == ["d", "g"]),
    "a directory's move": (RENAME, "os.rename('d', 'new')", lambda at: names(at) == ["f", "g", "new"]),
    "a swap": (RENAME2, "ctypes.CDLL(None).renameat2(-100, b'f', -100, b'g', 2) == 0 or 1 / 0",
               lambda at: [(at / name).read_text() for name in "fg"] == ["g", "f"]),
    "an appended line": (WRITE, "os.write(a, b'line')", lambda at: (at / "f").read_text() == "fline"),
    "a write": (WRITE, "os.write(w, b'line')", lambda at: (at / "f").read_text() == "line"),
    "an attribute": (SETXATTR, "os.setxattr('f', 'user.a', b'1', os.XATTR_CREATE)", lambda at: os.getxattr(at / "f", "user.a") == b"1"),
    "an attribute's removal": (REMOVEXATTR, "os.removexattr('g', 'user.b')", lambda at: os.listxattr(at / "g") == []),
    "an emptied file": (OPEN, "os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))", lambda at: (at / "f").read_text() == ""),
    "a length": (SETATTR, "os.truncate('f', 9)", lambda at: (at / "f").stat().st_size == 9),
    "allocated blocks": (FALLOCATE, "os.posix_fallocate(w, 0, 9)", lambda at: (at / "f").stat().st_size == 9),
}


@pytest.mark.parametrize("what", MADE)
def test_a_change_whose_answer_was_lost_is_not_made_twice(mounted, guest, source, share, what):
    opcode, line, holds = MADE[what]
    for name in "fg":
        (source / name).write_text(name)
    os.setxattr(source / "g", "user.b", b"1")
    (source / "d").mkdir()
    guest("[os.path.exists(name) for name in os.listdir('.')]")
    guest("a = os.open('f', os.O_WRONLY | os.O_APPEND)")
    guest("w = os.open('f', os.O_RDWR)")
    swallowed = Swallowed(mounted, source, opcode)
    guest.begin(line)
    swallowed.end()
    mounted.server = mounted.serve([("rw", source, ROOT)])
    guest.result()
    assert holds(source)
    assert_same_names(source, share)


def assert_same_names(source, share):
    wait_until(lambda: names(share) == names(source), "the same names")


@pytest.mark.parametrize("what, change, line, error", [
    ("a removed name that the host has made anew", lambda at: (at / "f").write_text("host"), "os.unlink('f')", None),
    ("a moved file whose former name the host has made anew", lambda at: (at / "f").write_text("host"), "os.rename('f', 'new')", None),
])
def test_the_hosts_next_file_is_not_it(mounted, guest, source, what, change, line, error):
    (source / "f").write_text("guest")
    guest("os.path.exists('f')")
    swallowed = Swallowed(mounted, source, UNLINK if "unlink" in line else RENAME)
    guest.begin(line)
    swallowed.end()
    change(source)
    mounted.server = mounted.serve([("rw", source, ROOT)])
    guest.result()
    assert (source / "f").read_text() == "host"


def test_what_the_host_had_already_is_in_the_way(mounted, guest, source):
    """No new file is taken for the guest's because it asked for one of that name."""
    swallowed = Swallowed(mounted, source, CREATE)
    (source / "other").touch()
    guest.begin("os.open('new', os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)")
    swallowed.end()
    os.unlink(source / "new")
    (source / "new").write_text("host")
    mounted.server = mounted.serve([("rw", source, ROOT)])
    with pytest.raises(OSError) as caught:
        guest.result()
    assert caught.value.errno == errno.EEXIST
    assert (source / "new").read_text() == "host"


def test_a_moved_file_that_is_open_goes_on(mounted, guest, source):
    """The former server was killed after the move, and before it recorded that."""
    (source / "f").write_text("text")
    guest("f = os.open('f', os.O_RDWR)")
    swallowed = Swallowed(mounted, source, RENAME)
    guest.begin("os.rename('f', 'new')")
    swallowed.end()
    mounted.server = mounted.serve([("rw", source, ROOT)])
    guest.result()
    assert guest("os.pread(f, 9, 0)") == b"text"
    guest("os.pwrite(f, b'T', 0)")
    assert (source / "new").read_text() == "Text"


# ---- locks ----

@pytest.fixture
def replaced(mounted, killed):
    """A kill, and the next server has all that the former one had."""
    def replace():
        killed()
        mounted.server.wait_for_report("ready")
    return replace


def host_lock(path, operation=fcntl.LOCK_EX):
    """Whether the host gets flock's lock of @path; it keeps it until the file is closed: (file, whether)."""
    file = open(path, "r+b")
    try:
        fcntl.flock(file, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return file, False
    return file, True


def can_lock_range(path, start, length):
    """Whether another process of the host could lock it. Closing the file of a process ends its locks, and this one has
    none."""
    with open(path, "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
        except (BlockingIOError, PermissionError):
            return False
    return True


def test_flocks_go_on(guest, replaced, source):
    (source / "f").write_text("text")
    guest("f = os.open('f', os.O_RDWR)")
    guest("g = os.open('f', os.O_RDWR)")
    for operation, others in [("LOCK_EX", fcntl.LOCK_SH), ("LOCK_SH", fcntl.LOCK_EX)]:
        guest(f"fcntl.flock(f, fcntl.{operation})")
        for _ in range(2):
            replaced()
            file, locked = host_lock(source / "f", others)
            file.close()
            assert not locked
            fails(guest, f"fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB)", errno.EWOULDBLOCK)
    file, locked = host_lock(source / "f", fcntl.LOCK_SH)
    file.close()
    assert locked
    guest("fcntl.flock(f, fcntl.LOCK_UN)")
    replaced()
    guest("fcntl.flock(g, fcntl.LOCK_EX | fcntl.LOCK_NB)")


def test_posix_locks_go_on(guest, replaced, source, share):
    (source / "f").write_bytes(bytes(100))
    guest("f = os.open('f', os.O_RDWR)")
    guest("fcntl.lockf(f, fcntl.LOCK_EX, 50, 0)")
    guest("fcntl.lockf(f, fcntl.LOCK_UN, 10, 20)")
    other = Guest(share)
    other("f = os.open('f', os.O_RDWR)")
    other("fcntl.lockf(f, fcntl.LOCK_EX, 10, 60)")
    for _ in range(3):
        replaced()
        free = [start for start in range(0, 100, 10) if can_lock_range(source / "f", start, 10)]
        assert free == [20, 50, 70, 80, 90]
        fails(other, "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 0)", errno.EAGAIN, errno.EACCES)
    other("os.close(f)")
    guest("fcntl.lockf(f, fcntl.LOCK_UN)")
    replaced()
    other("f = os.open('f', os.O_RDWR)")
    other("fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)")
    other.end()


def test_a_lock_that_was_waited_for_goes_on(guest, replaced, source, share):
    (source / "f").write_bytes(bytes(10))
    for lock in ("fcntl.lockf(f, fcntl.LOCK_EX)", "fcntl.flock(f, fcntl.LOCK_EX)"):
        other = Guest(share)
        for process in (guest, other):
            process("f = os.open('f', os.O_RDWR)")
        guest(lock)
        other.begin(lock)
        replaced()
        guest("os.close(f)")
        other.result()
        replaced()
        guest("f = os.open('f', os.O_RDWR)")
        fails(guest, lock.replace("LOCK_EX", "LOCK_EX | fcntl.LOCK_NB"), errno.EAGAIN, errno.EACCES)
        other.end()
        guest("os.close(f)")


@pytest.mark.parametrize("kind", ["flock", "lockf"])
def test_a_lock_that_the_host_took_meanwhile_is_lost(guest, mounted, source, kind):
    """The guest must not go on as if it had it."""
    (source / "f").write_bytes(bytes(10))
    guest("f = os.open('f', os.O_RDWR)")
    guest(f"fcntl.{kind}(f, fcntl.LOCK_EX)")
    mounted.server.end()
    with open(source / "f", "r+b") as file:
        getattr(fcntl, kind)(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        mounted.server = mounted.serve([("rw", source, ROOT)])
        fails(guest, "os.write(f, b'x')", errno.EIO)
        fails(guest, f"fcntl.{kind}(f, fcntl.LOCK_EX | fcntl.LOCK_NB)", errno.EIO)
        guest("g = os.open('f', os.O_RDWR)")
        fails(guest, f"fcntl.{kind}(g, fcntl.LOCK_EX | fcntl.LOCK_NB)", errno.EAGAIN, errno.EACCES)
        guest("os.pwrite(g, b'y', 1)")
    assert (source / "f").read_bytes()[:2] == b"\0y"
    guest(f"fcntl.{kind}(g, fcntl.LOCK_EX | fcntl.LOCK_NB)")


# ---- what the host changes meanwhile ----

CHANGES = {
    "the content": lambda path: path.write_bytes(b"new"),
    "the length": lambda path: path.write_bytes(b"longer than before"),
    "another file": lambda path: (path.with_name("other").write_bytes(b"other"), path.with_name("other").rename(path)),
}


@pytest.mark.parametrize("what", CHANGES)
def test_an_open_after_a_kill_does_not_read_what_was(mounted, guest, source, what):
    for number in range(20):
        path = source / f"f{number}"
        path.write_bytes(b"old")
        assert guest(f"open('f{number}', 'rb').read()") == b"old"
        mounted.server.end()
        CHANGES[what](path)
        guest.begin(f"open('f{number}', 'rb').read()")
        mounted.server = mounted.serve([("rw", source, ROOT)])
        assert guest.result() == path.read_bytes()
