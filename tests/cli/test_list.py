"""Looking: list, status, config, and the default distro. None of these start anything."""
import json
import select
import socket
import sqlite3
import subprocess
import threading

import pytest

from conftest import Terminal, wait_for
from ports import free_port
from waiting import LIMIT


@pytest.fixture
def three(berth, rootfs):
    for name in ("alpha", "beta", "gamma"):
        berth("import", name, rootfs).ok()
    return berth


def test_empty(berth):
    result = berth("list")
    assert result.status == 0 and result.out == "  NAME  STATE\n"
    assert result.err == "berth: there are no distros yet: berth install NAME\n"
    assert berth("list", "-q").ok() == ""
    assert json.loads(berth("list", "--json").ok()) == {"schema": 1, "distros": []}


def test_forms(three):
    assert three("list").ok() == "  NAME   STATE\n* alpha  stopped\n  beta   stopped\n  gamma  stopped\n"
    assert three("list", "-q").ok() == "alpha\nbeta\ngamma\n"
    assert three("list", "--running").ok() == "  NAME  STATE\n"
    assert three("list", "--running", "-q").ok() == ""
    long = three("list", "-v").ok().splitlines()
    assert long[0].split() == ["NAME", "STATE", "UPTIME", "MEMORY", "DISK", "ACCEL", "PORTS"]
    assert long[1].split()[:4] == ["*", "alpha", "stopped", "-"]
    assert len({line.index("stopped") for line in long[1:]}) == 1


def shown(berth, *arguments, columns):
    """The lines that a terminal of @columns shows."""
    terminal = Terminal(berth, *arguments, columns=columns)
    terminal.end(0)
    lines = terminal.rest()
    terminal.close()
    return lines.decode().splitlines()


def test_list_fits_the_terminal(box, rootfs):
    """A long name, and more ports than there is room for; a wide terminal and a pipe show all of them."""
    name = "a-name-that-is-long-" * 3
    ports = sorted(free_port() for _ in range(8))
    box("rename", "box", name).ok()
    box("start", name).ok()
    for port in ports:
        box("forward", "add", name, f"{port}:80").ok()
    wait_for(lambda: len(box.info(name)["ports"]) == 8)
    whole = box("list", "-v").ok().splitlines()
    all_ports = ",".join(map(str, ports))
    assert name in whole[1] and whole[1].endswith(all_ports) and len(whole[1]) > 80
    for columns in (80, 40, 100):
        lines = shown(box, "list", "-v", columns=columns)
        assert len(lines) == 2 and all(len(line) <= max(columns, 80) for line in lines), lines
        assert lines[1].startswith("* a-name-") and lines[1].endswith("...") and " running " in lines[1]
    assert [line.split()[1] for line in shown(box, "list", "-v", columns=len(whole[1]))] == ["STATE", name]
    narrower = shown(box, "list", "-v", columns=len(whole[1]) - 1)[1]
    assert name in narrower and narrower.endswith("," + "...") and narrower.split()[-1].split(",")[:-1] == all_ports.split(",")[:7]


def test_json(three):
    answer = json.loads(three("list", "--json").ok())
    assert answer["schema"] == 1
    first, second, _ = answer["distros"]
    assert first["name"] == "alpha" and first["default"] is True and second["default"] is False
    assert first["state"] == "stopped" and "qemu_pid" not in first
    assert first["created"].endswith("Z") and first["created"].startswith("20")
    assert 0 < first["disk_used"] < first["disk_size"]
    assert first["disk"] == str(three.data / "distros" / first["id"] / "disk.ext4")


def test_the_default(three):
    three("set-default", "GAMMA").ok()
    assert three.names() == ["gamma", "alpha", "beta"]
    three("set-default", "none").failed(1, "distro.not-found", "set-default none: ")
    assert json.loads(three("status", "--json").ok())["default"] == "gamma"

    three("unregister", "gamma").ok()
    three("start").failed(1, "distro.no-default", "there is no default distro")
    three("run", "true").failed(125, "distro.no-default")
    assert "*" not in three("list").ok()
    three("unregister", "alpha").ok()
    assert three("logs").ok() == ""  # the only one is meant


def test_status(three):
    text = three("status").ok()
    assert "Default distro: alpha\n" in text and "3, 0 running" in text
    answer = json.loads(three("status", "--json").ok())
    assert answer["schema"] == 1 and answer["distros"] == 3 and answer["running"] == 0
    assert answer["data_dir"] == str(three.data) and answer["runtime_dir"] == str(three.runtime)


def asked_at_once(home, stuck):
    """Whether `berth list` had not given up the one when it asked the other; and what it said. One that asks in turn
    always has; one that asks both at once has only if we were too slow to look."""
    process = home.start("list")
    asked = [listener.accept()[0] for listener in stuck]
    ends = select.poll()
    for connection in asked:
        ends.register(connection, select.POLLRDHUP)
    waits = ends.poll(0) == []
    said = home.finish(process).ok()
    for connection in asked:
        connection.close()
    return waits and said


