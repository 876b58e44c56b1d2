"""A berth and a keeper or guest of different versions: the old ones continue after an upgrade, and can be listed and
stopped. A proxy before a real keeper plays the old one by changing the versions in both directions.
"""
import json
import os
import signal
import socket
import struct
import threading
from pathlib import Path

import pytest

import wire
from conftest import BUILD, net_of, wait_for
from waiting import LIMIT

STATUS, STOP, DONE, ERROR, HELLO, HELLO_IS = 65, 67, 80, 83, 85, 86  # lib/instance/control.h, hello.h
VERSION = 8


def read_frames(sock):
    with sock.makefile("rb") as stream:
        while len(header := stream.read(wire.HEADER.size)) == wire.HEADER.size:
            size, type_, channel, _, number = wire.HEADER.unpack(header)
            yield wire.Frame(type_, channel, number, stream.read(size))


class OtherKeeper:
    """A proxy before box's keeper: @change maps each frame of its answers to bytes; if @stopped is set, a STOP is not
    forwarded but answered with it.
    """

    def __init__(self, box, change, stopped=None):
        self.path = box.runtime / box.info("box")["id"] / "control"
        self.real = self.path.with_name("control.real")
        self.change, self.stopped = change, stopped
        self.path.rename(self.real)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            keeper = socket.socket(socket.AF_UNIX)
            try:
                keeper.connect(str(self.real))
            except OSError:  # it has ended: close this end, too, before the client notices
                self.listener.close()
                client.close()
                return
            threading.Thread(target=self.to_keeper, args=(client, keeper), daemon=True).start()
            threading.Thread(target=self.to_client, args=(client, keeper), daemon=True).start()

    def to_keeper(self, client, keeper):
        try:
            for got in read_frames(client):
                if got.type == STOP and self.stopped is not None:
                    client.sendall(self.stopped)
                else:
                    keeper.sendall(wire.frame(got.type, got.payload, got.stream, got.channel))
            keeper.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def to_client(self, client, keeper):
        try:
            for got in read_frames(keeper):
                client.sendall(self.change(got))
            client.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def same(got):
    return wire.frame(got.type, got.payload, got.stream, got.channel)


def from_before_versions(got):
    return b"" if got.type == HELLO_IS else same(got)


def without_shares(got):
    """The last version whose keepers close the connection at CONTROL_SET_SHARES."""
    return wire.frame(HELLO_IS, struct.pack("<I", 1)) if got.type == HELLO_IS else same(got)


def newer(got):
    return wire.frame(HELLO_IS, struct.pack("<I", 9) + b"and more") if got.type == HELLO_IS else same(got)


def garbage(got):
    return b"\xff" * 64 if got.type == HELLO_IS else same(got)


@pytest.fixture
def running(box):
    box("start").ok()
    return box


@pytest.mark.parametrize("change, age, version, hint", [
    (from_before_versions, "an older berth", "version 0 ", "end the distro, then try again: berth terminate "),
    (newer, "a newer berth", "version 9 ", "use the newer berth, or end the distro: berth terminate "),
])
def test_a_keeper_of_another_version(running, change, age, version, hint):
    pid = running.info("box")["keeper_pid"]
    OtherKeeper(running, change)
    for status, words in [(125, ("run", "true")), (1, ("start",)), (1, ("ports", "box")), (1, ("ports", "--watch")),
                          (1, ("resize", "box", "2T")), (1, ("forward", "add", "box", "8080")),
                          (125, ("console", "box"))]:
        result = running(*words)
        result.failed(status, "instance.version", age, version)
        assert result.hint == hint + ("NAME" if words[0] == "console" else "box")
    info = running.info("box")
    assert info["state"] == "running" and info["keeper_pid"] == pid and age in info["reason"]
    assert f"running (the distro was started by {age}" in running("list").ok()
    assert "1, 1 running" in running("status").ok()
    running("ports").ok()
    assert [start for start in running.qemus()] == running.qemus()[:1]  # no new start

    running("terminate", "box").ok()
    assert running.info("box")["state"] == "stopped"
    assert running("run", "echo", "fine").ok() == "fine\n"


@pytest.mark.parametrize("change, age", [(without_shares, "an older berth"), (newer, "a newer berth")])
def test_shares_change_at_the_next_start_of_a_keeper_of_another_version(running, tmp_path_factory, change, age):
    OtherKeeper(running, change)
    added = running("share", "add", "box", str(tmp_path_factory.mktemp("src")), "/work")
    assert added.status == 0
    assert f"box: the change takes effect at its next start: the distro was started by {age}" in added.err


def test_keeper_sends_garbage(running):
    OtherKeeper(running, garbage)
    running("run", "true").failed(125, "wire.frame")
    running("terminate", "box").ok()
    assert running("run", "echo", "fine").ok() == "fine\n"


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("stopped", [wire.frame(99, b"x"), b"\xff" * 64], ids=["unknown", "garbage"])
def test_keeper_with_unknown_answer_to_stop(running, stopped, force):
    """It is ended by signals; cleanly unless forced."""
    OtherKeeper(running, newer, stopped)
    running("terminate", *force, "box").ok()
    assert running.info("box")["state"] == "stopped"
    log = running("logs", "box").ok()
    assert ("power down" in log) == (force == ())
    assert running("run", "echo", "fine").ok() == "fine\n"


