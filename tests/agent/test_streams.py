# SPDX-License-Identifier: MIT
"""Which streams are terminals and which are pipes; closed readers."""

import hashlib
import itertools
import os
import random
import re
import signal

import pytest
import wire

PIPES = {"in": wire.PIPE_STDIN, "out": wire.PIPE_STDOUT, "err": wire.PIPE_STDERR}
SHOW = "for i in 0 1 2; do test -t $i && printf 't' || printf 'p'; done"


@pytest.mark.parametrize("pipes", [
    names for count in range(4) for names in itertools.combinations(PIPES, count)], ids="+".join)
def test_each_stream_is_terminal_or_pipe_as_requested(host, tmp_path, pipes):
    flags = wire.TTY | sum(PIPES[name] for name in pipes)
    mark = tmp_path / "mark"
    host.run("sh", "-c", f"exec 3>{mark}; {{ {SHOW}; }} >/dev/null; "
                         "for i in 0 1 2; do test -t $i && printf t >&3 || printf p >&3; done", flags=flags)
    assert mark.read_text() == "".join("p" if name in pipes else "t" for name in PIPES)


def test_input_is_a_terminal_and_output_a_pipe(host):
    """berth run make | tee log: errors go to the terminal, output is unchanged and separate."""
    got = host.run("sh", "-c", "echo out; echo err >&2; printf '\\r\\n'", flags=wire.TTY | wire.PIPE_STDOUT)
    assert (got.stdout, got.stderr) == (b"out\n\r\n", b"err\r\n")


def test_errors_beside_a_terminal(host):
    got = host.run("sh", "-c", "echo out; echo err >&2", flags=wire.TTY | wire.PIPE_STDERR)
    assert (got.stdout, got.stderr) == (b"out\r\n", b"err\n")


def test_terminal_input_alone_still_shows_output(host):
    flags = wire.TTY | wire.PIPE_STDOUT | wire.PIPE_STDERR
    got = host.run("sh", "-c", "echo password: >/dev/tty; echo out; echo err >&2", flags=flags)
    assert (got.screen, got.stdout, got.stderr) == (b"password:\r\n", b"out\n", b"err\n")


def test_input_from_a_pipe_beside_a_terminal(host):
    data = random.Random(2).randbytes(300000)
    got = host.run("sha256sum", stdin=data, flags=wire.TTY | wire.PIPE_STDIN)
    assert got.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_terminal_controls_the_command_whatever_its_streams_are(host):
    for pipes in (0, wire.PIPE_STDIN, wire.PIPE_STDOUT, wire.PIPE_STDIN | wire.PIPE_STDERR):
        session = host.open("sh", "-c", "stty size </dev/tty; trap 'stty size </dev/tty; exit 5' WINCH; echo on; "
                                        "while :; do sleep 0.05; done", flags=wire.TTY | pipes, rows=9, columns=33)
        host.until(lambda: b"on" in session.stdout)
        session.resize(10, 44)
        assert host.wait(session).exit == (wire.EXITED, 5)
        assert re.sub(rb"\r", b"", session.stdout) == b"9 33\non\n10 44\n"


def test_signal_goes_to_the_foreground_of_a_mixed_session(host):
    session = host.open("sh", "-c", "trap 'echo caught; exit 3' INT; echo on; while :; do sleep 0.05; done",
                        flags=wire.TTY | wire.PIPE_STDOUT)
    host.until(lambda: session.stdout == b"on\n")
    session.signal(signal.SIGINT)
    assert host.wait(session).stdout.endswith(b"caught\n")


def test_client_with_a_terminal_that_edits_lines(host):
    got = host.run("cat", stdin=b"typed\n", flags=wire.TTY | wire.COOKED)
    assert got.stdout == b"typed\n"  # only cat's output, unchanged
    got = host.run("cat", stdin=b"typed\n", flags=wire.TTY | wire.COOKED | wire.PIPE_STDOUT)
    assert (got.stdout, got.stderr) == (b"typed\n", b"")


