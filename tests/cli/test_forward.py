"""Forwards: rules and what becomes of them, ports as they change, and what a terminal is told. berth-net is
real, so the host's side is; nobody answers in the guest."""
import json
import os
import re
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

from conftest import Terminal, net_of, wait_for
from ports import free_port
from waiting import LIMIT


def listens(address, port, kind=socket.SOCK_STREAM):
    """Whether a socket of this host has the port at @address. Not found out by binding it: berth-net may be about to."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    name = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}[kind] + ("6" if family == socket.AF_INET6 else "")
    raw = socket.inet_pton(family, address)
    places = {f"{text}:{port:04X}" for text in (as_in_proc(raw), as_in_proc(bytes(len(raw))))}
    rows = [line.split() for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return any(row[1] in places and row[3] in ("0A", "07") for row in rows)  # TCP_LISTEN; of UDP, not connected


def as_in_proc(raw):
    return "".join(f"{word:08X}" for (word,) in struct.iter_unpack("=I", raw))


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::1", 0))
    except OSError:
        return False
    return True


def ports(berth, *names):
    return json.loads(berth("ports", *names, "--json").ok())["ports"]


def find(berth, name, port, protocol="tcp"):
    """The decided entry of a guest's port, or None."""
    found = [one for one in ports(berth, name) if one["port"] == port and one["protocol"] == protocol]
    return found[0] if found and found[0]["state"] != "wanted" else None


def rules(berth, *names):
    return [one["rule"] for one in json.loads(berth("forward", "list", *names, "--json").ok())["forwards"]]


@pytest.fixture
def two(box, rootfs):
    box("import", "other", rootfs).ok()
    return box


def test_rules_of_a_stopped_distro(two):
    assert two("forward", "list").ok().split() == ["DISTRO", "PROTOCOL", "HOST", "PORT", "RULE"]
    for rule in ("3000:80", "udp:5353", "[::1]:81", "0.0.0.0:8080:80"):
        assert two("forward", "add", "BOX", rule).ok() == ""
    two("forward", "add", "other", "3000:80").ok()
    assert sorted(rules(two, "box")) == ["0.0.0.0:8080:80", "3000:80", "5353:5353/udp", "[::1]:81:81"]
    assert rules(two, "other") == ["3000:80"] and len(rules(two)) == 5
    lines = [line.split() for line in two("forward", "ls", "box").ok().splitlines()]
    assert ["box", "tcp", "localhost:3000", "80", "3000:80"] in lines
    assert ["box", "tcp", "[::1]:81", "81", "[::1]:81:81"] in lines
    answer = json.loads(two("forward", "list", "box", "--json").ok())
    assert answer["schema"] == 1
    assert {"distro": "box", "rule": "0.0.0.0:8080:80", "protocol": "tcp", "host_address": "0.0.0.0",
            "host_port": 8080, "guest_port": 80} in answer["forwards"]

    two("forward", "remove", "box", "tcp:3000:80").ok()
    two("forward", "rm", "box", "5353/udp").ok()
    assert sorted(rules(two, "box")) == ["0.0.0.0:8080:80", "[::1]:81:81"]
    two("clone", "box", "copy").ok()
    assert rules(two, "copy") == []  # it would want the same ports
    two("rename", "box", "crate").ok()
    assert len(rules(two, "crate")) == 2
    two("unregister", "crate").ok()
    assert rules(two) == ["3000:80"]
    assert two.info("other")["state"] == "stopped" and two.qemus() == []


@pytest.mark.parametrize("rule, word", [
    ("", "it is empty"), ("0", "port"), ("65536", "port"), ("http", "port"), ("80:", "port"), ("80:99999", "port"),
    (":80", "address"), ("1:2:3", "address"), ("host:80:80", "address"), ("::1:80", "address"),
    ("[::1]", "address"), ("256.1.1.1:80", "address"), ("224.0.0.1:80", "address"), ("80/sctp", "protocol"),
    ("udp:80/tcp", "protocol"), ("80 81", "port"), ("\033[2J:80", "address"),
])
def test_bad_rules(box, rule, word):
    for action in ("add", "remove"):
        result = box("forward", action, "box", rule).failed(1, "forward.rule", "forward box: ", word)
        assert "udp:5353" in result.hint and "\033" not in result.err
    assert rules(box) == []


