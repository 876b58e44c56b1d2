# SPDX-License-Identifier: MIT
"""Snapshots, seen from inside: what was there comes back, and what was replaced too."""
import json
import re
import subprocess
import threading

import pytest

from waiting import wait_for

LOOK = "cat /mark; ls /extra 2>/dev/null; md5sum < /data; df -k / | tail -n 1 | tr -s ' ' | cut -d ' ' -f 2"


def fill(host, name, mark):
    """Files of a running distro, among them some that are not on its disk yet."""
    host.shell(name, f"echo {mark} > /mark; head -c 3000000 /dev/urandom > /data")


def look(host, name):
    seen = host.shell(name, LOOK).stdout.split("\n")
    host("terminate", name)
    return seen


def tags(host, name):
    return [row["tag"] for row in json.loads(host("snapshots", "--json", name).stdout)["snapshots"]]


def test_undo_and_back(host, scratch):
    fill(host, scratch, "old")
    old = look(host, scratch)
    assert host("snapshot", scratch, "it").stdout == "it\n"
    host.shell(scratch, "rm -rf /bin /etc 2>/dev/null; echo new > /mark; mkdir /extra; echo x > /extra/file; rm /data")
    out = host("undo", "--terminate", scratch).stdout
    assert re.search(r"^scratch is as it was at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d, [^(]+ ago \(it\)$", out, re.M), out
    assert look(host, scratch) == old and tags(host, scratch) == ["it", "before-restore"]

    fill(host, scratch, "newer")
    newer = look(host, scratch)
    host("undo", scratch)
    assert look(host, scratch) == old
    host("restore", scratch, "before-restore")  # of the last undo, though the distro has run since
    assert look(host, scratch) == newer


def test_snapshot_after_a_crash_and_of_another_size(host, scratch):
    """The disk of a distro whose QEMU was killed has a journal to replay; a snapshot of it has, too."""
    host.shell(scratch, "echo synced > /mark; head -c 3000000 /dev/urandom > /data; sync")
    host("terminate", "--force", scratch)
    host("snapshot", scratch, "crashed")
    size = host.info(scratch)["disk_size"]
    before = look(host, scratch)
    assert before[0] == "synced"
    host("resize", scratch, "2T")
    grown = look(host, scratch)
    host("undo", scratch)
    assert host.info(scratch)["disk_size"] == size
    assert look(host, scratch) == before and grown[:-2] == before[:-2] and grown != before


@pytest.mark.smoke
def test_of_a_running_distro(host, scratch):
    """What was not on the disk yet is in the snapshot, and the programs go on."""
    fill(host, scratch, "old")
    host.shell(scratch, "sleep 1000 > /dev/null 2>&1 & echo $! > /pid")
    data = host.shell(scratch, "md5sum < /data").stdout
    assert host("snapshot", scratch, "it").stdout == "it\n"
    assert host.info(scratch)["state"] == "running"
    host.shell(scratch, "kill -0 $(cat /pid) && echo new > /mark && rm /data")
    host("suspend", scratch)
    host("snapshot", scratch, "asleep")
    assert host.info(scratch)["state"] == "suspended"
    assert host.shell(scratch, "kill -0 $(cat /pid) && cat /mark").stdout == "new\n"
    host("restore", "--terminate", scratch, "it")
    assert host.shell(scratch, "cat /mark; md5sum < /data").stdout == "old\n" + data
    host("terminate", scratch)
    host("restore", scratch, "asleep")
    assert host.shell(scratch, "cat /mark; ls /data 2>&1 | head -c 3").stdout.startswith("new\nls:")


# Replaces its files: one that is written anew is empty for a moment, in which a snapshot may be taken.
WRITER = "i=0; while :; do i=$((i + 1)); for f in /a /b; do echo $i > $f.new; mv $f.new $f; sync; done; done"


class Asker(threading.Thread):
    """Has a session answer one line after the other until told to stop."""

    def __init__(self, host, name):
        super().__init__()
        self.process = host.spawn("run", "-d", name, "--", "cat", text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answers, self.stopped = 0, threading.Event()

    def run(self):
        while not self.stopped.is_set():
            self.process.stdin.write(f"{self.answers}\n")
            self.process.stdin.flush()
            if self.process.stdout.readline() != f"{self.answers}\n":
                return
            self.answers += 1

    def end(self):
        self.stopped.set()
        self.join()
        self.process.stdin.close()
        assert self.process.wait(60) == 0


def test_under_load(host, scratch):
    """No snapshot is refused because the distro is used, none has two states, and every command is answered."""
    host.shell(scratch, f"({WRITER}) > /dev/null 2>&1 &")
    host.shell(scratch, "until [ -e /b ]; do sleep 0.1; done")
    asker = Asker(host, scratch)
    asker.start()
    made = [host("snapshot", scratch, f"at{n}").stdout.strip() for n in range(4)]
    answers = asker.answers
    asker.end()
    assert tags(host, scratch) == made and asker.answers >= answers > 0
    last = 0
    for tag in made:
        host("restore", "--terminate", scratch, tag)
        first, second = map(int, host.shell(scratch, "cat /a /b").stdout.split())
        assert first - second in (0, 1) and second >= last, (tag, first, second)
        last = second
    host("terminate", scratch)


def test_clone_of_a_running_distro(host, scratch):
    """The clone has what was not on the disk yet, and starts; the programs of its source go on."""
    fill(host, scratch, "old")
    host.shell(scratch, "sleep 1000 > /dev/null 2>&1 & echo $! > /pid")
    data = host.shell(scratch, "md5sum < /data").stdout
    try:
        host("clone", scratch, "twin")
        assert host.shell("twin", "cat /mark; md5sum < /data").stdout == "old\n" + data
        assert host.shell(scratch, "kill -0 $(cat /pid) && cat /mark").stdout == "old\n"
        assert host("run", "--rm", "-d", scratch, "--", "cat", "/mark").stdout == "old\n"
        assert host.shell(scratch, "kill -0 $(cat /pid) && echo on").stdout == "on\n"
    finally:
        host("terminate", "--force", "twin", check=False)
        host("unregister", "twin", check=False)


def test_checkpoint_of_a_guest_that_is_used(host, scratch):
    """It comes by itself, the guest's programs go on, and undo goes back to it."""
    def checkpoints():
        host.run(scratch, "true")
        return [row["tag"] for row in host.json("snapshots", scratch)["snapshots"] if row["checkpoint"]]

    host.shell(scratch, "echo one >/mark; sync")
    host("terminate", scratch)
    host("set", scratch, "checkpoint=every 1s keep 2", "idle-timeout=1")
    try:
        host.shell(scratch, "sleep 987 >/dev/null 2>&1 & echo $! >/dev/shm/pid")
        wait_for(checkpoints, what="the checkpoint")
        host.shell(scratch, "kill -0 $(cat /dev/shm/pid)")
        host("set", scratch, "checkpoint=off")
        host("terminate", scratch)
        host.shell(scratch, "echo two >/mark; sync")
        host("undo", "--terminate", scratch)
        assert host.run(scratch, "cat", "/mark").stdout == "one\n"
    finally:
        for setting in "checkpoint", "idle-timeout":
            host("config", "unset", "-d", scratch, setting)
