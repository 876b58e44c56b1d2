"""A share whose changes are kept beside it: what the guest sees equals a plain directory with the same operations,
and the host's directory stays as it was."""
import errno
import fcntl
import os
import random
import shutil
import stat
import subprocess
import threading

import pytest

from conftest import Mounted, wait_until
from test_events import Watcher

NAMES = ["a", "b", "c", "d.txt", "ein längerer name", "x" * 255]


class Layered:
    def __init__(self, tmp_path):
        self.lower, self.layer = tmp_path / "lower", tmp_path / "layer"
        self.lower.mkdir(exist_ok=True)
        self.roots = [(f"cow={self.layer}", self.lower, "/work")]
        self.mounted = Mounted(tmp_path / "mnt", self.roots, uid=os.getuid(), gid=os.getgid())
        self.seen = self.mounted.directory / "work"

    def restart(self):
        """As after berth-share was killed: by another server for the same kernel."""
        self.mounted.server.process.kill()
        self.mounted.server.process.wait()
        self.mounted.replace(*self.roots)
        wait_until(lambda: alive(self.seen), "the new server")


def alive(path):
    try:
        os.listdir(path)
        return True
    except OSError:
        return False


@pytest.fixture
def layered(tmp_path):
    made = []
    def start():
        made.append(Layered(tmp_path))
        return made[0]
    (tmp_path / "lower").mkdir()
    start.lower = tmp_path / "lower"
    yield start
    for one in made:
        one.mounted.end()


def describe(path):
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return ("link", os.readlink(path))
    if stat.S_ISDIR(info.st_mode):
        return ("directory", info.st_mode & 0o7777)
    return ("file", info.st_mode & 0o7777, path.read_bytes(), info.st_nlink)


