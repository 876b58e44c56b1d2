"""The network in use: real servers in distros, real clients on the host, and refused connections."""
import base64
import collections
import concurrent.futures
import hashlib
import http.client
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from host import eventually
from ports import free_port

CLIENT = """
import socket, sys
try:
    with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) as client:
        print(client.recv(100).decode())
except OSError as problem:
    print(type(problem).__name__)
"""


def greeting_of(port, address="127.0.0.1"):
    """The greeting of a server; b"" if it sends none, None if the connection is refused."""
    try:
        with socket.create_connection((address, port), timeout=10) as client:
            return client.recv(100)
    except OSError:
        return None


def connected(port):
    try:
        return socket.create_connection(("127.0.0.1", port), timeout=20)
    except OSError:
        return None


def refused(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def get(port, path="/", address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def row_of(host, name, port):
    """The row of `berth ports` for @port of the guest; None if it has none."""
    return next((row for row in host.json("ports", name)["ports"] if row["port"] == port), None)


def settled(host, name, port):
    """The row once its state is final."""
    row = row_of(host, name, port)
    return row if row is not None and row["state"] != "wanted" else None


# A server in the guest that sends a word to every client, in the background until its file is removed.
SAY = """
import os, socket, sys, threading
word, path = sys.argv[1].encode(), sys.argv[2]
def serve(server):
    while True:
        client, _ = server.accept()
        client.sendall(word)
        client.close()
for place in sys.argv[3:]:
    address, _, port = place.rpartition("@")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = socket.socket(family)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    server.bind((address, int(port)))
    server.listen(128)
    threading.Thread(target=serve, args=(server,), daemon=True).start()
os.mkfifo(path)
open(path).read()
"""


class Saying:
    """with Saying(machine, "word", "127.0.0.1@8000"): a server of that kind."""
    count = 0

    def __init__(self, machine, word, *places):
        Saying.count += 1
        self.machine, self.path = machine, f"/run/saying-{Saying.count}"
        self.arguments = [word, self.path, *places]

    def __enter__(self):
        self.process = self.machine.host.spawn("run", "-d", self.machine.name, "-u", "root", "--", "python3", "-c", SAY,
                                               *self.arguments, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        self.machine.sh(f"until [ -p {self.path} ]; do sleep 0.05; done; echo >{self.path}; rm {self.path}")
        self.process.wait(timeout=30)


@pytest.fixture(scope="module", autouse=True)
def up(devel):
    devel.sh("true")
    yield
    devel.host("shutdown")


def guest_result(machine, address, port):
    return machine.sh(f"python3 -c '{CLIENT}' {address} {port}").strip()


def host_server(address, word):
    """Start a server on this host; its port. It ends with the tests."""
    server = socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET)

    def serve():
        while True:
            client, _ = server.accept()
            client.sendall(word)
            client.close()
    threading.Thread(target=serve, daemon=True).start()
    return server.getsockname()[1]


# --- servers ---

def test_nginx_with_http_1_and_2(devel):
    one, two = free_port(), free_port()
    devel.sh(f"""
        echo 'server {{ listen {one}; root /srv/nginx; }}
              server {{ listen 127.0.0.1:{two} http2; root /srv/nginx; }}' >/etc/nginx/sites-enabled/default
        mkdir -p /srv/nginx; head -c 3000000 /dev/urandom >/srv/nginx/data; sha256sum </srv/nginx/data
        systemctl start nginx""")
    digest = devel.sh("sha256sum </srv/nginx/data").split()[0]
    body = eventually(lambda: get(one, "/data"), what="nginx")
    assert hashlib.sha256(body).hexdigest() == digest
    eventually(lambda: not refused(two), what="the other port")
    with_2 = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "-w", "%{stderr}%{http_version}", f"http://localhost:{two}/data"],
                            capture_output=True, check=True, timeout=60)
    assert with_2.stderr == b"2" and hashlib.sha256(with_2.stdout).hexdigest() == digest
    devel.sh("systemctl stop nginx")
    eventually(lambda: refused(one) and refused(two), what="the end of both")


NODE = """
const http = require('http'), { WebSocketServer } = require('ws');
const server = http.createServer((request, response) => response.end('hello from ' + request.socket.remoteAddress));
new WebSocketServer({ server }).on('connection', peer => peer.on('message', data => peer.send('echo ' + data)));
server.listen(PORT, 'localhost');
"""


