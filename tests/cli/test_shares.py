"""Directories of the host that distros see: stored, listed, and handed over at a start."""
import json
import os
import shutil

import pytest


@pytest.fixture
def box(berth, rootfs):
    berth("import", "box", rootfs).ok()
    return berth


@pytest.fixture
def source(tmp_path_factory):
    """A directory outside of the user's home."""
    return tmp_path_factory.mktemp("src").resolve()


def listed(berth, *name):
    return json.loads(berth("share", "list", "--json", *name).ok())["distros"]


def shares(berth, name="box"):
    (distro,) = listed(berth, name)
    return [(s["directory"], s["target"], s["read_only"]) for s in distro["shares"]]


def machine_shares(berth, name="box"):
    """The shares the running distro was started with, but that of the home."""
    text = (berth.runtime / berth.info(name)["id"] / "machine.conf").read_text()
    (line,) = [line for line in text.splitlines() if line.startswith("shares=")]
    return [s for s in line.removeprefix("shares=").split(";") if s][1:]


def test_no_share_is_there_by_default(box):
    assert listed(box) == [{"distro": "box", "shares": []}]
    assert box("share", "ls").ok().split() == ["DISTRO", "DIRECTORY", "TARGET", "ACCESS"]


def test_add_and_remove(box, source):
    assert box("share", "add", "box", str(source)).ok() == ""
    box("share", "add", "--read-only", "box", str(source), "/work").ok()
    assert shares(box) == sorted([(str(source), str(source), False), (str(source), "/work", True)],
                                 key=lambda share: share[1])
    lines = [line.split() for line in box("share", "ls", "box").ok().splitlines()]
    assert ["box", str(source), "/work", "read-only"] in lines
    assert ["box", str(source), str(source), "read-write"] in lines
    box("share", "rm", "box", "/work").ok()
    assert shares(box) == [(str(source), str(source), False)]
    box("share", "rm", "box", str(source)).ok()
    assert shares(box) == []


def test_a_share_is_removed_by_its_directory(box, source):
    box("share", "add", "box", str(source), "/one").ok()
    box("share", "add", "box", str(source), "/two").ok()
    box("share", "rm", "box", str(source)).failed(1, "share.ambiguous", "/one and as /two")
    box("share", "rm", "box", "/one").ok()
    box("share", "rm", "box", ".", cwd=source).ok()
    assert shares(box) == []


def test_a_link_is_followed_when_the_share_is_added(box, source, tmp_path):
    other = source / "other"
    other.mkdir()
    os.symlink(other, tmp_path / "link")
    box("share", "add", "box", "link", "/work", cwd=tmp_path).ok()
    os.unlink(tmp_path / "link")
    os.symlink("/usr", tmp_path / "link")
    assert shares(box) == [(str(other), "/work", False)]


@pytest.mark.parametrize("arguments, status, code", [
    ([], 2, "usage.arguments"),
    (["add", "box"], 2, "usage.arguments"),
    (["add", "box", "/usr", "/a", "/b"], 2, "usage.arguments"),
    (["add", "box", "/usr", "--json"], 2, "usage.arguments"),
    (["rm", "box"], 2, "usage.arguments"),
    (["list", "box", "x"], 2, "usage.arguments"),
    (["list", "--read-only"], 2, "usage.arguments"),
    (["mount", "box", "/usr"], 2, "usage.value"),
    (["add", "box", "/nowhere"], 1, "share.directory"),
    (["add", "box", ""], 1, "share.directory"),
    (["add", "box", "/etc/passwd"], 1, "share.directory"),
    (["add", "box", "/"], 1, "share.directory"),
    (["add", "box", "/proc"], 1, "share.directory"),
    (["add", "box", "/proc/self"], 1, "share.directory"),
    (["add", "box", "/sys/kernel"], 1, "share.directory"),
    (["add", "box", "/dev"], 1, "share.directory"),
    (["add", "box", "/usr", "work"], 1, "share.target"),
    (["add", "box", "/usr", ""], 1, "share.target"),
    (["add", "box", "/usr", "/"], 1, "share.target"),
    (["add", "box", "/usr", "/a/../b"], 1, "share.target"),
    (["add", "box", "/usr", "/a/"], 1, "share.target"),
    (["rm", "box", "/usr"], 1, "share.not-found"),
    (["add", "nobody", "/usr"], 1, "distro.not-found"),
    (["rm", "nobody", "/usr"], 1, "distro.not-found"),
    (["list", "nobody"], 1, "distro.not-found"),
])
def test_invalid_arguments(box, arguments, status, code):
    box("share", *arguments).failed(status, code)
    assert shares(box) == []


def test_berths_own_directories_are_refused(box, source):
    os.symlink(box.data, source / "link")
    for directory in box.data, box.data / "distros", source / "link":
        box("share", "add", "box", str(directory), "/x").failed(1, "share.directory", "belongs to berth")
    assert shares(box) == []


def test_targets_that_overlap_are_refused(box, source, tmp_path):
    box("share", "add", "box", str(source), "/work/src").ok()
    box("share", "add", "box", "/usr", "/work/src").failed(1, "share.exists", str(source))
    box("share", "add", "box", "/usr", "/work").failed(1, "share.nested", "/work/src")
    box("share", "add", "box", "/usr", "/work/src/deep").failed(1, "share.nested", "/work/src")
    box("share", "add", "box", "/usr", box.environment["HOME"] + "/x").failed(1, "share.home", "share-home")
    assert shares(box) == [(str(source), "/work/src", False)]


def test_rename_keeps_and_a_clone_drops_them(box, source):
    box("share", "add", "box", str(source), "/work").ok()
    box("clone", "box", "copy").ok()
    box("rename", "box", "crate").ok()
    assert shares(box, "copy") == []
    assert shares(box, "crate") == [(str(source), "/work", False)]
    box("unregister", "crate").ok()
    assert [distro["distro"] for distro in listed(box)] == ["copy"]


def test_a_start_hands_them_over(box, source):
    box("share", "add", "box", str(source), "/work", "-r").ok()
    box("start", "box").ok()
    assert machine_shares(box) == [f"ro:{source}:/work"]
    added = box("share", "add", "box", "/usr", "/usr")
    assert added.status == 0
    assert "takes effect at its next start" in added.err
    assert machine_shares(box) == [f"ro:{source}:/work"]


def test_a_vanished_directory_hinders_nothing(box, source):
    for name in "gone", "kept", "link":
        (source / name).mkdir()
        box("share", "add", "box", str(source / name), f"/{name}").ok()
    shutil.rmtree(source / "gone")
    (source / "link").rmdir()
    os.symlink("/usr", source / "link")
    started = box("start", "box")
    assert started.status == 0
    assert f"{source}/gone is not shared with box: No such file" in started.err
    assert f"{source}/link is not shared with box: a symbolic link" in started.err
    assert machine_shares(box) == [f"rw:{source}/kept:/kept"]
