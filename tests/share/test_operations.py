"""What a program may do with files, done on a share and on a plain directory: the same answers, the same tree."""
import ctypes
import errno
import fcntl
import mmap
import os
import shutil
import stat

import pytest

LONG = "n" * 255
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
AT_FDCWD = -100
LIBC = ctypes.CDLL(None, use_errno=True)
scenarios = []


def scenario(function):
    scenarios.append(function)
    return function


def rename(old, new, flags):
    if LIBC.renameat2(AT_FDCWD, bytes(old), AT_FDCWD, bytes(new), flags) < 0:
        raise OSError(ctypes.get_errno(), "renameat2")


@scenario
def write_and_read(at):
    (at / "f").write_bytes(b"one\n" * 100000)
    return (at / "f").read_bytes()


@scenario
def names(at):
    for name in ["a", LONG, "blank in it", "ünïcödé", "\udcff\udcfe", "new\nline", "-", "..."]:
        (at / name).write_text(name, errors="surrogateescape")
    return sorted(os.listdir(at))


@scenario
def name_too_long(at):
    (at / (LONG + "n")).write_text("")


@scenario
def case_matters(at):
    (at / "a").write_text("small")
    (at / "A").write_text("large")
    return sorted(os.listdir(at)), (at / "a").read_text()


@scenario
def deep_directories(at):
    before = os.getcwd()
    try:
        os.chdir(at)
        for depth in range(40):
            os.mkdir(LONG)
            os.chdir(LONG)
        with open("end", "w") as file:
            file.write("deeper than PATH_MAX")
        return os.stat("end").st_size
    finally:
        os.chdir(before)


@scenario
def missing(at):
    return open(at / "none")


