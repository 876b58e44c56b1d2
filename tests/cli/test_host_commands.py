# SPDX-License-Identifier: MIT
"""berth-host, by which programs of a distro run commands of the host."""
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
import wire

from conftest import BUILD, wait_for
from host_guest import Guest
from waiting import LIMIT

ALLOWED = "[distro box]\nhost-commands=true\n"
CALL, GUEST_STREAM = 44, 1 << 31


@pytest.fixture
def guest(box):
    guest = Guest(box)
    box.configure(ALLOWED)
    box("start").ok()
    return guest


def test_a_command_of_the_host(guest):
    assert guest("echo", "a b", "", "c") == (0, b"a b  c\n", "")
    assert guest("sh", "-c", "cat; echo err >&2; exit 7", data=b"in") == (7, b"in", "err\n")
    assert guest("sh", "-c", "kill -TERM $$")[0] == 128 + signal.SIGTERM
    status, out, err = guest("no-such-command")
    assert (status, out, err) == (127, b"", "berth-host: no-such-command: command not found\n")
    assert guest("/etc/passwd")[0] == 126


@pytest.mark.parametrize("words", [[], [""], ["-c", "true"]], ids=str)
def test_words_that_are_no_command(guest, words):
    status, out, err = guest(*words)
    assert (status, out) == (125, b"") and "usage: berth-host" in err


@pytest.mark.parametrize("text, words", [
    ("", ["host-commands=true", "[distro box]", "berth.conf"]),
    ("[distro other]\nhost-commands=true\n", ["host-commands=true"]),
    ("[berth]\nhost-commands=true\n[distro box]\nhost-commands=false\n", ["host-commands=true"]),
    (ALLOWED + "isolated=true\n", ["isolated"]),
    (ALLOWED + "cpus=many\n", ["berth.conf:3"]),
], ids=["unset", "other", "overridden", "isolated", "broken"])
def test_the_settings_of_the_moment_count(guest, text, words):
    """What is allowed now, not at the start of the distro."""
    assert guest("true")[0] == 0
    guest.box.configure(text)
    guest.refused(*words)
    guest.box.configure(ALLOWED)
    assert guest("true")[0] == 0
    guest.box.config.unlink()
    guest.refused("host-commands=true")


def test_the_environment_cannot_allow_it(box):
    guest = Guest(box)
    box("start", env={"BERTH_HOST_COMMANDS": "true"}).ok()
    guest.refused("host-commands=true")


def test_an_isolated_distro_may_not(box):
    guest = Guest(box)
    box.configure(ALLOWED + "isolated=true\n")
    box("start").ok()
    guest.refused("isolated")
    box.configure(ALLOWED)
    guest.refused("isolated")  # it began so


def test_large_streams(guest):
    data = os.urandom(5 << 20)
    assert guest("cat", data=data) == (0, data, "")
    assert guest("sh", "-c", "cat >&2", data=b"x" * (1 << 20))[2] == "x" * (1 << 20)


def test_long_words(guest):
    words = ["w" * 100000] * 10
    assert guest("printf", "%s", *words) == (0, "".join(words).encode(), "")
    program = Program(guest)
    program.send(CALL, struct.pack("<I", wire.MORE_FOLLOW) + bytes(65532))
    for _ in range(32):
        program.send(wire.MORE, bytes(65536))
    type_, payload = program.receive()
    assert type_ == wire.FAILED and b"too long" in payload


def test_its_environment_is_the_hosts(guest):
    lines = guest("env")[1].decode().splitlines()
    environment = dict(line.split("=", 1) for line in lines)
    assert "GUEST_ONLY" not in environment and "BERTH_HOST_SOCKET" not in environment
    assert environment["HOME"] == str(guest.box.path)
    assert environment["PATH"] == guest.box.environment["PATH"]
    assert "TERM" not in environment  # there is none


