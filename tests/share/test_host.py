"""The host changes what is shared, while the guest has it cached without a time limit."""
import errno
import fcntl
import os
import random
import subprocess
import sys
import threading

import pytest

from conftest import DETACH, DISTRO, LIBC, Mounted, wait_until
from test_operations import tree

BIND = 4096  # MS_BIND


def read(path):
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def test_new_content_is_seen(share, source):
    (source / "f").write_text("one")
    assert read(share / "f") == "one"
    (source / "f").write_text("two, longer")
    wait_until(lambda: read(share / "f") == "two, longer")


def test_a_name_that_was_missing_appears(share, source):
    assert read(share / "f") is None
    (source / "f").write_text("one")
    wait_until(lambda: read(share / "f") == "one")


def test_a_removed_file_is_gone(share, source):
    (source / "f").write_text("one")
    assert read(share / "f") == "one"
    (source / "f").unlink()
    wait_until(lambda: read(share / "f") is None)


def test_a_file_of_the_same_name_is_another(share, source):
    (source / "f").write_text("one")
    inode = (share / "f").stat().st_ino
    (source / "g").write_text("other")
    os.rename(source / "g", source / "f")
    wait_until(lambda: read(share / "f") == "other")
    assert (share / "f").stat().st_ino != inode


def test_a_moved_directory_is_followed(share, source):
    (source / "d/e").mkdir(parents=True)
    (source / "d/e/f").write_text("one")
    assert read(share / "d/e/f") == "one"
    os.rename(source / "d", source / "g")
    wait_until(lambda: read(share / "g/e/f") == "one")
    assert read(share / "d/e/f") is None
    (source / "g/e/f").write_text("two")
    wait_until(lambda: read(share / "g/e/f") == "two")


def test_a_list_of_names_is_new(share, source):
    assert os.listdir(share) == []
    (source / "f").touch()
    wait_until(lambda: os.listdir(share) == ["f"])
    (source / "f").unlink()
    wait_until(lambda: os.listdir(share) == [])


def test_a_mode_is_seen(share, source):
    (source / "f").touch()
    (share / "f").stat()
    os.chmod(source / "f", 0o751)
    wait_until(lambda: (share / "f").stat().st_mode & 0o7777 == 0o751)


def test_a_change_by_another_hard_link_is_seen(share, source, tmp_path):
    (source / "f").write_text("one")
    os.link(source / "f", tmp_path / "outside")
    assert read(share / "f") == "one"
    (tmp_path / "outside").write_text("other")
    wait_until(lambda: read(share / "f") == "other")


def test_an_open_file_shows_what_is_written(share, source):
    (source / "f").write_text("one")
    with open(share / "f") as file:
        assert file.read() == "one"
        with open(source / "f", "a") as other:
            other.write(" two")
        wait_until(lambda: os.pread(file.fileno(), 100, 0) == b"one two")


def test_a_file_that_the_host_removed_can_be_read_while_open(share, source):
    (source / "f").write_text("one")
    with open(share / "f") as file:
        (source / "f").unlink()
        wait_until(lambda: read(share / "f") is None)
        assert file.read() == "one"
        assert os.fstat(file.fileno()).st_size == 3


def test_the_working_directory_survives_what_happens_in_it(share, source):
    (source / "d").mkdir()
    script = "import os, sys; print(os.getcwd(), flush=True); sys.stdin.readline(); print(os.getcwd(), os.listdir('.'))"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=share / "d", text=True,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdout.readline()
    os.chmod(source / "d", 0o700)
    (source / "d/f").touch()
    wait_until(lambda: os.listdir(share / "d") == ["f"])
    out, _ = process.communicate("\n")
    assert out == f"{share / 'd'} ['f']\n"


