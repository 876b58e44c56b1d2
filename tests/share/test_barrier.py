"""The barrier of a share (lib/wire/settle.h): once it is answered, the guest has all that the host did before it."""
import os
import random
import signal
import struct
import threading

import pytest

from test_events import Watcher, plain
from waiting import stop_process

NAME = "user.berth.settled"


def settle(directory):
    """(server, lost)"""
    while True:
        try:
            return struct.unpack("QQ", os.getxattr(directory, NAME))
        except BlockingIOError:
            continue


def change(source, chance, serial):
    """Some changes of the host's, in two directories."""
    for step in range(chance.randrange(1, 12)):
        where = source / chance.choice(["", "sub"])
        files = sorted(path for path in where.iterdir() if path.is_file())
        what = chance.randrange(5) if files else 0
        if what == 0:
            (where / f"new-{serial}-{step}").write_text("text")
        elif what == 1:
            chance.choice(files).write_text(str(serial))
        elif what == 2:
            os.chmod(chance.choice(files), chance.choice([0o600, 0o640]))
        elif what == 3:
            os.rename(chance.choice(files), source / "sub" / f"moved-{serial}-{step}")
        else:
            chance.choice(files).unlink()


def test_events_and_caches_are_there_once_it_is_answered(source, share):
    """No event comes after it, and names and sizes are the host's. Tried with 1000 rounds."""
    chance = random.Random(11)
    (source / "sub").mkdir()
    os.listdir(share / "sub")
    first = settle(share)
    host, guest = Watcher(source, ["", "sub"]), Watcher(share, ["", "sub"])
    for serial in range(150):
        change(source, chance, serial)
        assert settle(share) == first
        assert plain(guest.read()) == plain(host.read()), serial
        for where in ("", "sub"):
            assert sorted(os.listdir(share / where)) == sorted(os.listdir(source / where))
            for entry in os.scandir(source / where):
                assert os.stat(share / where / entry.name).st_size == entry.stat().st_size
    host.close()
    guest.close()


def test_many_ask_while_the_host_changes_files(source, share):
    """Nobody waits for ever, and in the end all is there."""
    def write():
        for _ in range(400):
            (source / "file").write_text("text")
            (source / "file").unlink()
    os.listdir(share)
    writer = threading.Thread(target=write)
    writer.start()
    answers = []

    def ask():
        while writer.is_alive():
            answers.append(settle(share))
    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for thread in (*askers, writer):
        thread.join()
    answers.append(settle(share))
    assert len({server for server, _ in answers}) == 1
    assert os.listdir(share) == []


def test_lost_events_are_counted(source, mounted, share):
    """More than inotify's queue holds, while the server stands still."""
    (source / "sub").mkdir()
    held = os.open(share / "sub", os.O_RDONLY)  # its watch ends when the guest's kernel forgets the directory
    server, lost = settle(share)
    most = int(open("/proc/sys/fs/inotify/max_queued_events").read())
    stop_process(mounted.server.process.pid)
    for number in range(most // 2 + 1):  # two events each, at the least
        (source / f"sub/{number % 500}").touch()
        (source / f"sub/{number % 500}").unlink()
    mounted.server.process.send_signal(signal.SIGCONT)
    assert settle(share)[0] == server
    assert settle(share)[1] > lost
    lost = settle(share)[1]
    (source / "sub/last").touch()
    assert settle(share) == (server, lost)
    assert os.listdir(share / "sub") == ["last"]
    os.close(held)


def test_the_next_server_is_another_and_has_caught_up(source, mounted, share):
    (source / "sub").mkdir()
    (source / "sub/file").write_text("text")
    assert os.stat(share / "sub/file").st_size == 4
    watcher = Watcher(share, ["sub"])
    server, _ = settle(share)
    mounted.server.process.kill()
    mounted.server.process.wait()
    (source / "sub/file").write_text("longer text")
    mounted.replace(("rw", source, "/home/ann"))
    assert settle(share)[0] != server
    assert os.stat(share / "sub/file").st_size == 11
    assert ("sub", "modify", "file", 0) in watcher.read()
    watcher.close()


def test_what_asks_for_less_room(source, share):
    size = len(os.getxattr(share, NAME))
    assert size == 16 and NAME not in os.listxattr(share)
    with pytest.raises(OSError):
        os.getxattr(source, NAME)
