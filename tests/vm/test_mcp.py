# SPDX-License-Identifier: MIT
"""`berth mcp` with a real guest, started by the first call that needs it."""
import subprocess

import pytest

from host import eventually
from mcp_client import Client


@pytest.fixture
def client(host, busybox):
    server = Client(host.spawn("mcp", "--distro", busybox, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
    server.initialize()
    yield server
    assert server.close() == 0


def test_a_session_of_an_agent(host, busybox, client):
    host("terminate", busybox)
    assert client.good("list")["distros"][0]["state"] == "stopped"
    result = client.good("run", command="cat", arguments=["/proc/sys/kernel/hostname"])
    assert (result["stdout"].strip(), result["exit_status"]) == (busybox, 0)
    script = "#!/bin/sh\ntr a-z A-Z\n"
    client.good("write", path="/usr/bin/shout", content=script, user="root")
    client.good("run", command="chmod", arguments=["755", "/usr/bin/shout"], user="root")
    client.good("write", path="/usr/bin/shout", content=script, user="root")  # its mode stays
    assert client.good("run", command="shout", input="hello")["stdout"] == "HELLO"
    assert client.good("read", path="/usr/bin/shout", offset=10)["content"] == "tr a-z A-Z\n"
    assert host.shell(busybox, "ls -a /usr/bin | grep berth-write", check=False).stdout == ""


def test_an_agent_takes_back_what_it_did(host, busybox, client):
    """Snapshot, break the distro, undo: as an agent does before a risky step."""
    client.good("write", path="/etc/state", content="good\n", user="root")
    tag = client.good("snapshot", distro=busybox)["output"].strip()  # of the running distro
    client.good("run", command="sh", arguments=["-c", "rm -rf /etc/state /etc/passwd; sync"], user="root")
    assert client.bad("read", path="/etc/state", user="root") == "file.open.missing"
    assert f"({tag})" in client.good("undo", distro=busybox, terminate=True)["output"]
    assert client.good("read", path="/etc/state", user="root")["content"] == "good\n"
    assert client.good("run", command="head", arguments=["-c", "4", "/etc/passwd"])["stdout"] == "root"
    assert host("snapshot", "--remove", busybox, tag, "before-restore")


def test_suspended_and_cancelled(host, busybox, client):
    assert client.good("start", distro=busybox)["done"]
    client.good("suspend", distro=busybox)
    assert host.state(busybox) == "suspended"
    assert client.good("run", command="true")["exit_status"] == 0
    call = client.begin_call("run", command="sleep", arguments=["98765"])
    eventually(lambda: host.shell(busybox, "pidof sleep", check=False).stdout)
    client.notify("notifications/cancelled", requestId=call)
    eventually(lambda: not host.shell(busybox, "pidof sleep", check=False).stdout)
    assert client.good("terminate", distro=busybox)["done"]
    assert client.bad("read", path="/none") == "file.open.missing"  # it starts again
