"""inotify in a distro: what the host changes raises the events that a watcher on the host sees."""
import os
import signal
import subprocess
from pathlib import Path

import pytest

from host import eventually

SOURCE = Path(__file__).with_name("watch_directory.c")
MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE, ISDIR = 0x2, 0x4, 0x8, 0x40, 0x80, 0x100, 0x200, 1 << 30


@pytest.fixture(scope="module")
def home(host):
    """The host's home with the watcher in it, and where the guest has it."""
    path = (host.root / "home").resolve()
    subprocess.run(["cc", "-O2", "-static", "-o", path / "watch_directory", SOURCE], check=True)
    return path, f"/mnt/host{path}"


@pytest.fixture
def watched(host, busybox, home):
    """Events of two directories that the guest has never listed, seen in the guest."""
    path, guest = home
    for name in ("one", "two"):
        (path / name).mkdir(exist_ok=True)
    watcher = host.spawn("run", "-d", busybox, "--", f"{guest}/watch_directory", f"{guest}/one", f"{guest}/two",
                         stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "ready\n"
    yield path, lambda count: [read_event(watcher.stdout) for _ in range(count)]
    watcher.send_signal(signal.SIGTERM)
    watcher.stdout.close()
    watcher.wait(60)


def read_event(stream):
    """(directory, mask, cookie, name)"""
    directory, mask, cookie, name = stream.readline().rstrip("\n").split(" ", 3)
    return int(directory), int(mask, 16), int(cookie, 16), name


def test_changes_of_the_host_raise_events(watched):
    path, events = watched
    (path / "one/file").write_text("text")
    assert events(3) == [(1, CREATE, 0, "file"), (1, MODIFY, 0, "file"), (1, CLOSE_WRITE, 0, "file")]
    os.chmod(path / "one/file", 0o600)
    assert events(1) == [(1, ATTRIB, 0, "file")]
    os.rename(path / "one/file", path / "two/other")
    first, second = events(2)
    assert (first[:2], first[3]) == ((1, MOVED_FROM), "file") and (second[:2], second[3]) == ((2, MOVED_TO), "other")
    assert first[2] == second[2] != 0
    (path / "two/other").unlink()
    (path / "two/directory").mkdir()
    (path / "two/directory").rmdir()
    assert events(3) == [(2, DELETE, 0, "other"), (2, CREATE | ISDIR, 0, "directory"), (2, DELETE | ISDIR, 0, "directory")]


def test_changes_of_the_guest_raise_them_once(watched, home, host, busybox):
    path, events = watched
    host("run", "-d", busybox, "--", "sh", "-c", f"cd {home[1]}/one; echo text > file; mv file ../two; rm ../two/file")
    (path / "one/last").mkdir()
    masks = [(directory, mask) for directory, mask, _, _ in events(7)]
    assert masks == [(1, CREATE), (1, MODIFY), (1, CLOSE_WRITE), (1, MOVED_FROM), (2, MOVED_TO), (2, DELETE), (1, CREATE | ISDIR)]
    (path / "one/last").rmdir()


def test_a_watcher_goes_on_after_a_killed_server(watched, home, host, busybox):
    """In the middle of many changes; nothing hangs, and the host's files stay as they are."""
    path, guest = home
    watcher = host.spawn("run", "-d", busybox, "--", f"{guest}/watch_directory", f"{guest}/one",
                         stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "ready\n"
    keeper = host.info(busybox)["keeper_pid"]
    found = subprocess.run(["pgrep", "-P", str(keeper), "-x", "berth-share"], capture_output=True, text=True)
    for number in range(200):
        (path / f"one/{number}").write_text("kept")
    os.kill(int(found.stdout), signal.SIGKILL)
    listing = f"ls {guest}/one | wc -l"
    eventually(lambda: host("run", "-d", busybox, "--", "sh", "-c", listing, check=False).stdout.strip() == "200",
               what="the next server")
    for number in range(200):
        assert (path / f"one/{number}").read_text() == "kept"
        (path / f"one/{number}").unlink()
    deleted = {}  # the next server may report an end twice: as found and as told
    while len(deleted) < 200:
        _, mask, _, name = read_event(watcher.stdout)
        if mask == DELETE:
            deleted[name] = True
    assert sorted(deleted, key=int) == [str(number) for number in range(200)]
    watcher.send_signal(signal.SIGTERM)
    watcher.stdout.close()
    watcher.wait(60)


def test_a_change_wakes_a_suspended_watcher(host, home, watched, busybox):
    """What it waits for; a change that nobody in the distro watches leaves it suspended."""
    path, events = watched
    for number in range(3):
        host("suspend", busybox)
        (path / f"unwatched{number}").write_text("text")
        assert host.info(busybox)["state"] == "suspended"
        (path / "two/woken").mkdir()
        assert events(1) == [(2, CREATE | ISDIR, 0, "woken")]
        (path / "two/woken").rmdir()
        assert events(1) == [(2, DELETE | ISDIR, 0, "woken")]
    log = host("logs", busybox).stdout
    assert log.count("a file of this host that busybox watches has changed") == 3
