# SPDX-License-Identifier: MIT
"""The host sleeps and wakes: the guest has written its files before, and has the time and its connections after."""
import errno
import os
import signal
import socket
import time
import urllib.request

import pytest

from fake_logind import Logind
from host import eventually
from ports import free_port
from test_ports import serve

SLEPT = 3  # seconds that the guest's clock would be behind


@pytest.fixture
def logind(host, busybox):
    """A logind that busybox's keeper follows."""
    host("terminate", busybox)
    logind = Logind(host.root / "bus")
    before = host.environment["DBUS_SYSTEM_BUS_ADDRESS"]
    host.environment.update(logind.environment)
    host("start", busybox)
    assert logind.event().startswith("inhibit sleep berth delay: ")
    yield logind
    host.environment["DBUS_SYSTEM_BUS_ADDRESS"] = before
    host("terminate", busybox)
    logind.end()


def passes(seconds):
    end = time.time() + seconds
    eventually(lambda: time.time() > end)


def clock_is_right(host, name):
    before = time.time()
    return int(host.run(name, "date", "+%s").stdout) >= before - SLEPT / 2


def sleep(host, name, logind):
    assert (logind.command("sleep") + [logind.event()])[0] == "released"
    assert host.state(name) == "suspended"


def is_on_the_disk(host, name, text):
    """Whether @text is in the host's file, which the guest may have written but not synced."""
    disk = os.open(host.info(name)["disk"], os.O_RDONLY)
    try:
        at = 0
        while True:
            at = os.lseek(disk, at, os.SEEK_DATA)
            end = os.lseek(disk, at, os.SEEK_HOLE)
            if text in os.pread(disk, end - at, at):
                return True
            at = end
    except OSError as error:
        assert error.errno == errno.ENXIO  # no more data
        return False
    finally:
        os.close(disk)


def test_files_are_written_before_and_the_clock_is_right_after(host, busybox, logind):
    text = b"written before %r" % time.time()
    host.shell(busybox, "cat >/root/file", input=text.decode())
    sleep(host, busybox, logind)
    assert is_on_the_disk(host, busybox, text)
    passes(SLEPT)
    logind.command("wake")
    eventually(lambda: host.state(busybox) == "running")
    assert clock_is_right(host, busybox)


def test_an_open_connection_and_a_port_go_on(host, busybox, logind):
    port = free_port()
    serve(host, busybox, port)
    host.shell(busybox, "echo served >/file")
    with socket.create_connection(("127.0.0.1", port), 120) as client:
        client.sendall(b"GET /file HTTP/1.0\r\n")
        host.run(busybox, "true")
        sleep(host, busybox, logind)
        client.sendall(b"\r\n")
        logind.command("wake")
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"served\n")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/file", timeout=120) as answer:
        assert answer.read() == b"served\n"


def test_without_logind_the_guest_has_the_right_time_too(host, busybox):
    """A host without logind stops its processes and continues them."""
    host("start", busybox)
    row = host.info(busybox)
    pids = [row["qemu_pid"], row["keeper_pid"]]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    passes(SLEPT)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    eventually(lambda: clock_is_right(host, busybox))
    host("terminate", busybox)
