# SPDX-License-Identifier: MIT
"""A second CONFIG: another host has taken the guest over, and knows nothing of the former one."""

import os
import select
import signal

import pytest
import wire
from test_freeze import FOUND, HELD, HOLD, LOST, carrier, freeze, groups  # noqa: F401 (fixtures)


@pytest.fixture
def agent(start_agent, groups):  # noqa: F811
    started = start_agent("--no-listeners", "--cgroups", str(groups.root))
    started.host.queue(wire.config())
    started.host.until_machine(wire.BOOTED)
    return started


def take_over(host):
    """What a new host sees from its CONFIG on."""
    hellos = len(host.find(wire.HELLO))
    host.queue(wire.config())
    host.until(lambda: len(host.find(wire.HELLO)) > hellos)
    at = max(i for i, got in enumerate(host.machine) if got.type == wire.HELLO)
    host.sessions.clear()
    host.next_stream = 1
    host.until(lambda: wire.BOOTED in [got.type for got in host.machine[at:]])
    return [got.type for got in host.machine[at:]]


def test_the_agent_says_all_anew(host):
    assert [got.type for got in host.machine] == [wire.HELLO, wire.READY, wire.BOOTED]  # the first one changed nothing
    for _ in range(3):
        assert take_over(host) == [wire.HELLO, wire.READY, wire.BOOTED]


def test_the_default_user_is_the_new_hosts(host):
    host.queue(wire.config(user="no-such-user"))
    host.until(lambda: len(host.find(wire.BOOTED)) == 2)
    assert "no-such-user" in host.run("true").warning


def test_commands_of_the_former_host_are_hung_up(host, tmp_path):
    said = tmp_path / "said"
    session = host.open("sh", "-c", f"trap '' PIPE; trap 'echo hup >{said}; exit' HUP; echo on; while :; do sleep 0.02; done")
    host.until(lambda: session.stdout == b"on\n")
    take_over(host)
    host.until(said.exists)
    host.until(lambda: said.read_text() == "hup\n")


def test_a_stream_number_begins_anew(host):
    """The former host's first stream is a command that does not end for its hang-up."""
    session = host.open("sh", "-c", "trap '' HUP PIPE; echo on; while :; do sleep 0.05; done")
    host.until(lambda: session.stdout == b"on\n")
    take_over(host)
    again = host.open("echo", "anew")
    assert again.stream == session.stream and host.wait(again).stdout == b"anew\n"
    os.kill(session.pid, signal.SIGKILL)


def test_half_an_open_is_forgotten(host):
    whole = wire.frames(wire.OPEN, wire.open_payload("true", "x" * 100000, flags=wire.MORE_FOLLOW), 1)
    host.queue(whole[0])
    take_over(host)
    host.sessions.clear()
    assert host.run("echo", "anew").stdout == b"anew\n"


def test_a_server_that_is_lost_is_wanted_of_the_new_host(start_agent, carrier):  # noqa: F811
    """berth-share ends while the guest is frozen, so that the agent may not say so."""
    number = carrier.agents.fileno()
    sharing = start_agent("--no-listeners", "--carrier", str(number), pass_fds=[number])
    carrier.agents.close()
    host = sharing.host
    host.queue(wire.config())
    host.until_machine(wire.BOOTED)
    host.queue(wire.frame(wire.FREEZE))
    host.until(lambda: select.select([carrier.socket], [], [], 0)[0])
    assert carrier.hears() == (HOLD, 1)
    carrier.says(HELD, 1)
    host.until(lambda: host.find(wire.FROZEN))
    carrier.says(LOST, 0)
    sharing.expect_rest()
    assert not host.find(wire.SHARE)
    assert take_over(host) == [wire.HELLO, wire.SHARE, wire.READY, wire.BOOTED]
    assert take_over(host) == [wire.HELLO, wire.SHARE, wire.READY, wire.BOOTED]
    carrier.says(FOUND, 0)
    sharing.expect_rest()
    assert take_over(host) == [wire.HELLO, wire.READY, wire.BOOTED]


def test_quiet_from_frozen_on(agent, host, groups):  # noqa: F811
    """No half frame may be in a saved memory. (The command is not frozen here, and goes on to write.)"""
    session = host.open("sh", "-c", "echo one; exec sleep 600")
    host.until(lambda: session.stdout == b"one\n")
    assert freeze(host, groups) == ""
    with open(f"/proc/{session.pid}/fd/1", "wb", buffering=0) as pipe:
        pipe.write(b"while frozen\n")
    agent.expect_rest()
    assert session.stdout == b"one\n"
    host.queue(wire.frame(wire.THAW))
    host.until(lambda: session.stdout == b"one\nwhile frozen\n")


def test_taken_over_while_frozen(host, groups):  # noqa: F811
    session = host.open("sh", "-c", "echo on; exec sleep 600")
    host.until(lambda: session.stdout == b"on\n")
    assert freeze(host, groups) == ""
    with open(f"/proc/{session.pid}/fd/1", "wb", buffering=0) as pipe:
        pipe.write(b"for the former one\n")
    assert take_over(host) == [wire.HELLO, wire.READY, wire.BOOTED]
    assert groups.are("1")
    host.queue(wire.frame(wire.RELEASE) + wire.frame(wire.THAW))
    host.until(lambda: groups.are("0"))
    for name in groups.names:
        groups.report(name, 0)
    assert host.run("echo", "anew").stdout == b"anew\n"
    assert freeze(host, groups) == ""


def test_what_the_former_host_had_not_read_is_not_sent(host, groups):  # noqa: F811
    """More than fits the socket. ProtocolError would name a stream that was never opened."""
    script = "echo on; head -c 200000 /dev/zero; exec sleep 600"
    sessions = [host.open("sh", "-c", script, hold=(wire.STDOUT,)) for _ in range(8)]
    host.until(lambda: all(session.stdout for session in sessions))
    assert freeze(host, groups) == ""
    assert take_over(host) == [wire.HELLO, wire.READY, wire.BOOTED]
    host.queue(wire.frame(wire.THAW))
    assert host.run("echo", "anew").stdout == b"anew\n"
