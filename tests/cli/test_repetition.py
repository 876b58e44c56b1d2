# SPDX-License-Identifier: MIT
"""Repetition on the command line: a distro counts once, a flag is set once, the last value wins."""
import re

import pytest

from conftest import SOURCE


def test_names_of_one_distro(box, rootfs):
    box("import", "other", rootfs).ok()
    box("start", "box").ok()
    box("start", "other").ok()
    names = ["box", "BOX", "box", "other", "Box", "other", "box"] * 30
    assert box("terminate", *names).ok() == ""
    assert {box.info(name)["state"] for name in ("box", "other")} == {"stopped"}
    again = box("terminate", *names)
    assert (again.status, again.err) == (0, "berth: box was not running\nberth: other was not running\n")
    box("terminate", "box", "box", "none").failed(1, "distro.not-found")


def test_ports_of_the_host(box):
    box("host", "allow", "box", *["80", "443", "80"] * 20).ok()
    assert [line.split()[1] for line in box("host", "ls", "box").ok().splitlines()[1:]] == ["80", "443"]
    box("host", "allow", "box", "80").ok()
    box("host", "deny", "box", "443", "443", "443").ok()
    assert [line.split()[1] for line in box("host", "ls", "box").ok().splitlines()[1:]] == ["80"]


def test_rules_of_forwards(box):
    box("forward", "add", "box", "8123").ok()
    again = box("forward", "add", "box", "8123")
    assert again.status in (0, 1) and len(box("forward", "ls", "box").ok().splitlines()) == 2
    box("forward", "rm", "box", "8123").ok()
    box("forward", "rm", "box", "8123").failed(1, "forward.not-found")


def test_the_last_value_counts(box, rootfs, tmp_path):
    box("import", "other", rootfs).ok()
    out = box("run", "-d", "other", "--cd", "/", "--cd", "/usr", "--env", "A=1", "--env", "A=2",
              "--shell-type", "login", "--shell-type", "none", "sh", "-c", "echo $BERTH_DISTRO $PWD $A").ok()
    assert out == "other /usr 2\n"
    box("terminate", "other", "--grace", "1", "--grace", "60").ok()
    size = ["--size", "2G", "--size", "3G", "--location", tmp_path / "a", "--location", tmp_path / "b"]
    assert box("import", "sized", rootfs, *size).status == 0
    assert (tmp_path / "b").exists() and not (tmp_path / "a").exists()
    assert box.info("sized")["disk_size"] == 3 << 30


def test_variables(box):
    """A repeated name in BERTH_ENV, and a repeated proxy."""
    proxies = {name: "http://localhost:3128" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    out = box("run", "env", env={"A": "1", "BERTH_ENV": "A:A/u:A:A", **proxies}).ok().splitlines()
    assert [line for line in out if line.startswith("A=")] == ["A=1"]
    ports = [line.split()[1] for line in box("host", "ls", "box").ok().splitlines()[1:]]
    assert ports == ["3128"]


def flags():
    """Every flag of every command, from the help."""
    for page in sorted((SOURCE / "tests/golden/cli").glob("help-*.txt")):
        for option in re.findall(r"^  (?:-\w,|   ) --([\w-]+)  ", page.read_text(), re.M):
            yield page.stem.removeprefix("help-"), option


@pytest.mark.parametrize("command, option", flags())
def test_flags(berth, command, option):
    """The same outcome as once, with an unknown distro, so that nothing else happens."""
    once = berth(command, f"--{option}", "none", "none")
    twice = berth(command, f"--{option}", f"--{option}", "none", f"--{option}", "none")
    assert (twice.status, twice.code) == (once.status, once.code), (once, twice)
