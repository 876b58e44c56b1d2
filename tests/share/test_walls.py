"""A hostile guest's kernel: it sends what it likes, in whatever order."""
import os
import random
import struct

import pytest

from conftest import DETACH, LIBC, Server

LOOKUP, FORGET, GETATTR, SETATTR, READLINK, SYMLINK, MKNOD, MKDIR, UNLINK, RMDIR, RENAME, LINK = 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13
OPEN, READ, WRITE, STATFS, RELEASE, INIT, OPENDIR, READDIR, CREATE, BATCH_FORGET = 14, 15, 16, 17, 18, 26, 27, 28, 35, 42
ENOENT, EACCES, EINVAL, EROFS, ENOSYS, EBADF, ESTALE, EPERM, EEXIST, ELOOP, EIO = 2, 13, 22, 30, 38, 9, 116, 1, 17, 40, 5
HEADER = struct.Struct("<IIQQIIIHH")


class Kernel:
    def __init__(self, server):
        self.port = server.port
        self.unique = 0
        self.call(INIT, 0, struct.pack("<IIII", 7, 38, 131072, 0xffffffff) + bytes(48))
        acknowledge(self, replay_command(self), 0)  # that nothing of a former server is left

    def send(self, opcode, node, body, length=None):
        self.unique += 2
        size = HEADER.size + len(body)
        self.port.sendall(HEADER.pack(length or size, opcode, self.unique, node, 0, 0, 1, 0, 0) + body)
        return self.unique

    def receive(self, size):
        data = b""
        while len(data) < size:
            part = self.port.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def answer(self):
        length, error, unique = struct.unpack("<IiQ", self.receive(16))
        return unique, -error, self.receive(length - 16)

    def call(self, opcode, node, body=b""):
        """The error and the rest of the answer to a request."""
        asked = self.send(opcode, node, body)
        while True:
            unique, error, rest = self.answer()
            if unique == asked:
                return error, rest

    def look_up(self, node, name):
        error, rest = self.call(LOOKUP, node, name.encode() + b"\0")
        return error, struct.unpack_from("<Q", rest)[0] if error == 0 else 0


@pytest.fixture
def secret(tmp_path):
    (tmp_path / "secret").write_text("not shared")
    return tmp_path / "secret"


@pytest.fixture
def kernel(source, secret):
    server = Server([("rw", source, "/s")], largest=1 << 24)  # whatever it is asked to allocate
    made = Kernel(server)
    made.server = server
    yield made
    server.end()


@pytest.fixture
def top(kernel):
    """The number of the share's root."""
    error, node = kernel.look_up(1, "s")
    assert error == 0 and node
    return node


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "../secret", "/etc"])
def test_no_name_leads_out(kernel, top, name):
    assert kernel.look_up(top, name)[0] == EINVAL
    body = struct.pack("<IIII", os.O_CREAT | os.O_RDWR, 0o644, 0, 0) + name.encode() + b"\0"
    assert kernel.call(CREATE, top, body)[0] == EINVAL
    assert kernel.call(UNLINK, top, name.encode() + b"\0")[0] == EINVAL
    assert kernel.call(MKDIR, top, struct.pack("<II", 0o755, 0) + name.encode() + b"\0")[0] == EINVAL
    rename = struct.pack("<Q", top) + b"f\0" + name.encode() + b"\0"
    assert kernel.call(RENAME, top, rename)[0] == EINVAL


def test_a_directory_that_became_a_link_leads_nowhere(kernel, top, source, secret):
    (source / "d").mkdir()
    (source / "d/secret").write_text("shared")
    _, directory = kernel.look_up(top, "d")
    _, file = kernel.look_up(directory, "secret")
    os.rename(source / "d", source / "e")
    os.symlink(secret.parent, source / "d")
    # the directory may have been followed to its new place
    error, rest = kernel.call(LOOKUP, directory, b"secret\0")
    assert error in (ESTALE, ELOOP) or (error == 0 and struct.unpack_from("<Q", rest, 48)[0] == len("shared"))
    error, rest = kernel.call(OPEN, file, struct.pack("<II", os.O_RDONLY, 0))
    if error == 0:
        handle = struct.unpack_from("<Q", rest)[0]
        assert kernel.call(READ, file, struct.pack("<QQIIQII", handle, 0, 100, 0, 0, 0, 0)) == (0, b"shared")
    else:
        assert error in (ESTALE, ELOOP)
    body = struct.pack("<IIII", os.O_CREAT | os.O_RDWR, 0o644, 0, 0) + b"new\0"
    assert kernel.call(CREATE, directory, body)[0] in (0, ESTALE, ELOOP)
    assert not (secret.parent / "new").exists()


