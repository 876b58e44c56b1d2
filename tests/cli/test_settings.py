# SPDX-License-Identifier: MIT
"""Settings in berth.conf without effect are reported with their line."""
import json


def warnings(result):
    return [line for line in result.err.splitlines() if "warning: " in line]


def value(berth, key, *name):
    rows = berth("config", *name).ok().splitlines()
    return next(row.split()[1] for row in rows if row.split()[0] == key)


def test_group_names_ignore_case(box):
    box.configure("[Berth]\nmtu = 4000\n[distro BOX]\ncpus = 2\n")
    assert value(box, "cpus", "box") == "2"
    assert value(box, "mtu", "box") == value(box, "mtu") == "4000"
    assert value(box, "cpus") == "0"
    assert warnings(box("config", "box")) == []


def test_lines_without_effect_are_reported_once(box):
    box.configure("[distros box]\ncpus = 2\n[distro later]\ncpsu = 3\n")
    for command in (["config"], ["config", "box"], ["start", "box"], ["status"], ["host", "list"], ["cache", "ls"]):
        result = box(*command)
        assert result.status == 0, result
        lines = warnings(result)
        assert len(lines) == 2, (command, result)
        assert lines[0].startswith("berth: warning: ") and f'{box.config}:1: unknown group "distros box": did you mean [distro box]?' in lines[0]
        assert f'{box.config}:4: unknown key "cpsu" in [distro later]: did you mean cpus?' in lines[1]
        assert "warning" not in result.out
    assert isinstance(json.loads(box("status", "--json").out), dict)
    assert warnings(box("list")) == []


def test_group_of_a_future_distro_is_fine(box):
    box.configure("[distro later]\ncpus = 3\n")
    assert warnings(box("config")) == []


def test_invalid_value_is_reported_with_its_line(box):
    box.configure("[berth]\n\n# a comment\nmemroy = 1G\n")
    box("config").failed(1, "config.key", f"{box.config}:4: ", "memroy")
    box.configure("[berth]\nmtu = 9000\n[distro BOX]\nmtu = 1\n")
    box("config", "box").failed(1, "config.value", f"{box.config}:4: ")