def test_bad_uses(box):
    box("forward").failed(2, "usage.arguments")
    box("forward", "add").failed(2, "usage.arguments", "missing")
    box("forward", "add", "box").failed(2, "usage.arguments", "missing")
    box("forward", "add", "box", "1", "2").failed(2, "usage.arguments", "too many")
    box("forward", "list", "box", "80").failed(2, "usage.arguments", "too many")
    box("forward", "add", "box", "80", "--json").failed(2, "usage.arguments", "json")
    box("forward", "change", "box", "80").failed(2, "usage.value", '"change"')
    box("forward", "add", "none", "80").failed(1, "distro.not-found", "none")
    box("forward", "list", "none").failed(1, "distro.not-found", "none")
    box("forward", "remove", "box", "80").failed(1, "forward.not-found", "80:80")
    box("forward", "add", "box", "3000:80").ok()
    box("forward", "add", "box", "3000:80").failed(1, "forward.exists", "3000")
    box("forward", "add", "box", "3000:81").failed(1, "forward.exists", "3000")
    box("forward", "remove", "box", "3000:81").failed(1, "forward.not-found")
    assert rules(box) == ["3000:80"]
    box("ports", "--watch").failed(1, "instance.not-running")
    box("ports", "--watch", "box").failed(1, "instance.not-running")
    box("ports", "--watch", "none").failed(1, "distro.not-found")


@pytest.mark.parametrize("line, word", [
    ("ports-ignore = 22,ssh", "ssh"), ("ports-udp = 0", "ports-udp"), ("ports-notify = perhaps", "perhaps"),
    ("publish = 0.0.0.0", "0.0.0.0"), ("publish = 80, nowhere:80:80", "nowhere:80:80"),
])
def test_bad_settings(box, line, word):
    box.configure(f"[berth]\n{line}\n")
    box("start").failed(1, "config.value", word)
    box("config").failed(1, "config.value", word)


def test_rules_are_open_while_it_runs(box):
    port, live, udp = free_port(), free_port(), free_port()
    box("forward", "add", "box", f"{port}:80").ok()
    assert not listens("127.0.0.1", port)
    box("start").ok()
    found = wait_for(lambda: find(box, "box", 80))
    assert found["state"] == "open" and found["origin"] == "rule" and found["process"] == ""
    assert found["host_port"] == port and found["reason"] is None
    expected = ["127.0.0.1", "::1", "127.0.1.1"] if has_ipv6() else ["127.0.0.1", "127.0.1.1"]
    wait_for(lambda: find(box, "box", 80)["addresses"] == expected)
    assert all(listens(address, port) for address in expected)
    assert not listens("127.0.0.2", port)
    socket.create_connection(("127.0.0.1", port)).close()
    line = next(line for line in box("ports").ok().splitlines() if line.startswith("80 "))
    assert line.split() == ["80", "tcp", "open", "box", "-", str(port)]

    assert box("forward", "add", "box", str(live)).ok() == ""  # it says when it cannot
    assert find(box, "box", live)["state"] == "open" and listens("127.0.0.1", live)
    box("forward", "add", "box", f"udp:{udp}:53").ok()
    assert find(box, "box", 53, "udp")["state"] == "open" and listens("127.0.0.1", udp, socket.SOCK_DGRAM)
    box("forward", "remove", "box", str(live)).ok()
    wait_for(lambda: not listens("127.0.0.1", live))
    assert find(box, "box", live) is None
    os.kill(box.qemus()[-1]["pid"], signal.SIGUSR1)  # a reboot, in which all stay open
    wait_for(lambda: len(box.qemus()) == 2)
    assert all(listens(address, port) for address in expected)
    box("terminate", "box").ok()
    assert not any(listens(address, port) for address in expected)
    box("start").ok()
    wait_for(lambda: find(box, "box", 53, "udp"))
    assert {one["port"] for one in ports(box)} == {80, 53}


def test_a_rule_of_one_address(box):
    port = free_port()
    box("start").ok()
    box("forward", "add", "box", f"127.0.0.9:{port}:80").ok()
    found = find(box, "box", 80)
    assert found["addresses"] == ["127.0.0.9"]
    assert listens("127.0.0.9", port) and not listens("127.0.0.1", port)
    result = box("forward", "add", "box", f"192.0.2.1:{port}:80")
    assert result.status == 0 and result.err == "berth: 192.0.2.1 is not an address of this host\n"
    line = next(line for line in box("ports").ok().splitlines() if "192.0.2.1" in line)
    assert line.split()[:6] == ["80", "tcp", "blocked", "box", "-", f"192.0.2.1:{port}"]


