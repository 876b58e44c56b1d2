"""Debian with systemd, as a developer uses it."""
import json
import os
import re
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest
import treedigest
from conftest import ODD
from host import eventually
from ports import free_port


@pytest.fixture(scope="module")
def sh(host, debian):
    def run(script, **options):
        return host.shell(debian, script, **options)
    return run


@pytest.mark.smoke
def test_runs_our_kernel_and_its_own_systemd(sh, host):
    assert sh("cat /proc/1/comm").stdout == "systemd\n"
    assert sh("uname -r").stdout.startswith("6.12")
    assert host.info("debian")["init"] == "systemd"


@pytest.mark.smoke
def test_no_unit_failed(sh):
    assert sh("systemctl --failed --no-legend --plain").stdout == ""
    assert sh("systemctl is-system-running").stdout == "running\n"


KERNEL_MOUNTS = {"dev-hugepages.mount": "/dev/hugepages", "dev-mqueue.mount": "/dev/mqueue",
                 "sys-fs-fuse-connections.mount": "/sys/fs/fuse/connections", "sys-kernel-config.mount": "/sys/kernel/config",
                 "sys-kernel-debug.mount": "/sys/kernel/debug", "sys-kernel-tracing.mount": "/sys/kernel/tracing"}


def test_file_systems_mounted_before_systemd_are_those_of_its_units(sh):
    for unit, where in KERNEL_MOUNTS.items():
        shown = dict(line.split("=", 1) for line in sh(f"systemctl show {unit} -p ActiveState,Where,What,Type,FragmentPath").stdout.splitlines())
        assert shown["ActiveState"] == "active" and shown["Where"] == where
        wanted = dict(re.findall(r"^(What|Type|Options)=(.*)$", sh(f"cat {shown['FragmentPath']}").stdout, re.M))
        assert (shown["What"], shown["Type"]) == (wanted["What"], wanted["Type"])
        options = sh(f"findmnt -no OPTIONS {where}").stdout.strip().split(",")
        assert set(wanted.get("Options", "").split(",")) - {""} <= set(options)
        assert wanted.get("Options") or not {"nosuid", "nodev", "noexec"} & set(options)


def test_masked_mount_is_not_mounted(host, debian_tar):
    host("import", "masked", debian_tar)
    try:
        host("run", "-d", "masked", "-u", "root", "--", "systemctl", "mask", "-q", "dev-hugepages.mount")
        host("terminate", "masked")
        assert host.shell("masked", "! findmnt -n /dev/hugepages && findmnt -no FSTYPE /dev/mqueue").stdout == "mqueue\n"
        assert host.shell("masked", "systemctl --failed --no-legend --plain").stdout == ""
    finally:
        host("unregister", "masked")


def test_identity(sh):
    assert sh("hostname").stdout == "debian\n"
    assert sh("getent hosts debian | wc -l").stdout == "1\n"
    assert len(sh("cat /etc/machine-id").stdout.strip()) == 32
    assert sh("id -u; echo $HOME; pwd").stdout == "0\n/root\n/root\n"


def test_clock_is_right(sh):
    import time
    before = time.time()
    guests = float(sh("date +%s").stdout)
    assert before - 5 < guests < time.time() + 5  # however long the command took


@pytest.mark.smoke
def test_network(sh):
    assert "inet 10.0.2.15/24" in sh("ip -4 addr show eth0").stdout
    assert "default via 10.0.2.2" in sh("ip route").stdout
    assert "mtu 32768" in sh("ip link show eth0").stdout
    assert "nameserver" in sh("cat /etc/resolv.conf").stdout


def test_apt_installs_a_package(sh):
    sh("apt-get -q update && apt-get -q install -y hello", timeout=600)
    assert sh("hello").stdout == "Hello, world!\n"


