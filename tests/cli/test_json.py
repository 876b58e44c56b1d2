# SPDX-License-Identifier: MIT
"""What commands print with --json suits the schemas in cmd/schemas, and each command has one."""
import copy
import json
import re

import json_schema
import pytest

from conftest import SOURCE

# The rest is checked where its surroundings are: list-online in test_install, cache in test_cache, changes in test_changes, diff in test_diff.
COMMANDS = {
    "list": ["list"], "status": ["status"], "version": ["version"], "ports": ["ports"], "doctor": ["doctor"],
    "forward": ["forward", "list"], "host": ["host", "list"], "share": ["share", "list"], "config": ["config", "list"],
    "cache": ["cache", "ls"], "templates": ["templates"], "start": ["start"],
    "snapshots": ["snapshots"], "set": ["set", "box"], "top": ["top", "-n", "1"], "status-distro": ["status", "box"],
}


def matches(home, name, *words):
    text = home(*words, "--json").out
    value = json.loads(text)
    json_schema.check(value, json_schema.read(name), name)
    return value


@pytest.mark.parametrize("name", COMMANDS)
def test_with_nothing(berth, name):
    if name not in ("start", "status-distro", "set"):
        matches(berth, name, *COMMANDS[name])


@pytest.fixture
def rich(box, rootfs, tmp_path):
    """Two distros, of which one runs, with a share, a forward and an open port."""
    box.configure("[berth]\nshare-home=false\n")
    box("import", "other", rootfs).ok()
    (tmp_path / "shared").mkdir()
    box("share", "add", "box", tmp_path / "shared", "--quota", "1G").ok()
    box("forward", "add", "box", "18080:80").ok()
    box("host", "allow", "box", "5432").ok()
    box("snapshot", "box").ok()
    box("start", "box").ok()
    return box


def test_with_distros(rich):
    for name, words in COMMANDS.items():
        value = matches(rich, name, *words)
        lists = [member for member in value.values() if isinstance(member, list)]
        assert not lists or any(lists) or name in ("ports", "cache"), name
    assert {distro["state"] for distro in matches(rich, "list", "list")["distros"]} == {"running", "stopped"}


def test_each_command_with_json_has_a_schema():
    """json_begin is what prints such an object; online.c is behind list --online."""
    sources = {path.stem for path in (SOURCE / "cmd/berth").glob("*.c")
               if re.search(r"\bjson_begin\(", path.read_text()) and path.stem != "json"}
    schemas = {path.stem for path in json_schema.DIRECTORY.glob("*.json")}
    assert {{"online": "list-online", "status_distro": "status-distro"}.get(source, source) for source in sources} == schemas


def test_schemas_describe_each_member():
    def walk(schema, where):
        for name, member in schema.get("properties", {}).items():
            assert member["description"], f"{where}.{name}"
            walk(member, f"{where}.{name}")
        walk(schema["items"], f"{where}[]") if "items" in schema else None
    for path in json_schema.DIRECTORY.glob("*.json"):
        schema = json_schema.read(path.stem)
        assert schema["title"].startswith("berth ") and schema["properties"]["schema"]["const"] == 1
        walk(schema, path.stem)


def test_a_difference_is_seen():
    schema = json_schema.read("doctor")
    good = {"schema": 1, "healthy": True, "checks": [{"name": "n", "verdict": "ok", "text": "t", "command": None, "fixed": None}]}
    json_schema.check(good, schema)
    for change in ({"schema": 2}, {"healthy": 1}, {"healthy": None}, {"checks": {}}, {"checks": [1]}, {"more": 1},
                   {"checks": [{**good["checks"][0], "verdict": "fine"}]}, {"checks": [{"name": "n"}]}):
        with pytest.raises(AssertionError):
            json_schema.check({**copy.deepcopy(good), **change}, schema)
    with pytest.raises(AssertionError):
        json_schema.check({name: good[name] for name in ("schema", "checks")}, schema)
