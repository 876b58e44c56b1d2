"""What watchers in the guest see of the host's changes: inotify's events, as on the host itself."""
import ctypes
import os
import random
import signal
import struct

import pytest

from conftest import wait_until
from waiting import stop_process

LIBC = ctypes.CDLL(None, use_errno=True)
MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE = 0x2, 0x4, 0x8, 0x40, 0x80, 0x100, 0x200
NAMES = {MODIFY: "modify", ATTRIB: "attrib", CLOSE_WRITE: "close_write", MOVED_FROM: "moved_from",
         MOVED_TO: "moved_to", CREATE: "create", DELETE: "delete"}
KINDS = sum(NAMES)
ISDIR, ONLYDIR, OVERFLOW = 0x40000000, 0x01000000, 0x4000
EVENT = struct.Struct("iIII")


class Watcher:
    """The events of @directories (paths from @top), in their order."""

    def __init__(self, top, directories):
        self.fd = LIBC.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self.watches = {}
        self.events = []
        for directory in directories:
            watch = LIBC.inotify_add_watch(self.fd, bytes(top / directory), KINDS | ONLYDIR)
            assert watch > 0
            self.watches[watch] = directory

    def read(self):
        """Add what came: (directory, what, name, cookie)."""
        while True:
            try:
                data = os.read(self.fd, 1 << 20)
            except BlockingIOError:
                return self.events
            at = 0
            while at < len(data):
                watch, mask, cookie, size = EVENT.unpack_from(data, at)
                name = data[at + EVENT.size:at + EVENT.size + size].rstrip(b"\0").decode()
                at += EVENT.size + size
                assert not mask & OVERFLOW
                if mask & KINDS and name:
                    what = NAMES[mask & KINDS] + ("_dir" if mask & ISDIR else "")
                    self.events.append((self.watches[watch], what, name, cookie))

    def close(self):
        os.close(self.fd)


def plain(events):
    """Without what differs between two kernels' logs: cookies are numbered, equal neighbours merged."""
    numbers, result = {0: 0}, []
    for directory, what, name, cookie in events:
        event = (directory, what, name, numbers.setdefault(cookie, len(numbers)))
        if not result or result[-1] != event:
            result.append(event)
    return result


class Both:
    def __init__(self, source, share, directories):
        for directory in directories:
            (source / directory).mkdir(parents=True, exist_ok=True)
        for directory in directories:
            os.listdir(share / directory)
        self.host, self.guest = Watcher(source, directories), Watcher(share, directories)
        self.source = source
        self.ends = 0

    def ended(self):
        """The host makes a last file; its end comes last in the guest too."""
        self.ends += 1
        name = f"end-{self.ends}"
        (self.source / name).touch()
        wait_until(lambda: ("", "close_write", name, 0) in self.guest.read(), "the last event")
        self.host.read()
        return plain(self.host.events), plain(self.guest.events)

    def check(self):
        host, guest = self.ended()
        first = next((at for at, pair in enumerate(zip(host, guest)) if pair[0] != pair[1]), 0)
        assert guest == host, (first, host[max(0, first - 8):first + 5], guest[max(0, first - 8):first + 5])


@pytest.fixture
def both(source, share):
    made = []
    def make(directories=("", "d", "e")):
        made.append(Both(source, share, directories))
        return made[-1]
    yield make
    for each in made:
        each.host.close()
        each.guest.close()


def write(path, text="x"):
    with open(path, "w") as file:
        file.write(text)


