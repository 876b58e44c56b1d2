# SPDX-License-Identifier: MIT
"""Snapshots, seen from inside: what was there comes back, and what was replaced too."""
import json
import re

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
