"""Changes to a whole distro, seen from inside: a clone's identity, the size of the disk."""
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from host import eventually

MIB = 1 << 20

# The distro has no ssh; this script writes what `ssh-keygen -A -f PREFIX` would, with new bytes each time.
KEYGEN = """#!/bin/sh
while [ $# -gt 0 ]; do case $1 in -f) prefix=$2; shift;; esac; shift; done
[ ! -e /etc/ssh/refuse ] || exit 1
for kind in rsa ed25519; do
    key=$prefix/etc/ssh/ssh_host_${kind}_key
    [ -e $key ] || { head -c 16 /dev/urandom | od -An -tx1 > $key; chmod 600 $key; cp $key $key.pub; }
done
"""
IDENTITY = "cat /etc/machine-id /etc/ssh/ssh_host_rsa_key; cat /etc/ssh/ssh_host_dsa_key 2>&1; hostname"


@pytest.fixture
def served(host, scratch):
    """A distro with a machine-id and host keys; its ssh-keygen no longer makes two of their types."""
    host.run(scratch, "sh", "-c", "mkdir -p /etc/ssh /usr/bin; cat > /usr/bin/ssh-keygen; chmod 755 /usr/bin/ssh-keygen; "
             "touch /etc/ssh/sshd_config; echo 0123456789abcdef0123456789abcdef > /etc/machine-id; "
             "for kind in rsa dsa; do echo old > /etc/ssh/ssh_host_${kind}_key; done", input=KEYGEN)
    host("terminate", scratch)
    yield scratch
    host("unregister", "twin", check=False)


def test_clone_has_its_own_identity(host, served):
    host("clone", served, "twin")
    one = host.shell(served, IDENTITY).stdout.split("\n")
    other = host.shell("twin", IDENTITY).stdout.split("\n")
    assert one[:2] == ["0123456789abcdef0123456789abcdef", "old"]
    assert len(other[0]) == 32 and other[0][12] == "4" and other[0] != one[0]
    assert other[1] not in ("", "old") and "No such file" in other[2]
    assert (one[-2], other[-2]) == (served, "twin")
    assert host.shell("twin", "stat -c %a /etc/ssh/ssh_host_rsa_key; ls /var/lib/berth").stdout.split() == [
        "600", "identity", "new-keys"]

    host("terminate", "twin")  # once is enough
    assert host.shell("twin", IDENTITY).stdout.split("\n") == other
    host("terminate", "twin")


def test_failed_identity_is_retried(host, served):
    host.shell(served, "touch /etc/ssh/refuse")
    host("terminate", served)
    host("clone", served, "twin")
    assert host.shell("twin", "cat /etc/ssh/ssh_host_rsa_key").stdout == "old\n"  # rather than no keys
    assert "new identity" in host("logs", "twin").stdout
    host.shell("twin", "rm /etc/ssh/refuse")
    host("terminate", "twin")
    assert host.shell("twin", "cat /etc/ssh/ssh_host_rsa_key").stdout not in ("", "old\n")
    host("terminate", "twin")


def test_a_killed_first_start_is_repeated(host, served):
    """Kill the machine at its first output: the next start does or repeats the work."""
    host("clone", served, "twin")
    process = host.spawn("start", "twin", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: "identity" in host("logs", "twin").stdout or process.poll() is not None, what="the stage")
    host("terminate", "--force", "twin")
    process.wait(timeout=60)
    other = host.shell("twin", IDENTITY).stdout.split("\n")
    assert other[0] != "0123456789abcdef0123456789abcdef" and other[1] not in ("", "old")
    host("terminate", "twin")
    assert host.shell("twin", IDENTITY).stdout.split("\n") == other
    host("terminate", "twin")


def test_a_clone_of_debian_has_another_machine_id(host, debian):
    first = host.shell(debian, "cat /etc/machine-id; ls -l /etc/machine-id").stdout.split()
    host("terminate", debian)
    try:
        host("clone", debian, "twin")
        second = host.shell("twin", "cat /etc/machine-id; ls -l /etc/machine-id").stdout.split()
        assert len(second[0]) == 32 and second[0] != first[0]
        assert host.shell("twin", "systemctl is-system-running", check=False).stdout.strip() == "running"
    finally:
        host("unregister", "twin", check=False)


def test_rename_changes_the_host_name(host, scratch):
    assert host.run(scratch, "hostname").stdout == "scratch\n"
    host("rename", scratch, "Other.Name")
    try:
        assert host.run("Other.Name", "hostname").stdout == "scratch\n"
        host("terminate", "Other.Name")
        assert host.run("Other.Name", "hostname").stdout == "other-name\n"
        assert "other-name" in host.run("Other.Name", "cat", "/etc/hosts").stdout
    finally:
        host("rename", "Other.Name", scratch)


