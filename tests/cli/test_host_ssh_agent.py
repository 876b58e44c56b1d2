# SPDX-License-Identifier: MIT
"""The ssh agent of the host, which programs of a distro reach at a socket of the guest."""
import os
import re
import socket
import subprocess

import pytest

from conftest import wait_for
from test_host_commands import Guest
from waiting import LIMIT, accepts

ALLOWED = "[distro box]\nhost-ssh-agent=true\n"


class SshAgents:
    """Real agents of the host, each with a key whose comment is its name."""

    def __init__(self, directory):
        self.directory, self.processes = directory, []

    def start(self, name):
        path, key = self.directory / f"{name}.socket", self.directory / name
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key], check=True)
        self.processes.append(subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL))
        wait_for(lambda: accepts(path), what="the agent")
        subprocess.run(["ssh-add", "-q", key], env={**os.environ, "SSH_AUTH_SOCK": str(path)}, check=True)
        return path

    def stop(self):
        for process in self.processes:
            process.terminate()
            process.wait()
        self.processes = []


@pytest.fixture
def agents(tmp_path):
    agents = SshAgents(tmp_path)
    yield agents
    agents.stop()


@pytest.fixture
def guest(box):
    guest = Guest(box)
    guest.agent = f"{guest.socket}-ssh-agent"
    box.configure(ALLOWED)
    box("start").ok()
    return guest


def keys(guest):
    """What ssh-add lists in the guest: the keys' comments, or None if the connection ends without an answer."""
    result = subprocess.run(["ssh-add", "-l"], env={**os.environ, "SSH_AUTH_SOCK": guest.agent}, capture_output=True,
                            text=True, timeout=LIMIT)
    if result.returncode != 0:
        assert "communication with agent failed" in result.stderr
        return None
    return [re.sub(r"^\S+ \S+ (.*) \(\S+\)$", r"\1", line) for line in result.stdout.splitlines()]


def log(guest):
    return guest.box("logs", "box").ok()


def test_the_agent_of_the_last_client(guest, agents):
    first, second = agents.start("first"), agents.start("second")
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(first)}).ok()
    assert keys(guest) == ["first"]
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(second)}).ok()
    assert keys(guest) == ["second"]
    assert os.stat(guest.agent).st_mode & 0o777 == 0o600


def test_a_key_signs(guest, agents, tmp_path):
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(agents.start("signer"))}).ok()
    (tmp_path / "signer").unlink()  # only the agent has it
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", tmp_path / "signer.pub", "-U"], check=True,
                   input=b"text", stdout=subprocess.PIPE, env={**os.environ, "SSH_AUTH_SOCK": guest.agent}, timeout=LIMIT)


@pytest.mark.parametrize("text, words", [
    ("", ["host-ssh-agent=true", "[distro box]"]),
    ("[distro box]\nhost-commands=true\n", ["host-ssh-agent=true"]),
    (ALLOWED + "isolated=true\n", ["isolated"]),
], ids=["unset", "another", "isolated"])
def test_without_the_setting(guest, agents, text, words):
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(agents.start("kept"))}).ok()
    guest.box.configure(text)
    assert keys(guest) is None
    line = next(line for line in log(guest).splitlines() if "refused a connection to the ssh agent" in line)
    for word in words:
        assert word in line
    guest.box.configure(ALLOWED)
    assert keys(guest) == ["kept"]


def test_the_setting_allows_no_commands(guest):
    guest.refused("host-commands=true")


def test_a_client_without_an_agent(guest, agents):
    assert keys(guest) is None
    assert "has no SSH_AUTH_SOCK" in log(guest)
    path = agents.start("gone")
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(path)}).ok()
    assert keys(guest) == ["gone"]
    agents.stop()
    assert keys(guest) is None
    assert f"refused a connection to the ssh agent: {path}: " in log(guest)


def test_many_connections_end(guest, agents):
    """They leave neither a call nor a process behind, whichever side ends first."""
    guest.box("run", "true", env={"SSH_AUTH_SOCK": str(agents.start("busy"))}).ok()
    for _ in range(40):  # more than there may be at once
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(guest.agent)
            connection.sendall(b"\0\0\0\1\13")
            connection.settimeout(LIMIT)
            assert connection.recv(5)[4] == 12  # SSH_AGENT_IDENTITIES_ANSWER
    wait_for(lambda: keys(guest) == ["busy"])