def test_a_process_has_the_port(box):
    holder, port = serve("127.0.0.1")
    box("start").ok()
    result = box("forward", "add", "box", f"127.0.0.1:{port}:80")
    assert result.status == 0 and result.out == ""
    assert re.fullmatch(rf"berth: port {port} is in use on this host by .*\(pid {os.getpid()}\)\n", result.err)
    assert find(box, "box", 80)["state"] == "blocked"
    holder.close()
    wait_for(lambda: find(box, "box", 80)["state"] == "open")


def test_other_family_is_enough(box):
    if not has_ipv6():
        pytest.skip("this host has no IPv6")
    holder = socket.socket(socket.AF_INET6)
    holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    port = free_port()
    holder.bind(("::1", port))
    holder.listen()
    box("start").ok()
    result = box("forward", "add", "box", f"{port}:80")
    assert result.err.startswith(f"berth: not on ::1: port {port} is in use on this host by "), result
    assert find(box, "box", 80)["state"] == "open"
    assert find(box, "box", 80)["addresses"] == ["127.0.0.1", "127.0.1.1"]
    holder.close()
    wait_for(lambda: find(box, "box", 80)["reason"] is None)


def test_two_distros_want_the_same_port(two):
    port = free_port()
    two("forward", "add", "box", str(port)).ok()
    two("forward", "add", "other", str(port)).ok()
    two("start", "box").ok()
    wait_for(lambda: find(two, "box", port))
    two("start", "other").ok()
    found = wait_for(lambda: find(two, "other", port))
    assert found["state"] == "blocked"
    own = wait_for(lambda: find(two, "other", port)["addresses"])
    assert own == ["127.0.2.1"]  # which nobody else has
    assert find(two, "other", port)["reason"] == \
        f"port {port} is in use on this host by the distro box; it is on 127.0.2.1:{port}"
    two("forward", "remove", "box", str(port)).ok()
    wait_for(lambda: find(two, "other", port)["state"] == "open")
    assert find(two, "other", port)["reason"] is None

    two("forward", "add", "box", str(port))  # who lets go is the last in the line
    assert "by the distro other" in find(two, "box", port)["reason"]
    two("terminate", "other").ok()
    wait_for(lambda: find(two, "box", port)["state"] == "open")


def test_publish(box):
    port, other = free_port(), free_port()
    box.configure(f'[distro box]\npublish = "0.0.0.0:{port}:80", 127.0.0.1:{other}:81/udp\n')
    box("start").ok()
    found = wait_for(lambda: find(box, "box", 80))
    assert found["origin"] == "publish" and found["state"] == "open" and found["addresses"] == ["0.0.0.0"]
    assert wait_for(lambda: find(box, "box", 81, "udp"))["addresses"] == ["127.0.0.1"]
    assert listens("127.0.0.1", port) and listens("127.0.0.3", port)
    assert box.info("box")["ports"] == [port, other]


def test_restarted_network_opens_all_again(box):
    port = free_port()
    box("start").ok()
    box("forward", "add", "box", str(port)).ok()
    keeper = box.info("box")["keeper_pid"]
    net = wait_for(lambda: net_of(keeper))
    wait_for(lambda: os.stat(f"/proc/{net}").st_ctime + 1.2 < time.time())  # one that dies at once is given up
    os.kill(net, 9)
    wait_for(lambda: net_of(keeper) not in (net, None))
    wait_for(lambda: listens("127.0.0.1", port))
    wait_for(lambda: find(box, "box", port) and find(box, "box", port)["state"] == "open")


def serve(address="0.0.0.0", port=None):
    listener, port = socket.socket(), port or free_port()
    listener.bind((address, port))
    listener.listen()
    return listener, port


