"""Notices about ports: in a terminal of the distro, and in `berth ports --watch`."""
import fcntl
import json
import os
import pty
import subprocess
import termios
import time

import pytest

from host import eventually
from ports import free_port


def state_of(host, name, port):
    """The state of @port of the guest; None if nothing listens."""
    return next((row["state"] for row in host.json("ports", name)["ports"] if row["port"] == port), None)


def serve(host, name, port):
    """Start a web server in the distro, in the background; its pid there."""
    pid = host.shell(name, f"httpd -f -p {port} -h / & echo $!").stdout.strip()
    eventually(lambda: state_of(host, name, port) == "open", what="the port")
    return pid


class Terminal:
    """A session of @name with a terminal, as a user has it."""

    def __init__(self, host, name):
        self.leader, follower = pty.openpty()
        self.client = host.spawn("run", "-d", name, "--", "sh", stdin=follower, stdout=follower, stderr=follower,
                                 start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(follower)
        self.seen = b""

    def __enter__(self):
        self.read_answer()
        return self

    def __exit__(self, *_):
        os.write(self.leader, b"exit\r")
        try:
            while os.read(self.leader, 4096):
                pass
        except OSError:
            pass  # the terminal was closed
        assert self.client.wait(30) == 0
        os.close(self.leader)

    def read_until(self, text):
        """Read up to and including @text."""
        while text not in self.seen:
            self.seen += os.read(self.leader, 4096)
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def read_answer(self):
        """Read until the shell has answered once more, so that everything sent before is included."""
        os.write(self.leader, b"echo a''nswer\r")
        return self.read_until(b"answer\r\n")


@pytest.fixture
def settled(host, scratch, request):
    """A distro that is past the settle time, so that new ports give notices."""
    conf = host.root / "config" / "berth" / "berth.conf"
    conf.parent.mkdir(exist_ok=True)
    conf.write_text(f"[distro {scratch}]\nports-notify = {request.param}\n")
    host.run(scratch, "true")
    up = time.monotonic()
    eventually(lambda: time.monotonic() > up + 1, what="the end of a start")
    yield scratch
    conf.unlink()


@pytest.mark.parametrize("settled", ["on"], indirect=True)
def test_new_port_gives_a_notice(host, settled):
    port = free_port()
    with Terminal(host, settled) as terminal:
        serve(host, settled, port)
        output = terminal.read_until(b"http://localhost:%d\r\n" % port)
        assert b"\rberth: port %d of %s (httpd) is on http://" % (port, settled.encode()) in output
        assert b"localhost" not in terminal.read_answer()  # only once


@pytest.mark.parametrize("settled", ["off"], indirect=True)
def test_no_notice_by_default(host, settled):
    port = free_port()
    with Terminal(host, settled) as terminal:
        serve(host, settled, port)
        assert b"localhost" not in terminal.read_answer()


@pytest.mark.smoke
def test_watch_shows_changes(host, scratch):
    port = free_port()
    host.run(scratch, "true")
    text = host.spawn("ports", "--watch", scratch, stdout=subprocess.PIPE, text=True)
    lines = host.spawn("ports", "--watch", "--json", scratch, stdout=subprocess.PIPE, text=True)
    assert text.stdout.readline().split()[:2] == ["PORT", "PROTOCOL"]
    assert json.loads(lines.stdout.readline())["ports"] == []

    def next_change(sign, state):
        while (words := text.stdout.readline().split())[:5] != [sign, str(port), "tcp", state, scratch]:
            assert words
        return words

    def next_states(wanted):
        while wanted != [row["state"] for row in json.loads(lines.stdout.readline())["ports"] if row["port"] == port]:
            pass

    server = serve(host, scratch, port)
    assert next_change("+", "open")[5] == "httpd"
    next_states(["open"])
    host.shell(scratch, f"kill {server}")
    next_change("-", "open")
    next_states([])
    host("terminate", scratch)
    for watcher in (text, lines):
        watcher.communicate(timeout=60)
        assert watcher.returncode == 0