def tree(top, with_times=False):
    """Everything below @top, by path."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in directories + files:
            path = type(top)(directory) / name
            found[str(path.relative_to(top))] = describe(path) + ((os.lstat(path).st_mtime_ns,) if with_times else ())
    return found


def fill(top, choice, depth=2):
    """Random files in @top."""
    for name in NAMES:
        kind = choice.choice(["file", "file", "link", "directory", None])
        path = top / name
        if kind == "file":
            path.write_bytes(choice.randbytes(choice.choice([0, 10, 5000])))
            path.chmod(choice.choice([0o644, 0o600, 0o755]))
        elif kind == "link":
            path.symlink_to(choice.choice(NAMES))
        elif kind == "directory" and depth > 0:
            path.mkdir()
            fill(path, choice, depth - 1)


def attempt(call):
    try:
        return call()
    except OSError as error:
        return errno.errorcode[error.errno]


def write(path, data, flags):
    fd = os.open(path, flags | os.O_WRONLY | os.O_NOFOLLOW, 0o640)
    try:
        os.write(fd, data)
    finally:
        os.close(fd)


def pick(top, choice):
    """A path that may be there, relative."""
    return "/".join(choice.choice(NAMES) for _ in range(choice.choice([1, 1, 2, 2, 3])))


def operation(top, choice):
    """A random operation as a function of a top directory."""
    one, other = pick(top, choice), pick(top, choice)
    data = choice.randbytes(choice.choice([0, 7, 3000]))
    mode = choice.choice([0o600, 0o755, 0o640])
    size = choice.choice([0, 3, 6000])
    return choice.choice([
        lambda top: write(top / one, data, os.O_CREAT | os.O_TRUNC),
        lambda top: write(top / one, data, os.O_CREAT | os.O_EXCL),
        lambda top: write(top / one, data, os.O_APPEND),
        lambda top: os.unlink(top / one),
        lambda top: os.unlink(top / one),
        lambda top: os.rmdir(top / one),
        lambda top: remove_tree(top / one),
        lambda top: os.mkdir(top / one),
        lambda top: os.mkdir(top / one),
        lambda top: os.symlink(other, top / one),
        lambda top: move(top / one, top / other),
        lambda top: move(top / one, top / other),
        lambda top: os.link(top / one, top / other, follow_symlinks=False),
        lambda top: change_mode(top / one, mode),
        lambda top: os.truncate(top / one, size) if not (top / one).is_symlink() else None,
        lambda top: sorted(os.listdir(top / one)),
    ])


def change_mode(path, mode):
    """A directory stays usable: this process may be root, and berth-share never has its powers."""
    if not path.is_symlink():
        os.chmod(path, mode | 0o700 if path.is_dir() else mode)


def remove_tree(path):
    if path.is_symlink() or not path.is_dir():
        raise OSError(errno.ENOTDIR, "tree")
    for directory, directories, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(os.path.join(directory, name))
        for name in directories:
            inner = os.path.join(directory, name)
            os.unlink(inner) if os.path.islink(inner) else os.rmdir(inner)
    os.rmdir(path)


def copy_tree(one, other):
    """Without times: those of a link cannot be set on a share."""
    kind, *rest = describe(one)
    if kind == "link":
        os.symlink(rest[0], other)
    elif kind == "file":
        other.write_bytes(rest[1])
        other.chmod(rest[0])
    else:
        other.mkdir()
        for name in os.listdir(one):
            copy_tree(one / name, other / name)
        other.chmod(rest[0])


def has_links(path):
    return any(os.lstat(os.path.join(directory, name)).st_nlink > 1
               for directory, _, files in os.walk(path) for name in files)


def move(one, other):
    """As mv: a directory that cannot be renamed is copied, which would part hard links."""
    if not one.is_symlink() and one.is_dir() and has_links(one):
        raise OSError(errno.EXDEV, "move")
    try:
        os.rename(one, other)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        if os.path.lexists(other):
            os.rmdir(other)
        copy_tree(one, other)
        remove_tree(one)


@pytest.mark.parametrize("seed", range(4))
def test_random_operations_equal_those_on_a_plain_directory(layered, tmp_path, seed):
    choice = random.Random(seed)
    fill(layered.lower, choice)
    model = tmp_path / "model"
    shutil.copytree(layered.lower, model, symlinks=True)
    before = tree(layered.lower, with_times=True)
    share = layered()
    assert tree(share.seen) == tree(model)
    for number in range(250):
        act = operation(model, choice)
        wanted, got = attempt(lambda: act(model)), attempt(lambda: act(share.seen))
        assert got == wanted, number
        if number % 25 == 0:
            assert tree(share.seen) == tree(model), number
        if number % 100 == 60:
            share.restart()
    assert tree(share.seen) == tree(model)
    assert tree(layered.lower, with_times=True) == before


STEPS = [  # one system call each, which a kill leaves done or not done
    lambda top, one, other: os.unlink(top / one),
    lambda top, one, other: os.rmdir(top / one),
    lambda top, one, other: os.mkdir(top / one, 0o750),
    lambda top, one, other: os.symlink("target", top / one),
    lambda top, one, other: os.rename(top / one, top / other),
    lambda top, one, other: os.link(top / one, top / other, follow_symlinks=False),
    lambda top, one, other: change_mode(top / one, 0o711),
    lambda top, one, other: os.truncate(top / one, 3) if not (top / one).is_symlink() else None,
]


@pytest.mark.parametrize("seed", range(2))
def test_a_kill_leaves_a_change_done_or_not_done(layered, tmp_path, seed):
    choice = random.Random(seed)
    fill(layered.lower, choice)
    before = tree(layered.lower, with_times=True)
    share = layered()
    for _ in range(25):
        step, one, other = choice.choice(STEPS), pick(share.seen, choice), pick(share.seen, choice)
        model = tmp_path / "model"
        shutil.rmtree(model, ignore_errors=True)
        copy_tree(share.seen, model)
        former = without_links(share.seen)
        acts = threading.Thread(target=lambda: attempt(lambda: step(share.seen, one, other)))
        acts.start()
        for _ in range(choice.randrange(2000)):
            pass
        share.restart()
        acts.join()
        if (problem := attempt(lambda: step(model, one, other))) == "EXDEV":
            continue
        assert without_links(share.seen) in (former, without_links(model)), (one, other, problem)
    assert tree(layered.lower, with_times=True) == before


def without_links(top):
    """Hard links are parted where the model is made."""
    return {path: one[:3] for path, one in tree(top).items()}


def test_who_reads_a_file_sees_what_is_written_to_it(layered):
    (layered.lower / "f").write_text("before")
    share = layered()
    with open(share.seen / "f", "rb", buffering=0) as reader:
        number = os.fstat(reader.fileno()).st_ino
        assert reader.read() == b"before"
        (share.seen / "f").write_text("after that")
        reader.seek(0)
        assert reader.read() == b"after that"
        assert os.fstat(reader.fileno()).st_ino == os.stat(share.seen / "f").st_ino == number
    share.restart()
    assert os.stat(share.seen / "f").st_ino == number
    assert (layered.lower / "f").read_text() == "before"


def test_a_copy_keeps_holes_times_and_attributes(layered):
    file = layered.lower / "f"
    with open(file, "wb") as made:
        made.truncate(64 << 20)
        made.seek(32 << 20)
        made.write(b"x" * 4096)
    file.chmod(0o751)
    os.setxattr(file, "user.test", b"value")
    os.utime(file, ns=(1_000_000_001, 2_000_000_002))
    share = layered()
    os.chmod(share.seen / "f", 0o640)
    seen = os.stat(share.seen / "f")
    assert (seen.st_mode & 0o7777, seen.st_size, seen.st_mtime_ns) == (0o640, 64 << 20, 2_000_000_002)
    assert os.stat(layered.lower.parent / "layer/upper/f").st_blocks < 64
    assert os.getxattr(share.seen / "f", "user.test") == b"value"
    assert os.listxattr(share.seen / "f") == ["user.test"]
    assert attempt(lambda: os.setxattr(share.seen / "f", "user.berth.origin", b"1:2")) == "ENOTSUP"
    with open(share.seen / "f", "rb") as copy, open(file, "rb") as original:
        assert copy.read() == original.read()


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_what_was_removed_and_is_open_does_not_change_on_the_host(layered, kind):
    file = layered.lower / "f"
    file.mkdir(0o755) if kind == "directory" else file.touch(0o644)
    before = tree(layered.lower, with_times=True)
    share = layered()
    fd = os.open(share.seen / "f", os.O_RDONLY)
    os.rmdir(share.seen / "f") if kind == "directory" else os.unlink(share.seen / "f")
    for change in (lambda: os.fchmod(fd, 0o700), lambda: os.utime(fd, (1, 1)), lambda: os.setxattr(fd, "user.x", b"x")):
        assert attempt(change) in ("ESTALE", "EROFS", "ENOENT")
    os.close(fd)
    assert tree(layered.lower, with_times=True) == before


def test_names_of_one_file_are_parted_by_a_change(layered):
    (layered.lower / "a").write_text("both")
    os.link(layered.lower / "a", layered.lower / "b")
    share = layered()
    assert (share.seen / "a").read_text() == (share.seen / "b").read_text() == "both"
    (share.seen / "a").write_text("a alone")
    assert (share.seen / "b").read_text() == "both"
    assert (share.seen / "a").read_text() == "a alone"


@pytest.mark.parametrize("kind", ["flock", "posix"])
def test_locks_hold_over_a_first_change(layered, kind):
    (layered.lower / "f").write_text("x")
    share = layered()
    lock = fcntl.flock if kind == "flock" else fcntl.lockf
    script = f"import fcntl, sys; fcntl.{lock.__name__}(open(sys.argv[1], 'r+'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
    with open(share.seen / "f") as one:
        lock(one, fcntl.LOCK_SH)
        done = subprocess.run(["python3", "-c", script, share.seen / "f"], capture_output=True, text=True)
        assert "BlockingIOError" in done.stderr
        subprocess.run(["sh", "-c", 'echo changed > "$1"', "sh", share.seen / "f"], check=True)
        done = subprocess.run(["python3", "-c", script, share.seen / "f"], capture_output=True, text=True)
        assert "BlockingIOError" in done.stderr


def test_the_hosts_changes_flow_in_where_the_guest_made_none(layered):
    for directory in ("", "d"):
        (layered.lower / directory).mkdir(exist_ok=True)
        for name in ("followed", "changed", "removed"):
            (layered.lower / directory / name).write_text("old")
    share = layered()
    tree(share.seen)
    for directory in ("", "d"):
        (share.seen / directory / "changed").write_text("guest")
        (share.seen / directory / "removed").unlink()
    watcher = Watcher(share.seen, ["", "d"])
    for directory in ("", "d"):
        at = layered.lower / directory
        for name in ("followed", "changed", "removed", "new"):
            (at / name).write_text("from the host")
        os.rename(at / "new", at / "moved")
    (layered.lower / "end").touch()
    wait_until(lambda: ("", "close_write", "end", 0) in watcher.read(), "the last event")
    seen = {(where, name) for where, _, name, _ in watcher.events}
    assert seen == {(at, name) for at in ("", "d") for name in ("followed", "new", "moved")} | {("", "end")}
    watcher.close()
    for directory in ("", "d"):
        at = share.seen / directory
        assert (at / "followed").read_text() == (at / "moved").read_text() == "from the host"
        assert (at / "changed").read_text() == "guest"
        assert not (at / "removed").exists() and not (at / "new").exists()
    assert sorted(os.listdir(share.seen / "d")) == ["changed", "followed", "moved"]


def test_a_directory_in_the_place_of_a_removed_one_is_empty(layered):
    (layered.lower / "d/e").mkdir(parents=True)
    (layered.lower / "d/f").touch()
    share = layered()
    remove_tree(share.seen / "d")
    (share.seen / "d").mkdir()
    assert os.listdir(share.seen / "d") == []
    share.restart()
    assert os.listdir(share.seen / "d") == []
    assert sorted(os.listdir(layered.lower / "d")) == ["e", "f"]


def test_a_list_read_in_parts_has_each_name_once(layered):
    """While files are made and removed, as rm -r does."""
    for number in range(300):
        (layered.lower / f"lower-{number}").touch()
    share = layered()
    for number in range(300):
        (share.seen / f"upper-{number}").touch()
    listing = os.scandir(share.seen)
    names = [next(listing).name for _ in range(50)]
    for name in names:
        os.unlink(share.seen / name)
    names += [entry.name for entry in listing]
    assert sorted(names) == sorted(f"{kind}-{number}" for kind in ("lower", "upper") for number in range(300))
    for name in names[50:]:
        os.unlink(share.seen / name)
    assert os.listdir(share.seen) == [] and len(os.listdir(layered.lower)) == 300


def test_links_in_the_layer_lead_nowhere(layered, tmp_path):
    """A link that the guest makes is data; the files beside the upper tree are out of its reach."""
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("secret")
    share = layered()
    os.symlink(secret, share.seen / "link")
    assert os.readlink(share.seen / "link") == str(secret)
    upper = tmp_path / "layer/upper"
    os.mkdir(share.seen / "d")
    directory = os.open(share.seen / "d", os.O_PATH)
    os.rename(upper / "d", upper / "e")  # a directory that the guest uses becomes a link
    os.symlink(secret, upper / "d")
    for name, flags in ("key", os.O_RDONLY), ("new", os.O_CREAT | os.O_WRONLY):
        assert attempt(lambda: os.open(name, flags, dir_fd=directory)) in ("ESTALE", "ENOTDIR", "ENOENT")
    os.close(directory)
    assert os.listdir(secret) == ["key"]


def test_a_share_that_cannot_keep_changes_is_left_out(tmp_path):
    (tmp_path / "lower").mkdir()
    (tmp_path / "layer").write_text("a file")
    mounted = Mounted(tmp_path / "mnt", [(f"cow={tmp_path / 'layer'}", tmp_path / "lower", "/work")])
    try:
        (line,) = mounted.server.wait_for_report("begun")
        assert line.startswith("skipped ") and str(tmp_path / "layer") in line
        assert os.listdir(mounted.directory) == []
    finally:
        mounted.end()
