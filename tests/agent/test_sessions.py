# SPDX-License-Identifier: MIT
"""Sessions of one command: input, output, exit, and failures to start."""

import hashlib
import os
import random
import signal
import struct
import time

import pytest
import wire


def test_says_hello_then_ready_then_booted(host):
    hello = host.until_machine(wire.HELLO)
    assert hello.number("I") == wire.VERSION
    assert hello.string() == os.uname().release
    ready = host.until_machine(wire.READY)
    assert ready.string() == "agent" and ready.number("I") == 0  # no limit of its own for the init
    ready.end()
    assert host.until_machine(wire.BOOTED).string() == "running"
    assert [got.type for got in host.machine] == [wire.HELLO, wire.READY, wire.BOOTED]


def test_bare_session(host):
    got = host.run("sh", "-c", "umask; exit 3", flags=wire.BARE)
    assert (got.stdout, got.exit) == (b"0022\n", (wire.EXITED, 3))


def test_clock_of_an_ordinary_process_is_left_alone(host):
    """Outside a machine the agent ignores the host's clock."""
    before = time.time()
    for payload in (struct.pack("<Q", 10**18) + wire.string("Europe/Berlin"), struct.pack("<Q", 1), b""):
        host.queue(wire.frame(wire.CLOCK, payload))
    assert host.run("true").exit == (wire.EXITED, 0)
    assert before <= time.time() < before + 3600


def test_keeps_the_three_streams_apart(host):
    got = host.run("sh", "-c", "echo out; echo err >&2; cat", stdin=b"in\n")
    assert (got.stdout, got.stderr, got.exit) == (b"out\nin\n", b"err\n", (wire.EXITED, 0))
    assert got.eof == {wire.STDOUT, wire.STDERR}


def test_passes_every_byte_value(host):
    every = bytes(range(256)) * 3 + b"\r\n\0\0"
    assert host.run("cat", stdin=every).stdout == every


def test_passes_ten_megabytes_both_ways_at_once(host):
    data = random.Random(1).randbytes(10 * 1024 * 1024)
    got = host.run("cat", stdin=data, timeout=60)
    assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(data).digest()
    assert got.exit == (wire.EXITED, 0)


def test_passes_megabytes_on_both_outputs(host):
    got = host.run("sh", "-c", "head -c 3000000 /dev/zero & head -c 3000000 /dev/zero >&2; wait")
    assert (len(got.stdout), len(got.stderr)) == (3000000, 3000000)


def test_arguments_arrive_as_they_are(host):
    argv = ["", "a b", "$HOME", "'", '"', "*", "\n", "ü", "-e"]
    got = host.run("printf", "<%s>", *argv)
    assert got.stdout.decode() == "".join(f"<{word}>" for word in argv)


def test_delivered_signal_is_acknowledged(host):
    """If the host requested it, even if the command ignores the signal."""
    session = host.open("sh", "-c", "trap '' TERM; echo ready; read line", flags=wire.ANSWERS)
    host.until(lambda: session.stdout == b"ready\n" and session.answers == [0])
    for number in (signal.SIGTERM, signal.SIGWINCH, signal.SIGTERM):
        session.signal(number)
    host.until(lambda: session.answers == [0, signal.SIGTERM, signal.SIGWINCH, signal.SIGTERM])
    session.close_input()
    assert host.wait(session).exit == (wire.EXITED, 1)

    session = host.open("sleep", "1000")  # without the request there is none: Session would reject it
    host.until(lambda: session.pid)
    session.signal(signal.SIGTERM)
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGTERM)


def test_stdin_end_reaches_the_command(host):
    session = host.open("cat")
    session.write(b"x")
    host.until(lambda: session.stdout == b"x")
    assert not session.over
    session.close_input()
    assert host.wait(session).exit == (wire.EXITED, 0)


def test_input_without_reader_is_dropped(host, tmp_path):
    go_on = tmp_path / "go-on"
    session = host.open("sh", "-c", f"exec <&-; until test -e {go_on}; do sleep 0.05; done; echo done")
    session.write(bytes(4 * wire.WINDOW))
    session.close_input()
    host.until(lambda: not session.waiting, what="credit for input that is dropped")
    go_on.touch()
    assert host.wait(session).stdout == b"done\n"