def test_a_file_that_became_a_link_is_not_followed(kernel, top, source, secret):
    (source / "f").write_text("shared")
    _, file = kernel.look_up(top, "f")
    (source / "f").unlink()
    os.symlink(secret, source / "f")
    assert kernel.call(OPEN, file, struct.pack("<II", os.O_RDWR | os.O_TRUNC, 0))[0] == ESTALE
    body = struct.pack("<IIII", os.O_CREAT | os.O_RDWR | os.O_TRUNC, 0o644, 0, 0) + b"f\0"
    assert kernel.call(CREATE, top, body)[0] == ELOOP
    chmod = bytearray(88)
    struct.pack_into("<I", chmod, 0, 1)
    struct.pack_into("<I", chmod, 68, 0o777)
    assert kernel.call(SETATTR, file, bytes(chmod))[0] == ESTALE
    assert secret.read_text() == "not shared" and secret.stat().st_mode & 0o777 == 0o644


def test_a_link_is_the_guests_to_follow(kernel, top, source, secret):
    os.symlink(secret, source / "s")
    _, node = kernel.look_up(top, "s")
    error, target = kernel.call(READLINK, node)
    assert error == 0 and target == bytes(secret)
    assert kernel.call(OPEN, node, struct.pack("<II", os.O_RDONLY, 0))[0] == ESTALE


@pytest.mark.parametrize("node", [0, 2, 999, 1 << 32, (1 << 64) - 1])
def test_numbers_of_nobody(kernel, node):
    for opcode, body in [(LOOKUP, b"f\0"), (GETATTR, bytes(16)), (OPEN, bytes(8)), (OPENDIR, bytes(8)),
                         (READLINK, b""), (STATFS, b""), (MKDIR, bytes(8) + b"d\0"), (UNLINK, b"f\0")]:
        assert kernel.call(opcode, node, body)[0] != 0 or node == 2
    kernel.send(FORGET, node, struct.pack("<Q", (1 << 64) - 1))
    assert kernel.look_up(1, "s")[0] == 0


def test_handles_of_nobody(kernel, top, source):
    (source / "f").write_text("x")
    _, file = kernel.look_up(top, "f")
    for handle in [0, 1, 77, (1 << 64) - 1]:
        assert kernel.call(READ, file, struct.pack("<QQIIQII", handle, 0, 100, 0, 0, 0, 0))[0] == EBADF
        write = struct.pack("<QQIIQII", handle, 0, 1, 0, 0, 0, 0) + b"x"
        assert kernel.call(WRITE, file, write)[0] == EBADF
        kernel.call(RELEASE, file, struct.pack("<QIIQ", handle, 0, 0, 0))
    error, rest = kernel.call(OPEN, file, struct.pack("<II", os.O_RDONLY, 0))
    handle = struct.unpack_from("<Q", rest)[0]
    for _ in range(3):
        kernel.call(RELEASE, file, struct.pack("<QIIQ", handle, 0, 0, 0))
    assert kernel.call(READ, file, struct.pack("<QQIIQII", handle, 0, 100, 0, 0, 0, 0))[0] == EBADF


def test_forgets_of_everything(kernel, top, source):
    (source / "f").touch()
    _, file = kernel.look_up(top, "f")
    for node in (1, top, file, file):
        kernel.send(FORGET, node, struct.pack("<Q", 1 << 40))
    assert kernel.look_up(1, "s") == (0, top)
    assert kernel.look_up(top, "f")[0] == 0


def test_what_is_not_served_is_said(kernel, top):
    for opcode in (39, 40, 41, 49, 50, 51, 4096, 0xffffffff):
        assert kernel.call(opcode, top, bytes(64))[0] == ENOSYS