@pytest.mark.parametrize("kind", ["flock", "posix"])
def test_locks_hold_between_host_and_guest(share, source, kind):
    (source / "f").touch()
    lock = fcntl.flock if kind == "flock" else fcntl.lockf
    with open(source / "f", "r+") as host, open(share / "f", "r+") as guest:
        lock(host, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            lock(guest, fcntl.LOCK_EX | fcntl.LOCK_NB)
        waiter = threading.Thread(target=lock, args=(guest, fcntl.LOCK_EX))
        waiter.start()
        lock(host, fcntl.LOCK_UN)
        waiter.join()
        with open(source / "f", "r+") as other, pytest.raises(BlockingIOError):
            lock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_wait_for_a_lock_ends_by_a_signal(share, source):
    (source / "f").touch()
    script = "import fcntl, sys; print('ready', flush=True); fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX)"
    with open(source / "f", "r+") as host:
        fcntl.lockf(host, fcntl.LOCK_EX)
        process = subprocess.Popen([sys.executable, "-c", script, share / "f"], stdout=subprocess.PIPE)
        process.stdout.readline()
        process.terminate()
        process.wait(60)
        assert read(share / "f") == ""  # the server goes on


def test_the_lock_of_a_process_ends_with_it(share, source):
    (source / "f").touch()
    script = "import fcntl, os, sys; fcntl.lockf(open(sys.argv[1], 'r+'), fcntl.LOCK_EX); os._exit(0)"
    subprocess.run([sys.executable, "-c", script, share / "f"], check=True)
    with open(source / "f", "r+") as host:
        wait_until(lambda: taken(host))


def taken(file):
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def test_a_lock_ends_at_the_close_of_its_process_though_another_has_the_file_open(share, source):
    (source / "f").write_text("x")
    code = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.lockf(fd, fcntl.LOCK_EX)
if os.fork() == 0:
    sys.stdin.read()
    os._exit(0)
os.close(fd)
print("closed", flush=True)
os.wait()
"""
    with subprocess.Popen([sys.executable, "-c", code, share / "f"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"closed\n"
        with open(source / "f", "r+") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_more_directories_than_watches(share, source):
    """Where inotify has no room, a second is the limit."""
    limit = "/proc/sys/fs/inotify/max_user_watches"
    with open(limit) as file:
        before = file.read()
    try:
        with open(limit, "w") as file:
            file.write("1")
    except PermissionError:
        return  # a plain user cannot make it scarce
    try:
        (source / "d").mkdir()
        (source / "d/f").write_text("one")
        assert read(share / "d/f") == "one"
        (source / "d/f").write_text("two")
        wait_until(lambda: read(share / "d/f") == "two")
    finally:
        with open(limit, "w") as file:
            file.write(before)


# ---- chance ----

NAMES = ["a", "b", "c", "d"]


def some_path(rng, top):
    return top.joinpath(*rng.choices(NAMES, k=rng.randint(1, 3)))


def create(rng, top):
    some_path(rng, top).write_text("x" * rng.randint(0, 10000))


def grow(rng, top):
    with open(some_path(rng, top), "r+b") as file:
        file.seek(rng.randint(0, 8000))
        file.write(b"y" * rng.randint(0, 5000))


def make_directory(rng, top):
    some_path(rng, top).mkdir()


def remove(rng, top):
    some_path(rng, top).unlink()


def remove_directory(rng, top):
    some_path(rng, top).rmdir()


def move(rng, top):
    os.rename(some_path(rng, top), some_path(rng, top))


def link(rng, top):
    os.link(some_path(rng, top), some_path(rng, top))


def symlink(rng, top):
    os.symlink(rng.choice(NAMES), some_path(rng, top))


def mode(rng, top):
    os.chmod(some_path(rng, top), rng.choice([0o644, 0o600, 0o755]) | 0o700)


def look(rng, top):
    list(os.walk(top))


CHANGES = [create, create, grow, grow, make_directory, make_directory, remove, remove_directory, move, move, link,
           symlink, mode, look]


def change(rng, top):
    try:
        rng.choice(CHANGES)(rng, top)
    except OSError:
        pass  # another kind of file is there, or none


def agree(share, source):
    try:
        return tree(share) == tree(source)
    except FileNotFoundError:
        return False  # the guest has not heard yet that a name has gone


@pytest.mark.parametrize("seed", range(int(os.environ.get("BERTH_TEST_SEED", 0)), int(os.environ.get("BERTH_TEST_SEED", 0)) + int(os.environ.get("BERTH_TEST_SEEDS", 10))))
def test_guest_and_host_agree_in_the_end(share, source, seed):
    """Both change the same files; when all is over, both see the same."""
    rng = random.Random(seed)
    for _ in range(200):
        change(rng, rng.choice([share, source]))
    wait_until(lambda: agree(share, source), f"seed {seed}: agreement")


@pytest.mark.parametrize("seed", range(3))
def test_guest_and_host_at_once(share, source, seed):
    def work(top, rng):
        for _ in range(300):
            change(rng, top)

    threads = [threading.Thread(target=work, args=(top, random.Random(seed * 4 + number)))
               for number, top in enumerate([share, source, share, source])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: agree(share, source), f"seed {seed}: agreement")


# ---- whose files ----

def can_chown(directory):
    try:
        (directory / "probe").touch()
        os.chown(directory / "probe", 4242, 4243)
        return True
    except OSError:
        return False
    finally:
        (directory / "probe").unlink()


def test_files_belong_to_the_guests_user(tmp_path, source):
    if not can_chown(source):
        return  # one id only in this user namespace
    (source / "f").touch()
    (source / "other").touch()
    os.chown(source / "other", 4242, 4243)
    made = Mounted(tmp_path / "mnt", [("rw", source, "/s")], uid=1234, gid=2345)
    try:
        info, other = (made.directory / "s/f").stat(), (made.directory / "s/other").stat()
        assert (info.st_uid, info.st_gid) == (1234, 2345)
        assert (other.st_uid, other.st_gid) == (65534, 65534)
        with pytest.raises(PermissionError):
            os.chown(made.directory / "s/f", 0, 0)
        os.chown(made.directory / "s/f", 1234, 2345)
        assert os.stat(source / "f").st_uid == os.getuid()
    finally:
        made.end()


# ---- several shares ----

def test_shares_side_by_side(tmp_path):
    for name in ["one", "two"]:
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").write_text(name)
    made = Mounted(tmp_path / "mnt", [("rw", tmp_path / "one", "/home/ann"), ("ro", tmp_path / "two", "/srv/data/two")],
                   uid=os.getuid(), gid=os.getgid())
    try:
        mnt = made.directory
        assert sorted(os.listdir(mnt)) == ["home", "srv"]
        assert os.listdir(mnt / "srv/data") == ["two"]
        assert read(mnt / "home/ann/f") == "one" and read(mnt / "srv/data/two/f") == "two"
        with pytest.raises(OSError, match="Read-only"):
            (mnt / "srv/data/two/f").write_text("x")
        with pytest.raises(OSError, match="Read-only"):
            (mnt / "srv/data/two/new").mkdir()
        with pytest.raises(OSError, match="Read-only"):
            (mnt / "home/new").mkdir()
        with pytest.raises(OSError, match="cross-device|Read-only"):
            os.rename(mnt / "home/ann/f", mnt / "srv/data/two/g")
        assert read(mnt / "none") is None
    finally:
        made.end()


def test_a_file_that_is_open_while_the_guest_removes_its_first_name(source, share):
    """inotify goes on to report the name by which the host has opened it, which is nobody's any more."""
    with open(source / "first", "w") as file:
        assert os.stat(share / "first").st_size == 0
        os.link(share / "first", share / "second")
        os.unlink(share / "first")
        assert (share / "second").read_text() == ""
        for text in ["one", "two"]:
            file.write(text)
            file.flush()
            wait_until(lambda: (share / "second").read_text() == (source / "second").read_text())
            assert (source / "second").read_text().endswith(text)


def test_a_file_that_is_open_while_the_guest_removes_its_first_name_and_forgets_it(source, share):
    """The guest's kernel forgets what is below a directory that moves."""
    (source / "d").mkdir()
    with open(source / "d/first", "w") as file:
        os.link(share / "d/first", share / "d/second")
        os.unlink(share / "d/first")
        os.rename(source / "d", source / "e")
        wait_until(lambda: read(share / "d/second") is None and read(share / "e/second") == "")
        for text in ["one", "two"]:
            file.write(text)
            file.flush()
            wait_until(lambda: (share / "e/second").read_text() == (source / "e/second").read_text())


@pytest.mark.parametrize("ident, shown", [(DISTRO, False), ("fedcba9876543210", True)])
def test_a_mount_of_the_guests_own_distro_is_left_out(mounted, share, source, ident, shown):
    """A bind mount whose root says that it is one."""
    other = source.parent / "other"
    other.mkdir()
    (other / "file").write_text("its")
    os.setxattr(other, "user.berth.distro", ident.encode())
    (source / "d").mkdir()
    assert LIBC.mount(bytes(other), bytes(source / "d"), None, BIND, None) == 0
    try:
        assert os.listdir(share) == ["d"]
        if shown:
            assert (share / "d/file").read_text() == "its"
        else:
            for call in (lambda: os.stat(share / "d"), lambda: os.listdir(share / "d"), lambda: (share / "d/file").read_text()):
                with pytest.raises(OSError) as caught:
                    call()
                assert caught.value.errno == errno.EREMOTE
    finally:
        assert LIBC.umount2(bytes(source / "d"), DETACH) == 0
