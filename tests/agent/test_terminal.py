# SPDX-License-Identifier: MIT
"""Sessions with a pseudo-terminal."""

import os
import re
import signal

import wire


def test_all_three_streams_are_the_terminal(host):
    script = "test -t 0 && test -t 1 && test -t 2 && echo err >&2"
    got = host.run("sh", "-c", script, flags=wire.TTY)
    assert (got.stdout, got.stderr, got.exit) == (b"err\r\n", b"", (wire.EXITED, 0))


def test_it_is_the_controlling_terminal(host):
    got = host.run("sh", "-c", "echo x >/dev/tty; ps -o tty= -p $$", flags=wire.TTY)
    assert re.fullmatch(rb"x\r\npts/\d+ *\r\n", got.stdout)


def test_size_and_resize(host):
    session = host.open("sh", "-c", "stty size; trap 'stty size; exit' WINCH; echo on; "
                                    "while :; do sleep 0.05; done",
                        flags=wire.TTY, rows=31, columns=97)
    host.until(lambda: b"on\r\n" in session.stdout)
    session.resize(5, 200)
    assert host.wait(session).stdout == b"31 97\r\non\r\n5 200\r\n"


def test_resize_without_a_terminal_is_ignored(host):
    session = host.open("cat")
    session.resize(1, 1)
    session.close_input()
    assert host.wait(session).exit == (wire.EXITED, 0)


def test_term_has_a_value_and_the_clients_wins(host):
    assert host.run("printenv", "TERM", flags=wire.TTY).stdout == b"xterm-256color\r\n"
    got = host.run("printenv", "TERM", flags=wire.TTY, env=["TERM=vt100"])
    assert got.stdout == b"vt100\r\n"


def test_control_c_is_a_signal(host):
    session = host.open("sh", "-c", "echo on; exec sleep 1000", flags=wire.TTY)
    host.until(lambda: b"on" in session.stdout)
    session.write(b"\x03")
    assert host.wait(session).exit == (wire.SIGNALED, signal.SIGINT)


def test_end_of_input_is_the_end_of_file_character(host):
    got = host.run("cat", stdin=b"line\n", flags=wire.TTY)
    assert got.exit == (wire.EXITED, 0)
    assert got.stdout.count(b"line\r\n") == 2  # the echo, and cat's output


def test_raw_mode_passes_bytes_unchanged(host):
    session = host.open("sh", "-c", "stty raw -echo; echo ready; exec head -c 256", flags=wire.TTY)
    host.until(lambda: b"ready" in session.stdout)
    before = len(session.stdout)
    host.until(lambda: session.stdout.endswith(b"\n"))
    before = len(session.stdout)
    session.write(bytes(range(256)))
    assert host.wait(session).stdout[before:] == bytes(range(256))


def test_signal_goes_to_the_foreground(host):
    session = host.open("sh", "-i", "-c", "set -m; sleep 1000; echo after $?", flags=wire.TTY)
    host.until(lambda: session.pid)

    def sleeping():
        got = host.run("ps", "-o", "stat=,args=", "--ppid", str(session.pid))
        return re.search(rb"\S*\+ *sleep 1000", got.stdout)

    host.until(sleeping)
    session.signal(signal.SIGTERM)
    assert b"after 143" in host.wait(session).stdout


def test_close_hangs_up_the_terminal(host):
    session = host.open("sh", flags=wire.TTY)
    host.until(lambda: session.pid)
    session.close()
    assert host.wait(session).exit[0] in (wire.SIGNALED, wire.EXITED)


def test_all_output_arrives_before_the_end(host):
    for _ in range(10):
        got = host.run("sh", "-c", "stty -opost; seq 20000", flags=wire.TTY)
        assert got.stdout == b"".join(b"%d\n" % i for i in range(1, 20001))


def test_background_child_does_not_delay_exit(host):
    got = host.run("sh", "-c", "trap '' HUP; sleep 1000 & echo $!", flags=wire.TTY)
    assert got.exit == (wire.EXITED, 0)
    os.kill(int(got.stdout), signal.SIGKILL)


def test_input_larger_than_the_terminal_holds(host, agent, tmp_path):
    go_on = tmp_path / "go-on"
    script = f"stty raw -echo; echo ready; until test -e {go_on}; do sleep 0.05; done; head -c 300000 | wc -c"
    session = host.open("sh", "-c", script, flags=wire.TTY)
    host.until(lambda: session.stdout.endswith(b"ready\n"))
    session.write(bytes(300000))
    host.until(lambda: not host.outbox and agent.waits_without_limit(), what="the end of what the terminal holds")
    go_on.touch()
    assert host.wait(session).stdout.split() == [b"ready", b"300000"]