def test_root_file_system_equals_the_archive(sh, debian_tar):
    """Names, types, modes, owners, sizes and times in the guest, by find, equal those of the archive."""
    listing = sh(r"find / -xdev -path /srv -prune -o -printf '%P\t%y\t%m\t%U\t%G\t%s\t%T@\t%l\n'", timeout=300).stdout
    found = {}
    for line in listing.splitlines():
        path, *rest = line.split("\t")
        found[path] = rest

    different, checked = [], 0
    with tarfile.open(debian_tar) as tar:
        for member in tar:
            path = re.sub(r"^(\./|/)+", "", member.name).rstrip("/.") if member.name != "." else ""
            if path.startswith(("var/", "etc/", "run", "dev", "proc", "sys", "tmp", "root", "home", "srv")) or not path:
                continue  # changes in a running system, or is checked below
            row = found.get(path)
            kind = "d" if member.isdir() else "l" if member.issym() else "f"
            if row is None or row[0] != kind or int(row[2]) != member.uid or int(row[3]) != member.gid:
                different.append((path, row))
            elif not member.issym() and int(row[1], 8) != member.mode & 0o7777:
                different.append((path, row, oct(member.mode)))
            elif member.isreg() and (int(row[4]) != member.size or abs(float(row[5]) - member.mtime) > 0.001):
                different.append((path, row, member.size, member.mtime))
            elif member.issym() and row[6] != member.linkname:
                different.append((path, row, member.linkname))
            checked += 1
    assert checked > 3000
    assert not different[:20]


@pytest.mark.parametrize("directory", [ODD, "usr/bin/", "usr/sbin/"])
def test_contents_and_attributes_equal_the_archive(host, debian, debian_tar, directory):
    """Every byte, hole, time, owner, attribute and ACL in the guest equals the archive's."""
    script = Path(treedigest.__file__).read_text(encoding="utf-8")
    shown = host.run(debian, "python3", "-", f"/{directory}", input=script, timeout=300).stdout.splitlines()

    prefix = directory.encode()
    expected_nodes = {path[len(prefix):]: node for path, node in treedigest.from_tar(debian_tar).items()
            if path.startswith(prefix)}
    for node in expected_nodes.values():
        node.atime = node.ctime = node.mtime
        node.group = b""
    expected = set(treedigest.lines(treedigest.grouped(expected_nodes)))
    assert len(expected) > 50
    assert not sorted(expected - set(shown))[:5]
    assert directory != ODD or len(shown) == len(expected) + 1  # in other directories apt may have changed files


def test_capabilities_survive_the_import(sh):
    """ping's cap_net_raw, permitted and effective, from the archive (linux/capability.h, revision 2)."""
    script = 'import os; print(os.getxattr("/usr/bin/ping", "security.capability").hex())'
    assert sh(f"python3 -c '{script}'").stdout == "01000002" + "00200000" + "00" * 12 + "\n"


def get(port, path="/"):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    return answer