CHANGES = {
    "create": lambda at: write(at / "f"),
    "append": lambda at: (write(at / "f"), write(at / "f", "yy")),
    "chmod": lambda at: (write(at / "f"), os.chmod(at / "f", 0o600)),
    "chmod of a directory": lambda at: os.chmod(at / "d", 0o711),
    "unlink": lambda at: (write(at / "f"), os.unlink(at / "f")),
    "mkdir": lambda at: os.mkdir(at / "new"),
    "rmdir": lambda at: (os.mkdir(at / "new"), os.rmdir(at / "new")),
    "rename": lambda at: (write(at / "f"), os.rename(at / "f", at / "g")),
    "rename to another directory": lambda at: (write(at / "f"), os.rename(at / "f", at / "d/g")),
    "rename over": lambda at: (write(at / "f"), write(at / "g"), os.rename(at / "f", at / "g")),
    "link": lambda at: (write(at / "f"), os.link(at / "f", at / "d/g")),
    "symlink": lambda at: os.symlink("nowhere", at / "s"),
    "times of a symlink": lambda at: (os.symlink("nowhere", at / "s"), os.utime(at / "s", (1, 2), follow_symlinks=False)),
    "chown": lambda at: (write(at / "f"), os.chown(at / "f", os.getuid(), os.getgid())),
    "a directory moves": lambda at: (os.rename(at / "d", at / "e/d"), write(at / "e/d/f")),
    "many at once": lambda at: [(write(at / "f"), os.rename(at / "f", at / "d/f"), os.unlink(at / "d/f"))
                                for _ in range(20)],
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_seen(both, source, what):
    each = both()
    CHANGES[what](source)
    each.check()


def test_a_move_out_of_the_share_and_in(both, source, tmp_path):
    each = both()
    write(source / "f")
    os.rename(source / "f", tmp_path / "outside")
    os.rename(tmp_path / "outside", source / "d/g")
    each.check()


@pytest.mark.parametrize("what", CHANGES)
def test_the_guests_own_changes_are_seen_once(both, source, share, tmp_path, what):
    """As on a file system of its own."""
    def own(events):
        return [event for event in plain(events) if not event[2].startswith("end-")]
    for name in ["d", "e"]:
        (tmp_path / "own" / name).mkdir(parents=True)
    expected = Watcher(tmp_path / "own", ["", "d", "e"])
    CHANGES[what](tmp_path / "own")
    expected.read()
    expected.close()
    closes = sum(event[1] == "close_write" for event in expected.events)
    each = both()
    CHANGES[what](share)
    wait_until(lambda: sum(event[1] == "close_write" for event in each.host.read()) == closes, "the last close")
    each.ended()
    assert own(each.guest.events) == own(expected.events)


@pytest.mark.parametrize("listed", [False, True])
def test_a_directory_that_the_guest_never_opened(source, share, listed):
    """A watcher needs to look its directory up, no more; the name may come from a list too."""
    (source / "d/deep").mkdir(parents=True)
    if listed:
        os.listdir(share / "d")
    watcher = Watcher(share, ["d/deep"])
    write(source / "d/deep/f")
    wait_until(lambda: ("d/deep", "close_write", "f", 0) in watcher.read(), "the event")
    watcher.close()


def test_a_directory_that_the_guest_made(source, share):
    (share / "d").mkdir()
    watcher = Watcher(share, ["d"])
    write(source / "d/f")
    wait_until(lambda: ("d", "close_write", "f", 0) in watcher.read(), "the event")
    watcher.close()


def test_a_replay_changes_nothing_on_the_host(both, source, share):
    each = both()
    write(source / "f", "text")
    each.ended()
    (share / "f").read_text()
    os.utime(source / "f", ns=(1, 2))
    each.ended()
    info = os.stat(source / "f")
    assert (info.st_atime_ns, info.st_mtime_ns) == (1, 2)
    assert (source / "f").read_text() == (share / "f").read_text() == "text"


# ---- lost events ----

MANY = 16384  # inotify's own limit, and the replays'


@pytest.fixture
def stop():
    """stop(pid): the process stands still until the function that it returns is called."""
    stopped = []
    def go_on():
        while stopped:
            os.kill(stopped.pop(), signal.SIGCONT)
    def stop(pid):
        stop_process(pid)
        stopped.append(pid)
        return go_on
    yield stop
    go_on()


def write_until_seen(mounted, source, watcher):
    """The name of a file of the host's whose events are seen; those of an earlier one may be lost too."""
    for number in range(20):
        name, losses = f"last-{number}", mounted.log.read_text().count("raised no event")
        write(source / "d" / name)
        def seen():
            return ("d", "close_write", name, 0) in watcher.read()
        wait_until(lambda: seen() or mounted.log.read_text().count("raised no event") > losses, "an event")
        if seen():
            return name
    raise AssertionError("events are lost again and again")


@pytest.mark.parametrize("which", ["server", "replayer"])
def test_lost_events_are_logged_and_the_next_are_seen(mounted, source, share, stop, which):
    """The server reads too late and inotify's queue is full; or the guest is too slow, and its own is."""
    (source / "d").mkdir()
    (source / "d/f").write_text("one")
    watcher = Watcher(share, ["d"])
    assert (share / "d/f").read_text() == "one"
    go_on = stop(mounted.server.process.pid if which == "server" else mounted.replayer())
    for _ in range(MANY):  # two events each
        os.chmod(source / "d/f", 0o600)
        os.chmod(source / "d", 0o700)
    write(source / "d/f", "two, longer")
    if which == "replayer":
        wait_until(lambda: (share / "d/f").read_text() == "two, longer", "the text")
    go_on()
    wait_until(lambda: watcher.read() is not None and "some changes raised no event" in mounted.log.read_text(), "the log")
    wait_until(lambda: (share / "d/f").read_text() == "two, longer", "the text")
    name = write_until_seen(mounted, source, watcher)
    assert [event[1] for event in watcher.events if event[2] == name] == ["create", "modify", "close_write"]
    watcher.close()


def test_moves_whose_halves_come_in_two_reads(both, mounted, source, stop):
    """The server reads 2048 events of 32 bytes at once: the last is the first half of a move each time."""
    each = both(["", "d"])
    write(source / "d/a")
    each.ended()
    go_on = stop(mounted.server.process.pid)
    os.mkdir(source / "new")
    for _ in range(1500):
        os.rename(source / "d/a", source / "d/b")
        os.rename(source / "d/b", source / "d/a")
    go_on()
    each.check()


def test_a_server_is_replaced_while_the_host_changes_files(mounted, source, share, stop):
    """Nothing hangs, nothing changes on the host, each change is seen, and then events are the host's again."""
    for name in ["a", "b"]:
        (source / "d" / name).mkdir(parents=True)
    watcher = Watcher(share, ["d"])
    go_on = stop(mounted.replayer())
    for number in range(100):
        write(source / f"d/{number}", "kept")
    wait_until(lambda: (share / "d/99").exists(), "the files")
    mounted.replace(("rw", source, "/home/ann"))
    go_on()
    wait_until(lambda: listed(share) == ["d"], "the next server")
    names = {str(number) for number in range(100)}
    wait_until(lambda: names <= {event[2] for event in watcher.read()}, "an event of each file")
    watcher.close()
    assert sorted(os.listdir(source / "d")) == sorted([str(number) for number in range(100)] + ["a", "b"])
    assert all((source / f"d/{number}").read_text() == "kept" for number in range(100))
    each = Both(source, share, ["", "d", "d/a"])
    each.ended(), each.ended()  # the events of what happened before
    each.host.events.clear(), each.guest.events.clear()
    CHANGES["append"](source / "d")
    CHANGES["rename"](source / "d/a")
    each.check()
    each.host.close()
    each.guest.close()


def listed(directory):
    try:
        return os.listdir(directory)
    except OSError:
        return None


# ---- chance ----

DIRECTORIES = ("", "a", "b", "a/c", "a/c/d")


def some(rng, at):
    return at / rng.choice(DIRECTORIES) / rng.choice("uvwxyz")


def change(rng, at):
    path, other = some(rng, at), some(rng, at)
    what = rng.choice(["write", "write", "append", "chmod", "rename", "rename", "mkdir", "rmdir", "unlink", "link"])
    try:
        if what == "write":
            write(path, "x" * rng.randint(0, 5000))
        elif what == "append":
            with open(path, "ab") as file:
                file.write(b"more")
        elif what == "chmod":
            os.chmod(path, rng.choice([0o600, 0o644, 0o755]) | 0o700)
        elif what == "rename":
            os.rename(path, other)
        elif what == "link":
            os.link(path, other)
        else:
            getattr(os, what)(path)
    except OSError:
        pass  # another kind of file is there, or none


SEED = int(os.environ.get("BERTH_TEST_SEED", 0))


@pytest.mark.parametrize("seed", range(SEED, SEED + int(os.environ.get("BERTH_TEST_SEEDS", 10))))
def test_the_guests_log_is_the_hosts(both, source, share, seed):
    rng = random.Random(seed)
    each = both(DIRECTORIES)
    for _ in range(200):
        change(rng, source)
        if rng.random() < 0.1:
            for _ in os.walk(share):
                pass  # the guest knows some of the files
    each.check()