def test_a_keeper_that_does_not_answer_holds_nothing_up(three):
    """Two that are stuck: they are asked at the same time, and not for ever."""
    stuck = []
    for distro in json.loads(three("list", "--json").ok())["distros"][:2]:
        directory = three.runtime / distro["id"]
        three.runtime.mkdir(mode=0o700, exist_ok=True)
        directory.mkdir()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(directory / "control"))
        listener.listen()
        listener.settimeout(LIMIT)
        stuck.append(listener)

    lines = wait_for(lambda: asked_at_once(three, stuck)).splitlines()
    assert [line.split()[-1] for line in lines[1:]] == ["unresponsive", "unresponsive", "stopped"]
    three("ports", "alpha").failed(1, "instance.lost")
    for listener in stuck:
        listener.close()


def test_a_keeper_that_dies_when_asked_has_stopped(three):
    """As one killed a moment ago: its socket still takes the connection, and then goes."""
    directory = three.runtime / three.ids()[0]
    three.runtime.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "control"))
    listener.listen()

    def die():
        connection, _ = listener.accept()
        listener.close()
        connection.close()

    dying = threading.Thread(target=die)
    dying.start()
    assert three("list").ok().count("stopped") == 3
    dying.join()


def test_left_over_socket_counts_as_stopped(three):
    directory = three.runtime / three.ids()[0]
    three.runtime.mkdir(mode=0o700, exist_ok=True)
    directory.mkdir()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "control"))
    listener.close()
    assert three("list").ok().count("stopped") == 3
    assert three("ports").ok().count("\n") == 1
    assert three("terminate", "alpha").err == "berth: alpha was not running\n"


def test_a_runtime_directory_others_may_enter_is_refused(three):
    three.runtime.mkdir(exist_ok=True)
    three.runtime.chmod(0o755)
    three("list").failed(1, "layout.mode", str(three.runtime))
    three.runtime.chmod(0o700)


def test_settings_and_where_they_come_from(three):
    three.configure("[berth]\nmemory = 2G\ncpus = 3\n[distro beta]\ncpus = 1\n")

    def values(*arguments, **environment):
        lines = three("config", *arguments, env=environment).ok().splitlines()
        return {line.split()[0]: line.split()[1] for line in lines[1:]}

    assert values()["cpus"] == "3" and values("BETA")["cpus"] == "1"
    assert values()["memory"] == str(2 << 30)
    assert values(BERTH_MEMORY="3G")["memory"] == str(3 << 30)
    assert values()["disk-size"] == "1T" and values()["accel"] == "tcg"
    three("config", "none").failed(1, "distro.not-found", "config none: ")


@pytest.mark.parametrize("text, code, word", [
    ("memory = 1G\n", "config.syntax", "berth.conf"),
    ("[berth]\nmemroy = 1G\n", "config.key", "memroy"),
    ("[berth]\nmemory = lots\n", "config.value", "lots"),
    ("[berth]\nboot-timeout = 0\n", "config.value", "boot-timeout"),
    ("[distro alpha]\nmtu = 1\n", "config.value", "mtu"),
    ("\x00\xff[", "config.syntax", "berth.conf"),
])
def test_bad_settings(three, rootfs, text, code, word):
    three.configure(text)
    three("start", "alpha").failed(1, code, word, str(three.config))
    three("run", "-d", "alpha", "true").failed(125, code, word)
    if "[distro" not in text:
        three("import", "new", rootfs).failed(1, code, word)
        three("config").failed(1, code, word)
    assert three.names() == ["alpha", "beta", "gamma"]  # looking still works
    assert three.left_over() == []


def test_bad_variable(three):
    three("start", env={"BERTH_CPUS": "many"}).failed(1, "config.value", "BERTH_CPUS", "many")


def test_settings_that_cannot_be_read(three):
    three.config.mkdir(parents=True)
    result = three("start", "alpha")
    assert result.status == 1 and result.code.startswith("config."), result
    assert str(three.config) in result.err


def test_holder_of_a_distro(three, rootfs):
    """An import that waits for its archive; killed, it holds nothing any more."""
    process = three.start("import", "New", "-", stdin=subprocess.PIPE)
    wait_for(lambda: "New" in three.names())
    assert "  New    importing\n" in three("list").ok()
    info = three.info("New")
    assert (info["state"], info["holder_pid"], info["disk"]) == ("importing", process.pid, None)
    assert json.loads(three("status", "--json").ok())["distros"] == 3
    three("import", "new", rootfs).failed(
        1, "registry.exists", f"New is being imported by process {process.pid}")
    three("start", "new").failed(1, "distro.not-found")

    process.kill()
    three.finish(process)
    assert "New" not in three.names()
    three("import", "new", rootfs).ok()
    assert three.info("new")["state"] == "stopped" and "holder_pid" not in three.info("new")


