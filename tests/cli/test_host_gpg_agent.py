# SPDX-License-Identifier: MIT
"""The gpg agent of the host, which programs of a distro reach at a socket of the guest. Its other end here is a server
of this test that speaks some of gpg's protocol; tests/vm has the real one."""
import os
import socket
import threading
from pathlib import Path

import pytest

from test_host_commands import Guest
from waiting import LIMIT

ALLOWED = "[distro box]\nhost-gpg-agent=true\n"


class Agent:
    """At ~/.gnupg, as gpg's agent where there is no /run/user/UID."""

    def __init__(self, home, name=".gnupg"):
        path = Path(home) / name / "S.gpg-agent.extra"
        path.parent.mkdir(mode=0o700, exist_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        directory = os.open(path.parent, os.O_PATH)  # its path may be too long for an address
        self.listener.bind(f"/proc/self/fd/{directory}/{path.name}")
        os.close(directory)
        self.listener.listen()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb", buffering=0) as stream:
                stream.write(b"OK Pleased to meet you\n")
                for line in stream:
                    stream.write(b"D " + line.strip() + b"\nOK\n")

    def end(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join(LIMIT)
        self.listener.close()


@pytest.fixture
def guest(box):
    if Path(f"/run/user/{os.getuid()}/gnupg/S.gpg-agent.extra").is_socket():
        pytest.fail("this user's own gpg agent would be used: stop it")
    guest = Guest(box)
    guest.agent = f"{guest.socket}-gpg-agent"
    box.configure(ALLOWED)
    box("start").ok()
    return guest


@pytest.fixture
def agent(guest):
    agent = Agent(guest.box.environment["HOME"])
    yield agent
    agent.end()


def ask(guest, line):
    """The greeting of the agent and its answer; None: the connection ends without any."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(LIMIT)
        connection.connect(guest.agent)
        with connection.makefile("rwb", buffering=0) as stream:
            greeting = stream.readline()
            if greeting == b"":
                return None
            stream.write(line + b"\n")
            return [greeting, stream.readline(), stream.readline()]


ANSWER = [b"OK Pleased to meet you\n", b"D GETINFO version\n", b"OK\n"]


def refusals(guest):
    return [line for line in guest.box("logs", "box").ok().splitlines() if "refused a connection to the gpg agent" in line]


def test_a_connection_is_one_to_the_hosts_agent(guest, agent):
    for _ in range(3):
        assert ask(guest, b"GETINFO version") == ANSWER
    assert os.stat(guest.agent).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text, words", [
    ("", ["host-gpg-agent=true", "[distro box]"]),
    ("[distro box]\nhost-ssh-agent=true\nhost-commands=true\n", ["host-gpg-agent=true"]),
    (ALLOWED + "isolated=true\n", ["isolated"]),
], ids=["unset", "others", "isolated"])
def test_without_the_setting(guest, agent, text, words):
    guest.box.configure(text)
    assert ask(guest, b"GETINFO version") is None
    line, = refusals(guest)
    for word in words:
        assert word in line
    guest.box.configure(ALLOWED)
    assert ask(guest, b"GETINFO version") == ANSWER


def test_a_host_without_an_agent(guest):
    assert ask(guest, b"GETINFO version") is None
    line, = refusals(guest)
    assert "gpgconf --launch gpg-agent" in line
    agent = Agent(guest.box.environment["HOME"])
    assert ask(guest, b"GETINFO version") == ANSWER
    agent.end()
    assert ask(guest, b"GETINFO version") is None


@pytest.mark.parametrize("more", [{}, {"DISPLAY": ":7"}], ids=["alone", "desktop"])
def test_the_agent_of_the_last_clients_gnupghome(guest, more):
    other = Agent(guest.box.environment["HOME"], "keys")
    other_home = os.path.join(guest.box.environment["HOME"], "keys")
    assert ask(guest, b"GETINFO version") is None
    guest.box("run", "true", env={"GNUPGHOME": other_home, **more}).ok()
    assert ask(guest, b"GETINFO version") == ANSWER
    other.end()
