"""Names in a distro are resolved by this host's name servers, which the tests provide."""
import os

import pytest

from host import Host, eventually
from name_server import NameServer, an_address, reply

LOOK_UP = "import socket, sys; print(socket.gethostbyname(sys.argv[1]))"


@pytest.fixture
def resolving(host, tmp_path):
    """Make the given servers this host's, as guests see it."""
    path = tmp_path / "resolv.conf"
    path.write_text("")
    asker = Host(host.program.removesuffix("/cmd/berth"), BERTH_KERNEL=host.environment["BERTH_KERNEL"], BERTH_MEMORY="1G",
                 BERTH_RESOLV_CONF=str(path))
    asker("import", "--no-user", "box", os.environ["BERTH_TEST_DEBIAN"])
    asker.run("box", "true")

    def change(*servers, search=None):
        beside = tmp_path / "new"
        beside.write_text("".join(f"nameserver {server.name}\n" for server in servers) +
                          (f"search {search}\n" if search else ""))
        beside.rename(path)  # as VPN clients and resolvconf do

    change.look_up = lambda name: asker.run("box", "python3", "-c", LOOK_UP, name, check=False).stdout.strip()
    change.python = lambda script, *words: asker.run("box", "python3", "-c", script, *words).stdout.strip()
    change.host = asker
    yield change
    asker.close()


BY_HAND = """
import socket, sys
query = b"\\x12\\x34\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\3www\\7example\\0\\0" + bytes([int(sys.argv[1])]) + b"\\0\\1"
with socket.create_connection(("10.0.2.3", 53), timeout=20) if sys.argv[2] == "tcp" else socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
    asker.settimeout(20)
    if sys.argv[2] == "tcp":
        asker.sendall(len(query).to_bytes(2, "big") + query)
        stream = asker.makefile("rb")
        answer = stream.read(int.from_bytes(stream.read(2), "big"))
    else:
        asker.sendto(query, ("10.0.2.3", 53))
        answer = asker.recv(65536)
print(len(answer), answer[3] & 15, answer[2] >> 1 & 1)
"""


def test_names_resolve_as_on_the_host(resolving):
    one, two = NameServer(an_address(1)), NameServer(an_address(2))
    silent, failing = NameServer(lambda query: None), NameServer(lambda query: reply(query, 0x8182))
    resolving(one)
    assert eventually(lambda: resolving.look_up("a.example") == "198.51.100.1", what="the first")
    resolving(two)  # a change of networks, while running
    assert eventually(lambda: resolving.look_up("b.example") == "198.51.100.2", what="the second")
    resolving(silent, two)
    assert eventually(lambda: resolving.look_up("c.example") == "198.51.100.2" and silent.asked > 0, what="the one that answers")
    resolving(failing, two)
    assert eventually(lambda: resolving.look_up("d.example") == "198.51.100.2" and failing.asked > 0, what="the one that knows")
    for address, size in (("127.0.0.1", 3000), ("::1", 2000)):
        resolving(NameServer(lambda query: reply(query, 0x8180, (65, bytes(size))),
                           by_tcp=lambda query: reply(query, 0x8180, *[(65, bytes(size))] * 20), address=address))
        eventually(lambda: resolving.python(BY_HAND, "65", "udp") == f"{size + 41} 0 0", what="a large answer of a new type")
        assert int(resolving.python(BY_HAND, "65", "tcp").split()[0]) > 20 * size
    resolving()
    eventually(lambda: resolving.python(BY_HAND, "1", "udp").split()[1] == "2", what="SERVFAIL, at once")


def test_a_change_while_it_is_suspended(resolving):
    """The agent writes files to a disk that it has frozen."""
    host = resolving.host
    for domain in ("one.example", "two.example"):
        host("suspend", "box")
        resolving(search=domain)
        assert host.state("box") == "suspended"
        eventually(lambda: domain in host.run("box", "cat", "/etc/resolv.conf").stdout, what="the domain")
