# SPDX-License-Identifier: MIT
"""Listening sockets, as the agent finds them without the machine's trace events."""

import contextlib
import os
import resource
import socket

import pytest
from ports import free_port

TCP, UDP = 6, 17


@pytest.fixture
def host(start_agent):
    return start_agent().host


def find(host, port, protocol=TCP, addresses=("0.0.0.0", "127.0.0.1", "::", "::1")):
    """Other suites run at the same time: whoever asks for less than all @addresses has not bound the others."""
    return [one for one in host.listeners or []
            if (one.port, one.protocol) == (port, protocol) and one.address in addresses]


@pytest.mark.parametrize("family, address, number", [
    (socket.AF_INET, "127.0.0.1", 4), (socket.AF_INET, "0.0.0.0", 4),
    (socket.AF_INET6, "::1", 6),
])
def test_socket_comes_and_goes(host, family, address, number):
    with socket.socket(family) as server:
        server.bind((address, 0))
        port = server.getsockname()[1]
        host.until(lambda: host.listeners is not None)
        assert not find(host, port, addresses=[address])
        server.listen()
        host.until(lambda: find(host, port, addresses=[address]))
        (one,) = find(host, port, addresses=[address])
        assert (one.family, one.protocol, one.address) == (number, TCP, address)
        with open(f"/proc/{os.getpid()}/comm", encoding="utf-8") as comm:
            assert one.owner == comm.read().strip()
    host.until(lambda: not find(host, port, addresses=[address]))


@pytest.mark.parametrize("v6only", [0, 1])
def test_socket_of_both_families_is_reported_as_two(host, v6only):
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
        server.bind(("::", 0))
        server.listen()
        port = server.getsockname()[1]
        host.until(lambda: find(host, port, addresses=["::"]))
        found = [(one.family, one.address) for one in find(host, port, addresses=["0.0.0.0", "::"])]
        assert found == ([(6, "::")] if v6only else [(4, "0.0.0.0"), (6, "::")])


def test_a_mapped_address_is_one_of_ipv4(host):
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::ffff:127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        host.until(lambda: find(host, port))
        assert [(one.family, one.address) for one in find(host, port)] == [(4, "127.0.0.1")]


def test_servers_of_udp_and_not_their_clients(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unbound:
        port, of_client = free_port(), free_port()
        server.bind(("127.0.0.1", port))
        client.bind(("127.0.0.1", of_client))
        client.connect(("127.0.0.1", port))
        unbound.sendto(b"", ("127.0.0.1", port))  # which gives it a port of the range for clients
        host.until(lambda: find(host, port, UDP))
        assert [(one.family, one.address) for one in find(host, port, UDP)] == [(4, "127.0.0.1")]
        assert not find(host, of_client, UDP) and not find(host, unbound.getsockname()[1], UDP)
    host.until(lambda: not find(host, port, UDP))


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


def test_more_than_are_followed_are_named(start_agent):
    """Of the many each is known of, if only by its port; what is followed is followed."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with contextlib.ExitStack() as stack:
        ports = {stack.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1] for _ in range(1100)}
        host = start_agent("--device", "lo").host
        host.until(lambda: host.listeners is not None)
        listed, others = {one.port for one in host.listeners}, {port for _, port in host.others}
        assert len(host.listeners) == 1024 and ports <= listed | others
        assert not listed & others and all(protocol in (6, 17) for protocol, _ in host.others)
        assert all(one.relay != 0 for one in host.listeners if one.port in ports)
    host.until(lambda: not host.others and not ports & {one.port for one in host.listeners})
