# SPDX-License-Identifier: MIT
"""Credit, stalls, many sessions, leaks."""

import os
import signal

import wire


def test_output_stops_at_the_window(host):
    session = host.open("cat", "/dev/zero", hold=[wire.STDOUT])
    host.until(lambda: len(session.stdout) == wire.WINDOW)
    other = host.run("echo", "alive")
    assert (other.stdout, len(session.stdout)) == (b"alive\n", wire.WINDOW)
    session.grant(wire.STDOUT, 1000)
    host.until(lambda: len(session.stdout) == wire.WINDOW + 1000)
    session.signal(signal.SIGKILL)
    session.grant(wire.STDOUT, wire.WINDOW)
    host.wait(session)


def test_stalled_output_does_not_stop_errors_of_the_same_session(host):
    session = host.open("sh", "-c", "cat /dev/zero & seq 50000 >&2; kill $!; echo end >&2",
                        hold=[wire.STDOUT])
    host.until(lambda: session.stderr.endswith(b"end\n"))
    session.grant(wire.STDOUT, wire.WINDOW - session.granted[wire.STDOUT])
    assert host.wait(session).exit == (wire.EXITED, 0)


def test_stalled_input_blocks_no_session_and_bounds_memory(agent, host):
    host.run("true")
    before = agent.rss()
    stalled = [host.open("sleep", "1000") for _ in range(20)]
    for session in stalled:
        session.write(bytes(3 * wire.WINDOW))
    assert host.run("cat", stdin=bytes(2000000)).exit == (wire.EXITED, 0)
    assert all(len(session.waiting) >= wire.WINDOW for session in stalled)
    assert agent.rss() - before < 20 * 3 * wire.WINDOW
    for session in stalled:
        session.signal(signal.SIGKILL)
    for session in stalled:
        host.wait(session)


def test_exit_waits_for_credit_and_loses_nothing(host):
    session = host.open("head", "-c", "300000", "/dev/zero", hold=[wire.STDOUT])
    host.until(lambda: len(session.stdout) == wire.WINDOW)
    host.run("true")
    assert session.exit is None
    session.grant(wire.STDOUT, wire.WINDOW)
    assert len(host.wait(session).stdout) == 300000


def test_agent_memory_is_bounded_if_the_host_does_not_read(agent, host):
    host.run("true")
    before = agent.rss()
    host.paused = True
    sessions = [host.open("cat", "/dev/zero") for _ in range(30)]
    while host.outbox:
        host.step(1)
    agent.expect_rest()  # no busy loop although more is to be sent
    assert agent.rss() - before < 15 * wire.WINDOW  # half of the sum of their windows
    host.paused = False
    for session in sessions:
        session.signal(signal.SIGKILL)
    for session in sessions:
        host.wait(session)


def test_one_hundred_sessions_in_parallel(host):
    data = os.urandom(50000)
    sessions = [host.open("cat") for _ in range(100)]
    for session in sessions:
        session.write(data)
        session.close_input()
    for session in sessions:
        got = host.wait(session, 60)
        assert (got.stdout, got.exit) == (data, (wire.EXITED, 0))


def test_many_sessions_leak_nothing(agent, host):
    for _ in range(20):
        host.run("true")
    fds, memory = agent.fds(), agent.rss()
    for number in range(300):
        flags = wire.TTY if number % 3 == 0 else 0
        command = ["nosuch"] if number % 7 == 0 else ["echo", "x"]
        host.run(*command, flags=flags)
    host.until(lambda: agent.fds() <= fds, what="the descriptors' return")
    assert agent.rss() - memory < 512 * 1024
    children = host.run("ps", "-o", "pid=,stat=", "--ppid", str(agent.pid)).stdout.splitlines()
    assert len(children) == 1  # the ps itself


def test_idle_agent_uses_no_processor(agent, host):
    session = host.open("cat")
    host.until(lambda: session.pid)
    agent.expect_rest()
