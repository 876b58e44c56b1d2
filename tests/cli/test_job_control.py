"""A shell on the user's terminal, which berth shares with it by job control."""
import os
import signal
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import LIMIT

SCRIPT = "stty size; read x; stty size; echo g\"\"ot $x; read y; exit 6"


def child_of(pid):
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text())


class Shell:
    """bash on a terminal, with a command of berth's in its foreground."""

    def __init__(self, terminal, program):
        self.terminal = terminal
        self.say(f"{program} run sh -c '{SCRIPT}'")
        terminal.expect(b"24 80\r\n")
        self.client = child_of(terminal.process.pid)

    def say(self, line):
        self.terminal.type(line.encode() + b"\n")

    def stop(self, number):
        os.kill(self.client, number)
        self.terminal.expect(b"Stopped")
        assert not self.is_raw()

    def is_raw(self):
        return self.terminal.is_raw()

    def ends_with(self, status):
        wait_for(lambda: not self.is_raw())  # the keys are bash's again
        self.say("echo st\"\"$?")
        self.terminal.expect(b"st%d\r\n" % status)
        self.say("exit")
        assert self.terminal.process.wait(timeout=LIMIT) == 0


@pytest.fixture
def shell(on_terminal, box):
    return Shell(on_terminal("--norc", "--noprofile", "-i", program="/bin/bash"), box.program)


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGTSTP])
@pytest.mark.parametrize("words", [["fg"], ["bg", "fg"]], ids=" ".join)
def test_keys_are_passed_on_again_after_a_stop(shell, number, words):
    assert shell.is_raw()
    shell.stop(number)
    shell.terminal.resize(40, 120)  # bash is told
    for word in words:
        shell.say(word)
    wait_for(shell.is_raw)
    shell.terminal.type(b"word\r")
    shell.terminal.expect(b"40 120\r\n")
    shell.terminal.expect(b"got word\r\n")
    shell.terminal.type(b"\r")
    shell.ends_with(6)


def test_end_in_the_background_leaves_the_terminal_alone(shell):
    shell.stop(signal.SIGSTOP)
    shell.say("bg")
    shell.terminal.expect(b"&")
    os.kill(shell.client, signal.SIGTERM)
    shell.say("wait %1")
    shell.ends_with(143)


# A shell that leaves the terminal as it finds it when a job of its stops. As in any shell, the job takes the foreground
# itself, before it is the command: that the shell gives it may come too late.
CARELESS = """
import os, signal, sys, termios
job = os.fork()
if job == 0:
    os.setpgid(0, 0)
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
_, status = os.waitpid(job, os.WUNTRACED)
wanted = termios.ISIG | termios.ICANON | termios.ECHO
print("stopped", os.WIFSTOPPED(status), "as it was", termios.tcgetattr(0)[3] & wanted == wanted, flush=True)
os.killpg(job, signal.SIGCONT)
print("exit", os.waitstatus_to_exitcode(os.waitpid(job, 0)[1]), flush=True)
"""


def test_a_stop_gives_the_terminal_back_as_it_was(on_terminal, box):
    terminal = on_terminal("-c", CARELESS, box.program, "run", "sh", "-c", "read x; echo g\"\"ot $x; exit 6", program="/usr/bin/python3")
    wait_for(terminal.is_raw)
    os.kill(child_of(terminal.process.pid), signal.SIGTSTP)
    terminal.expect(b"stopped True as it was True")
    wait_for(terminal.is_raw)
    terminal.type(b"word\r")
    terminal.expect(b"got word")
    terminal.expect(b"exit 6")
