# SPDX-License-Identifier: MIT
"""berth set: the settings of one distro, several at once."""
import json
import os
import subprocess

import json_schema
import pytest

GIB = 1 << 30


def settings(berth, *words, **options):
    """What `berth set --json` prints, by its schema, with its settings by key."""
    document = json.loads(berth("set", *words, "--json", **options).out)
    json_schema.check(document, json_schema.read("set"), "set")
    return {**document, "settings": {setting["key"]: setting for setting in document["settings"]}}


def machine_of(berth, name="box"):
    """The words of the QEMU that runs @name."""
    return " ".join(berth.qemus()[-1]["argv"])


def test_several_at_once(box):
    assert box("set", "BOX", "memory=192M", "cpus=1", "isolated=yes").ok() == (
        "memory = 192M: takes effect at the next start\n"
        "cpus = 1: takes effect at the next start\n"
        "isolated = yes: takes effect at the next start\n")
    assert box.config.read_text() == "[distro box]\nmemory = 192M\ncpus = 1\nisolated = yes\n"
    assert box("set", "box", "memory=192M").ok() == "memory = 192M: as it was\n"
    assert box("config", "get", "-d", "box", "memory").ok() == f"{192 << 20}\n"
    box("start", "box").ok()
    assert "size=192M" in machine_of(box)


def test_what_is_shown(box):
    box.configure("[berth]\nmtu = 3000\n[distro box]\ncpus = 1\n")
    lines = {line.split()[0]: line.split() for line in box("set", "box", env={"BERTH_LOG_SIZE": "2M"}).ok().splitlines()}
    assert lines["KEY"] == ["KEY", "VALUE", "CHANGES", "FROM"]
    assert lines["cpus"][1:] == ["1", "next", "start", f"{box.config}:4"]
    assert lines["mtu"][1:] == ["3000", "next", "start", f"{box.config}:2"]
    assert lines["host-urls"][1:] == ["false", "now", "default"]
    assert lines["log-size"][-1] == "BERTH_LOG_SIZE"
    assert "cache-size" not in lines and "disk-size" not in lines  # not a distro's
    shown = settings(box, "box")
    assert shown["name"] == "box" and shown["file"] == str(box.config) and shown["changes"] == []
    assert [shown["settings"][key]["source"] for key in ("mtu", "cpus", "ports")] == ["file", "distro", "default"]


def test_unset(box):
    box.configure("[berth]\nmtu = 3000\n[distro box]\nmtu = 4000\ncpus = 1\n")
    said = settings(box, "box", "cpus=2", "--unset", "mtu")
    assert [(change["key"], change["value"], change["changed"]) for change in said["changes"]] == [
        ("cpus", "2", True), ("mtu", None, True)]
    assert said["settings"]["mtu"]["value"] == "3000"
    assert box.config.read_text() == "[berth]\nmtu = 3000\n[distro box]\ncpus = 2\n"
    assert box("set", "box", "--unset", "mtu").ok() == "mtu is not set: as it was\n"


def test_a_running_distro(box):
    box("start", "box").ok()
    assert box("set", "box", "memory=192M", "host-urls=true").ok() == (
        "memory = 192M: takes effect at the next start\n"
        "host-urls = true: takes effect now\n"
        "box keeps its current values until it is stopped: berth terminate box\n")
    assert [change["needs_start"] for change in settings(box, "box", "memory=208M", "host-urls=false")["changes"]] == [True, False]
    box("suspend", "box").ok()
    assert settings(box, "box", "memory=224M")["changes"][0]["needs_start"]
    assert "until it is stopped" not in box("set", "box", "memory=224M").ok()  # nothing has changed
    box("terminate", "box").ok()
    assert not settings(box, "box", "memory=240M")["changes"][0]["needs_start"]
    box("start", "box").ok()
    assert "size=240M" in machine_of(box)