@scenario
def exclusive(at):
    os.close(os.open(at / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    os.open(at / "f", os.O_CREAT | os.O_EXCL | os.O_WRONLY)


@scenario
def create_without_rights(at):
    fd = os.open(at / "f", os.O_CREAT | os.O_RDWR, 0o000)  # the one who makes it may still write
    os.write(fd, b"x")
    os.close(fd)
    return stat.S_IMODE(os.stat(at / "f").st_mode), os.stat(at / "f").st_size


@scenario
def truncate_on_open(at):
    (at / "f").write_text("long text")
    (at / "f").write_text("x")
    return (at / "f").read_text()


@scenario
def append(at):
    with open(at / "f", "a") as one, open(at / "f", "a") as two:
        for number in range(50):
            print("one", number, file=one, flush=True)
            print("two", number, file=two, flush=True)
    return (at / "f").read_text()


@scenario
def truncate_and_extend(at):
    (at / "f").write_bytes(b"x" * 10000)
    os.truncate(at / "f", 100)
    os.truncate(at / "f", 5000)
    return (at / "f").read_bytes()


@scenario
def truncate_open_file(at):
    with open(at / "f", "wb+") as file:
        file.write(b"x" * 5000)
        file.flush()
        os.ftruncate(file.fileno(), 10)
        return os.fstat(file.fileno()).st_size


@scenario
def holes(at):
    with open(at / "f", "wb") as file:
        file.seek(1 << 20)
        file.write(b"data")
        file.truncate(3 << 20)
    fd = os.open(at / "f", os.O_RDONLY)
    return [os.lseek(fd, 0, os.SEEK_DATA), os.lseek(fd, 1 << 20, os.SEEK_HOLE), os.fstat(fd).st_blocks]


@scenario
def beyond_four_gigabytes(at):
    fd = os.open(at / "f", os.O_CREAT | os.O_RDWR)
    os.pwrite(fd, b"far", (5 << 30) + 1)
    return os.fstat(fd).st_size, os.pread(fd, 10, (5 << 30) - 1)


@scenario
def allocate(at):
    fd = os.open(at / "f", os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(fd, 0, 1 << 16)
    return os.fstat(fd).st_size


@scenario
def copy_range(at):
    (at / "from").write_bytes(bytes(range(256)) * 1000)
    one, two = os.open(at / "from", os.O_RDONLY), os.open(at / "to", os.O_CREAT | os.O_RDWR)
    copied = os.copy_file_range(one, two, 100000, 10, 5)
    return copied, (at / "to").read_bytes()


@scenario
def mapped(at):
    (at / "f").write_bytes(b"-" * 10000)
    with open(at / "f", "r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        memory[5000:5003] = b"new"
        memory.flush()
        return (at / "f").read_bytes()


@scenario
def unlink_while_open(at):
    with open(at / "f", "w+") as file:
        file.write("still there")
        file.flush()
        os.unlink(at / "f")
        file.write("!")
        file.flush()
        file.seek(0)
        return os.listdir(at), file.read(), os.fstat(file.fileno()).st_nlink, os.fstat(file.fileno()).st_size


@scenario
def change_unlinked_file(at):
    fd = os.open(at / "f", os.O_CREAT | os.O_RDWR)
    os.unlink(at / "f")
    os.ftruncate(fd, 77)
    os.fchmod(fd, 0o640)
    info = os.fstat(fd)
    return info.st_size, stat.S_IMODE(info.st_mode)


@scenario
def rename_over(at):
    (at / "a").write_text("a")
    (at / "b").write_text("b")
    os.rename(at / "a", at / "b")
    return os.listdir(at), (at / "b").read_text()


@scenario
def rename_between_directories(at):
    (at / "d/e").mkdir(parents=True)
    (at / "d/e/f").write_text("x")
    os.rename(at / "d/e", at / "g")
    return (at / "g/f").read_text(), os.listdir(at / "d")


@scenario
def rename_into_itself(at):
    (at / "d").mkdir()
    os.rename(at / "d", at / "d/e")


@scenario
def rename_over_full_directory(at):
    (at / "d").mkdir()
    (at / "e/f").mkdir(parents=True)
    os.rename(at / "d", at / "e")


@scenario
def rename_without_replacing(at):
    (at / "a").write_text("a")
    (at / "b").write_text("b")
    rename(at / "a", at / "b", RENAME_NOREPLACE)


@scenario
def exchange(at):
    (at / "a").write_text("a")
    (at / "d").mkdir()
    (at / "d/b").write_text("b")
    rename(at / "a", at / "d", RENAME_EXCHANGE)
    return (at / "d").read_text(), (at / "a/b").read_text()


@scenario
def open_file_is_renamed(at):
    with open(at / "a", "w+") as file:
        os.rename(at / "a", at / "b")
        file.write("x")
        file.flush()
        return (at / "b").read_text(), os.fstat(file.fileno()).st_size


@scenario
def hard_links(at):
    (at / "a").write_text("one")
    os.link(at / "a", at / "b")
    (at / "b").write_text("other")
    same = os.stat(at / "a").st_ino == os.stat(at / "b").st_ino
    os.unlink(at / "a")
    return same, (at / "b").read_text(), os.stat(at / "b").st_nlink


@scenario
def symbolic_links(at):
    os.symlink("target/of/it", at / "s")
    os.symlink("x" * 4000, at / "long")
    return os.readlink(at / "s"), len(os.readlink(at / "long")), stat.S_ISLNK(os.lstat(at / "s").st_mode)


@scenario
def follow_a_link(at):
    (at / "f").write_text("x")
    os.symlink("f", at / "s")
    (at / "s").write_text("y")
    return (at / "f").read_text()


@scenario
def link_loop(at):
    os.symlink("s", at / "s")
    return open(at / "s")


@scenario
def directories(at):
    (at / "d").mkdir(mode=0o750)
    links = os.stat(at / "d").st_nlink
    os.rmdir(at / "d")
    return links, os.listdir(at)


@scenario
def remove_full_directory(at):
    (at / "d/e").mkdir(parents=True)
    os.rmdir(at / "d")


@scenario
def remove_directory_as_file(at):
    (at / "d").mkdir()
    os.unlink(at / "d")


@scenario
def file_as_directory(at):
    (at / "f").write_text("")
    return os.listdir(at / "f")


@scenario
def many_entries(at):
    for number in range(3000):
        (at / f"entry-{number:05}").touch()
    return sorted(os.listdir(at)), len(list(os.scandir(at)))


@scenario
def remove_while_listing(at):
    for number in range(1000):
        (at / f"{number}").touch()
    with os.scandir(at) as entries:
        for entry in entries:
            os.unlink(entry.path)
    return os.listdir(at)


@scenario
def remove_tree(at):
    for one in range(10):
        for two in range(10):
            (at / f"d/{one}/{two}").mkdir(parents=True)
            (at / f"d/{one}/{two}/f").touch()
    shutil.rmtree(at / "d")
    return os.listdir(at)


@scenario
def modes(at):
    (at / "f").touch()
    seen = []
    for mode in [0o600, 0o755, 0o444, 0o000, 0o4755, 0o2755, 0o1777]:
        os.chmod(at / "f", mode)
        seen.append(stat.S_IMODE(os.stat(at / "f").st_mode))
    return seen


@scenario
def mask(at):
    old = os.umask(0o027)
    try:
        (at / "f").touch()
        (at / "d").mkdir()
    finally:
        os.umask(old)
    return stat.S_IMODE(os.stat(at / "f").st_mode), stat.S_IMODE(os.stat(at / "d").st_mode)


@scenario
def times(at):
    (at / "f").touch()
    os.utime(at / "f", ns=(1, 1234567890123456789))
    info = os.stat(at / "f")
    return info.st_atime_ns, info.st_mtime_ns


@scenario
def writing_clears_setuid(at):
    (at / "f").write_text("x")
    os.chmod(at / "f", 0o4755)
    before = os.stat(at / "f").st_mode
    return stat.S_IMODE(before)


@scenario
def attributes(at):
    (at / "f").touch()
    os.setxattr(at / "f", "user.one", b"1\0binary")
    os.setxattr(at / "f", "user.empty", b"")
    listed = sorted(os.listxattr(at / "f"))
    value = os.getxattr(at / "f", "user.one")
    os.removexattr(at / "f", "user.one")
    return listed, value, os.listxattr(at / "f")


@scenario
def attribute_missing(at):
    (at / "f").touch()
    return os.getxattr(at / "f", "user.none")


@scenario
def attribute_must_be_new(at):
    (at / "f").touch()
    os.setxattr(at / "f", "user.one", b"1")
    os.setxattr(at / "f", "user.one", b"2", os.XATTR_CREATE)


@scenario
def pipes_and_sockets(at):
    os.mkfifo(at / "p", 0o600)
    return stat.S_ISFIFO(os.stat(at / "p").st_mode)


@scenario
def locks(at):
    one, two = open(at / "f", "w"), open(at / "f", "r+")
    fcntl.flock(one, fcntl.LOCK_EX)
    try:
        fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
        first = 0
    except OSError as error:
        first = error.errno
    fcntl.flock(one, fcntl.LOCK_UN)
    fcntl.flock(two, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return first


@scenario
def unnamed_file(at):
    fd = os.open(at, os.O_TMPFILE | os.O_RDWR, 0o600)
    return os.write(fd, b"x")


@scenario
def sync(at):
    with open(at / "f", "w") as file:
        file.write("x")
        file.flush()
        os.fsync(file.fileno())
        os.fdatasync(file.fileno())
    fd = os.open(at, os.O_RDONLY)
    os.fsync(fd)


@scenario
def space(at):
    info = os.statvfs(at)
    return info.f_namemax, info.f_blocks * info.f_frsize


def outcome(function, at):
    try:
        return function(at)
    except OSError as error:
        return errno.errorcode[error.errno]


# What a share cannot do, and says so.
DIFFERENT = {"unnamed_file": "ENOTSUP"}


@pytest.mark.parametrize("function", scenarios, ids=lambda function: function.__name__)
def test_as_on_a_plain_directory(share, source, tmp_path, function):
    plain = tmp_path / "plain"
    plain.mkdir()
    expected = DIFFERENT.get(function.__name__) or outcome(function, plain)
    assert outcome(function, share) == expected
    if function.__name__ not in DIFFERENT:
        assert tree(share) == tree(plain)
    assert tree(source) == tree(share)


def tree(top):
    """Path, type, mode, links, size and content of all below @top, by descriptors: paths may be too long."""
    found = {}

    def walk(directory, path):
        for name in os.listdir(directory):
            info = os.stat(name, dir_fd=directory, follow_symlinks=False)
            content = None
            if stat.S_ISREG(info.st_mode) and info.st_size < 1 << 24 and info.st_mode & 0o400:
                fd = os.open(name, os.O_RDONLY, dir_fd=directory)
                content = os.read(fd, 1 << 24)
                os.close(fd)
            if stat.S_ISLNK(info.st_mode):
                content = os.readlink(name, dir_fd=directory)
            links = info.st_nlink if not stat.S_ISDIR(info.st_mode) else 0
            size = info.st_size if not stat.S_ISDIR(info.st_mode) else 0
            found[path + (name,)] = (info.st_mode, links, size, content)
            if stat.S_ISDIR(info.st_mode):
                fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=directory)
                walk(fd, path + (name,))
                os.close(fd)

    fd = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    walk(fd, ())
    os.close(fd)
    return found
