"""User-data for a distro's cloud-init: stored with it, and passed to it at every start. fake-qemu is the machine."""
import hashlib
import os
import pathlib
import re
import select
import signal
import subprocess

import pytest

from conftest import wait_for
from waiting import LIMIT

CONFIG = b"#cloud-config\nruncmd: [[touch, /done]]\n"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config"
    path.write_bytes(CONFIG)
    return path


@pytest.fixture
def box(berth, rootfs, config):
    berth("import", "--size=256M", "--user-data", config, "box", rootfs).ok()
    return berth


def kept(berth, name="box"):
    return berth.data / "distros" / berth.info(name)["id"] / "user-data"


def held(box):
    """The initramfs passed to QEMU, which the keeper keeps open."""
    argv = box.qemus()[-1]["argv"]
    path = argv[argv.index("-initrd") + 1]
    assert path.startswith(f"/proc/{box.info('box')['keeper_pid']}/fd/")
    return pathlib.Path(path)


def command_line(berth, name="box"):
    return berth("start", "--dry-run", name).ok()


def test_user_data_is_private(box):
    assert kept(box).read_bytes() == CONFIG and kept(box).stat().st_mode & 0o777 == 0o600


def test_without_it_cloud_init_is_off(berth, rootfs):
    berth("import", "--size=256M", "box", rootfs).ok()
    text = command_line(berth)
    assert "cloud-init=disabled" in text and "nocloud" not in text and "cloud.cpio" not in text
    assert not kept(berth).exists()


def test_with_it_cloud_init_is_on(box):
    name = "berth-" + hashlib.sha256(CONFIG).hexdigest()[:16]
    text = command_line(box)
    assert f"ds=nocloud;s=/run/berth/cloud/;i={name} network-config=disabled" in text
    assert "cloud-init=disabled" not in text


def test_user_data_is_in_the_initramfs(box, tmp_path):
    box("start", "box").ok()
    initramfs = held(box)
    assert initramfs.stat().st_mode & 0o777 == 0o600
    data = initramfs.read_bytes()
    archive = data[data.rindex(b"070701", 0, data.index(b"cloud\0")):]  # the second archive, after berth's own
    listed = subprocess.run(["bsdtar", "-tvf", "-"], input=archive, capture_output=True, check=True).stdout.decode()
    assert re.search(r"^drwx------ .* cloud/?$", listed, re.M)
    assert re.search(r"^-rw------- .* cloud/user-data$", listed, re.M)
    got = subprocess.run(["bsdtar", "-xOf", "-", "cloud/user-data"], input=archive, capture_output=True, check=True)
    assert got.stdout == CONFIG
    box("terminate", "box").ok()
    assert not os.path.exists(initramfs)  # exists() raises PermissionError while nobody has reaped the keeper
    box("start", "box").ok()
    assert held(box).exists()


def test_initramfs_is_unlinked_after_start(box):
    """A reboot of the guest still finds it."""
    box("start", "box").ok()
    assert not (box.runtime / box.info("box")["id"] / "cloud.cpio").exists()
    first = held(box).read_bytes()
    os.kill(box.qemus()[0]["pid"], signal.SIGUSR1)  # reboot in the guest
    wait_for(lambda: len(box.qemus()) == 2)
    assert held(box).read_bytes() == first


def test_rescue_omits_user_data(box):
    box("start", "--rescue", "box").ok()
    argv = box.qemus()[-1]["argv"]
    assert not argv[argv.index("-initrd") + 1].endswith("cloud.cpio")
    assert "nocloud" not in argv[argv.index("-append") + 1]


def test_clone_keeps_the_instance_id(box):
    box("clone", "box", "twin").ok()
    assert kept(box, "twin").read_bytes() == CONFIG
    name = re.compile(r";i=(\S+)")
    assert name.search(command_line(box, "twin")).group(1) == name.search(command_line(box)).group(1)