def numbers(berth):
    return {d["name"]: d["number"] for d in json.loads(berth("list", "--json").ok())["distros"]}


def test_numbers_and_addresses(three, rootfs):
    assert numbers(three) == {"alpha": 1, "beta": 2, "gamma": 3}
    assert three.info("gamma")["address"] == "127.0.3.1"
    three("unregister", "beta").ok()
    three("clone", "gamma", "delta").ok()
    three("import", "epsilon", rootfs).ok()
    three("rename", "alpha", "omega").ok()
    assert numbers(three) == {"omega": 1, "delta": 2, "gamma": 3, "epsilon": 4}


# As the berths before version 7 of the registry made it.
REGISTRY_6 = """
PRAGMA application_id = 1651668072;
PRAGMA user_version = 6;
CREATE TABLE distro (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, disk TEXT NOT NULL,
  disk_size INTEGER NOT NULL, user TEXT, memory INTEGER NOT NULL, cpus INTEGER NOT NULL,
  created_usec INTEGER NOT NULL, is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),
  own_identity INTEGER NOT NULL DEFAULT 0 CHECK (own_identity IN (0, 1)),
  keep_disk INTEGER NOT NULL DEFAULT 0 CHECK (keep_disk IN (0, 1)),
  account TEXT, account_uid INTEGER NOT NULL DEFAULT 0, oobe INTEGER NOT NULL DEFAULT 0 CHECK (oobe IN (0, 1)),
  number INTEGER NOT NULL DEFAULT 0 CHECK (number BETWEEN 0 AND 254)) STRICT;
CREATE UNIQUE INDEX distro_default ON distro (is_default) WHERE is_default;
CREATE UNIQUE INDEX distro_number ON distro (number) WHERE number > 0;
CREATE TABLE forward (distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,
  protocol TEXT NOT NULL CHECK (protocol IN ('tcp', 'udp')), host_address TEXT NOT NULL,
  host_port INTEGER NOT NULL CHECK (host_port BETWEEN 1 AND 65535),
  guest_port INTEGER NOT NULL CHECK (guest_port BETWEEN 1 AND 65535),
  PRIMARY KEY (distro, protocol, host_address, host_port)) STRICT, WITHOUT ROWID;
CREATE TABLE host_port (distro TEXT NOT NULL REFERENCES distro (id) ON DELETE CASCADE,
  port INTEGER NOT NULL CHECK (port BETWEEN 0 AND 65535), PRIMARY KEY (distro, port)) STRICT, WITHOUT ROWID;
"""
KEPT = "id, name, disk, disk_size, created_usec, is_default, own_identity, keep_disk, account, account_uid, oobe, number"


def sql(berth, *statements):
    """The rows of the last of them."""
    with sqlite3.connect(berth.data / "registry.db") as db:
        rows = [db.execute(statement).fetchall() for statement in statements][-1]
    db.close()
    return rows


def make_old(berth):
    """The registry as it was before the last berth."""
    rows = sql(berth, f"SELECT {KEPT} FROM distro")
    for path in berth.data.glob("registry.db*"):
        path.unlink()
    with sqlite3.connect(berth.data / "registry.db") as db:
        db.executescript(REGISTRY_6)
        db.executemany(f"INSERT INTO distro ({KEPT}, user, memory, cpus) VALUES ({'?, ' * 12} 'me', 1, 2)", rows)
    db.close()
    return rows


def test_older_registry_loses_unused_columns(three):
    rows = make_old(three)
    sql(three, f"INSERT INTO forward VALUES ('{rows[0][0]}', 'tcp', '', 8080, 80)",
        f"INSERT INTO host_port VALUES ('{rows[1][0]}', 3128)")
    assert numbers(three) == {"alpha": 1, "beta": 2, "gamma": 3}
    assert sorted(sql(three, f"SELECT {KEPT} FROM distro")) == sorted(rows)
    columns = {row[1] for row in sql(three, "PRAGMA table_info (distro)")}
    assert columns == {*KEPT.split(", "), "template"}
    assert sql(three, "PRAGMA user_version") == [(12,)]
    assert "8080:80" in three("forward", "list", "alpha").ok() and "3128" in three("host", "list", "beta").ok()
    three("unregister", "alpha").ok()
    assert sql(three, "SELECT count(*) FROM forward") == [(0,)]
    three("run", "-d", "beta", "true").ok()


def test_distros_of_an_older_registry_get_numbers(three):
    make_old(three)
    sql(three, "DROP INDEX distro_number", "ALTER TABLE distro DROP COLUMN number", "DROP TABLE forward",
        "DROP TABLE host_port", "PRAGMA user_version = 4")
    assert numbers(three) == {"alpha": 1, "beta": 2, "gamma": 3}
