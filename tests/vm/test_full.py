"""A full host disk: a small file system in a mount namespace, which can be enlarged."""
import subprocess

import pytest

from conftest import required
from host import Host, eventually

MIB = 1 << 20
FULL = "the host's disk is full"


class SmallHost(Host):
    """The data directory is a tmpfs in a mount namespace, in which berth runs."""

    def __init__(self, build, **settings):
        super().__init__(build, **settings)
        self.data = self.root / "data"
        self.holder = subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-euc",
             'mount -t tmpfs -o size=1g tmpfs "$1"; echo there; exec cat', "sh", self.data],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.entered = ["nsenter", "--target", str(self.holder.pid), "--user", "--mount", "--preserve-credentials"]
        if self.holder.stdout.readline() != b"there\n":
            pytest.skip("no user and mount namespaces here")
        script = self.root / "berth"
        script.write_text(f'#!/bin/sh\nexec {" ".join(self.entered)} {self.program} "$@"\n')
        script.chmod(0o700)
        self.program = str(script)

    def inside(self, *command):
        return subprocess.run([*self.entered, *map(str, command)], check=True, capture_output=True, text=True).stdout

    def limit(self, size):
        """With a source, since mount would otherwise repeat the current options, including a uid unknown in this
        namespace.
        """
        self.inside("mount", "-t", "tmpfs", "-o", f"remount,size={size}", "tmpfs", self.data)

    def used(self):
        return int(self.inside("df", "--output=used", "-B1", self.data).split()[-1])

    def close(self):
        super().close()
        self.holder.communicate()


@pytest.fixture
def small():
    with SmallHost(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"),
                   BERTH_MEMORY="512M", BERTH_BOOT_TIMEOUT="120") as host:
        host("import", "--no-user", "box", required("BERTH_TEST_BUSYBOX"))
        host("start", "box")
        host.limit(host.used() + 6 * MIB)
        yield host


def fill(host):
    """Start a command that writes more than fits, and wait until it blocks."""
    process = host.spawn("run", "-d", "box", "--", "sh", "-euc",
                         "head -c 33554432 /dev/urandom >/root/big; sync; echo 3 >/proc/sys/vm/drop_caches; "
                         "md5sum /root/big; cat /root/big | md5sum",
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    eventually(lambda: host.state("box") == "paused", timeout=120)
    return process


def test_full_host_loses_no_data(small):
    process = fill(small)
    assert small.info("box")["reason"] == FULL
    late = small.spawn("run", "-d", "box", "--", "echo", "late", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    assert FULL in late.stderr.readline()
    assert process.poll() is None and late.poll() is None
    small.limit("1g")
    out, err = process.communicate(timeout=120)
    sums = [line.split()[0] for line in out.splitlines()]
    assert process.returncode == 0 and sums[0] == sums[1] and FULL in err
    assert late.communicate(timeout=60)[0] == "late\n"
    eventually(lambda: small.state("box") == "running")
    small("terminate", "box")
    assert small.run("box", "md5sum", "/root/big").stdout.split()[0] == sums[0]
    small("terminate", "box")
    check = subprocess.run([*small.entered, "/sbin/e2fsck", "-fn", small.info("box")["disk"]], capture_output=True,
                           text=True)
    assert check.returncode == 0, check.stdout


def test_terminate_reports_the_forced_end(small):
    """The disk is consistent as of an earlier moment: the next start continues from there."""
    process = fill(small)
    result = small("terminate", "box", "--grace", "3")
    assert "was stopped without an orderly power-off" in result.stderr and FULL in result.stderr
    process.communicate(timeout=60)
    assert process.returncode != 0
    small.limit("1g")
    assert small.run("box", "echo", "fine").stdout == "fine\n"
