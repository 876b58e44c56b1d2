# SPDX-License-Identifier: MIT
"""Arguments and environment up to the kernel's limit for one program, and beyond."""
import random
import resource
import struct

import pytest
import wire

PAGE = resource.getpagesize()
STRING_MAX = 32 * PAGE - 1  # MAX_ARG_STRLEN, without the NUL
COUNT = "import sys; print(len(sys.argv) - 1, sum(map(len, sys.argv[1:])))"


def count(host, words, **options):
    return host.run("/usr/bin/python3", "-c", COUNT, *words, timeout=60, **options)


@pytest.mark.parametrize("total", [65000, 65536, 65537, 131072, 1 << 20])
def test_many_words(host, total):
    words = ["w" * 95] * (total // 100)
    got = count(host, words)
    assert got.failed is None and got.stdout.split() == [b"%d" % len(words), b"%d" % (95 * len(words))]


def test_every_split_of_a_payload(host):
    """A string may end, begin or be split at any byte at the border of two frames."""
    fixed = len(wire.open_payload("/usr/bin/python3", "-c", COUNT, "", "x"))
    for size in range(wire.PAYLOAD_MAX - fixed - 4, wire.PAYLOAD_MAX - fixed + 8):
        got = count(host, ["a" * size, "x"])
        assert got.stdout.split() == [b"2", b"%d" % (size + 1)]


def test_words_arrive_whole_whatever_their_sizes(host):
    chance = random.Random(4)
    words = [bytes(chance.choices(range(1, 256), k=chance.choice([0, 1, 7, 300, 70000]))) for _ in range(40)]
    show = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv[1:])))"
    got = host.run("/usr/bin/python3", "-c", show, *words, env=["LC_ALL=C.UTF-8"], timeout=60)
    assert got.stdout.split(b"\0") == words


def test_environment_may_span_frames(host):
    env = [f"BIG_{n}={'v' * 1000}" for n in range(500)]
    got = host.run("sh", "-c", "env | grep -c ^BIG_", env=env, timeout=60)
    assert got.stdout == b"500\n"


def test_longest_string(host):
    assert count(host, ["s" * STRING_MAX]).stdout.split() == [b"1", b"%d" % STRING_MAX]


@pytest.mark.parametrize("words", [["s" * (STRING_MAX + 1)], ["s" * 300000], ["w" * 1000] * 7000],
                         ids=["one byte too long", "one too long", "too much"])
@pytest.mark.parametrize("program", ["/bin/echo", "echo"])
def test_more_than_the_kernel_accepts(host, words, program):
    got = host.run(program, *words, timeout=60)
    assert got.failed[0] == wire.TOO_LONG and got.failed[1].startswith(f"{program}: "), got.failed
    assert host.run("true").exit == (wire.EXITED, 0)


def test_two_interleaved_opens(host):
    """The frames of several streams alternate."""
    sessions, queues = [], []
    for n in range(3):
        session = wire.Session(host, 500 + n, set())
        host.sessions[session.stream] = session
        sessions.append(session)
        payload = wire.open_payload("/usr/bin/python3", "-c", COUNT, *[str(n) * 1000] * 200, flags=wire.MORE_FOLLOW)
        queues.append(wire.frames(wire.OPEN, payload, session.stream))
    for parts in zip(*queues):
        host.queue(b"".join(parts))
    for session in sessions:
        assert host.wait(session).stdout.split() == [b"200", b"200000"]


MORE = wire.open_payload("true", flags=wire.MORE_FOLLOW)
FULL = bytes(wire.PAYLOAD_MAX)


@pytest.mark.parametrize("parts", [
    [(wire.OPEN, MORE), (wire.OPEN, MORE)],
    [(wire.OPEN, MORE), (wire.DATA, b"x")],
    [(wire.OPEN, MORE), (wire.MORE, b"left over")],
    [(wire.OPEN, MORE[:-3]), (wire.MORE, b"")],
    [(wire.OPEN, MORE), *[(wire.MORE, FULL)] * (wire.OPEN_MAX // wire.PAYLOAD_MAX)],
], ids=["open", "data", "left over", "cut short", "too much"])
def test_malformed_parts(host, parts):
    session = wire.Session(host, 77, set())
    host.sessions[77] = session
    for type_, payload in parts:
        host.queue(wire.frame(type_, payload, 77))
    assert host.wait(session).failed == (125, "malformed request to start a command")
    assert host.run("true").exit == (wire.EXITED, 0)


def test_client_closes_between_parts(agent):
    """The buffered parts are freed, and the stream number becomes invalid."""
    host = agent.host
    host.run("true")
    before = agent.rss()
    for stream in range(1000, 1100):
        host.queue(wire.frame(wire.OPEN, MORE, stream) + wire.frame(wire.MORE, FULL, stream) * 8
                   + wire.frame(wire.CLOSE, b"", stream) + wire.frame(wire.MORE, b"", stream))
    assert host.run("true").exit == (wire.EXITED, 0)
    assert agent.rss() - before < 20 << 20
    host.queue(wire.frame(wire.MORE, struct.pack("<I", 0), 4000))  # for no stream
    assert host.run("true").exit == (wire.EXITED, 0)
