"""Host ports that distros may reach: stored, listed, and sent to a running keeper."""
import json
import sqlite3

import pytest

from waiting import stop_process


@pytest.fixture
def box(berth, rootfs):
    berth("import", "box", rootfs).ok()
    return berth


def listed(berth, *name):
    return json.loads(berth("host", "list", "--json", *name).ok())["distros"]


def ports(berth, name="box"):
    (distro,) = listed(berth, name)
    return ["all" if p["all"] else p["port"] for p in distro["ports"]]


def configure(berth, text):
    berth.config.parent.mkdir(parents=True, exist_ok=True)
    berth.config.write_text(text)


def machine_conf(berth, name="box"):
    text = (berth.runtime / berth.info(name)["id"] / "machine.conf").read_text()
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def log(berth, name="box"):
    return berth("logs", name).ok()


def test_no_port_is_allowed_by_default(box):
    assert listed(box) == [{"distro": "box", "isolated": False, "outbound": "", "ports": []}]
    assert box("host", "list").ok().splitlines()[1].split() == ["box", "none", "-"]


def test_allow_and_deny(box):
    assert box("host", "allow", "box", "5432", "11434", "80,81").ok() == ""
    assert ports(box) == [80, 81, 5432, 11434]
    box("host", "allow", "box", "80").ok()
    box("host", "deny", "box", "80", "11434").ok()
    assert ports(box) == [81, 5432]
    lines = box("host", "list", "box").ok().splitlines()
    assert lines[0].split() == ["DISTRO", "PORT", "ALLOWED", "BY"]
    assert [line.split()[:2] for line in lines[1:]] == [["box", "81"], ["box", "5432"]]
    box("host", "allow", "box", "all").ok()
    assert ports(box) == ["all", 81, 5432]
    box("host", "deny", "box", "81").failed(1, "host.all-allowed", "port 81")
    box("host", "deny", "box", "all").ok()
    assert ports(box) == []


@pytest.mark.parametrize("arguments, status, code", [
    (["allow"], 2, "usage.arguments"),
    (["allow", "box"], 2, "usage.arguments"),
    (["deny", "box"], 2, "usage.arguments"),
    (["list", "box", "x"], 2, "usage.arguments"),
    ([], 2, "usage.arguments"),
    (["open", "box", "80"], 2, "usage.value"),
    (["allow", "box", "80", "--json"], 2, "usage.arguments"),
    (["allow", "box", "0"], 1, "access.port"),
    (["allow", "box", "65536"], 1, "access.port"),
    (["allow", "box", "http"], 1, "access.port"),
    (["allow", "box", "80", "x"], 1, "access.port"),
    (["allow", "box", ""], 1, "access.port"),
    (["allow", "box", ",".join(map(str, range(1, 66)))], 1, "access.ports"),
    (["deny", "box", "80"], 1, "host.not-allowed"),
    (["allow", "nobody", "80"], 1, "distro.not-found"),
    (["list", "nobody"], 1, "distro.not-found"),
])
def test_invalid_arguments(box, arguments, status, code):
    box("host", *arguments).failed(status, code)
    assert ports(box) == []


def test_too_many_ports(box):
    box("host", "allow", "box", *map(str, range(1, 65))).ok()
    box("host", "allow", "box", "1").ok()
    box("host", "allow", "box", "65").failed(1, "access.ports")
    assert len(ports(box)) == 64


def test_unregister_removes_allowed_ports(box, rootfs):
    box("host", "allow", "box", "80").ok()
    box("clone", "box", "twin").ok()
    assert ports(box, "twin") == []
    box("rename", "box", "crate").ok()
    assert ports(box, "crate") == [80]
    box("unregister", "crate").ok()
    with sqlite3.connect(box.data / "registry.db") as registry:
        assert registry.execute("SELECT count(*) FROM host_port").fetchone() == (0,)


