"""The guest's carrier and this kernel, with a server that the test plays."""
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from conftest import Carried, wait_until
from waiting import LIMIT, stop_process

IN, OUT, REPLAY = struct.Struct("<IIQQIIIHH"), struct.Struct("<IiQ"), struct.Struct("<QII")
LOOKUP, GETATTR, SETATTR, READLINK, MKDIR, UNLINK, RMDIR, OPEN, READ, WRITE = 1, 3, 4, 5, 9, 10, 11, 14, 15, 16
STATFS, RELEASE, FSYNC, GETXATTR, LISTXATTR, FLUSH, INIT, OPENDIR, READDIR = 17, 18, 20, 22, 23, 25, 26, 27, 28
RELEASEDIR, GETLK, SETLK, SETLKW, CREATE_FILE, INTERRUPT, RENAME, FORGET, BATCH_FORGET = 29, 31, 32, 33, 35, 36, 12, 2, 42
FLUSH_CODE = 0x6273
REPLAY_CODE, REPLAY_ACK, REPLAY_PID = 0x6272, 0x62720001, 0xffffffff
CREATE = 1
INVAL_INODE = 2  # a notification
ENOENT, ENOSYS = 2, 38


def attributes(inode, mode, size):
    return struct.pack("<6Q10I", inode, size, 0, 0, 0, 0, 0, 0, 0, mode, 1, os.getuid(), os.getgid(), 0, 4096, 0)


class Host:
    """One server's end of the carrier's port."""

    def __init__(self, carried):
        self.port = carried.join()
        self.port.settimeout(LIMIT)

    def read(self, size):
        data = b""
        while len(data) < size:
            part = self.port.recv(size - len(data))
            assert part, "the carrier has closed the port"
            data += part
        return data

    def request(self):
        """The next one: (opcode, unique, node, pid, body)."""
        size, opcode, unique, node, _, _, pid, _, _ = IN.unpack(self.read(IN.size))
        return opcode, unique, node, pid, self.read(size - IN.size)

    def answer(self, unique, body=b"", error=0):
        self.port.sendall(OUT.pack(OUT.size + len(body), -error, unique) + body)

    def begin(self):
        opcode, unique, _, _, body = self.request()
        assert opcode == INIT
        _, minor = struct.unpack_from("<II", body)
        self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, minor, 65536, 0, 12, 9, 65536, 1, 0, 0, 0))
        return self

    def next(self):
        """The next request, after answers about the root."""
        while True:
            opcode, unique, node, pid, body = self.request()
            if opcode != GETATTR or node != 1:
                return opcode, unique, node, pid, body
            self.answer(unique, struct.pack("<QII", 60, 0, 0) + attributes(1, 0o40755, 0))

    def replay(self, sequence, kind, name):
        body = REPLAY.pack(sequence, kind, 0) + b"\0" + name.encode() + b"\0\0\0"
        self.port.sendall(OUT.pack(OUT.size + len(body), REPLAY_CODE, 0) + body)


@pytest.fixture
def carried(tmp_path):
    made = Carried(tmp_path / "mnt")
    yield made
    made.end()


def waiting_replay(carried, name="new"):
    """A host whose replay waits for the answer to its lookup, and that request."""
    host = Host(carried).begin()
    host.replay(1, CREATE, name)
    request = host.next()
    assert (request[0], request[3], request[4]) == (LOOKUP, REPLAY_PID, name.encode() + b"\0")
    return host, request


def has_ended(pid):
    """Also of a process whose parent has not waited for it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_carrier_that_is_killed_while_a_replay_waits_ends(carried):
    host, _ = waiting_replay(carried)
    replayer = carried.replayer()
    carried.carrier.kill()
    wait_until(lambda: carried.carrier.poll() is not None, "the carrier's end")
    wait_until(lambda: has_ended(replayer), "the replay's end")
    with pytest.raises(OSError, match="not connected"):
        os.listdir(carried.directory)
    host.port.close()


def test_a_replay_process_that_ends_ends_the_mount(carried):
    """Nobody waits for ever, and the guest's watchers miss nothing silently."""
    host = Host(carried).begin()
    os.kill(carried.replayer(), signal.SIGKILL)
    wait_until(lambda: carried.carrier.poll() is not None, "the carrier's end")
    assert not can_force() or not os.path.ismount(carried.directory)
    wait_until(lambda: not can_list(carried.directory), "the end of the mount")
    host.port.close()


def can_list(directory):
    try:
        return os.path.ismount(directory) and os.listdir(directory) is not None
    except OSError:
        return False


def can_force():
    """Whether an unmount can be forced: not in a user namespace."""
    return Path("/proc/self/uid_map").read_text().split()[2] == "4294967295"