def talk(running, *frames):
    """The keeper's answer to a client that sends @frames."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(LIMIT)
        sock.connect(str(running.runtime / running.info("box")["id"] / "control"))
        sock.sendall(b"".join(frames))
        yield from read_frames(sock)


@pytest.mark.parametrize("hello, age", [
    ((), "a newer berth"),
    ((wire.frame(HELLO, struct.pack("<I", 9) + b"and more", 1),), "an older berth"),
])
def test_a_client_of_another_version(running, hello, age):
    answers = talk(running, *hello, wire.frame(STATUS), wire.frame(wire.OPEN, bytes(4), 1))
    if hello:
        got = next(answers)
        assert (got.type, got.payload) == (HELLO_IS, struct.pack("<I", VERSION))
    for _ in range(2):
        got = next(answers)
        fields = wire.Fields(got.payload)
        assert got.type == ERROR and fields.number("I") is not None
        assert fields.string() == "instance.version" and "berth terminate" in fields.string()
        assert age in fields.string()
    assert running.info("box")["state"] == "running"

    assert [got.type for got in talk(running, *hello, wire.frame(STOP, struct.pack("<BI", 0, 10)))][-1] == DONE
    wait_for(lambda: running.info("box")["state"] == "stopped")
    assert json.loads(running("ports", "--json").ok())["ports"] == []


def test_unregistered_keeper_of_another_version(running):
    """Its name is in its directory, among settings unknown to this berth."""
    directory = running.runtime / running.info("box")["id"]
    machine = directory / "machine.conf"
    machine.write_text(machine.read_text().replace("[machine]", "[machine]\nlater=than this"))
    (running.data / "registry.db").rename(running.data / "away")
    (running.data / "registry.db").write_text("no registry\n" * 1000)
    for path in running.data.glob("registry.db-*"):
        path.unlink()
    running("list").failed(1, "registry.corrupt")
    running("terminate", "other").failed(1, "registry.corrupt")
    running("terminate", "BOX").ok()
    assert not (directory / "control").exists()
    (running.data / "away").rename(running.data / "registry.db")
    assert running.info("box")["state"] == "stopped"


def test_a_guest_that_reboots_after_an_upgrade(running):
    """It boots the files of its keeper's version, not those that replaced them."""
    for name in "vmlinux", "initramfs.cpio":
        (running.support / "new").write_text("of another version\n")
        (running.support / "new").rename(running.support / name)
    first = running.qemus()[0]
    os.kill(first["pid"], signal.SIGUSR1)
    wait_for(lambda: len(running.qemus()) == 2 and running.info("box")["state"] == "running")
    argv = running.qemus()[1]["argv"]
    for option in "-kernel", "-initrd":
        assert Path(argv[argv.index(option) + 1]).read_text() == "fake-qemu does not look\n"
    running("terminate", "box").ok()
    running("start").ok()
    argv = running.qemus()[2]["argv"]
    assert Path(argv[argv.index("-initrd") + 1]).read_text() == "of another version\n"


def test_a_berth_net_that_ends_after_an_upgrade(running):
    """The next one is of the keeper's version, under its name."""
    keeper = running.info("box")["keeper_pid"]
    (running.support / "new").write_text("#!/bin/sh\nexit 1\n")
    (running.support / "new").chmod(0o755)
    (running.support / "new").rename(running.support / "berth-net")
    first = wait_for(lambda: net_of(keeper))
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: net_of(keeper) not in (None, first))
    assert running("forward", "add", "box", "8080").status == 0
    assert running.info("box")["state"] == "running"
    assert "ended unexpectedly and was started again" in running("logs", "box").ok()


# --- copies ---

COPY_ENDS = [("{}/file", "box:{}/copy"), ("box:{}/file", "{}/copy"), ("box:{}/file", "other:{}/copy"),
             ("other:{}/file", "box:{}/copy")]
COPY_VERSION = wire.frame(128, struct.pack("<I", 1))  # lib/transfer/stream.h: BEGIN


def copy(berth, tmp_path, source, target):
    (tmp_path / "file").write_bytes(bytes(3 << 20))
    return berth("cp", source.format(tmp_path), target.format(tmp_path))


def has_copied(tmp_path):
    return (tmp_path / "copy").exists()


@pytest.fixture
def old_guest(tmp_path):
    """The environment of a guest that does not know the word that begins an end of a copy."""
    program, found = tmp_path / "old-guest", (BUILD / "cmd/berth-guest").read_bytes()
    old = found.replace(b"\0--copy\0", b"\0--none\0")
    assert old != found
    program.write_bytes(old)
    program.chmod(0o755)
    return {"FAKE_QEMU_GUEST": program}


@pytest.mark.parametrize("source, target", COPY_ENDS)
def test_copy_with_a_guest_from_before_copies(box, rootfs, tmp_path, old_guest, source, target):
    box("import", "other", rootfs).ok()
    box("start", "box", env=old_guest).ok()
    result = copy(box, tmp_path, source, target)
    result.failed(1, "cp.old-guest", "box was started by a version of berth that cannot copy files")
    assert result.hint == 'restart it: "berth terminate box", then try again'
    assert not has_copied(tmp_path)
    box("terminate", "box").ok()
    copy(box, tmp_path, source, target).ok()
    assert has_copied(tmp_path)


def other_copies(got):
    """The guest's end speaks the second version of the stream."""
    if got.type == wire.DATA and got.payload.startswith(COPY_VERSION):
        return same(got._replace(payload=COPY_VERSION[:-4] + struct.pack("<I", 2) + got.payload[len(COPY_VERSION):]))
    return same(got)


@pytest.mark.parametrize("source, target", COPY_ENDS[:2])
def test_copy_with_a_guest_of_another_version(running, tmp_path, source, target):
    OtherKeeper(running, other_copies)
    result = copy(running, tmp_path, source, target)
    result.failed(1, "cp.old-guest", "box was started by another version of berth")
    assert result.hint == 'restart it: "berth terminate box", then try again'