def size_inside(host, name):
    """The size of the root file system in bytes, by df."""
    return int(host.shell(name, "df -k / | tail -n 1 | awk '{ print $2 }'").stdout) * 1024


def check(path):
    result = subprocess.run(["/usr/sbin/e2fsck", "-fn", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_sizes_are_seen_inside(host, scratch):
    disk = Path(host.info(scratch)["disk"])
    host("resize", scratch, "2G")
    host.shell(scratch, "head -c 30000000 /dev/urandom > /root/noise; md5sum /root/noise > /root/sum")
    assert 1.8 * 1024 < size_inside(host, scratch) / MIB <= 2048
    host("terminate", scratch)
    check(disk)

    host("resize", scratch, "40G")
    assert 39 * 1024 < size_inside(host, scratch) / MIB <= 40 * 1024
    host.shell(scratch, "md5sum -c /root/sum")
    host("terminate", scratch)
    check(disk)
    assert disk.stat().st_blocks * 512 < 150 * MIB  # the apparent size is not allocated

    host("resize", scratch, "1G")
    assert 900 < size_inside(host, scratch) / MIB <= 1024
    host.shell(scratch, "md5sum -c /root/sum")
    host("terminate", scratch)
    check(disk)


@pytest.mark.smoke
def test_a_running_distro_grows(host, scratch):
    host("resize", scratch, "2G")
    host.shell(scratch, "head -c 30000000 /dev/urandom > /root/noise; md5sum /root/noise > /root/sum")
    assert size_inside(host, scratch) / MIB <= 2048
    host("resize", scratch, "80G")
    assert 78 * 1024 < size_inside(host, scratch) / MIB <= 80 * 1024  # without a restart
    host.shell(scratch, "md5sum -c /root/sum")
    refused = host("resize", scratch, "1G", check=False)
    assert refused.returncode == 1 and "instance.running" in refused.stderr
    host("terminate", scratch)
    check(Path(host.info(scratch)["disk"]))


def test_compact_returns_deleted_space(host, scratch):
    """Without discard, which a distro's fstab may turn off, deleting alone returns nothing."""
    disk = Path(host.info(scratch)["disk"])
    host.shell(scratch, "mount -o remount,nodiscard / && head -c 4194304 /dev/urandom >/run/part && "
               "for i in $(seq 50); do cat /run/part; done >/noise && sync")
    full = disk.stat().st_blocks * 512
    host.shell(scratch, "rm /noise; sync")
    assert disk.stat().st_blocks * 512 > 200 * MIB
    host("terminate", scratch)
    host("compact", scratch)
    assert full - disk.stat().st_blocks * 512 > 200 * MIB
    check(disk)
    assert host.run(scratch, "ls", "/bin/busybox").stdout == "/bin/busybox\n"


def test_compact_after_a_kill_and_its_hint(host, scratch):
    """The journal of a killed guest must be replayed first; the commands in the hint do that."""
    host.shell(scratch, "echo kept > /root/file; sync; echo x > /root/late")
    info = host.info(scratch)
    os.kill(info["keeper_pid"], signal.SIGKILL)
    eventually(lambda: host.info(scratch)["state"] == "stopped", what="the end")
    refused = host("compact", scratch, check=False)
    assert refused.returncode == 1 and "code: compact.unclean" in refused.stderr, refused.stderr
    commands = re.search(r"^hint: .*: (berth start \S+); (berth terminate \S+); then try again$", refused.stderr, re.M)
    for command in commands.groups():
        host(*command.split()[1:])
    host("compact", scratch)
    check(Path(info["disk"]))
    assert host.run(scratch, "cat", "/root/file").stdout == "kept\n"


def test_disk_in_use_is_not_moved_from_another_login(host, scratch):
    """The keeper's runtime directory is removed, as by a logout; later writes survive."""
    host.shell(scratch, "echo one > /root/file; sync")
    info = host.info(scratch)
    disk, keeper = Path(info["disk"]), info["keeper_pid"]
    (host.root / "run/berth" / info["id"]).rename(host.root / "gone")
    moved = host("move", scratch, host.root / "moved", check=False)
    assert moved.returncode == 1 and "code: instance.running" in moved.stderr
    assert disk.exists() and not (host.root / "moved").exists()
    assert host.state(scratch) == "unresponsive"
    refused = host.run(scratch, "true", check=False)
    assert refused.returncode == 125 and f"process {keeper}" in refused.stderr

    host("terminate", scratch)  # cleanly, so that the file system is unmounted
    eventually(lambda: not Path(f"/proc/{keeper}").exists())
    host("move", scratch, host.root / "moved")
    assert host.shell(scratch, "cat /root/file").stdout == "one\n"
    host("unregister", scratch)
    shutil.rmtree(host.root / "gone")
    (host.root / "moved").rmdir()