@pytest.mark.parametrize("character, number", [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_keys_that_are_signals(host, character, number):
    session = host.open("sh", "-c", "ulimit -c 0; echo on; exec sleep 1000", flags=wire.TTY)
    host.until(lambda: b"on" in session.stdout)
    session.write(character)
    assert host.wait(session).exit == (wire.SIGNALED, number)


def test_control_z_stops_and_control_d_ends(host):
    """What is typed while the shell writes has its echo within that: each step waits for the shell."""
    session = host.open("sh", flags=wire.TTY, env=["PS1=> "])
    host.until(lambda: session.stdout.endswith(b"> "))
    session.write(b"set -m; cat\n")
    host.until(lambda: session.stdout.count(b"cat\r\n") == 1)
    session.write(b"line\n")
    host.until(lambda: session.stdout.count(b"line\r\n") == 2)
    session.write(b"\x1a")
    host.until(lambda: b"Stopped" in session.stdout and session.stdout.endswith(b"> "))
    session.write(b"fg\n")
    host.until(lambda: session.stdout.endswith(b"fg\r\ncat\r\n"))
    session.write(b"more\n")
    host.until(lambda: session.stdout.count(b"more\r\n") == 2)
    session.write(b"\x04")
    session.write(b"exit 8\n")
    assert host.wait(session).exit == (wire.EXITED, 8)


# --- closed readers ---

def test_closed_output_is_a_broken_pipe(host):
    session = host.open("yes", hold=[wire.STDOUT])
    host.until(lambda: session.stdout)
    session.close_output(wire.STDOUT)
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGPIPE)


def test_command_that_ignores_the_signal_sees_the_error(host):
    session = host.open("sh", "-c", "trap '' PIPE; while echo x; do :; done; echo gone >&2; exit 4",
                        hold=[wire.STDOUT])
    host.until(lambda: session.stdout)
    session.close_output(wire.STDOUT)
    assert host.wait(session).exit == (wire.EXITED, 4)
    assert session.stderr.endswith(b"gone\n")


def test_closed_errors_leave_the_output_alone(host):
    session = host.open("sh", "-c", "read x; trap '' PIPE; echo gone >&2; echo $?; seq 50000")
    session.close_output(wire.STDERR)
    session.write(b"go\n")
    got = host.wait(session)
    assert got.stdout == b"1\n" + b"".join(b"%d\n" % i for i in range(1, 50001))
    assert got.stderr == b""


def test_output_closed_before_the_command_runs(host):
    for _ in range(20):
        session = host.open("yes")
        session.close_output(wire.STDOUT)
        session.close_output(wire.STDERR)
        assert host.wait(session, 5).exit == (wire.SIGNALED, signal.SIGPIPE)


def test_closed_terminal_sends_sighup(host):
    session = host.open("sh", "-c", "echo on; exec sleep 1000", flags=wire.TTY)
    host.until(lambda: b"on" in session.stdout)
    session.close_output(wire.STDOUT)
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGHUP)


def test_closing_an_output_twice_is_harmless(host):
    session = host.open("cat")
    session.close_output(wire.STDOUT)
    session.close_output(wire.STDOUT)
    session.close_input()
    assert host.wait(session).exit == (wire.EXITED, 0)


# --- large amounts ---

SIZE = int(os.environ.get("BERTH_TEST_BYTES", 256 << 20))  # set it to 4 GiB for a long run


def test_much_both_ways_at_once(agent, host):
    """No deadlock, no lost byte, and the agent buffers nothing."""
    host.run("true")
    before = agent.rss()
    block = random.Random(3).randbytes(1 << 20)
    sent, received = hashlib.sha256(), hashlib.sha256()
    session = host.open("cat")
    session.sink = lambda channel, data: received.update(data)
    for _ in range(SIZE >> 20):
        sent.update(block)
        session.write(block)
        host.until(lambda: len(session.waiting) < 4 << 20, timeout=60)
    session.close_input()
    assert host.wait(session, 120).exit == (wire.EXITED, 0)
    assert received.digest() == sent.digest()
    assert agent.rss() - before < 4 * wire.WINDOW


def test_thousand_sessions_leak_nothing(agent, host):
    for _ in range(20):
        host.run("true")
    fds, memory = agent.fds(), agent.rss()
    for number in range(1000):
        assert host.run("true", flags=wire.TTY if number % 10 == 0 else 0).exit == (wire.EXITED, 0)
    host.until(lambda: agent.fds() <= fds, 5, "the descriptors' return")
    assert agent.rss() - memory < 256 * 1024
    children = host.run("ps", "-o", "pid=", "--ppid", str(agent.pid)).stdout.split()
    assert len(children) == 1  # the ps itself
