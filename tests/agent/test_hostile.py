# SPDX-License-Identifier: MIT
"""A host that misbehaves loses its sessions; the agent stays."""

import random
import signal
import struct

import pytest
import wire
from conftest import assert_ends


def raw_open(payload):
    return wire.frame(wire.OPEN, payload, 77)


@pytest.mark.parametrize("payload", [
    b"", b"\0", bytes(16), b"\xff\xfe" + b"\xff" * 38,
    struct.pack("<I", 0) + wire.string("a\0b") + wire.string("") + bytes(4) + wire.strings([]) * 3,
    struct.pack("<I", 0) + wire.string("") * 2 + bytes(4) + struct.pack("<I", 1 << 31) + bytes(40),
    struct.pack("<I", 0) + wire.string("") * 2 + bytes(4) + wire.strings(["true"]) * 3 + b"more",
    struct.pack("<I", 0) + wire.string("") * 2 + bytes(4) + wire.strings(["true"]) * 2,
])
def test_malformed_open(host, payload):
    session = wire.Session(host, 77, set(), 0)
    host.sessions[77] = session
    host.queue(raw_open(payload))
    assert host.wait(session).failed == (125, "malformed request to start a command")
    assert host.run("true").exit == (wire.EXITED, 0)


@pytest.mark.parametrize("type_, channel, payload", [
    (wire.DATA, wire.STDOUT, b"x"),
    (wire.DATA, wire.STDIN, None),  # beyond the window
    (wire.EOF, wire.STDERR, b"x"),
    (wire.EOF, wire.STDIN, b"x"),
    (wire.CREDIT, wire.STDOUT, struct.pack("<I", 1)),  # beyond the window
    (wire.CREDIT, wire.STDOUT, struct.pack("<I", 0xffffffff)),
    (wire.CREDIT, wire.STDIN, struct.pack("<I", 1)),
    (wire.CREDIT, wire.STDOUT, b"\0"),
    (wire.SIGNAL, 0, struct.pack("<I", 0)),
    (wire.SIGNAL, 0, struct.pack("<I", 65)),
    (wire.SIGNAL, 0, struct.pack("<I", 0xffffffff)),
    (wire.SIGNAL, 0, b""),
    (wire.RESIZE, 0, b"\0"),
    (wire.RESIZE, 0, bytes(5)),
    (wire.CLOSE, 0, b"x"),
    (wire.OPEN, 0, b""),
])
def test_bad_frame_ends_its_session_only(host, type_, channel, payload):
    other = host.open("cat")
    session = host.open("sleep", "1000")
    host.until(lambda: session.pid)
    session.credit = 0  # bypass the credit
    for _ in range(1 if payload is not None else 9):
        session.send(type_, payload if payload is not None else bytes(wire.DATA_MAX), channel)
    ended = host.wait(session).exit
    assert ended in [(wire.SIGNALED, signal.SIGKILL), (wire.SIGNALED, signal.SIGHUP)]
    other.write(b"still here")
    other.close_input()
    assert host.wait(other).stdout == b"still here"


def test_second_end_of_input_is_an_error(host):
    session = host.open("sleep", "1000")
    session.send(wire.EOF)
    session.send(wire.EOF)
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGKILL)


def test_unknown_types_and_streams_are_ignored(host):
    session = host.open("cat")
    for type_ in 0, 15, 16, 31, 39, 63, 64, 200, 255:
        session.send(type_, b"whatever")
        host.queue(wire.frame(type_, b"whatever"))
    for type_ in wire.DATA, wire.EOF, wire.CREDIT, wire.SIGNAL, wire.CLOSE:
        host.queue(wire.frame(type_, b"whatever", 4000000000))
    host.queue(wire.frame(wire.POWER, b"\7"))
    host.queue(wire.frame(wire.POWER, b""))
    host.queue(wire.frame(wire.OPEN, b"", 0))
    session.write(b"fine")
    session.close_input()
    assert host.wait(session).stdout == b"fine"


def test_frames_after_the_end_are_ignored(host):
    session = host.run("true")
    session.send(wire.DATA, b"late")
    session.send(wire.SIGNAL, struct.pack("<I", 9))
    session.send(wire.CLOSE)
    assert host.run("true").exit == (wire.EXITED, 0)


@pytest.mark.parametrize("garbage", [
    wire.HEADER.pack(wire.PAYLOAD_MAX + 1, wire.DATA, 0, 0, 1),
    wire.HEADER.pack(0, wire.DATA, 3, 0, 1),
    wire.HEADER.pack(0, wire.DATA, 0, 1, 1),
    b"\xff" * 12,
])
def test_broken_framing_ends_the_agent_and_its_sessions(agent, host, garbage):
    session = host.open("sleep", "1000")
    host.until(lambda: session.pid)
    host.queue(garbage)
    with pytest.raises(ConnectionError):
        host.until(lambda: False)
    assert agent.process.wait(10) == 1
    assert_ends(session.pid)


def test_random_bytes_never_crash_it(start_agent):
    for seed in range(30):
        agent = start_agent("--no-listeners")
        chaos = random.Random(seed)
        agent.host.queue(chaos.randbytes(chaos.randrange(1, 3000)))
        status = agent.stop()
        assert status in (0, 1), f"seed {seed}"


def test_random_frames_never_crash_it(start_agent):
    for seed in range(20):
        agent = start_agent("--no-listeners")
        chaos = random.Random(seed)
        host = agent.host
        types = [type_ for type_ in range(1, 64) if type_ != wire.POWER]
        for stream in 1, 2, 3:
            host.open("cat")
        for _ in range(300):
            host.queue(wire.frame(chaos.choice(types), chaos.randbytes(chaos.randrange(30)),
                                  chaos.randrange(5), chaos.randrange(3)))
        for stream in range(5):
            host.sessions.setdefault(stream, wire.Session(host, stream, set(), 0))
        host.queue(wire.frame(wire.THAW))  # a FREEZE among them has it say nothing
        host.next_stream = 100
        host.handle = lambda got: (host.sessions[got.stream].handle(got) if got.stream >= 100 else None)
        assert host.run("echo", "alive").stdout == b"alive\n", f"seed {seed}"


def test_end_of_the_host_ends_the_sessions_and_the_agent(agent, host):
    session = host.open("sh", "-c", "trap '' HUP; while :; do sleep 0.1; done")
    host.until(lambda: session.pid)
    assert agent.stop() == 0
    assert_ends(session.pid)


def test_power_ends_the_sessions_then_the_agent(agent, host):
    session = host.open("sleep", "1000")
    host.until(lambda: session.pid)
    host.power()
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGHUP)
    assert agent.process.wait(10) == 0