def states(pid):
    """Of its threads."""
    return [(task / "stat").read_text().rsplit(")", 1)[1].split()[0] for task in Path(f"/proc/{pid}/task").iterdir()]


def test_a_mount_ends_though_a_notification_waits_for_an_answer(carried):
    """The kernel waits within the carrier then, for the page that a read has locked, and not even a kill ends that."""
    if not can_force():
        return
    host = Host(carried).begin()
    reader = subprocess.Popen(["cat", carried.directory / "f"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    opcode, unique, *_ = host.next()
    assert opcode == LOOKUP
    host.answer(unique, struct.pack("<QQQQII", 2, 0, 60, 60, 0, 0) + attributes(2, 0o100644, 4096))
    while (request := host.next())[0] != READ:
        host.answer(request[1], struct.pack("<QII", 1, 0, 0), error=0 if request[0] == OPEN else ENOSYS)
    host.port.sendall(OUT.pack(OUT.size + 24, INVAL_INODE, 0) + struct.pack("<Qqq", 2, 0, 0))
    wait_until(lambda: "D" in states(carried.carrier.pid), "the wait for the page")
    os.kill(carried.replayer(), signal.SIGKILL)
    wait_until(lambda: carried.carrier.poll() is not None, "the carrier's end")
    reader.wait(60)
    host.port.close()


def test_a_server_is_replaced_during_a_replay(carried):
    """The next server gets neither its requests nor its acknowledgement."""
    host, _ = waiting_replay(carried)
    host.replay(2, CREATE, "later")
    host.port.close()
    other = Host(carried)
    opcode, unique, _, _, _ = other.request()
    assert opcode == INIT
    other.replay(7, CREATE, "other")
    seen = []
    while True:
        opcode, unique, node, pid, body = other.next()
        if opcode == REPLAY_ACK:
            break
        assert pid == REPLAY_PID
        seen.append((opcode, body))
        other.answer(unique, error=ENOENT)
    assert unique == 7 and (LOOKUP, b"other\0") in seen and (LOOKUP, b"new\0") not in seen


def ask(path):
    """A process that looks for @path and waits for the answer; its status is its error."""
    code = "import os, sys\nprint(flush=True)\ntry: os.stat(sys.argv[1])\nexcept OSError as error: sys.exit(error.errno)"
    process = subprocess.Popen([sys.executable, "-S", "-c", code, path], stdout=subprocess.PIPE)
    process.stdout.readline()
    wait_until(lambda: states(process.pid)[0] in "SDZ", "the request")
    return process


def test_a_request_after_a_servers_end_waits_for_the_next(carried):
    """Also where the carrier gets it before it sees that end: whichever of its threads is first."""
    host = Host(carried).begin()
    for _ in range(60):
        stop_process(carried.carrier.pid)
        wait_until(lambda: set(states(carried.carrier.pid)) == {"T"}, "the stop")
        host.port.close()
        process = ask(carried.directory / "f")
        os.kill(carried.carrier.pid, signal.SIGCONT)
        host = Host(carried)
        assert host.request()[0] == INIT
        ready, _, _ = select.select([host.port, process.stdout], [], [])  # the latter: at its end
        assert host.port in ready, f"it failed with {process.wait()}"
        request = host.next()
        assert (request[0], request[4]) == (LOOKUP, b"f\0")
        host.answer(request[1], error=ENOENT)
        assert process.wait() == ENOENT
        process.stdout.close()


def test_no_process_can_say_that_it_is_the_replay(carried):
    host = Host(carried).begin()
    thread = threading.Thread(target=lambda: os.path.exists(carried.directory / "f"))
    thread.start()
    opcode, unique, _, pid, _ = host.next()
    assert opcode == LOOKUP and pid == thread.native_id
    host.answer(unique, error=ENOENT)
    thread.join()


# ---- what the guest answers itself ----

FILE = 7  # a node


def use(path, code):
    """A process that does @code with @path; its requests are the test's to answer."""
    return subprocess.Popen([sys.executable, "-c", f"import os, sys\npath = sys.argv[1]\n{code}", path])


def answer_lookup(host):
    request = host.next()
    assert (request[0], request[4]) == (LOOKUP, b"f\0")
    host.answer(request[1], struct.pack("<4Q2I", FILE, 0, 60, 60, 0, 0) + attributes(FILE, 0o100644, 0))


def answer_open(host):
    request = host.next()
    assert request[0] == OPEN
    host.answer(request[1], struct.pack("<QII", 1, 0, 0))


def answer_release(host):
    request = host.next()
    assert request[0] == RELEASE
    host.answer(request[1])


def test_a_close_is_told_only_where_the_host_wants_it(carried):
    host = Host(carried).begin()
    process = use(carried.directory / "f", "for _ in range(2): os.close(os.open(path, os.O_RDONLY))")
    answer_lookup(host)
    answer_open(host)
    answer_release(host)
    host.port.sendall(OUT.pack(OUT.size + 8, FLUSH_CODE, 0) + struct.pack("<Q", FILE))
    answer_open(host)
    flush = host.next()
    assert (flush[0], flush[2]) == (FLUSH, FILE)
    host.answer(flush[1])
    assert process.wait() == 0
    answer_release(host)


def test_only_the_users_attributes_are_asked_for(carried):
    host = Host(carried).begin()
    process = use(carried.directory / "f", """
def errno_of(name):
    try:
        os.getxattr(path, name)
    except OSError as error:
        return error.errno
assert [errno_of(name) for name in ("security.capability", "user.here", "user.there")] == [61, 5, 5]
""")
    answer_lookup(host)
    for name in (b"user.here", b"user.there"):
        request = host.next()
        assert (request[0], request[4][8:]) == (GETXATTR, name + b"\0")
        host.answer(request[1], error=5)
    assert process.wait() == 0


# ---- a server's end ----

LINK, DIRECTORY = 8, 9  # nodes
NODES = {b"f": FILE, b"l": LINK, b"d": DIRECTORY}
MADE = {MKDIR: 10, CREATE_FILE: 11}  # nodes that requests make
MODES = {10: 0o40755, 11: 0o100644, 1: 0o40755, FILE: 0o100644, LINK: 0o120777, DIRECTORY: 0o40755}
SIZE = 4096  # of the file
REPLIES = {READ: b"x" * SIZE, OPEN: struct.pack("<QII", 1, 0, 0), OPENDIR: struct.pack("<QII", 2, 0, 0), READLINK: b"f",
           WRITE: struct.pack("<II", 1, 0), STATFS: bytes(80), GETXATTR: b"value", GETLK: struct.pack("<QQII", 0, 0, fcntl.F_UNLCK, 0)}
POSIX_LOCKS, FLOCKS, ATOMIC_TRUNC = 1 << 1, 1 << 10, 1 << 3


class Tree(Host):
    """A server of a file, a link and a directory."""

    def begin(self):
        opcode, unique, _, _, body = self.request()
        assert opcode == INIT
        _, minor = struct.unpack_from("<II", body)
        flags = POSIX_LOCKS | FLOCKS | ATOMIC_TRUNC
        self.answer(unique, struct.pack("<IIIIHHIIHHI28x", 7, minor, 65536, flags, 12, 9, 65536, 1, 0, 0, 0))
        return self

    def attributes(self, node):
        return attributes(node, MODES[node], SIZE if node == FILE else 0)

    def lookup(self, body):
        node = NODES.get(body[:-1])
        if node is None:
            return None
        return struct.pack("<4Q2I", node, 0, 60, 0, 0, 0) + self.attributes(node)

    def reply(self, opcode, node, body):
        """None: ENOENT."""
        if opcode == LOOKUP:
            return self.lookup(body)
        if opcode in (MKDIR, CREATE_FILE):
            entry = struct.pack("<4Q2I", MADE[opcode], 0, 60, 0, 0, 0) + attributes(MADE[opcode], MODES[MADE[opcode]], 0)
            return entry + (struct.pack("<QII", 3, 0, 0) if opcode == CREATE_FILE else b"")
        if opcode in (GETATTR, SETATTR):
            return struct.pack("<QII", 0, 0, 0) + self.attributes(node)
        if opcode == LISTXATTR:
            return b"user.here\0" if struct.unpack_from("<I", body)[0] > 0 else struct.pack("<II", 10, 0)
        return REPLIES.get(opcode, b"")

    def answer_request(self, request):
        opcode, unique, node, _, body = request
        reply = self.reply(opcode, node, body)
        if opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            self.answer(unique, reply or b"", ENOENT if reply is None else 0)

    def serve(self, held=None, until=None):
        """Answer until the request @held comes, which is returned, or until the file @until can be read."""
        while True:
            ready, _, _ = select.select([self.port] + ([until] if until else []), [], [], LIMIT)
            assert ready, "neither a request nor the end"
            if self.port not in ready:
                return None
            request = self.request()
            if request[0] == held:
                return request
            self.answer_request(request)


def use_piped(path, code):
    """The same as use(), with its standard output: that ends with it."""
    prologue = "import fcntl, os, struct, sys\npath, flags = sys.argv[1], os.O_RDWR\n"
    return subprocess.Popen([sys.executable, "-S", "-c", prologue + code, path], stdout=subprocess.PIPE)


LOCK = "struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0)"
LOOKS = {
    LOOKUP: "os.stat(path + '/f')",
    GETATTR: "os.fstat(os.open(path + '/f', flags))",
    READLINK: "assert os.readlink(path + '/l') == 'f'",
    OPEN: "os.open(path + '/f', flags)",
    READ: "assert os.read(os.open(path + '/f', flags), 9) == b'x' * 9",
    STATFS: "os.statvfs(path)",
    FSYNC: "os.fsync(os.open(path + '/f', flags))",
    RELEASE: "os.close(os.open(path + '/f', flags))",
    GETXATTR: "assert os.getxattr(path + '/f', 'user.here') == b'value'",
    LISTXATTR: "assert os.listxattr(path + '/f') == ['user.here']",
    OPENDIR: "assert os.listdir(path + '/d') == []",
    READDIR: "assert os.listdir(path + '/d') == []",
    RELEASEDIR: "os.close(os.open(path + '/d', os.O_RDONLY))",
    GETLK: f"fcntl.fcntl(os.open(path + '/f', flags), fcntl.F_GETLK, {LOCK})",
    SETLK: f"fcntl.fcntl(os.open(path + '/f', flags), fcntl.F_SETLK, {LOCK})",
    SETLKW: f"fcntl.fcntl(os.open(path + '/f', flags), fcntl.F_SETLKW, {LOCK})",
}
CHANGES = {
    WRITE: "os.write(os.open(path + '/f', flags), b'x')",
    OPEN: "os.open(path + '/f', flags | os.O_TRUNC)",
    SETATTR: "os.chmod(path + '/f', 0o600)",
    MKDIR: "os.mkdir(path + '/new')",
    UNLINK: "os.unlink(path + '/f')",
    RMDIR: "os.rmdir(path + '/d')",
    RENAME: "os.rename(path + '/f', path + '/new')",
    CREATE_FILE: "os.open(path + '/new', flags | os.O_CREAT)",
}


def end_during(carried, opcode, code):
    """A process that does @code, whose request @opcode the first server has when it ends; and that request."""
    host = Tree(carried).begin()
    process = use_piped(carried.directory, code)
    request = host.serve(held=opcode)
    host.port.close()
    return process, request


def begin_again(carried):
    host = Tree(carried)
    request = host.request()
    assert request[0] == INIT
    host.answer(request[1], bytes(64))
    return host


@pytest.mark.parametrize("opcode, code", [*LOOKS.items(), *CHANGES.items()])
def test_what_was_not_answered_is_asked_again(carried, opcode, code):
    """The next server knows which changes were made (test_killed.py)."""
    process, request = end_during(carried, opcode, code)
    host = begin_again(carried)
    assert host.request() == request  # before all others
    host.answer_request(request)
    host.serve(until=process.stdout)
    assert process.wait() == 0
    process.stdout.close()


def test_a_request_that_ends_its_servers_fails(carried):
    process, request = end_during(carried, GETXATTR, "try: os.getxattr(path + '/f', 'user.here')\n"
                                  "except OSError as error: sys.exit(error.errno)")
    for _ in range(2):
        host = begin_again(carried)
        assert host.serve(held=GETXATTR) == request
        host.port.close()
    host = begin_again(carried)
    assert host.serve(held=GETXATTR, until=process.stdout) is None
    assert process.wait() == 5
    process.stdout.close()


def test_a_lock_is_waited_for_through_all_servers_and_its_interrupt_too(carried):
    process, request = end_during(carried, SETLKW, f"""
import signal
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
{LOOKS[SETLKW]}""")
    for _ in range(5):
        host = begin_again(carried)
        assert host.serve(held=SETLKW) == request
        host.port.close()
    host = begin_again(carried)
    assert host.serve(held=SETLKW) == request
    process.send_signal(signal.SIGUSR1)
    interrupt = host.serve(held=INTERRUPT)
    assert struct.unpack("<Q", interrupt[4]) == (request[1],)
    host.port.close()
    host = begin_again(carried)
    assert host.request() == request
    opcode, unique, _, _, body = host.request()
    assert (opcode, unique, body) == (INTERRUPT, interrupt[1], interrupt[4])
    host.answer(request[1], error=4)
    host.serve(until=process.stdout)
    assert process.wait() == 7
    process.stdout.close()


def test_releases_are_asked_first(carried):
    """Another file may get the number of what is released."""
    host = Tree(carried).begin()
    process = use_piped(carried.directory, "import signal\nfd = os.open(path + '/f', flags)\nprint(flush=True)\n"
                        "signal.pause()")
    host.serve(until=process.stdout)
    other = use_piped(carried.directory, "os.getxattr(path + '/f', 'user.here')")
    first = host.serve(held=GETXATTR)
    process.kill()
    release = host.serve(held=RELEASE)
    host.port.close()
    host = begin_again(carried)
    for request in (release, first):
        assert host.request() == request
        host.answer_request(request)
    host.serve(until=other.stdout)
    assert other.wait() == 0
    process.wait()
    process.stdout.close()
    other.stdout.close()
