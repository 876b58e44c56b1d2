# SPDX-License-Identifier: MIT
"""Arguments and environment of every size, through the client, the keeper and the agent."""
import resource
import subprocess

import pytest

from waiting import LIMIT

PYTHON = "/usr/bin/python3"
COUNT = "import sys; print(len(sys.argv) - 1, sum(map(len, sys.argv[1:])))"
STRING_MAX = 32 * resource.getpagesize() - 1


@pytest.mark.parametrize("total", [64 << 10, 128 << 10, 1 << 20])
def test_many_words(box, total):
    words = ["w" * 99] * (total // 100)
    assert box("run", PYTHON, "-c", COUNT, *words).ok().split() == [str(len(words)), str(99 * len(words))]
    assert box("run", "true").ok() == ""


def test_words_as_packed_by_xargs(box, tmp_path):
    """By default xargs makes command lines of 128 KiB."""
    names = tmp_path / "names"
    names.write_text("".join(f"/some/where/in/the/file/system/{n:06}\n" for n in range(12000)))
    packed = subprocess.run(["xargs", box.program, "run", "printf", "%s\\n"], stdin=names.open(), timeout=LIMIT,
                            env={**box.environment, "LC_ALL": "C"}, capture_output=True, check=True)
    assert packed.stderr == b"" and packed.stdout == names.read_bytes()


def test_large_environment(box):
    given = {f"BIG_{n}": "v" * 1000 for n in range(200)}
    listed = ":".join(given)
    out = box("run", "env", env={**given, "BERTH_ENV": listed}).ok().splitlines()
    assert {line for line in out if line.startswith("BIG_")} == {f"{k}={v}" for k, v in given.items()}


def test_large_command_during_start(box):
    """A command that cannot be opened yet is buffered, whatever its size."""
    words = ["w" * 99] * 15000  # 1.5 MB, more than a client's backlog otherwise
    assert box("run", PYTHON, "-c", COUNT, *words).ok().split() == ["15000", str(99 * 15000)]


def test_longest_string(box):
    assert box("run", PYTHON, "-c", COUNT, "s" * STRING_MAX).ok().split() == ["1", str(STRING_MAX)]


def test_more_than_the_kernel_accepts(box):
    """Arguments without "run" are one line for a shell, so one string, limited to 128 KiB."""
    fits = box("--", "echo", *["w" * 99] * 1300).ok()
    assert fits.split() == ["w" * 99] * 1300
    box("--", "echo", *["w" * 99] * 1400).failed(126, "session.too-long", "too long for the kernel")
    assert box("run", "true").ok() == ""
