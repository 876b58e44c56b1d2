"""Interrupted imports (case 52 of the import reference): a write error at every write, a kill at every write, signals,
closed pipes, unusable outputs. Each gives one line and one code and leaves nothing, on disk or in the registry; or the
import succeeds and e2fsck finds no error.
"""
import errno
import os
import signal
import subprocess

import pytest

from conftest import tar_bytes, wait_for
from waiting import LIMIT

CODES = {"berth-image": ("import.",), "berth": ("import.", "registry.", "layout.", "claim.", "cache.")}
END = 4  # consecutive calls without a failed import that mean the end of the writes


@pytest.fixture
def archive(berth, tmp_path):
    """For an image of one block group, which needs few writes."""
    berth.configure("[berth]\ndisk-size = 64M\n")
    path = tmp_path / "small.tar"
    path.write_bytes(tar_bytes({"usr": os.urandom(1 << 20), "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}))
    return path


def import_with(berth, archive, environment):
    result = subprocess.run([berth.program, "import", "x", archive], env=environment, text=True,
                            capture_output=True, timeout=LIMIT)
    return result.returncode, result.stdout, result.stderr


def check_disk(disk):
    result = subprocess.run(["e2fsck", "-fn", disk], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def check_whole(berth):
    """The distro is registered and its disk valid; removes it for the next round."""
    disk = next(berth.data.glob("distros/*/disk.ext4"))
    check_disk(disk)
    berth("unregister", "x").ok()


def check_nothing(berth):
    """The next command finds nothing, after its own clean-up."""
    assert berth.names() == []
    assert berth.left_over() == []


@pytest.mark.parametrize("program", ["berth-image", "berth"])
@pytest.mark.parametrize("name, step", [("ENOSPC", 1), ("EIO", 3), ("EDQUOT", 7), ("EFBIG", 7)])
def test_case_52_write_error_at_every_write(berth, archive, program, name, step):
    berth.names()  # creates the registry
    worked, failed = 0, 0
    for at in range(1, 400, step):
        environment = berth.faulty(program, at, getattr(errno, name))
        status, out, err = import_with(berth, archive, environment)
        if status == 0:
            check_whole(berth)
            worked += 1
            if worked == END:
                break
            continue
        worked, failed = 0, failed + 1
        lines = err.splitlines()
        assert status == 1 and out == "" and lines[0].startswith("berth: import x: "), (at, err)
        code = next(line for line in lines if line.startswith("code: "))[6:]
        assert code.startswith(CODES[program]), (at, err)
        check_nothing(berth)
    assert worked == END and failed >= 3, failed


@pytest.mark.parametrize("program", ["berth-image", "berth"])
def test_case_52_a_kill_at_every_write(berth, archive, program):
    berth.names()
    worked, killed = 0, 0
    for at in range(1, 400):
        status, _, _ = import_with(berth, archive, berth.faulty(program, at, 0))
        if status == 0 or berth.names() == ["x"]:  # the last writes follow the registration
            check_whole(berth)
            worked += status == 0
            if worked == END:
                break
            continue
        worked, killed = 0, killed + 1
        berth("import", "y", archive).ok()  # cleans up after the killed one
        berth("unregister", "y").ok()
        check_nothing(berth)
    assert worked == END and killed >= 3, killed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_case_52_signals_in_the_middle_of_the_data(berth, number):
    process = berth.start("import", "x", "-", stdin=subprocess.PIPE)
    whole = tar_bytes({"usr": b"x" * (3 << 20)})
    process.stdin.write(whole[:2 << 20])
    process.stdin.flush()
    wait_for(lambda: list(berth.data.glob("distros/*")))
    process.send_signal(number)
    result = berth.finish(process)
    result.failed(-number, "import.cancelled", "import x: cancelled", hint=False)
    check_nothing(berth)


def test_case_52_the_input_is_closed(berth):
    whole = tar_bytes({"usr": b"x" * (3 << 20)})
    berth("import", "x", "-", data=whole[:2 << 20]).failed(
        1, "import.read.truncated", "import x: standard input")
    check_nothing(berth)


def test_case_52_the_output_is_read_only(berth, archive):
    """An existing file stops root, too; directory permissions only other users."""
    berth.names()
    distros = berth.data / "distros"
    distros.mkdir(exist_ok=True)
    if os.geteuid() != 0:
        distros.chmod(0o500)
        result = berth("import", "x", archive)
        distros.chmod(0o700)
        assert result.status == 1 and result.code.endswith((".denied", ".read-only")), result
        check_nothing(berth)

    distros.rmdir()
    distros.write_text("in the way")
    result = berth("import", "x", archive)
    assert result.status == 1 and result.out == "" and result.code, result
    assert berth.names() == []
    assert distros.read_text() == "in the way"


def test_case_52_input_is_the_output(berth, archive):
    """A distro's own disk is not an archive, and reading it does not change it."""
    berth("import", "x", archive).ok()
    disk = next(berth.data.glob("distros/*/disk.ext4"))
    before = disk.stat().st_mtime_ns
    berth("import", "y", disk).failed(1, "import.open.not-a-tar", str(disk))
    assert berth.names() == ["x"] and disk.stat().st_mtime_ns == before
    check_disk(disk)