def test_berth_conf_allows_ports(box):
    configure(box, "[berth]\nhost-ports = 5432\n[distro box]\nhost-ports = 6379, 8080\noutbound = 10.0.0.0/8; 1.1.1.1:443\n")
    box("host", "allow", "box", "80").ok()
    (distro,) = listed(box)
    assert [(p["port"], p["allowed_by"]) for p in distro["ports"]] == [
        (80, "berth host"), (6379, "berth.conf"), (8080, "berth.conf")]
    assert distro["outbound"] == "10.0.0.0/8; 1.1.1.1:443"
    box("host", "allow", "box", "6379").ok()
    result = box("host", "deny", "box", "6379")
    assert result.status == 0 and "berth.conf still allows box: 6379, 8080" in result.err, result
    box("start", "box").ok()
    conf = machine_conf(box)
    assert (conf["host-ports"], conf["host-allowed"]) == ("6379, 8080", "80")


@pytest.mark.parametrize("line, code, word", [
    ("host-ports = http", "config.value", "host-ports: "),
    ("host-ports = 80-90", "config.value", "80-90"),
    ("outbound = example.org", "config.value", "outbound: "),
    ("outbound = 10.0.0.0/33", "config.value", "10.0.0.0/33"),
    ("isolated = perhaps", "config.value", "isolated"),
    ("owner-only = 2", "config.value", "owner-only"),
])
def test_invalid_ports_in_berth_conf(box, line, code, word):
    configure(box, f"[distro box]\n{line}\n")
    box("start", "box").failed(1, code, word)


def test_isolated_by_berth_conf(box):
    configure(box, "[distro box]\nisolated = true\nhost-ports = 80\n")
    assert listed(box)[0]["isolated"]
    assert box("host", "list").ok().splitlines()[1].split() == ["box", "none", "isolated"]
    result = box("host", "allow", "box", "80")
    assert result.status == 0 and "box is isolated" in result.err, result
    box("start", "box").ok()
    assert machine_conf(box)["isolated"] == "true"


def test_start_isolated_lasts_until_stop(box):
    box("start", "--isolated", "box").ok()
    assert machine_conf(box)["isolated"] == "true"
    box("start", "--isolated", "box").failed(1, "instance.running")
    box("start", "box").ok()
    box("terminate", "box").ok()
    box("start", "box").ok()
    assert machine_conf(box)["isolated"] == "false"


def test_running_keeper_gets_the_change(box):
    box("start", "box").ok()
    box("host", "allow", "box", "5432").ok()
    box("host", "deny", "box", "all").ok()
    box("host", "allow", "box", "80", "443").ok()
    assert box("run", "-d", "box", "true").ok() == ""


def test_unresponsive_keeper_gives_a_warning(box):
    import os
    import signal
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    stop_process(keeper)
    try:
        result = box("host", "allow", "box", "80")
        assert result.status == 0 and "at the next start" in result.err, result
    finally:
        os.kill(keeper, signal.SIGCONT)
    assert ports(box) == [80]


# --- proxies on this host's loopback ---

def test_loopback_proxy_is_allowed(box):
    env = {"http_proxy": "http://127.0.0.1:3128/", "https_proxy": "http://localhost:3128", "all_proxy": "http://10.1.1.1:80"}
    out = box("run", "-d", "box", "sh", "-c", "echo $http_proxy", env=env).ok()
    assert out == "http://host.berth.internal:3128/\n"
    (distro,) = listed(box)
    assert distro["ports"] == [{"all": False, "port": 3128, "allowed_by": "session", "temporary": True}]
    assert box("host", "list").ok().splitlines()[1] == "box     3128  session, until it stops"
    box("host", "allow", "box", "80").ok()
    assert [(p["port"], p["temporary"]) for p in listed(box)[0]["ports"]] == [(80, False), (3128, True)]
    box("terminate", "box").ok()
    assert ports(box) == [80]


def test_proxy_is_not_allowed_if_isolated(box):
    box("start", "--isolated", "box").ok()
    env = {"http_proxy": "http://127.0.0.1:3128", "HTTP_PROXY": "http://127.0.0.1:3128"}
    result = box("run", "-d", "box", "true", env=env)
    assert result.status == 0
    assert result.err.splitlines() == ["berth: the proxy on port 3128 of this host cannot be reached from there: "
                                       "box is isolated: it reaches no port of this host"]
