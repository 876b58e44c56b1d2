# SPDX-License-Identifier: MIT
"""Listening sockets, as the agent finds them without the machine's trace events."""

import os
import socket

import pytest


@pytest.fixture
def host(start_agent):
    return start_agent().host


def find(host, port):
    return [one for one in host.listeners or [] if one.port == port]


@pytest.mark.parametrize("family, address, number", [
    (socket.AF_INET, "127.0.0.1", 4), (socket.AF_INET, "0.0.0.0", 4),
    (socket.AF_INET6, "::1", 6), (socket.AF_INET6, "::", 6),
])
def test_socket_comes_and_goes(host, family, address, number):
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        host.until(lambda: host.listeners is not None)
        assert not find(host, port)
        server.listen()
        host.until(lambda: find(host, port))
        (one,) = find(host, port)
        assert (one.family, one.protocol, one.address) == (number, 6, address)
        with open(f"/proc/{os.getpid()}/comm", encoding="utf-8") as comm:
            assert one.owner == comm.read().strip()
    host.until(lambda: not find(host, port))


def test_socket_of_a_session_is_named_after_its_program(host):
    session = host.open("/usr/bin/python3", "-c",
                        "import socket, sys; s = socket.create_server(('', 0)); "
                        "print(s.getsockname()[1], flush=True); sys.stdin.read()")
    host.until(lambda: session.stdout.endswith(b"\n"))
    port = int(session.stdout)
    host.until(lambda: find(host, port))
    assert find(host, port)[0].owner.startswith("python3")
    session.close_input()
    host.wait(session)
    host.until(lambda: not find(host, port))


def test_several_sockets_on_one_address_are_one(host):
    servers = []
    for _ in range(3):
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", servers[0].getsockname()[1] if servers else 0))
        server.listen()
        servers.append(server)
    port = servers[0].getsockname()[1]
    host.until(lambda: find(host, port))
    assert len(find(host, port)) == 1
    for server in servers:
        server.close()
    host.until(lambda: not find(host, port))


def test_snapshot_comes_only_when_it_changed(host):
    host.until(lambda: host.listeners is not None)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        host.until(lambda: find(host, port))
    host.until(lambda: not find(host, port))
    snapshots = [got.payload for got in host.find(20)]
    assert all(one != two for one, two in zip(snapshots, snapshots[1:]))


def test_nothing_is_reported_when_it_is_not_wanted(start_agent):
    host = start_agent("--no-listeners").host
    with socket.create_server(("127.0.0.1", 0)):
        host.run("sleep", "0.5")
    assert host.listeners is None