def test_user_data_survives_move_not_unregister(box, tmp_path):
    box("move", "box", tmp_path / "elsewhere").ok()
    assert kept(box).read_bytes() == CONFIG
    box("rename", "box", "other").ok()
    assert kept(box, "other").read_bytes() == CONFIG
    box("unregister", "other").ok()
    assert not list(box.data.glob("distros/*"))


def test_user_data_for_import_in_place(box, config, tmp_path):
    image = tmp_path / "mine.ext4"
    image.write_bytes((box.data / "distros" / box.info("box")["id"] / "disk.ext4").read_bytes())
    box("import", "--in-place", image, "--user-data", config, "mine").ok()
    assert kept(box, "mine").read_bytes() == CONFIG
    box("unregister", "mine").ok()
    assert image.exists() and len(list(box.data.glob("distros/*"))) == 1


@pytest.mark.parametrize("content", [b"x" * (1 << 20), b"\x1f\x8b\x08\x00\xff", b"#!/bin/sh\n"],
                         ids=["large", "packed", "script"])
def test_accepted_formats(berth, rootfs, tmp_path, content):
    (tmp_path / "data").write_bytes(content)
    berth("import", "--size=256M", "--user-data", tmp_path / "data", "box", rootfs).ok()
    assert kept(berth).read_bytes() == content
    berth("start", "box").ok()


def test_user_data_from_a_pipe(berth, rootfs):
    berth("import", "--size=256M", "--user-data", "/dev/stdin", "box", rootfs, data=CONFIG).ok()
    assert kept(berth).read_bytes() == CONFIG


# --- rejected user-data leaves nothing ---

def refuse(berth, rootfs, path, *failure, **options):
    for arguments in (["box", rootfs], ["--in-place", rootfs, "box"]):
        berth("import", "--user-data", path, *arguments).failed(1, *failure, str(path), **options)
    assert berth.names() == [] and berth.left_over() == []


def test_too_large_user_data(berth, rootfs, tmp_path):
    (tmp_path / "data").write_bytes(b"x" * ((1 << 20) + 1))
    refuse(berth, rootfs, tmp_path / "data", "user-data.size", "1 MiB")
    refuse(berth, rootfs, "/dev/zero", "user-data.size")


def test_empty_user_data(berth, rootfs, tmp_path):
    (tmp_path / "data").touch()
    refuse(berth, rootfs, tmp_path / "data", "user-data.empty", "is empty")


def test_unreadable_user_data(berth, rootfs, tmp_path):
    refuse(berth, rootfs, tmp_path, "user-data.read.io", "is a directory")
    refuse(berth, rootfs, tmp_path / "none", "user-data.read.missing", "no such file")


def test_unreadable_stored_data(box):
    kept(box).unlink()
    kept(box).mkdir()
    box("start", "box").failed(1, "user-data.kept", "user-data")
    box("clone", "box", "twin").failed(1, "user-data.kept", "user-data")
    assert box.names() == ["box"]


@pytest.mark.parametrize("which", ["keeper", "all"])
def test_kill_leaves_nothing(box, which):
    """It may contain passwords, and the runtime directory outlives the distro."""
    box("start", "box").ok()
    info = box.info("box")
    directory = box.runtime / info["id"]
    (directory / "cloud.cpio.A1B2C3").write_bytes(CONFIG)  # a leftover of a command killed while writing
    keeper = os.pidfd_open(info["keeper_pid"])
    for pid in [info["keeper_pid"], info["qemu_pid"]][:1 if which == "keeper" else 2]:
        os.kill(pid, signal.SIGKILL)
    assert select.select([keeper], [], [], LIMIT)[0]
    os.close(keeper)
    assert [each.name for each in directory.glob("cloud.*")] == ["cloud.cpio.A1B2C3"]
    box("unregister", "box").ok()
    assert list(box.runtime.iterdir()) == [] and box.left_over() == []