def test_ports_that_need_a_request(box):
    """The guest is this host, so what listens there is taken here."""
    listener, port = serve()
    with listener:
        box.configure(f"[berth]\nports-ignore = {port}\n")
        box("start", env={"FAKE_QEMU_LISTENERS": port}).ok()
        found = wait_for(lambda: find(box, "box", port))
        assert (found["state"], found["origin"]) == ("ignored", "listener")
        assert "ports-ignore" in found["reason"] and found["process"]
        box("forward", "add", "box", str(port))
        found = find(box, "box", port)
        assert found["origin"] == "rule" and found["process"]
        assert f"port {port} is in use on this host" in found["reason"]  # on IPv4, where we are
        box("forward", "remove", "box", str(port)).ok()
        wait_for(lambda: find(box, "box", port)["state"] == "ignored")


def test_ports_can_be_switched_off(box):
    listener, port = serve()
    with listener:
        box.configure("[berth]\nports = false\n")
        box("start", env={"FAKE_QEMU_LISTENERS": port}).ok()
        rule = free_port()
        box("forward", "add", "box", str(rule)).ok()
        assert [one["port"] for one in ports(box)] == [rule]


def test_watch(two):
    one, other = free_port(), free_port()
    two("start", "box").ok()
    two("forward", "add", "box", f"{one}:80").ok()
    text = two.start("ports", "--watch", "box", text=True)
    lines = two.start("ports", "-w", "--json", text=True)
    assert text.stdout.readline().split()[:3] == ["PORT", "PROTOCOL", "STATE"]
    assert text.stdout.readline().split() == ["80", "tcp", "open", "box", "-", str(one)]
    first = json.loads(lines.stdout.readline())
    assert first["schema"] == 1 and [entry["host_port"] for entry in first["ports"]] == [one]

    two("forward", "add", "box", f"{other}:81").ok()
    seen = []
    while not seen or seen[-1].split()[:5] != ["+", "81", "tcp", "open", "box"]:
        seen.append(text.stdout.readline())
        assert seen[-1]
    while len(json.loads(lines.stdout.readline())["ports"]) != 2:
        pass
    two("forward", "remove", "box", f"{one}:80").ok()
    while (line := text.stdout.readline()).split()[:2] != ["-", "80"]:
        assert line
    two("terminate", "box").ok()  # which is the end of both
    rest = text.communicate(timeout=LIMIT)
    assert rest[1] == "" and text.returncode == 0
    rest = lines.communicate(timeout=LIMIT)
    assert rest[1] == "" and lines.returncode == 0
    assert all(json.loads(line)["schema"] == 1 for line in rest[0].splitlines())


def test_watch_of_a_keeper_that_is_killed(box):
    box("start").ok()
    watcher = box.start("ports", "--watch", "box")
    assert watcher.stdout.readline()
    os.kill(box.info("box")["keeper_pid"], 9)
    result = box.finish(watcher)
    assert result.status == 1 and result.code == "instance.lost"


def start_and_settle(box):
    """Ports of the first second give no notice: wait until it is over. The port that is the guest's when it is taken."""
    port = free_port()
    box("start", env={"FAKE_QEMU_LISTENERS": port}).ok()
    up = time.monotonic()  # or a little before
    wait_for(lambda: time.monotonic() > up + 1)
    return port


@pytest.mark.parametrize("told", [True, False])
def test_terminal_gets_notices_of_new_ports(box, told):
    box.configure(f"[berth]\nports-notify = {'on' if told else 'off'}\n")
    port = start_and_settle(box)
    terminal = Terminal(box, "run", "sh", "-c", "echo begun; read line; echo over")
    terminal.expect(b"begun\r\n")
    listener, _ = serve(port=port)
    with listener:
        wait_for(lambda: find(box, "box", port))
        if told:
            terminal.expect(b"\rberth: port %d of box (" % port)
            terminal.expect(b") is not on localhost: port %d is in use on this host by " % port)
            terminal.expect(b"\r\n")
        terminal.type(b"\n")
        terminal.expect(b"over\r\n" if told else b"\r\nover\r\n")
        terminal.end(0)
    terminal.close()


def test_plain_streams_get_no_notices(box):
    port = start_and_settle(box)
    process = box.start("run", "--", "/bin/sh", "-c", "echo begun; read line", stdin=subprocess.PIPE)
    assert process.stdout.readline() == b"begun\n"
    listener, _ = serve(port=port)
    with listener:
        wait_for(lambda: find(box, "box", port))
    result = box.finish(process, b"\n")
    assert (result.out, result.err) == ("", "")
