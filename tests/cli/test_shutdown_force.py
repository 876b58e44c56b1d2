# SPDX-License-Identifier: MIT
"""berth shutdown --force ends every distro, whatever of it hangs."""
import contextlib
import os
import signal
from pathlib import Path

import pytest
from waiting import LIMIT, wait_for


def comm_of(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def state_of(pid):
    """The letter of the process's state; "" once it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


def family(berth, name="box"):
    """The processes of a distro by what they are: its keeper, and the keeper's children."""
    keeper = berth.info(name)["keeper_pid"]
    found = {"keeper": keeper}
    for pid in map(int, Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()):
        found[{"berth-net": "net", "berth-share": "share"}.get(comm_of(pid), "qemu")] = pid
    return found


def stop(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: state_of(pid) == "T")


def ended(pids):
    return all(state_of(pid) in ("", "Z") for pid in pids)


@pytest.mark.parametrize("victims", [["keeper"], ["qemu"], ["net"], ["qemu", "net"], ["keeper", "qemu", "net"]], ids="-".join)
def test_one_that_hangs_ends(box, victims):
    box("start", "box").ok()
    wait_for(lambda: {"keeper", "qemu", "net"} <= family(box).keys())
    pids = family(box)
    for victim in victims:
        stop(pids[victim])
    assert box("shutdown", "--force", timeout=2 * LIMIT).ok() == ""
    wait_for(lambda: ended(pids.values()))
    assert box.info("box")["state"] == "stopped"
    assert box("run", "echo", "again").ok() == "again\n"


def test_a_suspended_one_whose_keeper_hangs(box):
    box("start", "box").ok()
    box("suspend", "box").ok()
    pids = family(box)
    stop(pids["keeper"])
    assert box("shutdown", "--force", timeout=2 * LIMIT).ok() == ""
    wait_for(lambda: ended(pids.values()))
    assert box("run", "echo", "again").ok() == "again\n"


def test_one_that_hangs_while_it_starts(box):
    starting = box.start("start", "box")
    wait_for(lambda: box.info("box").get("qemu_pid"))
    pids = family(box)
    stop(pids["qemu"])
    assert box("shutdown", "--force", timeout=2 * LIMIT).ok() == ""
    wait_for(lambda: ended(pids.values()))
    result = box.finish(starting)
    assert result.status == 0 or result.code, result  # up before it was stopped, or told why not


def test_the_others_are_not_held_up(box, rootfs):
    """One hangs, one runs, one is stopped: all are stopped afterwards."""
    for name in ("runs", "stopped"):
        box("import", name, rootfs).ok()
    for name in ("box", "runs"):
        box("start", name).ok()
    stop(family(box)["keeper"])
    assert box("shutdown", "--force", timeout=2 * LIMIT).ok() == ""
    assert {distro["state"] for distro in box.json_list()} == {"stopped"}
    assert box("shutdown", "--force").ok() == ""  # nothing runs any more