def websocket_says(port, text):
    """The reply to one message. Source: RFC 6455."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        key = base64.b64encode(os.urandom(16)).decode()
        client.sendall(f"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        stream = client.makefile("rb")
        assert b" 101 " in stream.readline()
        while stream.readline() != b"\r\n":
            pass
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
        client.sendall(bytes([0x81, 0x80 | len(text)]) + mask + masked)
        assert stream.read(1) == b"\x81"
        return stream.read(stream.read(1)[0])


def test_a_dev_server_of_node_and_its_websockets(devel):
    port = free_port()
    devel.sh(f"systemd-run -q --collect --unit node-{port} node -e \"{NODE.replace('PORT', str(port))}\"")
    page = eventually(lambda: get(port), timeout=60, what="node")
    assert page in (b"hello from 127.0.0.1", b"hello from ::1")  # it listens on its loopback, and sees the client there
    assert websocket_says(port, b"a word") == b"echo a word"
    devel.sh(f"systemctl stop node-{port}")


def test_postgresql_and_psql(devel):
    devel.sh("systemctl start postgresql@15-main")
    devel.sh("runuser -u postgres -- psql -q", input="CREATE ROLE dev LOGIN PASSWORD 'secret'; CREATE DATABASE dev OWNER dev;")
    port = eventually(lambda: settled(devel.host, devel.name, 5432), what="the port")
    if port["state"] != "open":
        pytest.skip("port 5432 of this host is taken")
    script = "CREATE TABLE t AS SELECT n FROM generate_series(1, 1000) n; SELECT sum(n) FROM t;"
    result = subprocess.run(["psql", "-h", "localhost", "-U", "dev", "-Atq", "-c", script], capture_output=True, text=True,
                            env={**os.environ, "PGPASSWORD": "secret"}, timeout=60, check=False)
    assert result.stdout.strip() == "500500", result.stderr
    devel.sh("systemctl stop postgresql@15-main")


# --- forwards ---

@pytest.mark.parametrize("place", ["0.0.0.0", "127.0.0.1", "::", "::1", "10.0.2.15"])
def test_each_address_of_a_service_and_of_localhost(devel, place):
    """Of either family, on the loopback or on all addresses: localhost of the host covers both."""
    port = free_port()
    with Saying(devel, "word", f"{place}@{port}"):
        for address in ("127.0.0.1", "::1"):
            assert eventually(lambda: greeting_of(port, address), what=address) == b"word"
    eventually(lambda: refused(port) and refused(port, "::1"), what="the end")


def test_another_address_of_the_guest_is_not_forwarded(devel):
    port = free_port()
    devel.sh("ip address add 192.0.2.77/32 dev lo")
    with Saying(devel, "word", f"192.0.2.77@{port}"):
        row = eventually(lambda: settled(devel.host, devel.name, port), what="the row")
        assert row["state"] == "ignored" and row["reason"] and refused(port)


def test_several_sockets_on_a_port_and_an_ephemeral_port(devel):
    port = free_port()
    with Saying(devel, "one", f"127.0.0.1@{port}"), Saying(devel, "two", f"127.0.0.1@{port}"):
        eventually(lambda: {greeting_of(port) for _ in range(8)} == {b"one", b"two"}, what="both")
    before = {row["port"] for row in devel.host.json("ports", devel.name)["ports"]}
    with Saying(devel, "word", "127.0.0.1@0"):
        new = eventually(lambda: {row["port"] for row in devel.host.json("ports", devel.name)["ports"]} - before, what="it")
        assert greeting_of(new.pop()) == b"word"


def test_many_clients_in_parallel(devel):
    port = free_port()
    with Saying(devel, "word", f"0.0.0.0@{port}"):
        eventually(lambda: greeting_of(port) == b"word", what="the server")
        with concurrent.futures.ThreadPoolExecutor(64) as pool:
            assert set(pool.map(lambda _: greeting_of(port), range(64))) == {b"word"}


def accepted(*ports):
    """The number of connections from clients to these ports that berth-net has, counted as sockets that have a process
    and do not listen, since its descriptors are not visible.
    """
    rows = [line.split() for path in ("/proc/net/tcp", "/proc/net/tcp6") for line in Path(path).read_text().splitlines()[1:]]
    return sum(int(row[1].rpartition(":")[2], 16) in ports and row[3] != "0A" and row[9] != "0" for row in rows)


def descriptors(machine):
    """The number of descriptors of the keeper and of the guest's agent."""
    keeper = machine.host.info(machine.name)["keeper_pid"]
    return [len(os.listdir(f"/proc/{keeper}/fd")), int(machine.sh("ls /proc/$(pgrep -o -x berth-agent)/fd | wc -l"))]


