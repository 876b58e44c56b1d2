# SPDX-License-Identifier: MIT
"""Reserved names, and a distro in an old registry that has one."""
import sqlite3

import pytest


@pytest.mark.parametrize("name", ["host", "Host", "localhost", "host_"])
def test_reserved_names_are_refused(box, rootfs, name, tmp_path):
    box("import", name, rootfs).failed(1, "name.reserved", name)
    box("import-in-place", name, tmp_path / "x.ext4").failed(1, "name.reserved", name)
    box("clone", "box", name).failed(1, "name.reserved", name)
    box("rename", "box", name).failed(1, "name.reserved", name)
    assert box.names() == ["box"] and box.left_over() == []


def test_reserved_name_in_old_registry_works(box):
    with sqlite3.connect(box.data / "registry.db") as registry:
        assert registry.execute("UPDATE distro SET name = 'host' WHERE name = 'box'").rowcount == 1
    result = box("run", "-d", "host", "echo", "there")
    assert (result.status, result.out) == (0, "there\n")
    assert "reserved" in result.err and "berth rename host" in result.err and result.err.count("\n") == 1
    assert box("run", "-d", "host", "true").ok() == ""  # the warning comes once per start
    box("terminate", "host").ok()
    box("rename", "host", "guest").ok()
    assert box("run", "true").ok() == ""


def test_relative_home(berth):
    berth("list", env={"HOME": "relative"}).failed(1, "layout.home", "relative", "absolute")
