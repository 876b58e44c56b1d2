# SPDX-License-Identifier: MIT
"""berth top: what running distros take of the host."""
import json
import os
import pty
import signal
import subprocess

import json_schema
import pytest
from test_shutdown_force import family
from waiting import LIMIT, wait_for


def lines(berth, number=1):
    """What so many lines of `berth top --json` say of each distro, by its name."""
    found = []
    for line in berth("top", "--json", "-n", number).ok().splitlines():
        document = json.loads(line)
        json_schema.check(document, json_schema.read("top"), "top")
        found.append({distro["name"]: distro for distro in document["distros"]})
    assert len(found) == number
    return found


def pss(pid):
    with open(f"/proc/{pid}/smaps_rollup") as rollup:
        return next(int(line.split()[1]) << 10 for line in rollup if line.startswith("Pss:"))


def test_nothing_runs(box):
    assert lines(box) == [{}]
    assert box("top", "-n", "1").ok().split() == ["NAME", "STATE", "CPU", "%", "MEMORY", "USED", "NET/S", "DISK", "USED", "OF"]
    assert box("top", "-n", "0").ok() == ""


def test_one_that_runs(box, rootfs):
    box("import", "stopped", rootfs).ok()
    box("start", "box").ok()
    first, second = lines(box, 2)
    assert first.keys() == second.keys() == {"box"}
    seen, listed = second["box"], box.info("box")
    assert (seen["state"], seen["id"]) == ("running", listed["id"])
    assert (seen["disk_size"], seen["disk_used"]) == (listed["disk_size"], listed["disk_used"])
    assert seen["cpu_usec"] >= first["box"]["cpu_usec"] > 0
    pids = family(box)
    assert pss(pids["keeper"]) / 2 < seen["memory"] and seen["memory"] > pss(pids["qemu"]) / 2
    table = box("top", "-n", "1").ok().splitlines()
    assert len(table) == 2 and table[1].split()[:2] == ["box", "running"] and "\033" not in table[1]


GUEST = ("guest_memory", "guest_memory_used", "guest_disk", "guest_disk_used", "net_received", "net_sent")


def status(box):
    document = json.loads(box("status", "box", "--json").ok())
    json_schema.check(document, json_schema.read("status-distro"), "status")
    return document


def test_what_the_guest_says(box):
    """fake-qemu's guest sees this host's memory and disk."""
    assert all(status(box)[name] is None for name in ("guest_seen", *GUEST))
    assert "Memory:" not in box("status", "box").ok()
    box("start", "box").ok()
    wait_for(lambda: status(box)["guest_seen"])
    seen, root = status(box), os.statvfs("/")
    assert seen["guest_memory"] == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < seen["guest_memory_used"] < seen["guest_memory"]
    assert seen["guest_disk"] == root.f_blocks * root.f_frsize
    assert 0 < seen["guest_disk_used"] <= seen["guest_disk"]
    assert seen["net_received"] >= 0 and seen["net_sent"] >= 0
    text = box("status", "box").ok()
    assert " used of " in text and "\nMemory: " in text and "\nNetwork: " in text and "as of" not in text
    shown = lines(box)[0]["box"]
    assert (shown["guest_memory"], shown["guest_disk"]) == (seen["guest_memory"], seen["guest_disk"])


def test_each_look_is_a_new_one(box):
    box("start", "box").ok()
    wait_for(lambda: status(box)["guest_seen"])
    first = status(box)["guest_seen"]
    wait_for(lambda: status(box)["guest_seen"] > first)


def test_a_suspended_one_shows_what_was_last_known(box):
    box("start", "box").ok()
    box("suspend", "box").ok()
    seen = status(box)
    assert seen["guest_memory_used"] > 0
    assert ", as of " in box("status", "box").ok()
    row = box("top", "-n", "1").ok().splitlines()[1]
    assert row.count("(") == row.count("B)") == 2
    assert status(box)["guest_seen"] == seen["guest_seen"]  # nobody asked it again
    box("run", "-d", "box", "--", "true").ok()
    wait_for(lambda: status(box)["guest_seen"] > seen["guest_seen"])


def test_a_table_of_a_usual_width(box):
    box("start", "box").ok()
    wait_for(lambda: status(box)["guest_seen"])
    for _ in range(2):
        table = box("top", "-n", "1").ok().splitlines()
        assert max(map(len, table)) <= 80 and "-" not in table[1].split()
        box("suspend", "box").ok()


def test_status_has_the_disk(box):
    """As list has it, running or not."""
    for _ in range(2):
        seen, listed = json.loads(box("status", "box", "--json").ok()), box.info("box")
        assert (seen["disk_size"], seen["disk_used"]) == (listed["disk_size"], listed["disk_used"])
        assert "Disk:           " in box("status", "box").ok()
        box("start", "box").ok()


def test_one_that_works(box):
    """What it writes passes through its keeper, which needs the processor for that."""
    box("start", "box").ok()
    before = lines(box)[0]["box"]["cpu_usec"]
    work = box.start("run", "cat", "/dev/zero", stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: lines(box)[0]["box"]["cpu_permille"] > 20)
        assert lines(box)[0]["box"]["cpu_usec"] > before
    finally:
        work.kill()
        work.wait()


def test_a_suspended_one_stays_so(box):
    box("start", "box").ok()
    box("suspend", "box").ok()
    seen = lines(box)[0]["box"]
    assert seen["state"] == "suspended" and seen["memory"] > 0
    assert box.info("box")["state"] == "suspended"


def test_it_ends_by_a_signal(box):
    for number in (signal.SIGINT, signal.SIGTERM):
        process = box.start("top", "--json")
        assert json.loads(process.stdout.readline())["distros"] == []
        process.send_signal(number)
        assert process.wait(LIMIT) == -number and process.stderr.read() == b""


def test_a_reader_that_leaves_ends_it(box):
    process = box.start("top", "--json")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(LIMIT) != 0


def test_a_terminal_is_cleared(box):
    us, its = pty.openpty()
    process = box.start("top", "-n", "1", stdout=its)
    os.close(its)
    assert os.read(us, 100).startswith(b"\033[H\033[J")
    assert process.wait(LIMIT) == 0
    os.close(us)


@pytest.mark.parametrize("words, code", [(["-n"], "usage.value"), (["-n", "x"], "usage.value"), (["--count=-1"], "usage.value"),
                                         (["box"], "usage.arguments")])
def test_wrong_words(box, words, code):
    box("top", *words).failed(2, code)
