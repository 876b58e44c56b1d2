# SPDX-License-Identifier: MIT
"""The terminal that README.md shows is what the programs print now."""
import subprocess
import sys
from pathlib import Path

from conftest import required

SOURCE = Path(__file__).resolve().parents[2]


def test_the_picture_of_the_terminal():
    done = subprocess.run([sys.executable, SOURCE / "packaging/picture", "--check", "--build", required("BERTH_TEST_BUILD"),
                           "--debian", required("BERTH_TEST_DEBIAN"), "--kernel", required("BERTH_TEST_KERNEL")],
                          capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
