# SPDX-License-Identifier: MIT
"""tests/lib/temporary.py: what a passed test leaves on the disk is removed with it, and nothing of the others'."""
import os
import subprocess
import sys
from pathlib import Path

from waiting import LIMIT

TESTS = """
import pytest

@pytest.fixture
def last_words(tmp_path):
    yield
    assert (tmp_path / "disk").exists()  # teardowns still find it

@pytest.fixture
def broken(tmp_path):
    (tmp_path / "disk").write_text("x")
    raise OSError

def test_passes(last_words, tmp_path):
    (tmp_path / "disk").write_text("x")

def test_fails(tmp_path):
    (tmp_path / "disk").write_text("x")
    assert False

def test_has_no_setup(broken):
    pass

def test_skips(tmp_path):
    (tmp_path / "disk").write_text("x")
    pytest.skip("x")

def test_passes_in_the_end(tmp_path, seen=[]):
    (tmp_path / "disk").write_text("x")
    seen.append(1)
    assert len(seen) == 2
"""


def test_only_the_files_of_failed_tests_stay(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "lib")}
    environment.pop("PYTEST_ADDOPTS", None)
    subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "temporary", "-q", "--reruns", "1",
                    "--basetemp", tmp_path / "base", tmp_path / "test_it.py"], env=environment, cwd=tmp_path,
                   capture_output=True, timeout=LIMIT, check=False)
    left = sorted(path.parent.name for path in (tmp_path / "base").glob("*/disk")
                  if not path.parent.is_symlink())
    assert left == ["test_fails0", "test_fails1", "test_has_no_setup0", "test_has_no_setup1", "test_passes_in_the_end0"]
