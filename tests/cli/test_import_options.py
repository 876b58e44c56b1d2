"""The options of import; rejected ones leave nothing."""
import os
import re
import subprocess

import pytest

from conftest import tar_bytes


def nothing_left(berth):
    assert berth.names() == [] and berth.left_over() == []


def ask(disk, request):
    return subprocess.run(["debugfs", "-R", request, disk], capture_output=True, text=True,
                          check=True).stdout


def check(disk):
    subprocess.run(["e2fsck", "-fn", disk], check=True, capture_output=True)


def test_the_result_is_one_line(berth, rootfs):
    out = berth("import", "x", rootfs).ok()
    assert re.fullmatch(r"x: 6 entries, [\d.]+ [KM]iB on the disk, in \d+\.\d s \([\d.]+ \w+/s\)\n",
                        out), out


def test_size(berth, rootfs):
    berth("import", "--size", "300M", "x", rootfs).ok()
    assert berth.info("x")["disk_size"] == 300 << 20
    check(berth.info("x")["disk"])


@pytest.mark.parametrize("size", ["", "0", "-1", "big", "1X", "1.5G", "99999999999T"])
def test_invalid_sizes(berth, rootfs, size):
    berth("import", f"--size={size}", "x", rootfs).failed(2, "usage.value", "--size")
    nothing_left(berth)


def test_inodes(berth, rootfs):
    berth("import", "--size=1G", "--inodes", "100000", "x", rootfs).ok()
    disk = berth.info("x")["disk"]
    check(disk)
    count = int(re.search(r"Inode count: +(\d+)", ask(disk, "show_super_stats -h")).group(1))
    assert 100000 <= count < 120000  # the default would be 262144


def test_too_many_inodes_for_the_size(berth, rootfs):
    berth("import", "--size=1G", "--inodes=700000", "x", rootfs).failed(
        1, "import.create.bad-inodes", "700000")
    nothing_left(berth)


@pytest.mark.parametrize("number", ["", "0", "-1", "many", "1K", "4294967296"])
def test_invalid_inodes(berth, rootfs, number):
    berth("import", f"--inodes={number}", "x", rootfs).failed(2, "usage.value", "--inodes")
    nothing_left(berth)


def test_too_small_size(berth, rootfs):
    berth("import", "--size=1M", "x", rootfs).failed(1, "import.create.too-small")
    nothing_left(berth)


def test_location(berth, rootfs, tmp_path):
    place = tmp_path / "disks"
    berth("import", "x", rootfs, "--location", place).ok()
    disk = place / "x.ext4"
    assert berth.info("x")["disk"] == str(disk)
    check(disk)
    assert berth.left_over() == [] and sorted(os.listdir(place)) == ["x.ext4"]
    berth("import", "y", rootfs, "--location", place).ok()
    berth("unregister", "x").ok()
    assert sorted(os.listdir(place)) == ["y.ext4"]


def test_relative_location(berth, rootfs, tmp_path):
    place = tmp_path / "here"
    place.mkdir()
    berth("import", "x", rootfs, "--location", ".", cwd=place).ok()
    assert berth.info("x")["disk"] == str(place / "x.ext4")


@pytest.mark.parametrize("spelling", ["import", "--import"])
def test_location_in_wsl_syntax(berth, rootfs, tmp_path, spelling):
    place = tmp_path / "disks"
    berth(spelling, "x", place, rootfs, "--version", "2").ok()
    assert berth.info("x")["disk"] == str(place / "x.ext4")


def test_location_is_not_a_directory(berth, rootfs, tmp_path):
    (tmp_path / "file").write_text("mine")
    result = berth("import", "x", rootfs, "--location", tmp_path / "file")
    result.failed(1, result.code, "not a directory")
    assert (tmp_path / "file").read_text() == "mine"
    nothing_left(berth)


def test_location_without_its_parent(berth, rootfs, tmp_path):
    place = tmp_path / "no" / "such"
    berth("import", "x", rootfs, "--location", place).failed(
        1, "import.location.missing", str(place))
    assert not place.parent.exists()
    nothing_left(berth)


def test_location_with_an_existing_disk(berth, rootfs, tmp_path):
    (tmp_path / "x.ext4").write_text("mine")
    berth("import", "x", rootfs, "--location", tmp_path).failed(
        1, "import.create.exists", "x.ext4")
    assert (tmp_path / "x.ext4").read_text() == "mine"
    nothing_left(berth)


def test_failed_import_removes_the_location_it_made(berth, tmp_path):
    place = tmp_path / "disks"
    berth("import", "x", "-", "--location", place, data=tar_bytes()[:3000]).failed(
        1, "import.read.truncated")
    assert not place.exists()
    place.mkdir()
    berth("import", "x", "-", "--location", place, data=tar_bytes()[:3000]).failed(
        1, "import.read.truncated")
    assert list(place.iterdir()) == []
    nothing_left(berth)


@pytest.mark.parametrize("words", [["--location", ""], ["--location", "a", "b"], ["--version", "1"],
                                   ["--strip-root=yes"]])
def test_conflicting_arguments(berth, rootfs, words):
    berth("import", "x", rootfs, *words).failed(2, "usage.value")
    nothing_left(berth)


def test_vhd_gives_a_hint(berth, rootfs, tmp_path):
    result = berth("--import", "x", tmp_path, rootfs, "--vhd").failed(1, "import.vhd")
    assert "qemu-img convert" in result.hint and "--in-place" in result.hint
    nothing_left(berth)


def below(directory, top=()):
    """The small root file system, packed below @directory, with the files @top beside it."""
    import io
    import tarfile
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in {**{t: b"beside" for t in top}, f"{directory}/etc/os-release": b"ID=x",
                              f"{directory}/bin/sh": b"#!/bin/true"}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def test_case_11_strip_root(berth):
    data = below("root.x86_64", top=["version", "pkglist.txt"])
    result = berth("import", "x", "-", data=data).failed(1, "import.not-a-rootfs")
    assert "root.x86_64/" in result.hint and "--strip-root" in result.hint
    nothing_left(berth)

    result = berth("import", "x", "-", "--strip-root", data=data)
    assert result.status == 0, result
    assert result.err == "berth: import x: notice: 2 files beside root.x86_64/ in the archive were left out\n"
    disk = berth.info("x")["disk"]
    check(disk)
    assert ask(disk, "cat /etc/os-release") == "ID=x"
    assert "version" not in ask(disk, "ls -p /")


def test_case_11_strip_root_of_a_plain_root(berth, rootfs):
    berth("import", "x", rootfs, "--strip-root").failed(1, "import.strip-root.several", "bin", "etc")
    nothing_left(berth)