def refused(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::"])
def test_listening_port_appears_and_disappears_on_localhost(sh, host, debian, address):
    port = free_port()
    unit = f"web-{port}"
    sh(f"systemd-run -q --collect --unit {unit} -p WorkingDirectory=/usr/share "
       f"python3 -m http.server --bind {address} {port}")
    eventually(lambda: not refused(port), what="the forward")
    assert b"200 OK" in eventually(lambda: get(port), what="the page")
    rows = {row["port"]: row for row in host.json("ports", debian)["ports"]}
    assert rows[port]["state"] == "open"
    sh(f"systemctl stop {unit}")
    eventually(lambda: refused(port), what="the end of the forward")
    assert port not in {row["port"] for row in host.json("ports", debian)["ports"]}


def row_of(host, debian, port):
    return next((row for row in host.json("ports", debian)["ports"] if row["port"] == port), None)


def test_busy_host_port_is_listed_with_its_holder(sh, host, debian):
    with socket.socket() as holder, socket.socket(socket.AF_INET6) as other:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        other.bind(("::1", port))
        other.listen()
        sh(f"systemd-run -q --collect --unit busy-{port} python3 -m http.server {port}")
        row = eventually(lambda: (row := row_of(host, debian, port)) and row["state"] != "wanted" and row, what="the row")
        assert row["state"] == "blocked" and str(port) in row["reason"] and str(os.getpid()) in row["reason"]
        other.close()  # one localhost address is enough, and the holder of the other is named
        row = eventually(lambda: (row := row_of(host, debian, port))["state"] == "open" and row, what="the half")
        assert "127.0.0.1" in row["reason"] and str(os.getpid()) in row["reason"]
    # it is forwarded once the host releases it
    assert b"200 OK" in eventually(lambda: not refused(port) and get(port), what="the retry")
    sh(f"systemctl stop busy-{port}")


FIRST, COUNT = 15000, 100  # below those of free_port: the host's have to be free, too
MANY = f"""
import socket
servers = [socket.create_server(("127.0.0.1", port)) for port in range({FIRST}, {FIRST + COUNT})]
while True:
    with servers[0].accept()[0] as client:
        client.sendall(b"a word")
"""

EVERY = f"""
import socket
refused = []
for port in [*range(1024, {FIRST}), *range({FIRST + COUNT}, 20000), *range(32768, 61000)]:
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # of both families
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.bind(("::", port))
            server.listen()
        except OSError:
            refused.append(port)
print(refused)
"""


def test_proxies_use_no_port_of_the_guest(sh, host, debian):
    """Services on the guest's loopback are reached through proxies; all other ports stay free for bind."""
    def refused_ports():
        return json.loads(sh("python3 -", input=EVERY, timeout=300).stdout)

    before = set(refused_ports())
    sh("cat >/run/many.py; systemctl -q stop many 2>/dev/null; systemd-run -q --collect --unit many python3 /run/many.py",
       input=MANY)

    def proxied():
        rows = [row for row in host.json("ports", debian)["ports"] if FIRST <= row["port"] < FIRST + COUNT]
        return len(rows) == COUNT and all(row["state"] != "wanted" for row in rows)
    eventually(proxied, timeout=120, what="the ports")
    first = next(row for row in host.json("ports", debian)["ports"] if row["port"] == FIRST)
    assert first["state"] == "open"
    for address in ("127.0.0.1", "::1"):
        with socket.create_connection((address, FIRST), timeout=20) as client:
            assert client.recv(100) == b"a word"
    # the proxies' connections to the service use ephemeral ports while they last
    eventually(lambda: not set(refused_ports()) - before, timeout=120, what="every other port")
    sh("systemctl stop many")


def test_page_of_a_megabyte_arrives_whole(sh):
    port = free_port()
    sh(f"mkdir -p /srv/big && head -c 1048576 /dev/urandom >/srv/big/data && "
       f"systemd-run -q --collect --unit big-{port} -p WorkingDirectory=/srv/big python3 -m http.server {port}")
    import hashlib
    expected = sh("sha256sum </srv/big/data").stdout.split()[0]
    eventually(lambda: not refused(port), what="the forward")
    body = get(port, "/data").split(b"\r\n\r\n", 1)[1]
    assert hashlib.sha256(body).hexdigest() == expected
    sh(f"systemctl stop big-{port}")


def test_other_user(sh, host, debian):
    sh("useradd -m -s /bin/bash alice 2>/dev/null; usermod -aG adm alice")
    out = host("run", "-d", debian, "-u", "alice", "--", "sh", "-c", "id -un; id -Gn; pwd; echo $HOME").stdout
    assert out == "alice\nalice adm\n/home/alice\n/home/alice\n"
    missing = host("run", "-d", debian, "-u", "nobody-here", "true", check=False)
    assert missing.returncode == 125 and "nobody-here" in missing.stderr


def test_agent_survives_systemd_reexec(sh, host, debian):
    sh("systemctl daemon-reexec")
    assert sh("echo still here").stdout == "still here\n"


def test_reboot_inside_restarts_it(sh, host, debian):
    before = sh("cat /proc/sys/kernel/random/boot_id").stdout
    sh("systemctl reboot", check=False)
    def booted_again():
        result = sh("cat /proc/sys/kernel/random/boot_id", check=False)
        return result.returncode == 0 and result.stdout != before
    eventually(booted_again, timeout=120, what="the reboot")


def test_poweroff_inside_ends_it(sh, host, debian):
    sh("systemctl poweroff", check=False)
    eventually(lambda: host.state(debian) == "stopped", timeout=60, what="the power-off")
    assert "power" in host("logs", debian).stdout.lower()


@pytest.mark.smoke
def test_disk_is_clean_at_the_end(host, debian):
    host("terminate", debian)
    disk = host.info(debian)["disk"]
    check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