DESK = {"DISPLAY": ":7", "SSH_AUTH_SOCK": "/run/agent", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/run/bus"}


def test_it_has_the_desktop_of_the_last_client(guest):
    """Not that of the one who started the distro, and none of a client's that has none, as cron's."""
    def desk():
        lines = guest("env")[1].decode().splitlines()
        return {name: value for name, value in (line.split("=", 1) for line in lines)
                if name in DESK or name in ("WAYLAND_DISPLAY", "PRIVATE")}
    guest.box("run", "true", env={**DESK, "PRIVATE": "1"}).ok()
    assert desk() == DESK
    guest.box("run", "true").ok()
    guest.box("list", env={"DISPLAY": ":9"}).ok()
    assert desk() == DESK
    guest.box("run", "true", env={"WAYLAND_DISPLAY": "wayland-1", "DISPLAY": ""}).ok()
    assert desk() | {"DBUS_SESSION_BUS_ADDRESS": ""} == {"WAYLAND_DISPLAY": "wayland-1", "DBUS_SESSION_BUS_ADDRESS": ""}


def test_its_directory(guest):
    """Where the guest is, if that is the host's; the home if not."""
    home = guest.box.path.resolve()
    (home / "src x").mkdir()
    shared = Path(f"{guest.root}{home}/src x")
    shared.mkdir(parents=True)
    wait_for(lambda: guest("pwd", cwd=shared)[1] == f"{home}/src x\n".encode())  # the shares are mounted by then
    assert guest("pwd", cwd="/usr") == (0, f"{home}\n".encode(), "")


def test_closed_outputs_end_it(guest):
    process = guest.start("yes")
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(timeout=LIMIT) == 128 + signal.SIGPIPE


def test_a_slow_reader_stops_only_itself(guest):
    slow = guest.start("yes")
    for _ in range(3):
        assert guest("echo", "x") == (0, b"x\n", "")
    slow.send_signal(signal.SIGINT)
    slow.stdout.read()
    assert slow.wait(timeout=LIMIT) == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(guest, number):
    process = guest.start("sh", "-c", f"trap 'echo got; exit 9' {number.name[3:]}; echo ready; while :; do sleep 1; done")
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.stdout.read() == b"got\n" and process.wait(timeout=LIMIT) == 9


def started(guest, tmp_path):
    """A command of the host that says its pid, and the berth-host that waits for it."""
    process = guest.start("sh", "-c", "echo $$; exec sleep 1000")
    pid = int(process.stdout.readline())
    return process, os.pidfd_open(pid)


def ends(pidfd):
    assert select.select([pidfd], [], [], LIMIT)[0], "the command goes on"
    os.close(pidfd)


def test_it_does_not_outlive_its_program(guest, tmp_path):
    process, command = started(guest, tmp_path)
    process.kill()
    ends(command)


def test_it_does_not_outlive_the_distro(guest, tmp_path):
    process, command = started(guest, tmp_path)
    guest.box("terminate", "box").ok()
    ends(command)
    assert process.wait(timeout=LIMIT) == 125


def test_it_does_not_outlive_the_keeper(guest, tmp_path):
    _, command = started(guest, tmp_path)
    os.kill(guest.box.info("box")["keeper_pid"], signal.SIGKILL)
    ends(command)


def test_a_terminal(guest):
    pid, master = pty.fork()
    if pid == 0:
        os.execve(BUILD / "cmd/berth-guest", ["berth-host", "sh", "-c", "stty size; read x; echo got $x; tty; exit 3"],
                  guest.environment)
    seen = b""

    def expect(text):
        nonlocal seen
        deadline = time.monotonic() + LIMIT
        while text not in seen:
            assert select.select([master], [], [], deadline - time.monotonic())[0], seen
            seen += os.read(master, 4096)
    expect(b"24 80")
    os.write(master, b"word\r")
    expect(b"got word")
    expect(b"/dev/pts/")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
    os.close(master)


class Program:
    """What a program of the guest may send that is not berth-host."""

    def __init__(self, guest):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(LIMIT)
        self.socket.connect(str(guest.socket))

    def send(self, type_, payload=b"", channel=0):
        self.socket.sendall(struct.pack("<IBBHI", len(payload), type_, channel, 0, 1) + payload)

    def call(self, *words, service=0, cwd="/", flags=0):
        self.send(CALL, struct.pack("<IB", flags, service) + wire.string(cwd) + struct.pack("<HH", 24, 80) +
                  wire.string("") + wire.strings(words))

    def receive(self):
        """The next frame's type and payload; None at the end."""
        header = self.read(12)
        if len(header) < 12:
            return None
        size, type_, _, _, stream = struct.unpack("<IBBHI", header)
        assert stream & GUEST_STREAM
        return type_, self.read(size)

    def read(self, size):
        data = b""
        while len(data) < size and (more := self.socket.recv(size - len(data))):
            data += more
        return data

    def close(self):
        self.socket.close()


@pytest.mark.parametrize("call", [
    {"words": ["true"], "service": 200}, {"words": []}, {"words": [""]}, {"words": ["true", "w" * 140000]},
    {"words": ["true"], "cwd": "/" + "x" * 5000},
], ids=str)
def test_malformed_calls_are_refused(guest, call):
    program = Program(guest)
    words = call.pop("words")
    if sum(map(len, words)) > 65000:
        payload = struct.pack("<IB", wire.MORE_FOLLOW, 0) + wire.string("/") + struct.pack("<HH", 24, 80) + \
            wire.string("") + wire.strings(words)
        program.send(CALL, payload[:65536])
        for begin in range(65536, len(payload), 65536):
            program.send(wire.MORE, payload[begin:begin + 65536])
    else:
        program.call(*words, **call)
    type_, payload = program.receive()
    assert type_ == wire.FAILED and b"malformed" in payload
    assert guest("true")[0] == 0


def test_one_program_cannot_call_twice(guest):
    program = Program(guest)
    program.call("cat")
    assert program.receive()[0] == wire.OPENED
    program.call("cat")
    assert program.receive() is None
    assert guest("true")[0] == 0


@pytest.mark.parametrize("type_", [wire.OPEN, wire.CONNECT])
def test_it_cannot_reach_sockets_or_other_users(guest, type_):
    program = Program(guest)
    program.send(type_, wire.string("/run/docker.sock"))
    assert program.receive() is None
    program = Program(guest)
    program.call("cat")
    assert program.receive()[0] == wire.OPENED
    program.send(type_, wire.string("/run/docker.sock"))
    assert program.receive() is None


def test_there_is_a_limit_of_commands(guest):
    programs = [Program(guest) for _ in range(33)]
    for program in programs:
        program.call("cat")
    answers = [program.receive() for program in programs]
    assert [answer[0] for answer in answers].count(wire.OPENED) == 32
    assert b"too many" in next(payload for type_, payload in answers if type_ == wire.FAILED)
    for program in programs:
        program.close()
    wait_for(lambda: guest("true")[0] == 0)
