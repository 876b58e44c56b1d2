"""A share with a write quota: what the guest adds is counted, net of what it frees, and ends at the limit."""
import ctypes
import errno
import mmap
import os
import random
import shutil
import threading

import pytest

from conftest import LIBC, Mounted, wait_until

MIB = 1 << 20
BLOCK = 4096
LIMIT = 8 * MIB
REQUEST = MIB  # no request of this kernel writes more
KEEP_SIZE, PUNCH_HOLE = 1, 2


class Limited:
    """@source with a quota. @cow: its changes are kept beside it."""

    def __init__(self, tmp_path, source, cow, limit=LIMIT):
        self.source, self.limit = source, limit
        self.kept, self.count = tmp_path / "layer", tmp_path / "quotas/count"
        where = f"cow={self.kept}" if cow else f"count={self.count}"
        self.roots = [(f"limit={limit}:{where}", source, "/work")]
        self.written = self.kept / "upper" if cow else source
        self.mounted = Mounted(tmp_path / "mnt", self.roots, uid=os.getuid(), gid=os.getgid())
        self.seen = self.mounted.directory / "work"
        wait_until(self.seen.is_dir, "the share")

    def left(self):
        info = os.statvfs(self.seen)
        assert info.f_blocks * info.f_frsize == self.limit // info.f_frsize * info.f_frsize
        assert info.f_bfree == info.f_bavail
        return info.f_bavail * info.f_frsize

    def used(self):
        return self.limit - self.left()

    def on_host(self):
        """The blocks of what the guest wrote, as the host has them."""
        found = {}
        for directory, directories, files in os.walk(self.written):
            for name in directories + files:
                info = os.lstat(os.path.join(directory, name))
                found[info.st_ino] = info.st_blocks * 512
        return sum(found.values())

    def differs(self):
        return abs(self.used() - self.on_host())

    def check(self):
        """The kernel releases a file after close has returned, and maps of extents are allocated later."""
        wait_until(lambda: self.differs() <= 16 * BLOCK, "the count of what is there")

    def restart(self):
        """Kill the server. The next one is started before: see replace()."""
        self.mounted.replace(*self.roots)
        wait_until(lambda: alive(self.seen), "the new server")


def alive(path):
    try:
        os.listdir(path)
        return True
    except OSError:
        return False


@pytest.fixture(params=["plain", "cow"])
def limited(request, tmp_path, source):
    made = []
    def start(**options):
        made.append(Limited(tmp_path, source, request.param == "cow", **options))
        return made[0]
    yield start
    for one in made:
        one.mounted.end()


def refused(call, *arguments):
    with pytest.raises(OSError) as caught:
        call(*arguments)
    assert caught.value.errno == errno.ENOSPC


def fill(path, size=2 * LIMIT, piece=300_000):
    """Write until there is no room; what was written."""
    written = 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        while written < size:
            written += os.write(fd, b"x" * piece)
    except OSError as error:
        assert error.errno == errno.ENOSPC
    finally:
        os.close(fd)
    return written


def fallocate(fd, mode, offset, length):
    if LIBC.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)) < 0:
        raise OSError(ctypes.get_errno(), "fallocate")


def test_a_write_ends_at_the_limit(limited):
    one = limited()
    assert one.left() == LIMIT
    written = fill(one.seen / "a")
    assert LIMIT - 3 * BLOCK <= written <= LIMIT  # a part of a request is written, as a full disk does
    assert (one.seen / "a").read_bytes() == b"x" * written
    one.check()
    refused(fill_once, one.seen / "b")
    os.unlink(one.seen / "a")
    assert one.used() <= 2 * BLOCK
    assert fill(one.seen / "b") >= LIMIT - 4 * BLOCK


def fill_once(path):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(fd, b"y" * BLOCK)
    finally:
        os.close(fd)


def test_what_exists_may_be_written_again(limited):
    one = limited()
    written = fill(one.seen / "a")
    with open(one.seen / "a", "r+b") as file:
        for at in range(0, written - REQUEST, REQUEST):
            file.seek(at)
            file.write(b"z" * REQUEST)
    assert one.used() <= LIMIT
    with open(one.seen / "a", "ab", buffering=0) as file:
        refused(write_all, file, b"x" * 2 * BLOCK)
    one.check()


def write_all(file, data):
    while data:
        data = data[file.write(data):]


def test_append(limited):
    one = limited()
    with open(one.seen / "log", "ab", buffering=0) as file:
        for _ in range(50):
            file.write(b"line\n" * 1000)
    assert os.path.getsize(one.seen / "log") == 50 * 5000
    one.check()


