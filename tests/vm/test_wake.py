"""A suspended distro wakes for what comes from the network; nobody out there notices more than a pause."""
import concurrent.futures
import socket
import urllib.request

import pytest

from host import eventually
from ports import free_port
from test_ports import serve, state_of

AT_ONCE = 8

# Serves each connection, or each datagram, by sending it back.
ECHO = """
import socket, sys, threading
kind, port = sys.argv[1], int(sys.argv[2])
server = socket.socket(socket.AF_INET, getattr(socket, kind))
server.bind(("0.0.0.0", port))
def echo(client):
    while data := client.recv(65536):
        client.sendall(data)
if kind == "SOCK_STREAM":
    server.listen(64)
    while True:
        threading.Thread(target=echo, args=server.accept()[:1], daemon=True).start()
while True:
    server.sendto(*server.recvfrom(65536))
"""


def suspend(host, name):
    """Again if the end of a connection wakes it, which comes a moment after the answer."""
    def is_suspended():
        host("suspend", name)
        return host.state(name) == "suspended"
    eventually(is_suspended, what="the suspend")


def wakes(host, name):
    """How often its log says that a packet woke it."""
    return host("logs", name).stdout.count(f"a packet from the network waits for {name}")


def get(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=120) as answer:
        return answer.read()


@pytest.fixture
def served(host, busybox):
    """A suspended distro with a web server, and its port."""
    port = free_port()
    host.shell(busybox, "mkdir -p /h; echo served >/h/index.html")
    serve(host, busybox, port)
    suspend(host, busybox)
    yield port
    host("terminate", busybox)


@pytest.mark.smoke
def test_a_request_is_answered(host, busybox, served):
    before = wakes(host, busybox)
    for i in range(3):
        assert get(served, "/h/index.html") == b"served\n"
        eventually(lambda: host.state(busybox) == "running")
        assert wakes(host, busybox) > before + i
        suspend(host, busybox)


def test_several_requests_at_once(host, busybox, served):
    before = wakes(host, busybox)
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda _: get(served, "/h/index.html"), range(AT_ONCE)))
    assert answers == [b"served\n"] * AT_ONCE
    assert wakes(host, busybox) == before + 1


def test_a_request_while_it_is_suspended(host, busybox, served):
    """Whichever moment of a suspend a request meets, it is answered without another's help."""
    host.run(busybox, "true")
    for _ in range(10):
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            suspending = pool.submit(host, "suspend", busybox, check=False)
            assert get(served, "/h/index.html") == b"served\n"
            suspending.result()


def test_an_answer_that_takes_a_while(host, busybox, served):
    """All of the request is in the guest before the suspend, so nothing would wake it: the suspend waits."""
    host.shell(busybox, "mkdir -p /cgi-bin; cat >/cgi-bin/slow; chmod +x /cgi-bin/slow",
               input="#!/bin/sh\ntouch /tmp/asked\nsleep 1\nprintf 'Content-Type: text/plain\\r\\n\\r\\nslow\\n'\n")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        for _ in range(3):
            answering = pool.submit(get, served, "/cgi-bin/slow")
            host.shell(busybox, "while [ ! -e /tmp/asked ]; do sleep 0.1; done; rm /tmp/asked")
            host("suspend", busybox)
            assert answering.result() == b"slow\n"


@pytest.fixture(scope="module")
def echoing(host, devel):
    """A Debian with an echo server by TCP, and one by UDP; and their port."""
    port = free_port()
    for kind in ("SOCK_STREAM", "SOCK_DGRAM"):
        devel.sh(f"cat >/root/echo.py && systemd-run -q --unit echo-{kind} python3 /root/echo.py {kind} {port}",
                 input=ECHO)
    eventually(lambda: state_of(host, devel.name, port) == "open", what="the port")
    host("forward", "add", devel.name, f"udp:{port}")
    yield port
    host("forward", "remove", devel.name, f"udp:{port}")
    host("terminate", devel.name)


def test_an_open_connection_goes_on(host, devel, echoing):
    with socket.create_connection(("127.0.0.1", echoing), 120) as first, \
            socket.create_connection(("127.0.0.1", echoing), 120) as second:
        for i in range(3):
            for client in (first, second):
                client.sendall(b"%d" % i)
                assert client.recv(16) == b"%d" % i
            suspend(host, devel.name)
        second.sendall(b"after")
        assert second.recv(16) == b"after"
        eventually(lambda: host.state(devel.name) == "running")
        first.sendall(b"too")
        assert first.recv(16) == b"too"


def test_a_datagram_is_answered(host, devel, echoing):
    devel.sh("true")
    suspend(host, devel.name)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(120)
        client.sendto(b"only once", ("127.0.0.1", echoing))
        assert client.recv(100) == b"only once"


def test_another_distro_wakes_it(host, devel, echoing, busybox):
    host.run(busybox, "true")
    devel.sh("true")
    suspend(host, devel.name)
    answer = host.shell(busybox, f"echo between | nc {devel.name}.berth.internal {echoing}")
    assert answer.stdout == "between\n"
    host("terminate", busybox)


def test_what_the_guest_asked_for_wakes_nobody(host, devel, echoing):
    """Its neighbours' answers and acknowledgements, of which there are many at a suspend, let it sleep."""
    devel.sh("true")
    with socket.create_connection(("127.0.0.1", echoing), 120) as client:
        client.sendall(bytes(1 << 20))
        left = 1 << 20
        while left > 0:
            left -= len(client.recv(65536))
        suspend(host, devel.name)
        for _ in range(5):
            assert host.state(devel.name) == "suspended"
            host("ports", devel.name)
