"""Shares with --cow: how they are added, and what a distro changed there is listed, accepted and discarded. The
changes are written as lib/overlay stores them; tests/share makes them through a mount."""
import fcntl
import hashlib
import json
import os
import stat

import json_schema
import pytest


@pytest.fixture
def box(berth, rootfs):
    berth("import", "box", rootfs).ok()
    return berth


@pytest.fixture
def source(tmp_path_factory):
    """A directory outside of the user's home, which is shared."""
    path = tmp_path_factory.mktemp("src").resolve()
    (path / "edited").write_text("before")
    (path / "gone").write_text("gone")
    return path


class Overlay:
    def __init__(self, box, source, target):
        name = hashlib.sha256(f"{source}\n{target}".encode()).hexdigest()
        self.path = box.data / "distros" / box.info("box")["id"] / "overlays" / name
        self.source = source

    def record(self, kind, name):
        try:
            info = os.lstat(self.source / name)
            base = f"{info.st_mode:o} {info.st_size} {info.st_mtime_ns // 10**9}.{info.st_mtime_ns % 10**9:09} {info.st_ino}"
        except FileNotFoundError:
            base = "0 0 0.000000000 0"
        directory = self.path / "records" / hashlib.sha256(b"").hexdigest()
        directory.mkdir(exist_ok=True)
        (directory / name).symlink_to(f"{kind} {base}")

    def write(self, name, text):
        self.record("c", name)
        (self.path / "upper" / name).write_text(text)


@pytest.fixture
def overlay(box, source):
    """Of a share in which three files were changed."""
    box("share", "add", "box", str(source), "--cow").ok()
    assert listed(box) == []
    made = Overlay(box, source, source)
    made.write("edited", "after")
    made.write("new", "new")
    made.record("h", "gone")
    return made


def listed(box, *path):
    answer = json.loads(box("changes", "box", *map(str, path), "--json").ok())
    json_schema.check(answer, json_schema.read("changes"))
    changes = answer["changes"]
    return [(one["change"], os.path.basename(one["path"]), one["conflict"]) for one in changes]


def names(source):
    return {file.name: file.read_text() for file in source.iterdir()}


def test_a_share_is_listed_as_copy_on_write(box, source):
    box("share", "add", "box", f"{source}:/work", "--cow").ok()
    ((share,),) = [distro["shares"] for distro in json.loads(box("share", "ls", "--json", "box").ok())["distros"]]
    assert share == {"directory": str(source), "target": "/work", "read_only": False, "copy_on_write": True}
    assert box("share", "ls", "box").ok().splitlines()[1].split() == ["box", str(source), "/work", "copy-on-write", "-"]


@pytest.mark.parametrize("words", [["--cow", "--read-only"], ["--cow"]])
def test_cow_is_for_writable_additions(box, source, words):
    action = ["add", "box", str(source)] if len(words) == 2 else ["rm", "box", str(source)]
    assert box("share", *action, *words).failed(2, "usage.option")


def test_changes_are_listed(box, source, overlay):
    assert listed(box) == [("modified", "edited", False), ("deleted", "gone", False), ("added", "new", False)]
    assert listed(box, source / "new") == [("added", "new", False)]
    assert listed(box, source / "nothing") == []
    lines = [line.split() for line in box("changes", "box").ok().splitlines()]
    assert lines == [["CHANGE", "FILE"], ["modified", str(source / "edited")],
                     ["deleted", str(source / "gone")], ["added", str(source / "new")]]


def test_accept_makes_them_here(box, source, overlay):
    assert box("accept", "box").ok() == ""
    assert names(source) == {"edited": "after", "new": "new"}
    assert listed(box) == []


def test_discard_drops_them(box, source, overlay):
    assert box("discard", "box").ok() == ""
    assert names(source) == {"edited": "before", "gone": "gone"}
    assert listed(box) == [] and not any((overlay.path / "upper").iterdir())