def test_a_second_init_is_refused(kernel):
    assert kernel.call(INIT, 0, struct.pack("<IIII", 7, 8, 131072, 0) + bytes(48))[0] == EINVAL
    assert kernel.look_up(1, "s")[0] == 0


def test_devices_are_not_made(kernel, top, source):
    body = struct.pack("<IIII", 0o020666, 0x0103, 0, 0) + b"null\0"
    assert kernel.call(MKNOD, top, body)[0] == EPERM
    assert not (source / "null").exists()


def test_strings_without_an_end(kernel, top):
    assert kernel.call(LOOKUP, top, b"x" * 100)[0] == EINVAL
    assert kernel.call(RENAME, top, struct.pack("<Q", top) + b"only one\0")[0] == EINVAL
    assert kernel.call(WRITE, top, struct.pack("<QQIIQII", 1, 0, 1 << 30, 0, 0, 0, 0) + b"x")[0] == EINVAL
    kernel.send(BATCH_FORGET, 0, struct.pack("<II", 0xffffffff, 0) + bytes(16))
    assert kernel.look_up(1, "s")[0] == 0


@pytest.mark.parametrize("length", [0, 39, 1 << 30, 0xffffffff])
def test_a_length_that_cannot_be_ends_it(kernel, length):
    kernel.port.sendall(HEADER.pack(length, LOOKUP, 2, 1, 0, 0, 1, 0, 0))
    with pytest.raises((EOFError, ConnectionError)):
        while True:
            kernel.answer()
    assert kernel.server.process.wait(60) == 0


def fill(source):
    (source / "d").mkdir()
    (source / "d/f").write_text("x" * 100)
    os.symlink("/", source / "root")


def send_bytes_of_chance(kernel, top, rng):
    """Good messages with bytes turned: each that waits for an answer gets one."""
    nodes = [1, top] + [kernel.look_up(top, name)[1] for name in ("d", "root")]
    good = [(LOOKUP, b"d\0"), (GETATTR, bytes(16)), (SETATTR, bytes(88)), (MKDIR, bytes(8) + b"new\0"),
            (CREATE, struct.pack("<IIII", os.O_CREAT | os.O_RDWR, 0o644, 0, 0) + b"file\0"),
            (SYMLINK, b"link\0../../secret\0"), (RENAME, struct.pack("<Q", top) + b"d\0e\0"),
            (LINK, struct.pack("<Q", nodes[2]) + b"hard\0"), (OPEN, struct.pack("<II", os.O_RDWR, 0)),
            (READ, struct.pack("<QQIIQII", 1, 0, 4096, 0, 0, 0, 0)), (OPENDIR, bytes(8)),
            (WRITE, struct.pack("<QQIIQII", 1, 0, 3, 0, 0, 0, 0) + b"abc"), (READDIR, struct.pack("<QQIIQII", 2, 0, 4096, 0, 0, 0, 0)),
            (44, struct.pack("<QQIIQII", 2, 0, 4096, 0, 0, 0, 0)), (UNLINK, b"file\0"), (RMDIR, b"new\0"),
            (21, struct.pack("<II", 3, 0) + b"user.x\0abc"), (22, struct.pack("<II", 100, 0) + b"user.x\0"),
            (31, struct.pack("<QQQQIIII", 1, 5, 0, 100, 1, 1, 0, 0)), (32, struct.pack("<QQQQIIII", 1, 5, 0, 100, 1, 1, 0, 0)),
            (43, struct.pack("<QQQII", 1, 0, 100, 0, 0)), (46, struct.pack("<QQII", 1, 0, 3, 0)),
            (47, struct.pack("<QQQQQQQ", 1, 0, nodes[2], 1, 0, 100, 0)), (45, struct.pack("<QII", top, 2, 0) + b"d\0e\0")]
    for _ in range(300):
        opcode, body = rng.choice(good)
        body = bytearray(body)
        for _ in range(rng.choice([0, 0, 1, 2, 5])):
            if body:
                body[rng.randrange(len(body))] = rng.choice([0, 1, 0xff, ord("/"), ord("."), rng.randrange(256)])
        if rng.random() < 0.1:
            body = body[:rng.randrange(len(body) + 1)]
        kernel.call(opcode, rng.choice(nodes + [rng.randrange(12)]), bytes(body))
    assert kernel.look_up(1, "s")[0] in (0, EACCES)  # it may have closed the directory


