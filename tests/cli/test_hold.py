# SPDX-License-Identifier: MIT
"""The keeper's hold: while a client has one, nothing writes the distro's disk, and all that wants it waits."""
import os
import signal
import socket
import struct
import subprocess

import pytest

import wire
from conftest import wait_for
from test_suspend import forwarded, state, suspended  # noqa: F401, fixtures
from test_versions import DONE, ERROR, HELLO, HELLO_IS, VERSION, read_frames
from waiting import is_alive

WAIT, STOP, SUSPEND, HOLD, HELD, RELEASE = 64, 67, 90, 93, 94, 95  # lib/instance/control/control.h


class Client:
    """A connection to box's keeper."""

    def __init__(self, box):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(box.runtime / box.info("box")["id"] / "control"))
        self.frames = read_frames(self.socket)

    def send(self, type_, payload=b""):
        """Return once the keeper has handled the request, which it may not have answered yet."""
        self.socket.sendall(wire.frame(HELLO, struct.pack("<I", VERSION), 1) + wire.frame(type_, payload))
        assert self.answer().type == HELLO_IS

    def answer(self):
        return next(self.frames)

    def ask(self, type_, payload=b""):
        self.send(type_, payload)
        return self.answer()

    def has_answer(self):
        self.socket.setblocking(False)
        try:
            return self.socket.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return False
        finally:
            self.socket.settimeout(60)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


@pytest.fixture
def clients(box):
    """Makes connections, and ends them with the test."""
    made = []

    def connect():
        made.append(Client(box))
        return made[-1]
    yield connect
    for client in made:
        client.socket.close()


@pytest.fixture
def running(box):
    box("start", "box").ok()
    return box


def held(box, clients, was_awake):
    holder = clients()
    answer = holder.ask(HOLD)
    assert (answer.type, answer.payload) == (HELD, bytes([was_awake]))
    assert state(box) == "suspended"
    return holder


def test_commands_wait(running, clients):
    holder, waiting = held(running, clients, True), clients()
    waiting.send(WAIT)
    command = running.start("run", "--", "echo", "on")
    assert state(running) == "suspended" and not waiting.has_answer()
    assert holder.ask(RELEASE).type == DONE
    assert waiting.answer().type == DONE
    assert running.finish(command).ok() == "on\n"
    assert state(running) == "running" and len(running.qemus()) == 1  # it never ended


def test_programs_go_on(running, clients):
    program = running.start("run", "--", "cat", stdin=subprocess.PIPE)
    program.stdin.write(b"one\n")
    program.stdin.flush()
    assert program.stdout.readline() == b"one\n"
    holder = held(running, clients, True)
    program.stdin.write(b"two\n")
    program.stdin.flush()
    holder.ask(RELEASE)
    assert program.stdout.readline() == b"two\n"
    program.stdin.close()
    assert program.wait(60) == 0


def test_suspended_one_waits_with_a_packet(forwarded, clients):
    box, port = forwarded
    holder = held(box, clients, False)
    with socket.create_connection(("127.0.0.1", port), 30):
        wait_for(lambda: "a packet from the network waits for box" in box("logs", "box").ok())
        assert state(box) == "suspended" and len(box.qemus()) == 1
        holder.ask(RELEASE)
        wait_for(lambda: state(box) == "running")


def test_suspended_one_stays_suspended(suspended, clients):
    held(suspended, clients, False).ask(RELEASE)
    assert state(suspended) == "suspended" and len(suspended.qemus()) == 1


def test_the_end_of_the_connection_releases_it(running, clients):
    held(running, clients, True).close()
    wait_for(lambda: state(running) == "running")


def test_an_end_before_the_answer(running, clients):
    client = clients()
    client.send(HOLD)
    client.close()
    assert clients().ask(WAIT).type == DONE
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert state(running) == "running" and len(running.qemus()) == 1


def test_the_last_one_releases_it(running, clients):
    first, second = held(running, clients, True), held(running, clients, True)
    first.close()
    assert state(running) == "suspended"
    assert second.ask(RELEASE).type == DONE
    assert clients().ask(WAIT).type == DONE and state(running) == "running"


def test_one_after_the_other_on_one_connection(running, clients):
    client = clients()
    for _ in range(3):
        assert client.ask(HOLD).type == HELD
        assert client.ask(RELEASE).type == DONE
    assert client.ask(WAIT).type == DONE


def test_suspend_meanwhile(running, clients):
    holder, client = held(running, clients, True), clients()
    client.send(SUSPEND)
    assert not client.has_answer()
    holder.ask(RELEASE)
    assert client.answer().type == DONE
    assert state(running) == "suspended" and not is_alive(running.qemus()[-1]["pid"])
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_terminate_meanwhile(running, clients):
    holder, client = held(running, clients, True), clients()
    client.send(STOP, struct.pack("<BI", 0, 30))
    assert not client.has_answer()
    holder.ask(RELEASE)
    assert client.answer().type == DONE
    wait_for(lambda: state(running) == "stopped")
    assert len(running.qemus()) == 1


def test_terminate_by_force_meanwhile(running, clients):
    holder = held(running, clients, True)
    running("terminate", "--force", "box").ok()
    assert next(holder.frames, None) is None  # and so its client knows
    assert state(running) == "stopped"


def test_killed_qemu_meanwhile(running, clients):
    holder = held(running, clients, True)
    os.kill(running.qemus()[-1]["pid"], signal.SIGKILL)
    assert next(holder.frames, None) is None
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_release_without_a_hold(running, clients):
    answer = clients().ask(RELEASE)
    assert answer.type == ERROR and b"hold.lost" in answer.payload
    assert state(running) == "running"


def test_it_cannot_be_stopped(box, clients):
    box("start", "box", env={"FAKE_QEMU_MODE": "no-stop"}).ok()
    client = clients()
    answer = client.ask(HOLD)
    assert answer.type == ERROR and b"Cannot stop" in answer.payload
    assert client.ask(WAIT).type == DONE
    assert box("run", "--", "echo", "on").ok() == "on\n"
