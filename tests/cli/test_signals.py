# SPDX-License-Identifier: MIT
"""SIGINT, SIGTERM, SIGHUP and SIGQUIT end the client by that signal, whatever it waits for."""
import os
import signal
import subprocess

import pytest

from conftest import Terminal, wait_for
from waiting import LIMIT, stop_process

FATAL = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]
each_signal = pytest.mark.parametrize("number", FATAL)


def ended_by(home, process, number):
    result = home.finish(process, timeout=LIMIT)
    assert result.status == -number, result
    return result


def guest(home, mode):
    home.environment["FAKE_QEMU_MODE"] = mode


@each_signal
@pytest.mark.parametrize("words", [["run", "true"], ["start"], ["console"], ["shell"]], ids=lambda words: words[0])
def test_signal_during_start(box, words, number):
    guest(box, "silent")
    process = box.start(*words)
    wait_for(box.qemus)
    process.send_signal(number)
    assert ended_by(box, process, number).err == ""
    assert box.names() == ["box"]


@each_signal
def test_signal_before_the_command_begins(box, number):
    guest(box, "hostile-never-opens")
    box("start").ok()
    process = box.start("run", "true", stdin=subprocess.PIPE)
    wait_for(lambda: box.info("box")["sessions"] == 1)
    process.send_signal(number)
    assert ended_by(box, process, number).err == ""
    wait_for(lambda: box.info("box")["sessions"] == 0)


def test_key_before_the_command_begins(box):
    guest(box, "hostile-never-opens")
    box("start").ok()
    terminal = Terminal(box, "run", "cat")
    wait_for(lambda: box.info("box")["sessions"] == 1)
    terminal.type(b"\x03")
    terminal.end(-signal.SIGINT)
    terminal.close()


def test_guest_that_answers_no_signal(box):
    """All signals at once: each command waits for the answer first."""
    guest(box, "hostile-deaf")
    processes = {number: box.start("run", "cat", stdin=subprocess.PIPE) for number in FATAL}
    for number, process in processes.items():
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
    for number, process in processes.items():
        assert ended_by(box, process, number).code == "session.unanswered"


def test_command_ignoring_the_signal_continues(box):
    """The guest acknowledges the signal, even if the command ignores it."""
    process = box.start("run", "sh", "-c", "trap '' TERM INT; echo ready; read line; echo $line", stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    for _ in range(20):
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGINT)
    result = box.finish(process, b"still here\n")
    assert (result.status, result.out, result.err) == (0, "still here\n", "")


@each_signal
def test_signal_after_the_command_ended(box, number):
    """Its output waits for a blocked reader."""
    box("start").ok()
    process = box.start("run", "sh", "-c", "echo begun >&2; head -c 200000 /dev/zero")
    assert process.stderr.readline() == b"begun\n"
    wait_for(lambda: box.info("box")["sessions"] == 0)
    process.send_signal(number)
    process.wait(timeout=LIMIT)
    assert process.returncode == -number
    assert b"session.interrupted" in process.stderr.read()
    process.stdout.close()
    process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_ignored_signal_stays_ignored(box, number):
    """As with nohup(1), and in the background of a shell script."""
    def ignore():
        signal.signal(number, signal.SIG_IGN)
    process = box.start("run", "sh", "-c", "echo ready; read line; echo $line", stdin=subprocess.PIPE, preexec_fn=ignore)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert box.finish(process, b"done\n").out == "done\n"


@each_signal
def test_stopped_keeper(box, number):
    box("start").ok()
    keeper = box.info("box")["keeper_pid"]
    stop_process(keeper)
    try:
        process = box.start("run", "true")
        wait_for(lambda: open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0] == "S")
        process.send_signal(number)
        ended_by(box, process, number)
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert box("run", "true").status == 0


@each_signal
@pytest.mark.parametrize("words", [["terminate", "box"], ["shutdown"], ["ports", "-w"], ["logs", "-f"]],
                         ids=lambda words: words[0])
def test_signal_during_other_waits(box, words, number):
    guest(box, "ignore-power")
    box("start").ok()
    process = box.start(*words, stdout=subprocess.DEVNULL)
    wait_for(lambda: open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[0] == "S")
    process.send_signal(number)
    ended_by(box, process, number)


@each_signal
def test_resize_ignored_by_the_guest(box, number):
    guest(box, "hostile-never-opens")
    box("start").ok()
    process = box.start("resize", "box", "2T")
    wait_for(lambda: box.info("box")["disk_size"] == 2 << 40)
    process.send_signal(number)
    ended_by(box, process, number)
    assert box.info("box")["state"] == "running" and box.left_over() == []