def test_many_clients_in_sequence(devel):
    """A service on all addresses, and one on the guest's loopback, which a proxy serves."""
    count = int(os.environ.get("BERTH_TEST_CONNECTIONS", "4000"))
    everywhere, inside = free_port(), free_port()
    with Saying(devel, "word", f"0.0.0.0@{everywhere}", f"127.0.0.1@{inside}"):
        eventually(lambda: greeting_of(everywhere) == greeting_of(inside) == b"word", what="the servers")
        before, net = descriptors(devel), net_of(devel)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            greetings = collections.Counter(pool.map(lambda at: greeting_of((everywhere, inside)[at % 2]), range(count)))
        assert greetings == {b"word": count}
        eventually(lambda: accepted(everywhere, inside) == 0, timeout=90, what="an end of all")
        eventually(lambda: all(now <= then for now, then in zip(descriptors(devel), before)), timeout=90, what="as few as before")
        eventually(lambda: resident(net) < 12 << 20, timeout=90, what="memory given back")


def test_flapping_listener(devel):
    port = free_port()
    devel.sh(f"""python3 -c '
import socket
for _ in range(1000):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", {port}))
    server.listen()
    server.close()
'""")
    eventually(lambda: refused(port) and row_of(devel.host, devel.name, port) is None, what="the end")
    with Saying(devel, "word", f"0.0.0.0@{port}"):
        eventually(lambda: greeting_of(port) == b"word", what="the port")


RESET = """
import socket, struct, sys
server = socket.socket()
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind((sys.argv[1], int(sys.argv[2])))
server.listen()
client, _ = server.accept()
client.recv(1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
client.close()
"""


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1"])
def test_reset_passes_both_ways(devel, address):
    port = free_port()
    server = devel.host.spawn("run", "-d", devel.name, "-u", "root", "--", "python3", "-c", RESET, address, str(port))
    client = eventually(lambda: connected(port), what="the server")
    client.sendall(b"x")
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    client.close()
    assert server.wait(timeout=30) == 0


def test_half_close_passes_both_ways(devel):
    port = free_port()
    devel.sh(f"systemd-run -q --collect --unit half-{port} socat TCP4-LISTEN:{port},fork,reuseaddr "
             "\"SYSTEM:wc -c\"")
    eventually(lambda: not refused(port), what="the port")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(b"x" * 1000)
        client.shutdown(socket.SHUT_WR)
        assert client.makefile().read().strip() == "1000"
    devel.sh(f"systemctl stop half-{port}")
    eventually(lambda: refused(port), what="the end")


NETNS = """
ip netns add box; ip link add veth-box type veth peer name eth0 netns box
ip address add 172.30.0.1/24 dev veth-box; ip link set veth-box up
ip -n box address add 172.30.0.2/24 dev eth0; ip -n box link set eth0 up; ip -n box link set lo up
ip -n box route add default via 172.30.0.1; sysctl -qw net.ipv4.ip_forward=1; iptables -P FORWARD ACCEPT
mkdir -p /srv/box; echo in-a-box >/srv/box/index.html
systemd-run -q --collect --unit box ip netns exec box python3 -m http.server --directory /srv/box 80
"""


def test_port_forwarded_by_dnat_alone(devel):
    """As by CNI's portmap or a NodePort: no socket listens."""
    by_nft, by_iptables = free_port(), free_port()
    devel.sh(NETNS)
    devel.sh(f"""nft add table ip berthtest
        nft add chain ip berthtest pre '{{ type nat hook prerouting priority -100; }}'
        nft add rule ip berthtest pre tcp dport {by_nft} dnat to 172.30.0.2:80
        iptables -t nat -A PREROUTING -p tcp -m tcp --dport {by_iptables} -j DNAT --to-destination 172.30.0.2:80""")
    for port in (by_nft, by_iptables):
        assert eventually(lambda: get(port), what="the page") == b"in-a-box\n"
    devel.sh(f"""nft delete table ip berthtest
        iptables -t nat -D PREROUTING -p tcp -m tcp --dport {by_iptables} -j DNAT --to-destination 172.30.0.2:80
        systemctl stop box; ip netns delete box""")
    eventually(lambda: refused(by_nft) and refused(by_iptables), what="the end")