def test_input_after_the_command_closed_it_keeps_its_credit(host):
    session = host.open("sh", "-c", "exec <&-; echo closed; while :; do sleep 0.1; done")
    host.until(lambda: session.stdout == b"closed\n")
    session.write(bytes(4 * wire.WINDOW))
    host.until(lambda: not session.waiting, what="credit for input that is dropped")
    session.signal(signal.SIGKILL)
    host.wait(session)


@pytest.mark.parametrize("status", [0, 1, 42, 124, 125, 126, 127, 128, 254, 255])
def test_exit_status(host, status):
    assert host.run("sh", "-c", f"exit {status}").exit == (wire.EXITED, status)


def test_every_exit_status(host):
    sessions = [host.open("sh", "-c", f"exit {status}") for status in range(256)]
    for status, session in enumerate(sessions):
        assert host.wait(session).exit == (wire.EXITED, status)


@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV", "ABRT", "PIPE", "HUP"])
def test_death_by_signal(host, name):
    got = host.run("sh", "-c", f"kill -{name} $$")
    assert got.exit == (wire.SIGNALED, getattr(signal, "SIG" + name))


def test_exit_comes_after_all_output(host):
    for _ in range(20):
        got = host.run("sh", "-c", "head -c 200000 /dev/zero; head -c 100000 /dev/zero >&2")
        assert (len(got.stdout), len(got.stderr)) == (200000, 100000)


def test_starts_with_no_signal_blocked_or_ignored(host):
    got = host.run("grep", "-E", "^Sig(Blk|Ign):", "/proc/self/status")
    assert [line.split()[1].strip(b"0") for line in got.stdout.splitlines()] == [b"", b""]


def test_inherits_no_descriptor(host):
    got = host.run("ls", "/proc/self/fd")
    assert got.stdout.split() == [b"0", b"1", b"2", b"3"]  # 3 is the open directory


def test_leads_its_own_session(host):
    got = host.run("sh", "-c", "cut -d' ' -f 1,5,6,7 /proc/$$/stat; echo $$")
    stat, pid = got.stdout.split(b"\n")[:2]
    assert stat.split() == [pid, pid, pid, b"0"]
    assert got.pid == int(pid)


def test_file_limit_is_the_starters_not_the_agents(host):
    import resource
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert host.run("sh", "-c", "ulimit -n").stdout.split() == [str(soft).encode()]


@pytest.mark.parametrize("name, status, message", [
    ("nosuch", 127, "nosuch: command not found"),
    ("", 127, ": command not found"),
    ("/no/such", 127, "/no/such: no such file or directory"),
    ("/etc/passwd/x", 127, "/etc/passwd/x: no such file or directory"),
    ("/etc", 126, "/etc: is a directory"),
    ("/etc/passwd", 126, "/etc/passwd: permission denied"),
])
def test_failed_exec(host, name, status, message):
    assert host.run(name).failed == (status, message)


def test_script_without_its_interpreter(host, tmp_path):
    script = tmp_path / "script"
    script.write_text("#!/no/such/interpreter\n")
    script.chmod(0o755)
    assert host.run(str(script)).failed == (127, f"{script}: its interpreter does not exist")


def test_script_without_shebang_runs_in_the_shell(host, tmp_path):
    script = tmp_path / "script"
    script.write_text('echo "$1 $2"\n')
    script.chmod(0o755)
    assert host.run(str(script), "a", "b").stdout == b"a b\n"


def test_search_uses_the_sessions_path(host, tmp_path):
    locked = tmp_path / "locked"
    found = tmp_path / "found"
    for directory, mode in (locked, 0o644), (found, 0o755):
        directory.mkdir()
        (directory / "prog").write_text("#!/bin/sh\necho here\n")
        (directory / "prog").chmod(mode)
    path = f"PATH=/nonexistent:{locked}:{found}:/bin"
    assert host.run("prog", env=[path]).stdout == b"here\n"
    assert host.run("prog", env=[f"PATH={locked}"]).failed == (126, "prog: permission denied")
    assert host.run("prog", env=["PATH="]).failed == (127, "prog: command not found")


