# SPDX-License-Identifier: MIT
"""tests/lib/left_over.py: no process of a test's outlives it, and none of another's is ended."""
import shutil
import subprocess

import pytest

import left_over
from conftest import wait_for
from waiting import LIMIT


@pytest.fixture
def start():
    """Sleeps that name a path."""
    started = []

    def sleep(path):
        started.append(subprocess.Popen(["sh", "-c", "read line", "sh", path], stdin=subprocess.PIPE))
        wait_for(lambda: str(path) in left_over.words_of(started[-1].pid))
        return started[-1]
    yield sleep
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.filterwarnings("ignore:left running")
def test_only_processes_of_the_directory_are_ended(start, tmp_path):
    inside, itself = start(tmp_path / "a/disk"), start(tmp_path / "a")
    others = [start(tmp_path / "ab"), start(tmp_path / "b/a"), start(tmp_path)]
    assert set(left_over.end(tmp_path / "a", grace=0)) == {inside.pid, itself.pid}
    assert (inside.wait(LIMIT), itself.wait(LIMIT)) == (-9, -9)
    assert [process.poll() for process in others] == [None] * 3


def test_process_that_is_left_is_named(start, tmp_path):
    process = start(tmp_path / "a/disk")
    with pytest.warns(UserWarning, match=f"left running: {process.pid} sh -c read line sh {tmp_path}/a/disk"):
        left_over.end(tmp_path / "a", grace=0)
    assert left_over.end(tmp_path / "a") == {}


@pytest.mark.filterwarnings("ignore:left running")
def test_keeper_without_its_directory_is_ended(box):
    """As after a test that removed it and failed: berth itself may not find it any more."""
    box("start").ok()
    info = box.info("box")
    shutil.rmtree(box.runtime)
    assert {info["keeper_pid"], info["qemu_pid"]} & set(left_over.end(box.path, box.runtime, grace=0))
    wait_for(lambda: left_over.processes_of([box.path, box.runtime]) == {})
    assert box("run", "true").status == 0
