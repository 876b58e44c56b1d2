# SPDX-License-Identifier: MIT
"""Loopback proxies: clients reach services that do not listen on the device through a port of the agent."""

import hashlib
import os
import socket
import struct
import threading

import pytest


@pytest.fixture
def agent(start_agent):
    return start_agent("--device", "lo")


def serve(address, family=socket.AF_INET, v6only=1):
    server = socket.socket(family)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    server.bind((address, 0))
    server.listen(128)
    return server


def listeners_of(host, port):
    return [one for one in host.listeners or [] if one.port == port]


def proxy_port(host, server):
    """The port of the proxy to @server; 0: it has none."""
    port = server.getsockname()[1]
    host.until(lambda: listeners_of(host, port))
    relays = {one.relay for one in listeners_of(host, port)}
    assert len(relays) == 1
    return relays.pop()


@pytest.mark.parametrize("family, address, through", [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"), (socket.AF_INET, "127.0.0.1", "::1"),
    (socket.AF_INET6, "::1", "127.0.0.1"), (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET, "0.0.0.0", "::1"), (socket.AF_INET6, "::", "127.0.0.1"),
])
def test_connection_through_a_proxy(host, family, address, through):
    with serve(address, family) as server:
        relay = proxy_port(host, server)
        with socket.create_connection((through, relay)) as client:
            service, peer = server.accept()
            assert peer[0] in ("127.0.0.1", "::1")  # the client appears on the loopback
            client.sendall(b"there")
            assert service.recv(5) == b"there"
            service.sendall(b"back")
            assert client.recv(4) == b"back"
            service.close()


def test_a_dual_stack_service_gets_no_proxy(host):
    with serve("::", socket.AF_INET6, v6only=0) as server:
        assert proxy_port(host, server) == 0


def test_each_family_reaches_its_own_service(host):
    with serve("127.0.0.1") as v4, socket.socket(socket.AF_INET6) as v6:
        v6.bind(("::1", v4.getsockname()[1]))
        v6.listen()
        host.until(lambda: len(listeners_of(host, v4.getsockname()[1])) == 2)
        relay = proxy_port(host, v4)
        for through, server in (("127.0.0.1", v4), ("::1", v6)):
            with socket.create_connection((through, relay)):
                server.accept()[0].close()


def test_a_proxy_closes_with_its_service(host):
    server = serve("127.0.0.1")
    port, relay = server.getsockname()[1], proxy_port(host, server)
    server.close()
    host.until(lambda: not listeners_of(host, port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay))


def test_a_proxy_is_no_listener_of_the_guest(host):
    with serve("127.0.0.1") as server:
        assert not listeners_of(host, proxy_port(host, server))


def test_half_close(host):
    with serve("127.0.0.1") as server, \
            socket.create_connection(("127.0.0.1", proxy_port(host, server))) as client:
        service = server.accept()[0]
        client.sendall(b"all of the question")
        client.shutdown(socket.SHUT_WR)
        question = b""
        while chunk := service.recv(100):
            question += chunk
        assert question == b"all of the question"
        service.sendall(b"the answer")
        service.close()
        assert client.recv(100) == b"the answer" and client.recv(100) == b""


@pytest.mark.parametrize("who", ["client", "service"])
def test_a_reset_is_passed_on(host, who):
    with serve("127.0.0.1") as server:
        client = socket.create_connection(("127.0.0.1", proxy_port(host, server)))
        service = server.accept()[0]
        client.sendall(b"x")
        assert service.recv(1) == b"x"
        cutter, other = (client, service) if who == "client" else (service, client)
        cutter.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        cutter.close()
        with pytest.raises(ConnectionResetError):
            other.recv(1)
        other.close()


def test_backpressure_loses_nothing(host):
    sent, received = hashlib.sha256(), hashlib.sha256()
    with serve("127.0.0.1") as server, \
            socket.create_connection(("127.0.0.1", proxy_port(host, server))) as client:
        service = server.accept()[0]
        client.settimeout(0.5)
        block = os.urandom(65536)
        size = 0
        with pytest.raises(TimeoutError):
            while size < 1 << 30:
                size += (taken := client.send(block))
                sent.update(block[:taken])
        assert size < 64 << 20  # bounded by the kernel's buffers

        def read():
            while chunk := service.recv(65536):
                received.update(chunk)

        reader = threading.Thread(target=read)
        reader.start()
        client.settimeout(20)
        client.sendall(block)
        sent.update(block)
        client.shutdown(socket.SHUT_WR)
        reader.join()
        service.close()
    assert sent.digest() == received.digest()


def carried(agent, relay):
    """The number of the agent's descriptors for connections: pipes, and sockets at @relay. Unlike a count of this
    host's sockets it ignores other programs.
    """
    pipes = 0
    for name in os.listdir(f"/proc/{agent.pid}/fd"):
        try:
            pipes += os.readlink(f"/proc/{agent.pid}/fd/{name}").startswith("pipe:")
        except FileNotFoundError:
            pass
    rows = [line.split() for path in ("tcp", "tcp6") for line in open(f"/proc/net/{path}", encoding="ascii").readlines()[1:]]
    sockets = sum(int(row[1].rpartition(":")[2], 16) == relay and row[3] != "0A" and row[9] != "0" for row in rows)
    return pipes + sockets


def test_many_connections_leak_no_descriptor(agent):
    host = agent.host
    with serve("127.0.0.1") as server:
        relay = proxy_port(host, server)
        before = carried(agent, relay)
        for _ in range(5):
            clients = [socket.create_connection(("127.0.0.1", relay)) for _ in range(64)]
            services = [server.accept()[0] for _ in clients]
            for number, service in enumerate(services):
                service.sendall(b"%02d" % number)
            assert sorted(client.recv(2) for client in clients) == [b"%02d" % n for n in range(64)]
            for one in clients + services:
                one.close()
        host.until(lambda: carried(agent, relay) <= before)
