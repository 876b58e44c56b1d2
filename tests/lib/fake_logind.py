# SPDX-License-Identifier: MIT
"""A system bus with a logind on it, of a test's own (fake_logind.c)."""
import os
import select
import subprocess
from pathlib import Path

from waiting import LIMIT

PROGRAM = Path(os.environ["BERTH_TEST_BUILD"]) / "tests/cli/fake-logind"


class Logind:
    """Started at once. @path is the bus's socket; a keeper finds it by `environment`."""

    def __init__(self, path, *options):
        self.path, self.unread = path, b""
        self.environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={path}"}
        self.process = subprocess.Popen([PROGRAM, path, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.event() == "ready"

    def event(self):
        """The next event; it waits for it."""
        while b"\n" not in self.unread:
            assert select.select([self.process.stdout], [], [], LIMIT)[0], "no event"
            data = os.read(self.process.stdout.fileno(), 4096)
            assert data, "fake-logind has ended"
            self.unread += data
        line, self.unread = self.unread.split(b"\n", 1)
        return line.decode()

    def command(self, word):
        """Give a command. Return the events until it is done."""
        self.process.stdin.write(word.encode() + b"\n")
        self.process.stdin.flush()
        events = []
        while (event := self.event()) != "done":
            events.append(event)
        return events

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
