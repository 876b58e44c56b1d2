# SPDX-License-Identifier: MIT
"""hostile_guest — what a guest could send that means harm, for fake-qemu: one function a kind, over the socket."""
import json
import os
import random
import struct
import threading
import time

import wire


def boot(sock):
    """What a good one says until sessions are accepted."""
    sock.sendall(wire.frame(wire.HELLO, struct.pack("<I", wire.VERSION) + wire.string("6.12-hostile"))
                 + wire.frame(wire.READY, wire.string("berth") + struct.pack("<I", 0)) + wire.frame(wire.BOOTED, wire.string("running")))


def frames(sock):
    """The host's, one after the other."""
    with sock.makefile("rb") as stream:
        while len(header := stream.read(wire.HEADER.size)) == wire.HEADER.size:
            size, type_, channel, _, stream_number = wire.HEADER.unpack(header)
            yield wire.Frame(type_, channel, stream_number, stream.read(size))


def due(sock):
    """Asked to freeze, it has to do what nobody can: first what is out of all bounds, then what is not."""
    far, soon = 1 << 62, int(time.time()) + 3600
    name = "\x1b[31m\n" + "x" * 5000
    claims = [(0, 0, 0, name), (far, 1, 1, name), (soon, 2**32 - 1, 2**32 - 1, name)]
    boot(sock)
    for got in frames(sock):
        said = [wire.frame(wire.DUE, struct.pack("<QII", at, lead, hold) + wire.string(name))
                for at, lead, hold, name in claims * 100]
        sock.sendall(b"".join(said))  # also when nobody asked
        if got.type == wire.FREEZE:
            sock.sendall(wire.frame(wire.FROZEN, wire.string("")))


def opened(sock):
    """The streams of sessions, as they are asked for."""
    for got in frames(sock):
        if got.type == wire.OPEN:
            sock.sendall(wire.frame(wire.OPENED, struct.pack("<I", 1) + wire.string(""), got.stream))
            yield got.stream


def garbage(sock):
    sock.sendall(random.Random(1).randbytes(100000))


def late_garbage(sock):
    boot(sock)
    for _ in opened(sock):
        garbage(sock)


def newer(sock):
    """One of a later berth, whose HELLO says more."""
    sock.sendall(wire.frame(wire.HELLO, struct.pack("<I", wire.VERSION + 1) + b"and more"))


def older(sock):
    sock.sendall(wire.frame(wire.HELLO, struct.pack("<I", wire.VERSION - 1) + wire.string("x")))


def other_once(sock, other):
    """@other at the first start; then a good one, as if the next keeper were of its version."""
    with open(os.environ["FAKE_QEMU_LOG"], encoding="utf-8") as log:
        starts = [start for start in map(json.loads, log) if not start["probe"]]
    if len(starts) == 1:
        other(sock)
    else:
        dead_streams(sock)


def newer_once(sock):
    other_once(sock, newer)


def older_once(sock):
    other_once(sock, older)


def oversized(sock):
    boot(sock)
    sock.sendall(wire.HEADER.pack(wire.PAYLOAD_MAX + 1, wire.STAGE, 0, 0, 0))


def half_a_frame(sock):
    sock.sendall(wire.HEADER.pack(1000, wire.HELLO, 0, 0, 0) + b"x")


def flood(sock):
    """A session's output without end, whatever its credit."""
    boot(sock)
    closed = threading.Event()
    flooder = None

    def pour(stream):
        while not closed.is_set():  # a client that is quick gives credit for a while
            sock.sendall(wire.frame(wire.DATA, bytes(wire.DATA_MAX), stream, wire.STDOUT))

    for got in frames(sock):
        if got.type == wire.OPEN and flooder is None:
            sock.sendall(wire.frame(wire.OPENED, struct.pack("<I", 1) + wire.string(""), got.stream))
            flooder = threading.Thread(target=pour, args=(got.stream,), daemon=True)
            flooder.start()
        elif got.type == wire.CLOSE:
            closed.set()
            flooder.join()
        elif got.type == wire.OPEN:
            sock.sendall(wire.frame(wire.OPENED, struct.pack("<I", 1) + wire.string(""), got.stream))
            sock.sendall(wire.frame(wire.EXIT, b"\0\7", got.stream))


def stage_flood(sock):
    """Words without end about the machine itself."""
    boot(sock)
    stages = wire.frame(wire.STAGE, wire.string("x" * 30000) + struct.pack("<Q", 1) + wire.string("p" * 30000)) * 20
    unknown = wire.frame(200, bytes(wire.PAYLOAD_MAX)) * 20
    while True:
        sock.sendall(stages + unknown)


def listeners_flood(sock):
    """Every time other ports, as many as a frame holds."""
    boot(sock)
    chance = random.Random(2)
    while True:
        rows = [struct.pack("<BBH", 4, 6, chance.randrange(20000, 60000)) + bytes(16) + wire.string("x") + bytes(4)
                for _ in range(1024)]
        sock.sendall(wire.frame(wire.LISTENERS, struct.pack("<I", len(rows)) + b"".join(rows) + bytes(4)))


def stops_reading(sock):
    boot(sock)
    next(opened(sock))


def never_opens(sock):
    """Takes every frame and says nothing about any."""
    boot(sock)
    for _ in frames(sock):
        pass


def deaf(sock):
    """Begins a session as a good one does, and then does not hear its signals."""
    boot(sock)
    for stream in opened(sock):
        sock.sendall(wire.frame(wire.SIGNAL, struct.pack("<I", 0), stream)
                     + wire.frame(wire.DATA, b"ready\n", stream, wire.STDOUT))


def credit_without_end(sock):
    boot(sock)
    for stream in opened(sock):
        sock.sendall(wire.frame(wire.CREDIT, struct.pack("<I", 0xffffffff), stream, wire.STDIN))


def dead_streams(sock):
    """Frames of streams that are over or never were; then an orderly end."""
    boot(sock)
    for stream in opened(sock):
        for other in 0x7fffffff, 0xffffffff, stream + 1:
            for type_ in wire.DATA, wire.EXIT, wire.FAILED, wire.CREDIT, wire.OPENED, 99:
                sock.sendall(wire.frame(type_, b"whatever", other))
        sock.sendall(wire.frame(wire.EXIT, b"\0\7", stream))
        sock.sendall(wire.frame(wire.DATA, b"late", stream, wire.STDOUT) + wire.frame(wire.EXIT, b"\0\0", stream))


def long_words(sock):
    """In place of each name and each line about itself."""
    words = wire.string("w" * 60000)
    sock.sendall(wire.frame(wire.HELLO, struct.pack("<I", wire.VERSION) + words)
                 + wire.frame(wire.STAGE, wire.string("s" * 30000) + struct.pack("<Q", 2**64 - 1) + wire.string("p" * 30000))
                 + wire.frame(wire.READY, words + struct.pack("<I", 2**32 - 1)) + wire.frame(wire.BOOTED, words))


def bad_exit(sock):
    boot(sock)
    for stream in opened(sock):
        sock.sendall(wire.frame(wire.EXIT, b"", stream))


def run(kind, sock):
    try:
        globals()[kind.replace("-", "_")](sock)
    except OSError:
        return  # berth has had enough
    for _ in [] if kind == "stops-reading" else frames(sock):
        pass
