"""A distro whose image was a virtual machine's: it has udev, ifupdown and systemd-resolved, and its files name hardware
that stayed behind."""
import subprocess

import pytest

from conftest import link, put, required
from host import Host, eventually
from name_server import NameServer, an_address

FSTAB = """\
# <file system> <mount point> <type> <options> <dump> <pass>
UUID=11111111-2222-3333-4444-555555555555 / ext4 errors=remount-ro 0 1
UUID=21111111-2222-3333-4444-555555555555 /usr ext4 defaults 0 2
/dev/mapper/vda5_crypt /home ext4 defaults 0 2
LABEL=data /var/run/data ext4 defaults 0 2
UUID=31111111-2222-3333-4444-555555555555 none swap sw 0 0
/dev/sr0 /media/cdrom0 udf,iso9660 user,noauto 0 0
"""
CRYPTTAB = "vda5_crypt UUID=41111111-2222-3333-4444-555555555555 none luks\n"
INTERFACES = """\
auto lo
iface lo inet loopback

auto ens3
iface ens3 inet dhcp

allow-hotplug ens4
iface ens4 inet dhcp

source /etc/network/interfaces.d/*
"""
NOTICES = """\
berth: /etc/fstab:3: UUID=21111111-2222-3333-4444-555555555555 is not in this machine: left out, nothing is mounted on /usr
berth: /etc/fstab:4: /dev/mapper/vda5_crypt is not in this machine: left out, nothing is mounted on /home
berth: /etc/fstab:5: LABEL=data is not in this machine: left out, nothing is mounted on /var/run/data
berth: /etc/fstab:6: UUID=31111111-2222-3333-4444-555555555555 is not in this machine: left out
berth: /etc/crypttab:1: UUID=41111111-2222-3333-4444-555555555555 is not in this machine: left out
berth: /etc/network/interfaces:4: ens3 is not in this machine: not brought up
berth: /etc/network/interfaces.d/50-cloud-init:1: ens5 is not in this machine: not brought up
"""
LOOK_UP = "python3 -c 'import socket; print(socket.gethostbyname(\"some.example\"))'"
# Once, at a boot, as soon as systemd says that names can be looked up.
ASKS = f"""\
[Unit]
Wants=nss-lookup.target
After=nss-lookup.target
[Service]
Type=oneshot
ExecStart=/bin/sh -c "exec {LOOK_UP.replace('"', chr(92) + '"')} >/run/asked"
"""


# The image, and the one whose /srv/packages are for it.
RELEASES = {"bookworm": ("BERTH_TEST_DEBIAN", "BERTH_TEST_DEVEL"), "trixie": ("BERTH_TEST_TRIXIE", "BERTH_TEST_TRIXIE")}


class Former:
    """A distro that has those packages at hand, and this host's resolv.conf as it sees it."""

    def __init__(self, image, packages, tmp_path):
        self.host_resolv_conf = tmp_path / "resolv.conf"
        self.server = NameServer(an_address(7))
        self.search("old.example")
        self.host = Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_MEMORY="1G",
                         BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120", BERTH_RESOLV_CONF=str(self.host_resolv_conf))
        self.host("import", "--no-user", "former", image)
        archive = subprocess.run(["bsdtar", "-cf", "-", "--include", "./srv/packages/*", f"@{packages}"],
                                 capture_output=True, check=True).stdout
        self.host("run", "-d", "former", "--", "tar", "-x", "-C", "/", input=archive, text=False)

    def search(self, domain):
        """Make this the host's search domain."""
        beside = self.host_resolv_conf.with_name("new")
        beside.write_text(f"nameserver {self.server.name}\nsearch {domain}\n")
        beside.rename(self.host_resolv_conf)

    def sh(self, script, **options):
        return self.host.shell("former", script, **options).stdout


@pytest.fixture(scope="module", params=RELEASES)
def former(request, tmp_path_factory):
    made = Former(*map(required, RELEASES[request.param]), tmp_path_factory.mktemp("former"))
    yield made
    made.host.close()


def test_names_resolve_once_systemd_resolved_is_installed(former):
    resolves = "nameserver 10.0.2.3\nsearch old.example\n198.51.100.7\n"
    assert former.sh("cat /etc/resolv.conf; " + LOOK_UP).endswith(resolves)
    assert former.sh(f"dpkg -i /srv/packages/*.deb >/run/dpkg 2>&1 || cat /run/dpkg; {LOOK_UP}", timeout=300) == "198.51.100.7\n"
    assert former.sh("readlink -f /etc/resolv.conf") == "/run/systemd/resolve/stub-resolv.conf\n"
    assert "search old.example\n" in former.sh("cat /etc/resolv.conf")


def test_hosts_search_domains_reach_systemd_resolved(former):
    former.search("new.example")
    eventually(lambda: "search new.example\n" in former.sh("systemctl -q is-active systemd-resolved && cat /etc/resolv.conf", check=False),
               what="the domain")
    assert former.sh(f"systemctl --failed --no-legend --plain; {LOOK_UP}") == "198.51.100.7\n"


def test_it_boots_without_its_hardware(former):
    former.host("terminate", "former")
    put(former.host, "former", "/etc/fstab", FSTAB)
    put(former.host, "former", "/etc/crypttab", CRYPTTAB)
    put(former.host, "former", "/etc/network/interfaces", INTERFACES)
    put(former.host, "former", "/etc/network/interfaces.d/50-cloud-init", "auto ens5\niface ens5 inet dhcp\n")
    put(former.host, "former", "/etc/systemd/system/asks.service", ASKS)
    link(former.host, "former", "/etc/systemd/system/multi-user.target.wants/asks.service", "../asks.service")

    assert former.host("start", "former").stderr == NOTICES
    assert former.sh(LOOK_UP + "; cat /run/asked") == "198.51.100.7\n198.51.100.7\n"
    assert former.sh("systemctl is-system-running --wait; systemctl --failed --no-legend --plain") == "running\n"
    # systemd's own record of the jobs that failed, of which those that wait for a device time out.
    failed_jobs = "journalctl -b -q -o cat JOB_RESULT=timeout JOB_RESULT=dependency JOB_RESULT=failed"
    assert former.sh(failed_jobs) == ""
    former.sh("! systemd-run -q -u berth-fails -p Type=oneshot false")
    eventually(lambda: "berth-fails" in former.sh(failed_jobs), what="its record in the journal")
    assert "inet 10.0.2.15/24" in former.sh("ip -4 addr show eth0")
    assert "new.example" in former.sh("resolvectl domain")


def test_its_files_stay_as_they_were(former):
    assert former.sh("cat /etc/fstab /etc/crypttab /etc/network/interfaces") == FSTAB + CRYPTTAB + INTERFACES