SEEDS = range(int(os.environ.get("BERTH_TEST_SEEDS", 20)))


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_of_chance(kernel, top, source, secret, seed):
    fill(source)
    before = sorted(os.listdir(source.parent))
    send_bytes_of_chance(kernel, top, random.Random(seed))
    assert sorted(os.listdir(source.parent)) == before and secret.read_text() == "not shared"


def state(top):
    """What the guest must not change: each name below @top, with its attributes and contents."""
    found = {}
    for path in [top, *sorted(top.rglob("*"))]:
        info = path.lstat()
        data = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[path] = (info.st_mode, info.st_ino, info.st_nlink, info.st_size, info.st_mtime_ns, info.st_ctime_ns, data)
    return found


@pytest.mark.parametrize("seed", SEEDS)
def test_bytes_of_chance_at_a_share_that_keeps_changes(source, secret, tmp_path, seed):
    fill(source)
    before, layer = state(source), tmp_path / "layer"
    server = Server([(f"cow={layer}", source, "/s")], largest=1 << 24)
    try:
        kernel = Kernel(server)
        top = kernel.look_up(1, "s")[1]
        names = sorted(os.listdir(tmp_path))
        send_bytes_of_chance(kernel, top, random.Random(seed))
        assert state(source) == before
        assert sorted(os.listdir(tmp_path)) == names and secret.read_text() == "not shared"
        assert sorted(os.listdir(layer)) == ["hold", "records", "upper", "work"]
    finally:
        server.end()


# ---- replays ----

REPLAY = 0xffffffff


def ask_as_replay(kernel, opcode, node, body):
    kernel.unique += 2
    size = HEADER.size + len(body)
    kernel.port.sendall(HEADER.pack(size, opcode, kernel.unique, node, 0, 0, REPLAY, 0, 0) + body)
    asked = kernel.unique
    while True:
        unique, error, rest = kernel.answer()
        if unique == asked:
            return error, rest


def ask_for_changes(kernel, top, file):
    """The errors, with a file "f" and a directory "d" in @top."""
    size = bytearray(88)
    struct.pack_into("<I", size, 0, 8)
    made = struct.pack("<IIII", os.O_CREAT | os.O_RDWR, 0o644, 0, 0)
    return [ask_as_replay(kernel, *request)[0] for request in [
        (UNLINK, top, b"f\0"), (RMDIR, top, b"d\0"), (RENAME, top, struct.pack("<Q", top) + b"f\0g\0"),
        (MKDIR, top, struct.pack("<II", 0o755, 0) + b"new\0"),
        (MKNOD, top, struct.pack("<IIII", 0o100644, 0, 0, 0) + b"new\0"), (CREATE, top, made + b"new\0"),
        (SETATTR, file, bytes(size)), (OPEN, file, struct.pack("<II", os.O_RDWR | os.O_TRUNC, 0))]]


def test_what_says_it_is_a_replay_reaches_no_file(kernel, top, source):
    """A request with a replay's pid, whatever it asks for, changes nothing and opens nothing."""
    (source / "f").write_text("kept")
    (source / "d").mkdir()
    _, file = kernel.look_up(top, "f")
    ask_for_changes(kernel, top, file)
    error, rest = ask_as_replay(kernel, OPEN, file, struct.pack("<II", os.O_RDWR | os.O_TRUNC, 0))
    handle = struct.unpack_from("<Q", rest)[0] if error == 0 else 0
    assert kernel.call(READ, file, struct.pack("<QQIIQII", handle, 0, 100, 0, 0, 0, 0))[0] == EBADF
    assert sorted(os.listdir(source)) == ["d", "f"] and (source / "f").read_text() == "kept"


def test_a_replay_that_an_earlier_server_asked_for_fails(kernel, source):
    """The guest's kernel then raises no event for it."""
    (source / "f").write_text("kept")
    (source / "d").mkdir()
    _, top = kernel.look_up(1, "s")
    _, file = kernel.look_up(top, "f")
    assert ask_for_changes(kernel, top, file) == [EIO] * 8


