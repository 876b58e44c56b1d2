"""What wakes a suspended guest: the host changes a file that one of its processes watches. The agent says what they
watch, and a berth-share that does not serve waits for it."""
import ctypes
import os
import select
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

import wire
from conftest import BUILD, DISTRO, GID, LEDGER, PORT, REPORTS, UID, Mounted
from test_events import ATTRIB, CREATE, KINDS, LIBC, MODIFY, Watcher
from waiting import LIMIT, wait_for

PLACE = "/home/ann"
ACCESS, CLOSE_NOWRITE, OPEN = 0x1, 0x10, 0x20
PIDFD_GETFD, FIONREAD = 438, 0x541b


def now():
    """As files get their times."""
    return time.clock_gettime_ns(5)  # CLOCK_REALTIME_COARSE


class Agent:
    """An agent that asks the processes of this machine what they watch below @root."""

    def __init__(self, root):
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [BUILD / "berth-guest", "--agent", str(theirs.fileno()), "--no-listeners", "--proc", "/proc", "--shares", root],
            pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
        theirs.close()
        self.host = wire.Host(ours)
        self.host.queue(wire.config())
        self.host.until(lambda: self.host.find(wire.READY))

    def freeze(self):
        """{node: mask}"""
        before, answers = len(self.host.find(wire.WATCHED)), len(self.host.find(wire.FROZEN))
        self.host.queue(wire.frame(wire.FREEZE))
        self.host.until(lambda: len(self.host.find(wire.FROZEN)) > answers)
        self.host.queue(wire.frame(wire.THAW))
        found = {}
        for frame in self.host.find(wire.WATCHED)[before:]:
            count, = struct.unpack_from("<I", frame.payload)
            found.update(struct.iter_unpack("<QI", frame.payload[4:]))
            assert len(frame.payload) == 4 + 12 * count
        return found

    def end(self):
        self.host.close()
        self.process.wait(60)


class Sentinel:
    """A berth-share that waits for changes of @watches ({node: mask}) of what @mounted's server, which has ended, had."""

    def __init__(self, mounted, roots, watches, since=None):
        self.list = os.memfd_create("list")
        items = b"".join(struct.pack("=QII", node, mask, 0) for node, mask in watches.items())
        os.write(self.list, struct.pack("=qQ", now() if since is None else since, len(watches)) + items)
        self.reports, theirs = os.pipe()
        words = [str(word) for root in roots for word in root]
        def give():
            os.dup2(self.list, PORT)
            os.dup2(theirs, REPORTS)
            os.dup2(mounted.ledger, LEDGER)
        self.process = subprocess.Popen([BUILD / "berth-share", "--watch", DISTRO, str(UID), str(GID), *words],
                                        pass_fds=[PORT, REPORTS, LEDGER], preexec_fn=give, stderr=subprocess.PIPE)
        os.close(theirs)

    def is_waiting(self):
        """It has added its watches, and sleeps."""
        try:
            return "poll" in Path(f"/proc/{self.process.pid}/wchan").read_text() or \
                Path(f"/proc/{self.process.pid}/syscall").read_text().startswith("7 ")
        except OSError:
            return False

    def wait(self):
        wait_for(lambda: self.is_waiting() or self.process.poll() is not None)
        assert self.process.poll() is None
        return self

    def queued(self):
        """Bytes of events that it has not read: it reads none, so all that there are."""
        process = os.pidfd_open(self.process.pid)
        size = ctypes.c_int()
        for number in os.listdir(f"/proc/{self.process.pid}/fd"):
            if os.readlink(f"/proc/{self.process.pid}/fd/{number}") == "anon_inode:inotify":
                fd = LIBC.syscall(PIDFD_GETFD, process, int(number), 0)
                assert fd >= 0 and LIBC.ioctl(fd, FIONREAD, ctypes.byref(size)) == 0
                os.close(fd)
        os.close(process)
        return size.value

    def result(self):
        """What it reports, with its end."""
        assert select.select([self.reports], [], [], LIMIT)[0], "it reports nothing"
        report = os.read(self.reports, 100)
        assert self.process.wait(60) == 0, self.process.stderr.read()
        return report

    def close(self):
        self.process.kill()
        self.process.communicate()
        os.close(self.reports)
        os.close(self.list)


@pytest.fixture
def agent(mounted):
    made = Agent(mounted.directory)
    yield made
    made.end()


@pytest.fixture
def sentinel(mounted, source):
    """Suspends: the server ends, and a sentinel takes its place."""
    made = []
    os.listdir(mounted.directory)  # it has begun

    def start(watches, since=None, roots=None):
        if mounted.server.process.poll() is None:
            mounted.server.end()
        made.append(Sentinel(mounted, roots or [("rw", source, PLACE)], watches, since))
        return made[-1]
    yield start
    for one in made:
        one.close()
    mounted.server = mounted.serve([("rw", source, PLACE)])


@pytest.fixture
def watch():
    """Has this process watch @path, until the server has ended: what is not watched may be forgotten."""
    fd = LIBC.inotify_init1(os.O_CLOEXEC)

    def add(path, mask=KINDS):
        assert LIBC.inotify_add_watch(fd, bytes(path), mask) > 0
    yield add
    os.close(fd)


