"""Starts, their timing, and broken distros. fake-qemu is the machine."""
import json
import os
import sqlite3
import subprocess

import pytest

from conftest import wait_for

DEBUGFS, E2FSCK = "/usr/sbin/debugfs", "/usr/sbin/e2fsck"


@pytest.fixture
def box(berth, rootfs):
    """As usual, but smaller: e2fsck reads all of it."""
    berth("import", "--size", "1G", "box", rootfs).ok()
    return berth


def disk(berth, name="box"):
    return berth.info(name)["disk"]


def machine_conf(berth, name="box"):
    return (berth.runtime / berth.info(name)["id"] / "machine.conf").read_text()


def debugfs(path, request):
    subprocess.run([DEBUGFS, "-w", "-R", request, path], check=True, capture_output=True)


def is_sound(path):
    return subprocess.run([E2FSCK, "-f", "-n", path], capture_output=True).returncode == 0


# --- timing ---

def test_timing_in_text(box):
    lines = box("start", "--timing", "box").ok().splitlines()
    assert lines[0].split() == ["STAGE", "AT", "(s)", "TOOK", "(s)", "PROBLEM"]
    assert [line.split()[0] for line in lines[1:]] == ["ready", "booted"]
    assert all(float(line.split()[1]) >= float(line.split()[2]) >= 0 for line in lines[1:])


def test_timing_as_json_of_the_last_start(box):
    first = json.loads(box("start", "--json", "box").ok())
    assert first["schema"] == 1
    assert [stage["name"] for stage in first["stages"]] == ["ready", "booted"]
    ends = [stage["end_usec"] for stage in first["stages"]]
    assert ends == sorted(ends) and ends[0] > 0
    assert all(stage["problem"] is None for stage in first["stages"])
    assert json.loads(box("start", "--timing", "--json", "box").ok()) == first  # it is running


def test_reboot_resets_timing(box):
    before = json.loads(box("start", "--json", "box").ok())
    os.kill(box.info("box")["qemu_pid"], 10)
    wait_for(lambda: len(box.qemus()) == 2)
    after = json.loads(box("start", "--json", "box").ok())
    assert [s["name"] for s in after["stages"]] == ["ready", "booted"] and after != before


# --- the account and the first-run command ---

def row(berth, *columns):
    with sqlite3.connect(berth.data / "registry.db") as registry:
        found = registry.execute(f"SELECT {', '.join(columns)} FROM distro").fetchall()
    registry.close()
    return found


def test_account_of_this_user_is_created(berth, rootfs):
    berth("import", "box", rootfs).ok()
    (account, uid, oobe), = row(berth, "account", "account_uid", "oobe")
    assert (account is None) == (os.getuid() == 0)
    assert os.getuid() == 0 or uid == os.getuid()
    assert oobe == 0


def test_no_user_and_oobe(berth, rootfs):
    berth("import", "--no-user", "one", rootfs).ok()
    berth("import", "--oobe", "two", rootfs).ok()
    assert row(berth, "account", "oobe") == [(None, 0), (None, 1)]
    berth("start", "two").ok()
    assert "oobe=true\n" in machine_conf(berth, "two")
    berth("import", "--in-place", "x.ext4", "--oobe", "x").failed(2, "usage.value", "--oobe")


def test_account_is_sent_to_the_guest_and_cloned(box):
    with sqlite3.connect(box.data / "registry.db") as registry:
        registry.execute("UPDATE distro SET account = 'alice', account_uid = 1234")
    registry.close()
    box("clone", "box", "twin").ok()
    for name in ("box", "twin"):
        box("start", name).ok()
        text = machine_conf(box, name)
        assert "account=alice\n" in text and "account-uid=1234\n" in text


# --- broken distros ---

@pytest.mark.as_root  # root's session, with the agent on the host
def test_console_works_without_init(box):
    result = box("console", "box", data=b"echo here; exit 7\n")
    assert (result.status, result.out, result.err) == (7, "here\n", "")


@pytest.mark.as_root  # root's session, with the agent on the host
def test_console_falls_back_to_rescue(box):
    debugfs(disk(box), "clri <2>")
    debugfs(disk(box), "ssv state 2")
    result = box("console", "box", data=b"echo here\n")
    assert result.status == 0 and result.out == "here\n"
    assert "the disk is damaged" in result.err and "it is started in rescue mode" in result.err
    assert "rescue=true\n" in machine_conf(box)


def test_rescue(box):
    (box.support / "initramfs.cpio").write_bytes(b"odd")
    box("start", "--rescue", "box").ok()
    assert "rescue=true\n" in machine_conf(box)
    argv = box.qemus()[-1]["argv"]
    initramfs = argv[argv.index("-initrd") + 1]
    archive = open(initramfs, "rb").read()
    assert archive.startswith(b"odd\0" + b"070701")
    assert b"rescue/busybox\0" in archive and open("/bin/busybox", "rb").read() in archive
    assert len(archive) % 4096 == 0
    box("start", "--rescue", "box").failed(1, "instance.running", "start box: it is running")
    box("terminate", "box").ok()
    assert not os.path.exists(initramfs)
    box("start", "box").ok()
    assert "rescue=false\n" in machine_conf(box)


def test_rescue_rejects_a_dynamic_busybox(box):
    (box.support / "busybox").symlink_to("/bin/ls")
    box("start", "--rescue", "box").ok()
    argv = box.qemus()[-1]["argv"]
    assert open("/bin/busybox", "rb").read() in open(argv[argv.index("-initrd") + 1], "rb").read()


# --- damaged disks ---

def test_disk_with_errors_is_repaired_before_the_start(box):
    debugfs(disk(box), "ssv state 2")
    result = box("start", "box")
    assert result.status == 0
    assert result.err == "berth: the disk of box was damaged; e2fsck has repaired it\n"
    box("terminate", "box").ok()
    assert is_sound(disk(box))
    assert box("start", "box").ok() == ""  # only once


def test_disk_is_repaired_from_its_backup_superblock(box):
    with open(disk(box), "r+b") as image:
        image.seek(1024)
        image.write(bytes(1024))
    result = box("start", "box")
    assert (result.status, result.err) == (0, "berth: the disk of box was damaged; e2fsck has repaired it\n")
    box("terminate", "box").ok()
    assert is_sound(disk(box))


def test_disk_needs_interactive_repair(box):
    debugfs(disk(box), "clri <2>")
    debugfs(disk(box), "ssv state 2")
    result = box("start", "box").failed(1, "disk.damaged", "e2fsck cannot repair it without asking")
    assert "berth console box" in result.hint
    assert box.qemus() == []