def test_a_hole_is_free_and_its_blocks_are_not(limited):
    one = limited()
    fd = os.open(one.seen / "sparse", os.O_RDWR | os.O_CREAT, 0o644)
    os.ftruncate(fd, 100 * LIMIT)
    assert one.used() <= BLOCK
    os.pwrite(fd, b"x" * MIB, 50 * LIMIT)
    assert MIB <= one.used() <= MIB + 3 * BLOCK
    fallocate(fd, PUNCH_HOLE | KEEP_SIZE, 50 * LIMIT, MIB)
    assert one.used() <= 3 * BLOCK
    fallocate(fd, KEEP_SIZE, 0, 4 * MIB)
    assert 4 * MIB <= one.used() <= 4 * MIB + 4 * BLOCK
    refused(fallocate, fd, 0, 10 * MIB, 5 * MIB)
    refused(fallocate, fd, 0, 0, 100 * LIMIT)
    os.ftruncate(fd, MIB)
    os.ftruncate(fd, 2 * MIB)
    one.check()
    os.close(fd)


def test_reserved_blocks_can_be_written(limited):
    """Also when there are no others: that is what they were reserved for."""
    one = limited()
    fd = os.open(one.seen / "database", os.O_RDWR | os.O_CREAT, 0o644)
    fallocate(fd, 0, 0, 4 * MIB)
    fill(one.seen / "rest")
    for at in range(0, 4 * MIB, MIB // 2):
        assert os.pwrite(fd, b"x" * (MIB // 2), at) == MIB // 2
    refused(os.pwrite, fd, b"x" * BLOCK, 5 * MIB)
    os.close(fd)
    one.check()


def test_copy_file_range(limited):
    one = limited()
    (one.seen / "a").write_bytes(b"a" * 5 * MIB)
    source, target = os.open(one.seen / "a", os.O_RDONLY), os.open(one.seen / "b", os.O_WRONLY | os.O_CREAT, 0o644)
    copied = 0
    with pytest.raises(OSError) as caught:
        while True:
            step = os.copy_file_range(source, target, 4 * MIB, copied, copied)
            assert step > 0
            copied += step
    assert caught.value.errno == errno.ENOSPC
    assert 3 * MIB - 4 * BLOCK <= copied <= 3 * MIB
    os.close(source)
    os.close(target)
    one.check()


def test_a_mapping_reports_it(limited):
    one = limited()
    fd = os.open(one.seen / "a", os.O_RDWR | os.O_CREAT, 0o644)
    os.ftruncate(fd, 2 * LIMIT)
    with mmap.mmap(fd, 2 * LIMIT) as mapping:
        mapping[0:MIB] = b"m" * MIB
        mapping.flush()
        assert MIB <= one.used() <= MIB + 4 * BLOCK
        mapping[0:2 * LIMIT] = b"m" * (2 * LIMIT)
        refused(mapping.flush)
    os.close(fd)
    one.check()
    assert one.used() <= LIMIT + REQUEST


def test_names_are_counted_as_the_host_does(limited):
    one = limited()
    for i in range(100):
        (one.seen / f"d{i}").mkdir()
        (one.seen / f"s{i}").symlink_to("x" * 2000)
        (one.seen / f"l{i}").symlink_to("x")
    one.check()
    assert one.used() >= one.on_host() - BLOCK > 0
    for i in range(100):
        os.rmdir(one.seen / f"d{i}")
        os.unlink(one.seen / f"s{i}")
        os.unlink(one.seen / f"l{i}")
    one.check()


def test_full_means_no_new_name(limited):
    one = limited()
    fill(one.seen / "a")
    (one.source / "theirs").write_text("host")
    for call in (lambda: (one.seen / "d").mkdir(), lambda: (one.seen / "s").symlink_to("x"),
                 lambda: os.close(os.open(one.seen / "f", os.O_CREAT | os.O_WRONLY)),
                 lambda: os.mkfifo(one.seen / "p"), lambda: os.setxattr(one.seen / "a", "user.x", b"x" * 3000)):
        refused(call)
    assert sorted(os.listdir(one.seen)) == ["a", "theirs"]
    os.rename(one.seen / "a", one.seen / "b")
    os.close(os.open(one.seen / "b", os.O_CREAT | os.O_WRONLY | os.O_TRUNC))
    assert one.used() <= 3 * BLOCK
    (one.seen / "d").mkdir()
    one.check()


def test_an_unlinked_file_counts_until_its_last_close(limited):
    one = limited()
    (one.seen / "a").write_bytes(b"x" * 4 * MIB)
    os.link(one.seen / "a", one.seen / "b")
    first, second = (os.open(one.seen / "a", os.O_RDWR) for _ in range(2))
    os.unlink(one.seen / "a")
    assert one.used() >= 4 * MIB
    os.unlink(one.seen / "b")
    assert one.used() >= 4 * MIB
    os.pwrite(first, b"y" * MIB, 4 * MIB)
    assert one.used() >= 5 * MIB
    refused(lambda: [os.pwrite(first, b"y" * MIB, at * MIB) == MIB or refuse() for at in range(5, 10)])
    os.close(first)
    assert one.used() >= 5 * MIB
    os.close(second)
    wait_until(lambda: one.used() <= 4 * BLOCK, "the release")  # which the kernel sends after close has returned
    one.check()


def refuse():
    raise OSError(errno.ENOSPC, "a part")


def test_a_file_that_lost_a_name_is_counted_by_the_other(limited):
    """Also if it was the one that it was seen by last."""
    one = limited()
    first = os.open(one.seen / "a", os.O_RDWR | os.O_CREAT, 0o644)
    os.link(one.seen / "a", one.seen / "b")
    os.stat(one.seen / "b")
    os.stat(one.seen / "a")
    for name in "a", "b":
        other = one.seen / ("b" if name == "a" else "a")
        os.unlink(one.seen / name)
        second = os.open(other, os.O_RDWR)
        os.close(first)
        os.pwrite(second, b"x" * 3 * MIB, 0)
        assert one.used() >= 3 * MIB
        os.ftruncate(second, 0)
        assert one.used() <= 4 * BLOCK
        os.link(other, one.seen / name)
        first = second
    os.close(first)
    one.check()


def test_rename_frees_what_it_replaces(limited):
    one = limited()
    (one.seen / "a").write_bytes(b"x" * 5 * MIB)
    (one.seen / "new").write_bytes(b"y" * 2 * MIB)
    os.rename(one.seen / "new", one.seen / "a")
    assert 2 * MIB <= one.used() <= 2 * MIB + 4 * BLOCK
    one.check()


def test_no_name_in_another_share(tmp_path, source):
    """Or blocks could be moved to where they are not counted."""
    other = tmp_path / "other"
    other.mkdir()
    mounted = Mounted(tmp_path / "mnt", [(f"limit={LIMIT}:count={tmp_path}/count", source, "/work"), ("rw", other, "/other")],
                      uid=os.getuid(), gid=os.getgid())
    try:
        wait_until((mounted.directory / "work").is_dir)
        (mounted.directory / "work/a").write_text("a")
        for call in os.link, os.rename:
            with pytest.raises(OSError) as caught:
                call(mounted.directory / "work/a", mounted.directory / "other/a")
            assert caught.value.errno == errno.EXDEV
        assert os.statvfs(mounted.directory / "other").f_blocks == os.statvfs(other).f_blocks
    finally:
        mounted.end()


def test_what_the_host_does_is_not_counted(limited, source):
    (source / "theirs").write_bytes(b"h" * 3 * MIB)
    one = limited()
    assert one.used() == 0
    (source / "more").write_bytes(b"h" * 3 * MIB)
    assert (one.seen / "more").stat().st_size == 3 * MIB
    assert one.used() == 0
    os.unlink(one.seen / "theirs")
    assert one.used() <= 2 * BLOCK  # and no credit for what was the host's


def test_a_copy_of_a_file_of_the_host_counts(tmp_path, source):
    (source / "big").write_bytes(b"h" * 5 * MIB)
    (source / "huge").write_bytes(b"h" * (LIMIT + MIB))
    (source / "d").mkdir()
    (source / "d/f").write_text("f")
    one = Limited(tmp_path, source, True)
    try:
        refused(open, one.seen / "huge", "r+b")
        refused(os.chmod, one.seen / "huge", 0o600)
        assert one.used() <= BLOCK
        os.chmod(one.seen / "big", 0o600)
        assert 5 * MIB <= one.used() <= 5 * MIB + 2 * BLOCK
        refused(os.rename, one.seen / "huge", one.seen / "moved")
        fill(one.seen / "rest")
        os.unlink(one.seen / "d/f")  # which needs a copy of the directory
        os.unlink(one.seen / "huge")
        one.check()
    finally:
        one.mounted.end()


def test_the_count_outlives_the_server(limited):
    one = limited()
    (one.seen / "a").write_bytes(b"x" * 3 * MIB)
    (one.seen / "deep").mkdir(mode=0o700)
    (one.seen / "deep/b").write_bytes(b"x" * MIB)
    os.chmod(one.seen / "deep", 0)
    before = one.used()
    assert 4 * MIB <= before
    one.restart()
    assert abs(one.used() - before) <= 4 * BLOCK
    assert os.stat(one.seen / "deep").st_mode & 0o777 == 0
    fill(one.seen / "c")
    refused(fill_once, one.seen / "d")
    one.restart()
    refused(fill_once, one.seen / "d")
    one.check()


def test_a_deleted_open_file_ends_with_its_server(limited):
    one = limited()
    fd = os.open(one.seen / "a", os.O_RDWR | os.O_CREAT, 0o644)
    os.pwrite(fd, b"x" * 4 * MIB, 0)
    os.unlink(one.seen / "a")
    assert one.used() >= 4 * MIB
    one.restart()
    assert one.used() <= 4 * BLOCK
    try:
        os.close(fd)
    except OSError as error:
        assert error.errno in (errno.EIO, errno.ESTALE)


def test_a_damaged_count_gives_no_room(tmp_path, source):
    for text in "nonsense", "9" * 20 + "\n", "1\n", "-" + "1" * 19 + "\n":
        directory = tmp_path / f"n{len(text)}{text[0]}"
        (directory / "quotas").mkdir(parents=True)
        (directory / "quotas/count").write_text(text)
        one = Limited(directory, source, False)
        try:
            assert one.left() == 0
            refused(fill_once, one.seen / "b")
        finally:
            one.mounted.end()


def test_killed_servers_keep_the_limit(limited):
    """Whenever they are killed."""
    one, ends = limited(), threading.Event()
    choice = random.Random(7)
    def write(number):
        turn = 0
        while not ends.is_set():
            turn += 1
            try:
                fill(one.seen / f"{number}-{turn % 3}", LIMIT // 2, 100_000)
                if turn % 3 == 2:
                    os.unlink(one.seen / f"{number}-{turn % 2}")
            except (OSError, AssertionError):
                pass  # there was no server
    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(5):
            wanted = choice.randrange(LIMIT // 4)
            wait_until(lambda: one.on_host() >= wanted, "some data")
            one.restart()
            assert one.on_host() <= LIMIT + 6 * REQUEST
    finally:
        ends.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("limit", [LIMIT, 100_000, 4096, 5000])
def test_threads_at_the_limit_together(limited, limit):
    """All get to the limit at once, and none gets past it but for the last block or two of metadata."""
    one = limited(limit=limit)
    start = threading.Barrier(8)
    def write(number):
        start.wait()
        with open(one.seen / f"f{number}", "wb", buffering=0) as file:
            while True:
                file.write(b"x" * (1000 * (number + 1)))
    def run(number):
        try:
            write(number)
        except OSError as error:
            problems.append(error.errno)
    problems = []
    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == [errno.ENOSPC] * 8
    os.sync()
    assert limit // BLOCK * BLOCK - 2 * BLOCK <= one.on_host() <= limit + 8 * BLOCK


@pytest.mark.parametrize("seed", range(20))
def test_random_operations(limited, seed):
    """The count stays that of the host, whatever is done; and the limit is kept."""
    one, choice = limited(limit=2 * MIB), random.Random(seed)
    names = ["a", "b", "c"]
    files = []
    def path():
        return one.seen / choice.choice(names)
    def write():
        fd = os.open(path(), os.O_RDWR | os.O_CREAT | choice.choice([0, 0, os.O_TRUNC, os.O_APPEND]), 0o644)
        files.append(fd)
        if len(files) > 3:
            os.close(files.pop(0))
        os.pwrite(fd, choice.randbytes(choice.choice([1, 5000, 70_000, 300_000])), choice.randrange(MIB))
    def change():
        fd = choice.choice(files)
        choice.choice([lambda: os.ftruncate(fd, choice.randrange(2 * MIB)),
                       lambda: fallocate(fd, choice.choice([0, KEEP_SIZE]), choice.randrange(MIB), choice.randrange(1, MIB)),
                       lambda: fallocate(fd, PUNCH_HOLE | KEEP_SIZE, choice.randrange(MIB), choice.randrange(1, MIB))])()
    calls = [write, write, write, change, change, lambda: os.unlink(path()), lambda: os.rename(path(), path()),
             lambda: os.link(path(), path()), lambda: os.truncate(path(), choice.randrange(MIB)),
             lambda: shutil.copyfile(path(), path())]
    for _ in range(60):
        try:
            choice.choice(calls)()
        except (OSError, IndexError, shutil.SameFileError) as error:
            assert not isinstance(error, OSError) or error.errno in (
                None, errno.ENOSPC, errno.ENOENT, errno.EEXIST), error
        assert one.on_host() <= 2 * MIB + 16 * BLOCK
    for fd in files:
        os.close(fd)
    one.check()