@pytest.mark.parametrize("words, code, word, hint", [
    (["memroy=1G"], "config.key", "memroy", "did you mean memory?"),
    (["mtu=1"], "config.value", "mtu", "from 1280 to 65520"),
    (["memory=lots"], "config.value", "memory", "a size such as"),
    (["memory="], "config.value", "memory", "a size such as"),
    (["accel=kvn"], "config.value", "accel", "did you mean kvm?"),
    (["cache-size=1G"], "config.global", "cache-size", "berth config set cache-size VALUE"),
    (["disk-size=1G"], "config.new", "disk-size", "berth resize box SIZE"),
    (["cpus=1", "mtu=1280", "processors=2"], "config.repeated", "cpus", "once"),
    (["cpus=1", "--unset", "cpus"], "config.repeated", "cpus", "once"),
    (["cpus=1", "--unset", "cpsu"], "config.key", "cpsu", "did you mean cpus?"),
    (["cpus=1", "swapFile=/x"], "config.wsl", "swapFile", ""),
])
def test_what_is_refused_changes_nothing(box, words, code, word, hint):
    result = box("set", "box", *words).failed(1, code, word)
    assert hint in (result.hint or ""), result
    assert not box.config.exists()


@pytest.mark.parametrize("words, code", [
    (["set"], "usage.arguments"), (["set", "box", "memory"], "usage.value"), (["set", "box", "=1"], "usage.value"),
    (["set", "box", ""], "usage.value"), (["set", "box", "memory", "8G"], "usage.value"), (["set", "box", "--unset"], "usage.value"),
])
def test_wrong_words(box, words, code):
    box(*words).failed(2, code)
    assert not box.config.exists()


def test_no_such_distro(box):
    for words in (["none"], ["none", "cpus=1"], ["memory=8G"]):
        box("set", *words).failed(1, "distro.not-found", words[0])
    assert not box.config.exists()


def test_bytes_that_are_no_text(box):
    done = subprocess.run([os.fsencode(box.program), b"set", b"box", b"kernel=\xff"], env=box.environment, capture_output=True, timeout=60)
    assert done.returncode == 1 and b"code: config.value" in done.stderr and not box.config.exists()


def host():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), len(os.sched_getaffinity(0))


def test_more_than_the_host_has(box):
    memory, cpus = host()
    result = box("set", "box", f"memory={memory // GIB + 16}G", f"cpus={cpus + 1}")
    assert result.status == 0 and [line.split("; ")[0] for line in result.err.splitlines()] == [
        f"berth: memory: {memory // GIB + 16} GiB is more than this host has", f"berth: cpus: {cpus + 1} is more than this host has"]
    assert f"the distro gets {cpus}" in result.err
    assert [bool(change["limit"]) for change in settings(box, "box", f"memory={memory // GIB + 9}G", "mtu=3000")["changes"]] == [True, False]
    assert "is more than" in box("config", "set", "cpus", "255").err  # for all distros, too
    started = box("start", "box")
    assert started.status == 0 and started.err.count("is more than this host has") == 2, started
    assert f"size={memory >> 20}M" in machine_of(box)
    assert box("start", "box").ok() == box("run", "true").ok() == ""  # said by the start alone


def test_too_little_memory(box):
    result = box("set", "box", "memory=12")
    assert result.status == 0 and result.err == "berth: memory: 12 B is too little; the distro gets 128 MiB\n", result
    assert [bool(change["limit"]) for change in settings(box, "box", "memory=128M")["changes"]] == [False]
    hint = box("set", "box", "memory=much").failed(1, "config.value").err
    assert "hint: give 0, or a size such as 512M or 4G, from 128 MiB to 4.0 TiB" in hint, hint
    assert "too little" in box("config", "set", "memory", "64M").err  # for all distros, too


def test_the_environment_wins(box):
    result = box("set", "box", "mtu=3000", env={"BERTH_MTU": "4000"})
    assert result.status == 0 and "BERTH_MTU in the environment is used instead" in result.err
    assert settings(box, "box", "mtu=3000", env={"BERTH_MTU": "4000"})["changes"][0]["instead"] == "BERTH_MTU in the environment"


def test_two_writers_lose_nothing(box):
    keys = ["mtu=3000", "cpus=1", "memory=1G", "isolated=yes", "idle-timeout=7", "log-size=2M", "stop-timeout=3", "init-timeout=4"]
    writers = [box.start("set", "box", word) for word in keys]
    for writer in writers:
        box.finish(writer).ok()
    found = settings(box, "box")["settings"]
    assert all(found[word.split("=")[0]]["source"] == "distro" for word in keys)
