# SPDX-License-Identifier: MIT
"""The initramfs: the agent's program as /init, and a console."""

import gzip
import pathlib
import subprocess
import sys

import conftest

SCRIPT = pathlib.Path(__file__).parents[2] / "cmd/berth-guest/make-initramfs"


def entries(archive):
    """{name: (mode, device, data)} of a newc archive."""
    found, at = {}, 0
    while True:
        assert archive[at:at + 6] == b"070701" and at % 4 == 0
        field = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = archive[at + 110:at + 110 + field[11] - 1].decode()
        start = (at + 110 + field[11] + 3) // 4 * 4
        at = (start + field[6] + 3) // 4 * 4
        if name == "TRAILER!!!":
            assert not archive[at:].strip(b"\0")
            return found
        found[name] = (field[1], (field[9], field[10]), archive[start:start + field[6]])


def test_holds_the_program_and_a_console(tmp_path):
    program = pathlib.Path(conftest.GUEST)
    outputs = []
    for name in "one", "two":
        subprocess.run([sys.executable, SCRIPT, program, tmp_path / name], check=True)
        outputs.append((tmp_path / name).read_bytes())
    assert outputs[0] == outputs[1] and len(outputs[0]) % 4096 == 0
    found = entries(gzip.decompress(outputs[0]))
    assert list(found) == ["dev", "dev/console", "init"]
    assert found["dev"] == (0o040755, (0, 0), b"")
    assert found["dev/console"] == (0o020600, (5, 1), b"")
    assert found["init"] == (0o100755, (0, 0), program.read_bytes())


def test_program_does_nothing_by_itself():
    got = subprocess.run([conftest.GUEST], capture_output=True, check=False)
    assert (got.returncode, got.stdout) == (2, b"")
    assert got.stderr.startswith(b"usage: berth-guest --agent FD")
    for words in ["--agent"], ["--agent", "x"], ["--agent", "-1"], ["--agent", "3", "more"]:
        assert subprocess.run([conftest.GUEST, *words], capture_output=True,
                              check=False).returncode == 2
    closed = subprocess.run([conftest.GUEST, "--agent", "77"], capture_output=True, check=False)
    assert closed.returncode == 1 and b"descriptor 77: " in closed.stderr
