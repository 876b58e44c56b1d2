"""The host rejects the guest's writes: the distro pauses, waiting clients get a notice, and it resumes by itself."""
import os
import signal
import subprocess

import pytest

from conftest import wait_for
from waiting import LIMIT, is_alive

FULL = "the host's disk is full"
WAITS = f"berth: box is paused: {FULL}; it continues when the host can write again\n"
GOES_ON = "berth: box continues\n"


class Disk:
    """The host's disk, as fake-qemu sees it."""

    def __init__(self, box, path):
        self.box, self.path = box, path

    def fail(self, words="No space left on device"):
        self.path.write_text(words)
        self.write()

    def write(self):
        os.kill(self.box.qemus()[-1]["pid"], signal.SIGRTMIN)

    def mend(self):
        self.path.unlink()


@pytest.fixture
def disk(box, tmp_path):
    disk = Disk(box, tmp_path / "full")
    box("start", env={"FAKE_QEMU_FULL": str(disk.path)}).ok()
    return disk


def state(box):
    return box.info("box")["state"]


class Lines:
    """Reads a process's standard error line by line."""

    def __init__(self, process):
        self.process, self.seen = process, ""

    def expect(self, line):
        while not self.seen.endswith(line):
            got = os.read(self.process.stderr.fileno(), 4096).decode()
            assert got, self.seen
            self.seen += got


@pytest.mark.parametrize("words, reason", [
    ("No space left on device", FULL),
    ("Disk quota exceeded", "the quota on the host's disk is used up"),
    ("Input/output error", "the host cannot write the distro's disk: Input/output error"),
])
def test_paused_distro_is_shown_and_resumes(box, disk, words, reason):
    disk.fail(words)
    wait_for(lambda: state(box) == "paused")
    assert box.info("box")["reason"] == reason
    assert f"paused ({reason})" in box("list").ok()
    assert f"paused ({reason})" in box("list", "-v").ok()
    assert "1, 1 running" in box("status").ok()
    disk.mend()
    wait_for(lambda: state(box) == "running")
    assert "reason" not in box.info("box")
    assert reason in box("logs").ok() and "box continues" in box("logs").ok()
    assert box("run", "echo", "fine").ok() == "fine\n"


def test_new_command_waits_while_paused(box, disk):
    disk.fail()
    wait_for(lambda: state(box) == "paused")
    process = box.start("run", "echo", "late")
    lines = Lines(process)
    lines.expect(WAITS)
    assert process.poll() is None
    disk.mend()
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (0, b"late\n")
    assert lines.seen + err.decode() in (WAITS, WAITS + GOES_ON)  # it may end before the pause does


def test_running_command_waits_while_paused(box, disk):
    process = box.start("run", "cat", stdin=subprocess.PIPE)
    wait_for(lambda: box.info("box")["sessions"] == 1)
    disk.fail()
    lines = Lines(process)
    lines.expect(WAITS)
    process.stdin.write(b"in between")
    process.stdin.flush()
    disk.mend()
    lines.expect(GOES_ON)
    out, _ = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (0, b"in between")


def test_long_pause_gives_one_notice(box, disk):
    """However many retries there are."""
    disk.fail()
    process = box.start("run", "true")
    wait_for(lambda: box("logs").ok().count("fake-qemu: resumed") >= 2)
    assert state(box) == "paused"
    box("terminate", "--force", "box").ok()
    _, err = process.communicate(timeout=LIMIT)
    assert err.decode().startswith(WAITS) and err.decode().count("box is paused") == 1
    assert box("logs").ok().count("box is paused") == 1


def test_terminate_with_space_again(box, disk):
    disk.fail()
    wait_for(lambda: state(box) == "paused")
    process = box.start("terminate", "box")
    Lines(process).expect(WAITS)
    disk.mend()
    process.communicate(timeout=LIMIT)
    assert process.returncode == 0 and "power down" in box("logs").ok()
    assert state(box) == "stopped"


def test_terminate_without_space(box, disk):
    """It is stopped after the grace period, and the user learns the consequence."""
    disk.fail()
    wait_for(lambda: state(box) == "paused")
    result = box("terminate", "box", "--grace", "1")
    assert (result.status, result.out) == (0, "")
    assert result.err == WAITS + (f"berth: box was stopped without an orderly power-off: {FULL}; "
                                  "data that it had not written yet is lost\n")
    assert state(box) == "stopped" and all(not is_alive(start["pid"]) for start in box.qemus())
    disk.mend()
    assert box("run", "echo", "fine").ok() == "fine\n"


def test_emulator_cannot_resume(box, disk):
    """It cannot resume: the next command gets a new machine."""
    disk.fail("internal error")
    wait_for(lambda: state(box) == "stopped")
    assert "internal error" in box("logs").ok()
    disk.mend()
    assert box("run", "echo", "fine").ok() == "fine\n"
