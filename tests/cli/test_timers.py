"""A suspended distro wakes for what it wants to do by itself; tests/vm has real timers and jobs.

The agent finds them in a directory in place of the distro's root, as tests/agent/test_timers.py has it.
"""
import datetime
import json
import re
import time

import pytest

from conftest import wait_for
from test_idle import is_suspended, quick, status  # noqa: F401 (quick is a fixture)
from test_suspend import state
from timers import Timers

HOUR = 3600


@pytest.fixture
def timers(tmp_path):
    made = Timers(tmp_path / "timers")
    made.run_systemd()
    made.set_units()
    return made


@pytest.fixture
def timed(box, timers):
    box("start", "box", env={"FAKE_QEMU_TIMERS": str(timers.root)}).ok()
    return box


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def test_nothing_is_due(timed):
    timed("suspend", "box").ok()
    row = status(timed)
    assert (row["state"], row["due"], row["due_for"]) == ("suspended", None, None)
    assert "Wakes:" not in timed("status", "box").ok()


def test_it_says_when_it_wakes_and_for_what(timed, timers):
    at = int(time.time()) + 2 * HOUR
    timers.set_units(("backup.timer", at))
    timed("suspend", "box").ok()
    for row in (status(timed), timed.info("box")):
        assert (row["state"], row["due_for"], seconds(row["due"])) == ("suspended", "backup.timer", at)
    clock = time.strftime("%H:%M:%S", time.localtime(at))
    assert re.search(rf"^Wakes: +at (\d+-\d\d-\d\d )?{clock} for backup.timer$", timed("status", "box").ok(), re.M)
    timed("run", "--", "true").ok()
    for row in (status(timed), timed.info("box")):
        assert (row["state"], row["due"], row["due_for"]) == ("running", None, None)


def test_another_day_is_named(timed, timers):
    at = int(time.time()) + 48 * HOUR
    timers.set_units(("backup.timer", at))
    timed("suspend", "box").ok()
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    assert f"Wakes:          at {when} for backup.timer\n" in timed("status", "box").ok()


def test_wakes_in_time(timed, timers):
    timers.set_units(("soon.timer", int(time.time()) + 15, "AccuracyUSec=1min"))
    timed("suspend", "box").ok()
    wait_for(lambda: state(timed) == "running")
    row = status(timed)
    assert (row["awake"], row["due_for"]) in [("due", "soon.timer"), ("setting", "soon.timer")]
    log = timed("logs", "box").ok()
    assert log.count("soon.timer is due at ") == 1 and log.count("box wakes") == 1
    assert timed("run", "--", "echo", "on").ok() == "on\n"


def test_a_parked_one_wakes_in_time(timed, timers):
    timers.set_units(("soon.timer", int(time.time()) + 15, "AccuracyUSec=1min"))
    timed("park", "box").ok()
    if state(timed) == "parked":
        assert re.search(r"^Wakes: +at .* for soon.timer$", timed("status", "box").ok(), re.M)
    wait_for(lambda: state(timed) == "running")
    assert timed("logs", "box").ok().count("soon.timer is due at ") == 1


def test_one_that_was_due_wakes_nobody_twice(timed, timers):
    timers.set_units(("soon.timer", int(time.time()) + 15))
    timed("suspend", "box").ok()
    wait_for(lambda: state(timed) == "running")
    timers.set_units(("later.timer", int(time.time()) + HOUR))
    timed("suspend", "box").ok()
    assert status(timed)["due_for"] == "later.timer"
    assert timed("logs", "box").ok().count("is due at") == 1


def test_a_command_may_wake_it_before(timed, timers):
    timers.set_units(("soon.timer", int(time.time()) + HOUR))
    timed("suspend", "box").ok()
    timed("run", "--", "true").ok()
    timers.set_units()
    timed("suspend", "box").ok()
    assert status(timed)["due"] is None


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_terminated_before(timed, timers, options):
    timers.set_units(("soon.timer", int(time.time()) + HOUR))
    timed("suspend", "box").ok()
    timed("terminate", *options, "box").ok()
    assert (status(timed)["state"], status(timed)["due"]) == ("stopped", None)


@pytest.fixture
def idle(quick, timers):  # noqa: F811
    return quick


def start(box, timers):
    box("start", "box", env={"FAKE_QEMU_TIMERS": str(timers.root)}).ok()


def test_an_idle_one_stays_awake_for_what_is_due(idle, timers):
    start(idle, timers)
    wait_for(lambda: is_suspended(idle))
    at = int(time.time()) + 14
    timers.set_units(("soon.timer", at))
    idle("run", "--", "true").ok()
    wait_for(lambda: status(idle)["awake"] == "due")
    row = status(idle)
    assert (row["state"], row["due_for"], seconds(row["due"])) == ("running", "soon.timer", at)
    text = idle("status", "box").ok()
    assert "Awake:          a timer of its own is due\n" in text and "Due:            soon.timer at " in text
    wait_for(lambda: is_suspended(idle))
    assert time.time() > at
    log = idle("logs", "box").ok()
    assert "box stays awake, since soon.timer is due" in log and "cannot be suspended" not in log


def test_an_idle_one_wakes_and_sleeps_again(idle, timers):
    start(idle, timers)
    for margin in (18, 40, 120):  # a busy host may be so late that it stays awake
        at = int(time.time()) + margin
        timers.set_units(("soon.timer", at))
        idle("run", "--", "true").ok()
        wait_for(lambda: is_suspended(idle))
        if status(idle)["due_for"] == "soon.timer":
            break
    wait_for(lambda: state(idle) == "running" or "is due at" in idle("logs", "box").ok())
    wait_for(lambda: is_suspended(idle) and time.time() > at)
    assert idle("logs", "box").ok().count("soon.timer is due at") == 1
    assert status(idle)["due"] is None


def test_asked_for_while_it_thinks_of_itself(idle, timers):
    """A client's request is granted although something is due soon."""
    start(idle, timers)
    wait_for(lambda: is_suspended(idle))
    timers.set_units(("soon.timer", int(time.time()) + 14))
    idle("run", "--", "true").ok()
    wait_for(lambda: status(idle)["awake"] == "due")
    idle("suspend", "box").ok()
    assert idle("logs", "box").ok().count("box is suspended") == 2


def test_claims_of_a_hostile_guest(box):
    box("start", "box", env={"FAKE_QEMU_MODE": "hostile-due"}).ok()
    assert status(box)["due"] is None
    box("suspend", "box").ok()
    row = status(box)
    assert row["state"] == "suspended"
    assert seconds(row["due"]) <= time.time() + HOUR
    assert re.fullmatch(r" \[31m x{100,}", row["due_for"]) and len(row["due_for"]) < 200
    assert "\x1b" not in box("status", "box").out
    json.loads(box("list", "--json").ok())
    box("terminate", "--force", "box").ok()
