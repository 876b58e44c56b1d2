"""Existing images are used in place, unchanged, and kept."""
import os
import subprocess

import pytest

from conftest import tar_bytes


def debugfs(image, request):
    subprocess.run(["debugfs", "-w", "-R", request, image], check=True, capture_output=True)


@pytest.fixture
def image(berth, rootfs, tmp_path):
    """An ext4 image with a root file system."""
    berth("import", "maker", rootfs, "--size=256M", "--location", tmp_path / "made").ok()
    path = tmp_path / "mine.ext4"
    (tmp_path / "made/maker.ext4").rename(path)
    berth("unregister", "maker").ok()
    (tmp_path / "made").rmdir()
    return path


def nothing_left(berth):
    assert berth.names() == [] and berth.left_over() == []


@pytest.mark.parametrize("words", [["import", "x", "--in-place"], ["--import", "--in-place"],
                                   ["--import-in-place"]], ids=" ".join)
def test_image_is_used_and_kept_in_place(berth, image, words):
    before = image.read_bytes(), image.stat()
    arguments = {2: [*words, image, "x"], 1: [*words, "x", image]}.get(len(words), [*words, image])
    assert berth(*arguments).ok() == ""
    info = berth.info("x")
    assert info["disk"] == str(image) and info["disk_size"] == 256 << 20
    assert berth.left_over() == [] and not list(berth.data.glob("distros/*"))

    berth("unregister", "x").ok()
    after = image.read_bytes(), image.stat()
    assert after[0] == before[0] and after[1].st_mtime_ns == before[1].st_mtime_ns
    nothing_left(berth)


def test_relative_paths(berth, image):
    berth("import", "x", "--in-place", image.name, cwd=image.parent).ok()
    assert berth.info("x")["disk"] == str(image)


def test_image_is_registered_only_once(berth, image, tmp_path):
    berth("import", "x", "--in-place", image).ok()
    (tmp_path / "again").symlink_to(image)
    os.link(image, tmp_path / "again2")
    for path in (image, tmp_path / "again", tmp_path / "again2"):
        berth("import", "y", "--in-place", path).failed(
            1, "import.in-place.registered", "the disk of x already")
    berth("import", "x", "--in-place", image).failed(1, "registry.exists")
    assert berth.names() == ["x"]


def test_unreplayed_journal_gives_a_notice(berth, image):
    debugfs(image, "feature needs_recovery")
    result = berth("import", "x", "--in-place", image)
    assert result.status == 0 and "notice: it was not unmounted; its journal" in result.err, result


def test_broken_images_are_rejected(berth, image):
    def broken(code, change):
        before = image.read_bytes()
        change()
        result = berth("import", "x", "--in-place", image)
        result.failed(1, f"import.in-place.{code}", str(image))
        image.write_bytes(before)
        nothing_left(berth)

    def poke(offset, data):
        with open(image, "r+b") as file:
            file.seek(offset)
            file.write(data)

    broken("has-errors", lambda: debugfs(image, "ssv state 2"))
    broken("damaged", lambda: poke(1024 + 8, b"\xff\xff"))       # the superblock's checksum
    broken("damaged", lambda: poke(4096, b"\xff" * 64))  # the first group descriptor
    broken("truncated", lambda: os.truncate(image, 100 << 20))
    broken("not-ext4", lambda: poke(1024 + 56, b"\0\0"))
    broken("not-a-rootfs", lambda: subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext4", image], check=True, capture_output=True))
    broken("not-clean", lambda: (subprocess.run(
        ["mke2fs", "-q", "-F", "-t", "ext2", image], check=True, capture_output=True),
        debugfs(image, "ssv state 0")))


@pytest.mark.parametrize("content, word", [(b"", "not an ext4 image"), (tar_bytes(), "not an ext4"),
                                           (b"QFI\xfb" + bytes(5000), "qcow2"),
                                           (b"\x1f\x8b" + bytes(5000), "compressed")])
def test_other_formats_are_rejected(berth, tmp_path, content, word):
    path = tmp_path / "file"
    path.write_bytes(content)
    berth("import", "x", "--in-place", path).failed(1, "import.in-place.not-ext4", word)
    nothing_left(berth)


def test_non_files_are_rejected(berth, tmp_path):
    berth("import", "x", "--in-place", tmp_path / "none").failed(
        1, "import.in-place.missing")
    os.mkfifo(tmp_path / "pipe")
    berth("import", "x", "--in-place", tmp_path / "pipe").failed(
        1, "import.in-place.not-a-file")
    berth("import", "x", "--in-place", tmp_path).failed(1, "import.in-place.io")
    nothing_left(berth)


@pytest.mark.parametrize("words", [["--size=1G"], ["--inodes=5"], ["--location=/"], ["--strip-root"],
                                   ["file"]])
def test_conflicting_options(berth, image, words):
    berth("import", "x", "--in-place", image, *words).failed(2, "usage.value", "--in-place")
    nothing_left(berth)
