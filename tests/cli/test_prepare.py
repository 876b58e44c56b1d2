# SPDX-License-Identifier: MIT
"""What a keeper copies of the memory while the guest runs, before a snapshot or a clone holds it: tests/unit has the copy."""
import os
import resource
import signal
from pathlib import Path

import pytest

from conftest import wait_for
from test_hold import DONE, ERROR, RELEASE, WAIT, clients, held  # noqa: F401, clients is a fixture
from test_live import SAVED, WRITTEN, goes_on, memories, save
from test_suspend import state
from test_throwaway import box  # noqa: F401, box is a fixture
from waiting import is_alive

PREPARE = 99  # lib/instance/control/control.h
HOLDS = 300 << 20


@pytest.fixture
def running(box):  # noqa: F811
    box.environment["FAKE_QEMU_HOLDS"] = str(HOLDS)
    box("start", "box").ok()
    return box


def copies(box):  # noqa: F811
    """How many files of a guest's memory its keeper has open."""
    found = set()
    for path in Path(f"/proc/{box.info('box')['keeper_pid']}/fd").iterdir():
        try:
            if os.readlink(path).startswith("/memfd:berth-memory"):
                found.add(path.stat().st_ino)
        except FileNotFoundError:
            pass
    return len(found)


def test_the_guest_runs_meanwhile(running, clients, tmp_path):  # noqa: F811
    holder = clients()
    assert holder.ask(PREPARE).type == DONE
    assert state(running) == "running" and copies(running) == 2
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert holder.ask(PREPARE).type == DONE and copies(running) == 2  # it has that already
    assert holder.ask(93).type == 94
    assert save(holder, tmp_path / "copy").type == SAVED
    assert holder.ask(RELEASE).type == DONE and holder.ask(WRITTEN).type == DONE
    wait_for(lambda: copies(running) == 1)
    assert running("run", "--", "echo", "on").ok() == "on\n"


def test_it_is_what_a_snapshot_has(running):
    """The fake's memory is checked when its state is loaded."""
    running("snapshot", "box", "it").ok()
    running("snapshot", "box", "again").ok()
    assert copies(running) == 1 and len(memories(running)) == 2
    running("terminate", "box").ok()
    for tag in ("it", "again"):
        assert "its programs continue" in running("restore", "box", tag).ok()
        goes_on(running)
        running("terminate", "box").ok()


@pytest.mark.parametrize("verb", ["suspend", "park"])
def test_nothing_to_copy(running, clients, verb):  # noqa: F811
    running(verb, "box").ok()
    before = copies(running) if state(running) == "suspended" else None
    assert clients().ask(PREPARE).type == DONE
    if before is not None:
        assert (state(running), copies(running)) == ("suspended", before)


def test_suspended_after_it(running, clients, tmp_path):  # noqa: F811
    holder = clients()
    assert holder.ask(PREPARE).type == DONE
    running("suspend", "box").ok()
    assert holder.ask(93).type == 94
    assert save(holder, tmp_path / "copy").type == SAVED
    assert holder.ask(WRITTEN).type == DONE and copies(running) == 1
    assert holder.ask(RELEASE).type == DONE


def test_client_goes_away(running, clients):  # noqa: F811
    """Whether it has its answer or not: its copy is gone, once nobody else wants it."""
    first, second, third = clients(), clients(), clients()
    first.send(PREPARE)
    assert second.ask(PREPARE).type == DONE and third.ask(PREPARE).type == DONE
    first.close()
    second.close()
    assert clients().ask(WAIT).type == DONE and copies(running) == 2
    third.close()
    wait_for(lambda: copies(running) == 1)
    assert state(running) == "running" and running("run", "--", "echo", "on").ok() == "on\n"
    last = clients()
    last.send(PREPARE)
    last.close()
    wait_for(lambda: copies(running) == 1)


def test_qemu_is_killed_after_it(running, clients, tmp_path):  # noqa: F811
    """The copy is of a memory that is no more."""
    holder = clients()
    assert holder.ask(PREPARE).type == DONE
    qemu = running.qemus()[-1]["pid"]
    os.kill(qemu, signal.SIGKILL)
    wait_for(lambda: not is_alive(qemu))
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert memories(running) == [] and running.left_over() == []
    running("snapshot", "box", "it").ok()
    assert copies(running) == 1


def test_keeper_is_killed_after_it(running, clients):  # noqa: F811
    holder = clients()
    assert holder.ask(PREPARE).type == DONE
    keeper = running.info("box")["keeper_pid"]
    os.kill(keeper, signal.SIGKILL)
    wait_for(lambda: not is_alive(keeper))
    assert running("run", "--", "echo", "on").ok() == "on\n"
    assert memories(running) == [] and running.left_over() == []


def test_no_room(running, clients):  # noqa: F811
    keeper = running.info("box")["keeper_pid"]
    limits = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (HOLDS // 2, limits[1]))
    answer = clients().ask(PREPARE)
    assert answer.type == ERROR and b"park.write.too-big" in answer.payload
    assert b"its memory could not be saved" in answer.payload
    assert state(running) == "running" and copies(running) == 1
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, limits)
    assert clients().ask(PREPARE).type == DONE