def test_udp_is_forwarded_on_request(devel):
    port = 15353  # outside the range of ephemeral ports
    devel.sh(f"systemd-run -q --collect --unit udp-{port} socat UDP4-LISTEN:{port},fork,reuseaddr EXEC:cat")
    row = eventually(lambda: settled(devel.host, devel.name, port), what="the row")
    assert row["state"] == "ignored" and row["protocol"] == "udp"
    devel.host("forward", "add", devel.name, f"udp:{port}")

    def echo():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.sendto(b"datagram", ("127.0.0.1", port))
            try:
                return client.recv(100)
            except OSError:
                return None
    assert eventually(echo, what="the echo") == b"datagram"
    devel.host("forward", "remove", devel.name, f"udp:{port}")
    devel.sh(f"systemctl stop udp-{port}")


def test_user_defined_rule(devel):
    ours, theirs = free_port(), free_port()
    devel.host("forward", "add", devel.name, f"{ours}:{theirs}")
    assert "rule" in {row["origin"] for row in devel.host.json("ports", devel.name)["ports"]}
    with Saying(devel, "word", f"0.0.0.0@{theirs}"):
        assert eventually(lambda: greeting_of(ours), what="the rule's port") == b"word"
        eventually(lambda: greeting_of(theirs) == b"word", what="its own port, too")
    devel.host("forward", "remove", devel.name, f"{ours}:{theirs}")
    eventually(lambda: refused(ours), what="the end")


# --- berth-net ---

def net_of(machine):
    keeper = machine.host.info(machine.name)["keeper_pid"]
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")
        except OSError:
            continue
        if entry.name.isdigit() and fields[0].partition("(")[2] == "berth-net" and int(fields[2].split()[1]) == keeper:
            return int(entry.name)
    return None


