"""wsl_rows.txt: every row of WSL's reference that berth is to match has a test that exists."""
import ast
import re
from collections import Counter

import pytest
from conftest import SOURCE

LINES = [line for line in (SOURCE / "tests/cli/wsl_rows.txt").read_text().splitlines() if line and line[0] != "#"]
ROWS = [line.split(" | ") for line in LINES]
# Keys with a row are one row each here, where the reference has "swap / swapFile"; so a row that is lost is noticed.
COUNTS = {("1.1", "E"): 9, ("1.1", "U"): 2, ("1.2", "E"): 5, ("1.2", "U"): 2, ("1.3", "E"): 7, ("2.1", "E"): 26, ("2.1", "U"): 11,
          ("2.2", "E"): 12, ("2.2", "U"): 3}


def functions(path):
    """The names of the functions of a file of tests."""
    text = (SOURCE / "tests" / path).read_text()
    if path.endswith(".py"):
        return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}
    return set(re.findall(r"^(?:static )?\w+ (\w+)\(", text, re.M))


def test_every_row_is_here():
    assert all(len(row) == 4 and row[2] in ("E", "U", "O", "-") for row in ROWS)
    assert len({(section, name) for section, name, *_ in ROWS}) == len(ROWS)
    counted = Counter((section, mark) for section, _, mark, _ in ROWS)
    assert {key: count for key, count in counted.items() if key[1] in ("E", "U")} == COUNTS


@pytest.mark.parametrize("row", ROWS, ids=lambda row: " ".join(row[:2]))
def test_its_tests_exist(row):
    tests = row[3].split()
    assert tests
    for path, _, name in (test.partition("::") for test in tests):
        assert name in functions(path), f"{path} has no {name}"
        assert path.endswith(".c") or name.startswith("test_")


def test_keys_of_wslconfig(berth):
    """Each is a setting, or says what there is instead; none is unknown."""
    for section, key, *_ in ROWS:
        if section != "2.1":
            continue
        result = berth("config", "get", key)
        if result.status != 0:
            result.failed(1, "config.wsl")
    for key, own in (("wsl2.kernel", "kernel"), ("wsl2.defaultVhdSize", "disk-size"), ("wsl2.distributionStartTimeout", "init-timeout"),
                     ("wsl2.hostFileSystemAccess", "share-home")):
        value = {"kernel": "/boot/mine", "disk-size": "2T", "init-timeout": "90000", "share-home": "false"}[own]
        assert berth("config", "set", key, value).ok().startswith(f"{own} = ")


def test_kernel_of_the_user(box, tmp_path):
    kernel = tmp_path / "kernel"
    kernel.write_text("fake-qemu does not look\n")
    box("config", "set", "wsl2.kernel", kernel).ok()
    box("config", "set", "wsl2.kernelCommandLine", 'quiet dyndbg="file ext4.c +p"').ok()
    box("start").ok()
    arguments = box.qemus()[-1]["argv"]
    assert arguments[arguments.index("-kernel") + 1] == str(kernel)
    assert arguments[arguments.index("-append") + 1].endswith(' quiet dyndbg="file ext4.c +p"')
    box("terminate", "box").ok()
    kernel.unlink()
    box("start").failed(1, "machine.no-kernel", str(kernel))