def test_background_child_does_not_delay_exit(host):
    got = host.run("sh", "-c", "echo first; sleep 1000 & echo $!")
    assert got.exit == (wire.EXITED, 0)
    first, pid = got.stdout.split()
    assert first == b"first"
    os.kill(int(pid), 0)
    os.kill(int(pid), signal.SIGKILL)


def test_background_child_may_write_after_exit(agent, host, tmp_path):
    host.run("true")
    before = agent.fds()
    mark = tmp_path / "mark"
    script = f"(while ! test -e {mark}.go; do sleep 0.05; done; head -c 500000 /dev/zero; echo; " \
             f"touch {mark}) & echo $!"
    got = host.run("sh", "-c", script)
    (tmp_path / "mark.go").touch()
    host.until(mark.exists, what="the end of what the child prints")
    host.until(lambda: agent.fds() <= before, what="the descriptors' return")
    assert got.exit == (wire.EXITED, 0)


def test_background_output_does_not_keep_the_session_open(host):
    got = host.open("sh", "-c", "yes & echo $! >&2; read line")
    host.until(lambda: len(got.stdout) > 2 * wire.WINDOW, what="what the child prints")
    got.write(b"\n")
    host.wait(got)
    os.kill(int(got.stderr), signal.SIGKILL)
    assert got.exit == (wire.EXITED, 0)


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2"])
def test_signal_reaches_the_command(host, name):
    session = host.open("sh", "-c", f"trap 'echo got {name}; exit 7' {name}; echo on; "
                                    "while :; do sleep 0.05; done")
    host.until(lambda: session.stdout == b"on\n")
    session.signal(getattr(signal, "SIG" + name))
    assert host.wait(session).stdout.endswith(f"got {name}\n".encode())
    assert session.exit == (wire.EXITED, 7)


def test_signal_reaches_the_whole_group(host):
    session = host.open("sh", "-c", "sleep 1000 | sleep 1000")
    host.until(lambda: session.pid)
    session.signal(signal.SIGTERM)
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGTERM)


def test_signal_sent_before_the_command_runs_is_not_lost(host):
    for _ in range(20):
        session = host.open("sleep", "1000")
        session.signal(signal.SIGTERM)
        assert host.wait(session, 5).exit == (wire.SIGNALED, signal.SIGTERM)


def test_close_sends_sighup(host):
    session = host.open("sleep", "1000")
    host.until(lambda: session.pid)
    session.close()
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGHUP)


def test_immediate_close_sends_sighup(host):
    for _ in range(20):
        session = host.open("sleep", "1000")
        session.close()
        assert host.wait(session, 5).exit == (wire.SIGNALED, signal.SIGHUP)


def test_close_wakes_a_stopped_command(host):
    session = host.open("sh", "-c", "kill -STOP $$")
    host.until(lambda: session.pid)
    session.close()
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGHUP)


def test_close_leaves_a_daemon_alive(host):
    daemon = "echo $$; exec sleep 1000 </dev/null >/dev/null 2>&1"  # prints after setsid has made it a daemon
    session = host.open("sh", "-c", f"setsid sh -c '{daemon}' & cat")
    host.until(lambda: session.stdout.endswith(b"\n"))
    session.close()
    host.wait(session)
    os.kill(int(session.stdout), signal.SIGKILL)  # raises if it has ended


def test_close_ends_a_stalled_writer(host):
    session = host.open("sh", "-c", "trap '' HUP; exec yes", hold=[wire.STDOUT])
    host.until(lambda: session.granted[wire.STDOUT] == 0)
    session.close()
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGPIPE)


def test_grow_without_a_disk(host):
    """An agent outside a machine has no file system to grow; a truncated request is ignored."""
    host.queue(wire.frame(wire.GROW, b"\0"))
    host.queue(wire.frame(wire.GROW, struct.pack("<Q", 1 << 40)))
    assert host.until_machine(wire.GROWN).string() == ""
    assert len(host.find(wire.GROWN)) == 1