def test_a_path_limits_what_is_done(box, source, overlay):
    box("accept", "box", str(source / "new")).ok()
    box("discard", "box", str(source / "gone")).ok()
    assert names(source) == {"edited": "before", "gone": "gone", "new": "new"}
    assert listed(box) == [("modified", "edited", False)]


def test_a_conflict_needs_force(box, source, overlay):
    (source / "edited").write_text("by the host")
    assert ("modified", "edited", True) in listed(box)
    assert box("accept", "box").failed(1, "changes.conflict")
    assert names(source) == {"edited": "by the host", "gone": "gone"}
    box("accept", "box", "--force").ok()
    assert names(source) == {"edited": "after", "new": "new"}


def test_not_while_another_uses_it(box, source, overlay):
    """tests/share/test_review.py has a berth-share that lets go of it."""
    fd = os.open(overlay.path, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    for verb in "accept", "discard":
        assert box(verb, "box").failed(1, "changes.busy").hint == "try again, or stop it: berth terminate box"
    os.close(fd)
    assert len(listed(box)) == 3


@pytest.mark.parametrize("last_is", ["in conflict", "in use"])
def test_all_shares_are_checked_before_the_first_is_changed(box, source, overlay, tmp_path_factory, last_is):
    last = tmp_path_factory.mktemp("last").resolve()
    (last / "edited").write_text("before")
    box("share", "add", "box", f"{last}:/zz", "--cow").ok()  # they are sorted by target
    listed(box)
    other = Overlay(box, last, "/zz")
    other.write("edited", "after")
    fd = os.open(other.path, os.O_RDONLY)
    if last_is == "in use":
        fcntl.flock(fd, fcntl.LOCK_EX)
    else:
        (last / "edited").write_text("by the host")
    for verb in ["accept", "discard"] if last_is == "in use" else ["accept"]:
        assert box(verb, "box").failed(1, "changes.busy" if last_is == "in use" else "changes.conflict")
        assert names(source) == {"edited": "before", "gone": "gone"} and len(listed(box)) == 4
    os.close(fd)
    box("accept", "box", "--force").ok()
    assert names(source) == {"edited": "after", "new": "new"} and names(last) == {"edited": "after"}


def test_a_share_that_is_added_again_has_its_changes(box, source, overlay):
    box("share", "rm", "box", str(source)).ok()
    assert box("changes", "box").failed(1, "changes.none")
    box("share", "add", "box", str(source), "--cow").ok()
    assert len(listed(box)) == 3


@pytest.mark.parametrize("option", ["--no-cow", "--rw", "--ro"])
def test_changes_must_be_settled_before_they_are_not_kept_any_more(box, source, overlay, option):
    failed = box("share", "set", "box", str(source), option)
    assert failed.failed(1, "share.changes", f"{source} has 3 changes of box that are neither accepted nor discarded")
    assert "see them: berth changes box; then berth accept box or berth discard box" in failed.err
    box("share", "set", "box", str(source), "--quota", "1G").ok()
    box("accept", "box", str(source / "new")).ok()
    box("discard", "box", str(source / "gone")).ok()
    box("share", "set", "box", str(source), option, "--quota", "none").failed(1, "share.changes", "1 change of box that is neither")
    box("accept", "box").ok()
    box("share", "set", "box", str(source), option, "--quota", "none").ok()
    assert box("changes", "box").failed(1, "changes.none")
    assert names(source) == {"edited": "after", "gone": "gone", "new": "new"}


def test_a_path_outside(box, source, overlay, tmp_path):
    assert box("changes", "box", str(tmp_path)).failed(1, "changes.path")


def test_a_shared_directory_that_is_gone_says_what_to_do(box, source, overlay):
    source.rename(source.with_name("moved"))
    for verb in ("changes", "accept", "discard"):
        assert "berth share rm NAME PATH" in box(verb, "box").failed(1, "changes.open.missing", str(source)).hint


def test_changes_are_private_and_go_with_the_distro(box, source, overlay):
    assert stat.S_IMODE(overlay.path.stat().st_mode) == 0o700
    box("unregister", "box").ok()
    assert not overlay.path.exists() and names(source) == {"edited": "before", "gone": "gone"}