def test_what_is_watched(agent, mounted, source):
    share = mounted.directory / "home/ann"
    (source / "a/b").mkdir(parents=True)
    (source / "file").write_text("x")
    assert agent.freeze() == {}
    watcher = Watcher(share, ["a", "a/b"])
    again = Watcher(share, ["a"])
    elsewhere = Watcher(source, ["a"])
    file = LIBC.inotify_init1(os.O_CLOEXEC)
    assert LIBC.inotify_add_watch(file, bytes(share / "file"), MODIFY) > 0
    assert LIBC.inotify_add_watch(again.fd, bytes(share / "a"), ATTRIB) > 0
    found = agent.freeze()
    assert len(found) == 3 and MODIFY in found.values()
    for one in watcher, again, elsewhere:
        one.close()
    assert list(agent.freeze().values()) == [MODIFY]
    os.close(file)
    assert agent.freeze() == {}


def test_more_than_a_frame_holds(agent, mounted, source):
    names = [f"d{i}" for i in range(4500)]
    for name in names:
        (source / name).mkdir()
    watcher = Watcher(mounted.directory / "home/ann", names)
    assert len(agent.freeze()) == len(names)
    watcher.close()


CHANGES = {
    "create": lambda top: (top / "a/new").write_text("x"),
    "write": lambda top: (top / "a/file").write_text("other"),
    "chmod": lambda top: (top / "a/file").chmod(0o600),
    "remove": lambda top: (top / "a/file").unlink(),
    "move-in": lambda top: (top / "other").rename(top / "a/other"),
    "move-out": lambda top: (top / "a/file").rename(top / "file"),
    "replace": lambda top: (top / "other").rename(top / "a/file"),
    "end": lambda top: [(top / "a/file").unlink(), (top / "a").rmdir()],
}


def fill(source):
    """Files that are older than any freeze: a change in the tick of a freeze counts as later."""
    (source / "a").mkdir()
    (source / "a/file").write_text("x")
    (source / "other").write_text("y")
    last = max(path.stat().st_ctime_ns for path in [source, *source.rglob("*")])
    wait_for(lambda: now() > last)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("early", [False, True], ids=["watching", "before-it-watches"])
def test_a_change(agent, mounted, source, sentinel, watch, change, early):
    fill(source)
    watch(mounted.directory / "home/ann/a")
    watches, since = agent.freeze(), now()
    assert watches
    if early:
        mounted.server.end()
        CHANGES[change](source)
        assert sentinel(watches, since).result() == b"changed\0"
        return
    waiting = sentinel(watches, since).wait()
    CHANGES[change](source)
    assert waiting.result() == b"changed\0"


def test_what_is_no_change(agent, mounted, source, sentinel, watch):
    fill(source)
    watch(mounted.directory / "home/ann/a")
    watches = agent.freeze()
    waiting = sentinel(watches).wait()
    assert (source / "a/file").read_text() == "x" and os.listdir(source / "a") == ["file"]
    (source / "other").write_text("z")
    (source / "beside").mkdir()
    assert waiting.queued() == 0
    (source / "a/last").write_text("x")  # this is one
    assert waiting.result() == b"changed\0"


def test_only_the_events_that_are_watched(agent, mounted, source, sentinel, watch):
    """A watcher of new files is not woken for the others' data."""
    fill(source)
    watch(mounted.directory / "home/ann/a", CREATE)
    watches = agent.freeze()
    assert list(watches.values()) == [CREATE]
    waiting = sentinel(watches).wait()
    (source / "a/file").write_text("other")
    assert waiting.queued() == 0
    (source / "a/new").write_text("x")
    assert waiting.result() == b"changed\0"


def test_nobody_watches_for_reads(sentinel):
    sentinel({1: ACCESS | OPEN | CLOSE_NOWRITE}).wait()


def test_numbers_that_are_none(sentinel):
    """The guest may say anything."""
    sentinel({0: 0xfff, 1: 0xfff, 2: 0xfff, 1 << 63: 0xfff, (1 << 64) - 1: 0xfff, 7 << 32: 0xffffffff}).wait()


def test_ends_with_its_keeper(sentinel):
    waiting = sentinel({}).wait()
    os.close(waiting.reports)
    assert waiting.process.wait(60) == 0
    waiting.reports = os.open("/dev/null", os.O_RDONLY)


def test_a_list_that_is_cut(mounted, source, sentinel):
    waiting = sentinel({})
    os.ftruncate(waiting.list, 9)
    waiting.wait()


def test_the_host_below_an_overlay(tmp_path, source, watch):
    """What the guest has changed is kept apart: the host's directory is watched."""
    fill(source)
    kept = tmp_path / "kept"
    kept.mkdir()
    roots = [(f"cow={kept}", source, PLACE)]
    mounted = Mounted(tmp_path / "mnt", roots, uid=os.getuid(), gid=os.getgid())
    share = mounted.directory / "home/ann"
    (share / "a/own").write_text("the guest's")
    agent = Agent(mounted.directory)
    watch(share / "a")
    watches, since = agent.freeze(), now()
    mounted.server.end()
    waiting = Sentinel(mounted, roots, watches, since).wait()
    (source / "a/file").write_text("other")
    assert waiting.result() == b"changed\0"
    waiting.close()
    mounted.server = mounted.serve(roots)
    agent.end()
    mounted.end()
