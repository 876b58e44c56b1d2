# SPDX-License-Identifier: MIT
"""Input that a command does not read is left to other readers, if possible."""
import random
import subprocess

import pytest

from waiting import LIMIT


def shell(box, script, **options):
    return subprocess.run(["sh", "-c", script, "sh", box.program], env=box.environment, timeout=LIMIT,
                          capture_output=True, **options)


def test_loop_over_a_file_keeps_its_input(box, tmp_path):
    """Each command leaves its unread lines to the loop."""
    (tmp_path / "lines").write_text("1\n2\n3\n")
    got = shell(box, 'while read x; do "$1" run echo "<$x>"; done < lines', cwd=tmp_path)
    assert (got.stdout, got.stderr) == (b"<1>\n<2>\n<3>\n", b"")


def test_loop_over_a_pipe_keeps_its_input_with_n(box):
    for option in ("-n", "--no-stdin"):
        got = shell(box, f'printf "1\\n2\\n3\\n" | while read x; do "$1" run {option} sh -c "echo $x; cat"; done')
        assert (got.stdout, got.stderr) == (b"1\n2\n3\n", b"")


@pytest.mark.parametrize("size", [0, 1, 5, 65536, 70000, 300000, 1 << 20])
def test_unread_rest_of_a_file_is_kept(box, tmp_path, size):
    """Whatever the command reads: nothing, a part, all; with and without reading EOF."""
    data = random.Random(size).randbytes(1 << 20)
    path = tmp_path / "data"
    path.write_bytes(data)
    with path.open("rb", buffering=0) as file:
        file.seek(3)
        code = f"import os\nleft = {size}\nwhile left and (got := os.read(0, min(left, 4096))): left -= len(got)"
        assert box("run", "/usr/bin/python3", "-c", code, stdin=file).ok() == ""
        assert file.tell() == min(3 + size, 1 << 20)


def test_short_file_read_to_its_end(box, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"1234567890")
    for script, rest in (("true", b"1234567890"), ("dd bs=4 count=1 2>/dev/null", b"567890"), ("cat", b""),
                         ("exec <&-; true", b"1234567890"), ("kill -9 $$", b"1234567890")):
        with path.open("rb", buffering=0) as file:
            box("run", "sh", "-c", script, stdin=file)
            assert file.read() == rest, script


def test_failed_command_leaves_the_input_unread(box, tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"1234567890")
    with path.open("rb", buffering=0) as file:
        assert box("run", "no-such-command", stdin=file).status == 127
        assert file.read() == b"1234567890"