def replay_command(kernel):
    """The sequence of the next one."""
    while True:
        _, error, rest = kernel.answer()
        if error == -0x6272:
            return struct.unpack_from("<Q", rest)[0]


def acknowledge(kernel, sequence, error):
    kernel.port.sendall(HEADER.pack(HEADER.size, 0x62720001, sequence, error, 0, 0, REPLAY, 0, 0))


def test_a_replay_does_not_get_a_directory_that_has_moved_on(kernel, top, source):
    """A kernel has a directory at one place, the later one: there it would report the change."""
    (source / "one/z").mkdir(parents=True)
    (source / "two").mkdir()
    for _ in range(2):  # "one" and "two" are new
        acknowledge(kernel, replay_command(kernel), 0)
        acknowledge(kernel, replay_command(kernel), 0)  # again, since nothing was done
    _, one = kernel.look_up(top, "one")
    _, two = kernel.look_up(top, "two")
    _, directory = kernel.look_up(one, "z")
    os.chmod(source / "one/z", 0o700)
    sequence = replay_command(kernel)
    assert struct.unpack_from("<Q", ask_as_replay(kernel, LOOKUP, one, b"z\0")[1])[0] == directory
    os.rename(source / "one/z", source / "two/y")
    assert kernel.look_up(two, "y") == (0, directory)
    assert ask_as_replay(kernel, LOOKUP, one, b"z\0")[0] == ENOENT
    assert ask_as_replay(kernel, SETATTR, directory, bytes(88))[0] == EIO
    acknowledge(kernel, sequence, EIO)
    assert replay_command(kernel) == sequence + 1
    error, rest = ask_as_replay(kernel, LOOKUP, one, b"z\0")
    phantom = struct.unpack_from("<Q", rest)[0]
    assert error == 0 and phantom >= 1 << 63  # as no node, of this or a former server
    assert ask_as_replay(kernel, SETATTR, phantom, bytes(88))[0] == 0


def test_acknowledgements_that_nobody_asked_for(kernel, top, source):
    for number in range(50):
        (source / f"f{number}").touch()
        kernel.port.sendall(HEADER.pack(HEADER.size, 0x62720001, number, number, 0, 0, REPLAY, 0, 0))
    assert kernel.look_up(top, "f7")[0] == 0


# ---- which closes the host must hear of ----

SETLK, FLUSH_CODE, F_WRLCK = 32, -0x6273, 1


def messages(kernel, opcode, node, body):
    """(unique, error, rest) of all up to the answer to a request; notifications have 0."""
    asked = kernel.send(opcode, node, body)
    found = []
    while not found or found[-1][0] != asked:
        found.append(kernel.answer())
    return found


def wanted_flushes(found):
    return [struct.unpack("<Q", rest)[0] for unique, error, rest in found if unique == 0 and error == FLUSH_CODE]


@pytest.fixture
def other_kind(tmp_path):
    """A directory on a file system that may report errors of a write at the close, for all berth-share knows."""
    path = tmp_path / "ramfs"
    path.mkdir()
    assert LIBC.mount(b"none", bytes(path), b"ramfs", 0, None) == 0
    yield path
    LIBC.umount2(bytes(path), DETACH)


@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY])
def test_a_close_after_writes_that_may_still_fail_is_heard_of(other_kind, flags):
    (other_kind / "f").write_text("x")
    server = Server([("rw", other_kind, "/s")])
    kernel = Kernel(server)
    node = kernel.look_up(kernel.look_up(1, "s")[1], "f")[1]
    found = messages(kernel, OPEN, node, struct.pack("<II", flags, 0))
    assert wanted_flushes(found) == ([node] if flags == os.O_WRONLY else [])
    server.end()


def test_a_close_after_a_lock_is_heard_of(kernel, top, source):
    (source / "f").write_text("x")
    node = kernel.look_up(top, "f")[1]
    found = messages(kernel, OPEN, node, struct.pack("<II", os.O_RDWR, 0))
    assert wanted_flushes(found) == []
    handle = struct.unpack_from("<Q", found[-1][2])[0]
    lock = struct.pack("<QQQQIIII", handle, 5, 0, 10, F_WRLCK, 1, 0, 0)
    found = messages(kernel, SETLK, node, lock)
    assert wanted_flushes(found) == [node] and found[-1][1] == 0
