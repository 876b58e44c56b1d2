# SPDX-License-Identifier: MIT
"""CONNECT: streams that end at a unix socket of the guest."""

import os
import socket
import struct
import threading

import pytest
import wire


@pytest.fixture
def daemon(tmp_path):
    """A server in the guest."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "daemon.sock"))
        listener.listen(64)
        listener.settimeout(20)
        yield listener


def connect(host, listener, **options):
    relay = host.connect(listener.getsockname(), **options)
    host.until(lambda: relay.pid is not None)
    peer = listener.accept()[0]
    peer.settimeout(20)
    return relay, peer


def test_bytes_go_both_ways(host, daemon):
    relay, peer = connect(host, daemon)
    relay.write(b"question")
    assert peer.recv(100) == b"question"
    peer.sendall(b"answer")
    host.until(lambda: relay.stdout == b"answer")
    peer.close()
    relay.close_input()
    assert host.wait(relay).exit == (wire.EXITED, 0)


def test_each_half_ends_on_its_own(host, daemon):
    relay, peer = connect(host, daemon)
    relay.write(b"all of it")
    relay.close_input()
    assert peer.recv(100, socket.MSG_WAITALL) == b"all of it"  # until EOF
    peer.sendall(b"then")
    host.until(lambda: relay.stdout == b"then")
    assert not relay.over
    peer.shutdown(socket.SHUT_WR)
    assert host.wait(relay).exit == (wire.EXITED, 0) and relay.eof == {wire.STDOUT}

    relay, peer = connect(host, daemon)
    peer.shutdown(socket.SHUT_WR)
    host.until(lambda: wire.STDOUT in relay.eof)
    relay.write(b"still heard")
    assert peer.recv(100) == b"still heard"
    relay.close_input()
    assert host.wait(relay).exit == (wire.EXITED, 0)


def test_data_of_a_closed_client_is_delivered(host, daemon):
    relay, peer = connect(host, daemon)
    received = []
    thread = threading.Thread(target=lambda: received.extend(iter(lambda: peer.recv(65536), b"")))
    relay.write(bytes(wire.WINDOW))
    relay.close()
    thread.start()
    assert host.wait(relay).exit == (wire.EXITED, 0)
    thread.join()
    assert sum(map(len, received)) == wire.WINDOW


def test_megabytes_both_ways_at_once(host, daemon):
    relay, peer = connect(host, daemon)
    data = os.urandom(8 << 20)

    def echo():
        while chunk := peer.recv(65536):
            peer.sendall(chunk)
        peer.close()
    thread = threading.Thread(target=echo)
    thread.start()
    relay.write(data)
    relay.close_input()
    assert host.wait(relay, 60).stdout == data
    thread.join()


def test_stalled_socket_blocks_no_other(agent, host, daemon):
    before = agent.rss()
    stalled, peer = connect(host, daemon, hold=[wire.STDOUT])
    stalled.write(bytes(3 * wire.WINDOW))
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            peer.send(bytes(65536))
            host.step(0.01)
    assert host.run("echo", "quick").stdout == b"quick\n"
    assert len(stalled.stdout) == wire.WINDOW and agent.rss() - before < 64 * wire.WINDOW


@pytest.mark.parametrize("path, reason", [
    ("/nonexistent/daemon.sock", "No such file or directory"),
    (__file__, "Connection refused" if os.access(__file__, os.W_OK) else "Permission denied"),
    ("relative", "Invalid argument"),
    ("/" + 120 * "x", "File name too long"),
])
def test_connection_refused(host, path, reason):
    status, message = host.wait(host.connect(path)).failed
    assert status == 125 and message.endswith(reason) and message.startswith(path[:100])


@pytest.mark.parametrize("payload", [b"", b"\0", b"\xff" * 8, wire.string("/x") + b"more"])
def test_malformed_connect(host, payload):
    relay = wire.Session(host, 77, set())
    host.sessions[77] = relay
    relay.send(wire.CONNECT, payload)
    assert host.wait(relay).failed[0] == 125
    assert host.run("true").exit == (wire.EXITED, 0)


@pytest.mark.parametrize("type_, channel, payload", [
    (wire.DATA, wire.STDOUT, b"x"),
    (wire.DATA, wire.STDIN, None),  # beyond the window
    (wire.EOF, wire.STDERR, b""),
    (wire.EOF, wire.STDIN, b"x"),
    (wire.CREDIT, wire.STDOUT, struct.pack("<I", 1)),
    (wire.CREDIT, wire.STDERR, struct.pack("<I", 0)),
    (wire.CREDIT, wire.STDOUT, b"\0"),
    (wire.CLOSE, 0, b"x"),
    (wire.OPEN, 0, b""),
    (wire.CONNECT, 0, b""),
])
def test_bad_frame_ends_its_stream_only(host, daemon, type_, channel, payload):
    relay, _ = connect(host, daemon)
    relay.credit = 0  # bypass the credit
    for _ in range(1 if payload is not None else 40):
        relay.send(type_, payload if payload is not None else bytes(wire.DATA_MAX), channel)
    assert host.wait(relay).exit == (wire.EXITED, 1)
    assert host.run("true").exit == (wire.EXITED, 0)


def test_connections_leak_nothing(agent, host, daemon):
    host.run("true")
    fds = agent.fds()
    for number in range(200):
        relay, peer = connect(host, daemon)
        if number % 2:
            peer.close()
            host.until(lambda: wire.STDOUT in relay.eof)
        relay.close()
        host.wait(relay)
        peer.close()
    host.until(lambda: agent.fds() <= fds, 5, "the descriptors' return")


def test_host_disconnect_closes_them(agent, host, daemon):
    _, peer = connect(host, daemon)
    assert agent.stop() == 0
    assert peer.recv(1) == b""