def resident(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_berth_net_is_killed_under_load(devel):
    port = free_port()
    with Saying(devel, "word", f"0.0.0.0@{port}"):
        eventually(lambda: greeting_of(port) == b"word", what="the server")
        killed = net_of(devel)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            clients = [pool.submit(greeting_of, port) for _ in range(400)]
            os.kill(killed, signal.SIGKILL)
            assert {client.result() for client in clients} <= {b"word", b"", None}
        assert eventually(lambda: net_of(devel), what="a new one") != killed
        eventually(lambda: greeting_of(port) == b"word", what="the forward")
    assert guest_result(devel, "host.berth.internal", free_port()) == "ConnectionRefusedError"


FLOOD = """
import os, socket, time
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
end = time.monotonic() + 3
while time.monotonic() < end:
    for _ in range(200):
        try:
            raw.send(os.urandom(14) + os.urandom(900))
            raw.send(b"\\x52\\x55\\x0a\\x00\\x02\\x02\\x52\\x54\\x00\\x12\\x34\\x56\\x08\\x00\\x45" + os.urandom(600))
        except OSError:
            pass
"""


def test_flooding_guest_survives(devel):
    net = net_of(devel)
    devel.sh(f"python3 -c '{FLOOD}'")
    assert net_of(devel) == net and resident(net) < 16 << 20
    port = free_port()
    with Saying(devel, "word", f"0.0.0.0@{port}"):
        eventually(lambda: greeting_of(port) == b"word", what="a forward")


# --- refused connections ---

def test_host_loopback_needs_permission(devel):
    port = host_server("127.0.0.1", b"of the host")
    assert guest_result(devel, "10.0.2.2", port) == "ConnectionRefusedError"
    assert f"berth host allow {devel.name} {port}" in eventually(
        lambda: devel.host("logs", devel.name).stdout if f"allow {devel.name} {port}" in devel.host("logs", devel.name).stdout
        else None, what="the hint")
    devel.host("host", "allow", devel.name, port)
    assert eventually(lambda: guest_result(devel, "host.berth.internal", port) == "of the host", what="the way in")
    devel.host("host", "deny", devel.name, port)
    assert eventually(lambda: guest_result(devel, "10.0.2.2", port) == "ConnectionRefusedError", what="the refusal")


def test_host_loopback_has_no_other_route(devel):
    port = host_server("127.0.0.1", b"of the host")
    devel.sh("ip route del local 127.0.0.0/8 table local; ip address del 127.0.0.1/8 dev lo; "
             "ip route add 127.0.0.0/8 via 10.0.2.2; ip route add 10.0.2.77 via 10.0.2.2; "
             "sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.eth0.route_localnet=1")
    try:
        for address in ("127.0.0.1", "127.1.2.3", "10.0.2.77", "10.0.2.3", "::ffff:127.0.0.1", "0.0.0.0"):
            assert guest_result(devel, address, port) in ("ConnectionRefusedError", "TimeoutError", "OSError"), address
    finally:
        devel.sh("ip route del 127.0.0.0/8 via 10.0.2.2; ip route del 10.0.2.77; ip address add 127.0.0.1/8 dev lo", check=False)


def test_cloud_metadata_is_rejected_at_once(devel):
    assert guest_result(devel, "169.254.169.254", 80) in ("ConnectionRefusedError", "OSError", "PermissionError")


def test_ping_is_answered_or_rejected(devel):
    assert " 0% packet loss" in devel.sh("ping -c 1 host.berth.internal")
    first, last = map(int, Path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    if not any(first <= group <= last for group in {os.getegid(), *os.getgroups()}):
        result = devel.sh("ping -c 1 -W 10 198.51.100.1", check=False)
        assert result.returncode == 1 and "filtered" in result.stdout
        assert "ping_group_range" in devel.host("logs", devel.name).stdout


def test_isolated(host, busybox):
    """It reaches nothing of this host: neither its loopback nor its addresses, nor other distros."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing
        address = probe.getsockname()[0]
    port = host_server(address, b"of the host")
    reach = f"nc {address} {port} </dev/null"
    assert host.shell(busybox, reach).stdout == "of the host"
    host("terminate", busybox)
    host("start", "--isolated", busybox)
    assert host.shell(busybox, reach, check=False).returncode == 1
    assert host.shell(busybox, f"nc 10.0.2.2 {port} </dev/null", check=False).returncode == 1
    host("terminate", busybox)


# --- several distros ---

@pytest.fixture(scope="module")
def pair(devel, busybox_tar):
    """A second distro beside devel."""
    devel.host("import", "--no-user", "second", "-", input=busybox_tar, text=False)
    yield "second"
    devel.host("unregister", "second")


def test_two_distros_have_the_same_port(devel, pair):
    port, host = free_port(), devel.host
    with Saying(devel, "first", f"0.0.0.0@{port}"):
        eventually(lambda: greeting_of(port) == b"first", what="the first")
        host.shell(pair, f"mkdir -p /srv && echo second >/srv/index.html && httpd -p {port} -h /srv")
        row = eventually(lambda: settled(host, pair, port), what="the second's row")
        assert row["state"] == "blocked" and devel.name in row["reason"]
        own = {name: host.info(name)["address"] for name in (devel.name, pair)}
        assert greeting_of(port, own[devel.name]) == b"first"
        assert eventually(lambda: get(port, address=own[pair]), what="its own address") == b"second\n"
        # by name, from one to the other
        assert host.shell(pair, f"nc {devel.name}.berth.internal {port} </dev/null").stdout == "first"
    assert eventually(lambda: get(port), what="the port handed on") == b"second\n"
    assert "second" in devel.sh(f"curl -s http://{pair}.berth.internal:{port}/")


def test_stopped_machine_does_not_make_berth_net_grow(devel):
    port = free_port()
    devel.sh(f"systemd-run -q --collect --unit sink-{port} socat -u TCP4-LISTEN:{port},fork,reuseaddr OPEN:/dev/null")
    eventually(lambda: not refused(port), what="the sink")
    qemu, net = devel.host.info(devel.name)["qemu_pid"], net_of(devel)
    os.kill(qemu, signal.SIGSTOP)
    try:
        clients = []
        for _ in range(40):
            client = socket.create_connection(("127.0.0.1", port), timeout=5)
            client.settimeout(0.1)
            clients.append(client)
            try:
                while True:
                    client.send(bytes(65536))
            except OSError:
                pass
        assert resident(net) < 32 << 20
    finally:
        os.kill(qemu, signal.SIGCONT)
    for client in clients:
        client.close()
    devel.sh(f"systemctl stop sink-{port}")
