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
    assert box("top", "-n", "1").ok().split() == ["NAME", "STATE", "CPU", "%", "MEMORY", "DISK", "OF"]
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
