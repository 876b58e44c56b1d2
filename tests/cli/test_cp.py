# SPDX-License-Identifier: MIT
"""`berth cp` against the real agent: names, modes, errors, interrupts. The distro's files are this host's."""
import os
import shutil
import signal
import stat

import pytest

from conftest import Terminal, wait_for
from waiting import LIMIT


@pytest.fixture
def place(berth, box, tmp_path):
    """A directory that both sides see."""
    path = tmp_path / "place"
    path.mkdir()
    yield path
    shutil.rmtree(path)


def make_tree(path):
    path.mkdir()
    (path / "file").write_bytes(os.urandom(200_000))
    os.utime(path / "file", ns=(10**18 + 1, 10**18 + 123456789))
    os.chmod(path / "file", 0o640)
    os.link(path / "file", path / "other name")
    os.symlink("file", path / "link")
    (path / "empty").mkdir(0o700)
    with open(path / "holes", "wb") as file:
        file.truncate(8 << 20)
        file.seek(4 << 20)
        file.write(b"island")
    os.setxattr(path / "file", "user.berth", b"value")


def describe(path):
    """All that a copy keeps, by path."""
    found = {}
    for directory, names, files in os.walk(path):
        for name in [*names, *files]:
            entry = os.path.join(directory, name)
            info = os.lstat(entry)
            content = os.readlink(entry) if os.path.islink(entry) else (
                open(entry, "rb").read() if stat.S_ISREG(info.st_mode) else None)
            links = info.st_nlink if not stat.S_ISDIR(info.st_mode) else None
            found[os.path.relpath(entry, path)] = (
                info.st_mode, info.st_mtime_ns, links, content, info.st_blocks * 512 < info.st_size,
                {name: os.getxattr(entry, name) for name in os.listxattr(entry)
                 if name.startswith("user.")} if not os.path.islink(entry) else None)
    return found


@pytest.mark.parametrize("source, target", [("{}", "box:{}"), ("box:{}", "{}")])
def test_tree_both_ways(box, place, source, target):
    make_tree(place / "tree")
    result = box("cp", "-r", source.format(place / "tree"), target.format(place / "copy"))
    assert result.ok() == ""
    assert describe(place / "copy") == describe(place / "tree")
    assert (place / "copy/holes").stat().st_blocks < 1000


def test_between_distros(box, rootfs, place):
    box("import", "other", rootfs).ok()
    make_tree(place / "tree")
    box("cp", "-r", f"box:{place}/tree", f"other:{place}/copy").ok()
    assert describe(place / "copy") == describe(place / "tree")
    box("cp", f"box:{place}/none", f"other:{place}/x").failed(1, "cp.open.missing", "box:")
    box("cp", f"box:{place}/tree/file", f"other:{place}/none/x").failed(1, "cp.target.missing", "other:")


def test_large_file(box, place):
    (place / "large").write_bytes(os.urandom(1 << 20) * 64)
    box("cp", f"{place}/large", f"box:{place}/there").ok()
    box("cp", f"box:{place}/there", f"{place}/back").ok()
    assert (place / "back").read_bytes() == (place / "large").read_bytes()


def test_many_files(box, place):
    (place / "many").mkdir()
    for number in range(3000):
        (place / "many" / str(number)).write_text(str(number))
    box("cp", "-r", f"box:{place}/many", f"{place}/copy").ok()
    assert {p.name: p.read_text() for p in (place / "copy").iterdir()} == {str(n): str(n) for n in range(3000)}


def test_several_sources_and_home(box, place):
    for name in "ab":
        (place / name).write_text(name)
    (place / "into").mkdir()
    box("cp", place / "a", place / "b", f"box:{place}/into").ok()
    assert sorted(os.listdir(place / "into")) == ["a", "b"]
    box("cp", place / "a", place / "b", f"box:{place}/none").failed(1, "cp.target.missing")


def test_usage(box, place):
    for arguments in (["a"], ["a", "b"], ["box:a", "box:b"], ["box:a", "b", "c"], ["a", "box:b", "c"]):
        assert box("cp", *arguments).status == 2, arguments
    box("cp", "nosuch:a", "b").failed(1, "distro.not-found")
    (place / "a:b").write_text("colon")
    box("cp", "./a:b", f"box:{place}/c", cwd=place).ok()
    assert (place / "c").read_text() == "colon"


def test_directory_needs_r(box, place):
    (place / "dir").mkdir()
    box("cp", place / "dir", f"box:{place}/copy").failed(1, "cp.directory", str(place / "dir"))
    assert not (place / "copy").exists()


def test_a_single_problem_is_the_error(box, place):
    box("cp", f"box:{place}/none", place).failed(1, "cp.open.missing", f'"box:{place}/none"')
    (place / "file").write_text("x")
    box("cp", place / "file", f"box:{place}/none/").failed(1, "cp.target.missing")
    os.mkfifo(place / "fifo")
    box("cp", f"box:{place}/fifo", place / "copy").failed(1, "cp.special")


def test_several_problems_are_a_line_each(box, place):
    make_tree(place / "tree")
    for name in "pq":
        (place / name).mkdir()
    result = box("cp", "-r", f"box:{place}/none", f"box:{place}/tree", f"box:{place}/nor", place / "p")
    lines = result.err.splitlines()
    assert result.status == 1 and result.code == "cp.incomplete"
    assert lines[0] == f'berth: cannot open "box:{place}/none": no such file or directory'
    assert lines[1] == f'berth: cannot open "box:{place}/nor": no such file or directory'
    assert lines[2] == "berth: cp: 2 entries could not be copied"
    assert describe(place / "p/tree") == describe(place / "tree")


def test_special_files_are_left_out(box, place):
    (place / "tree").mkdir()
    (place / "tree/file").write_text("file")
    os.mkfifo(place / "tree/fifo")
    result = box("cp", "-r", place / "tree", f"box:{place}/copy")
    assert result.status == 0
    assert result.err == f'berth: "{place}/tree/fifo" is left out: it is a device, a socket or a FIFO\n'
    assert os.listdir(place / "copy") == ["file"]


def test_replaces_a_file_in_one_step(box, place):
    (place / "new").write_text("new")
    (place / "old").write_text("old")
    with open(place / "old", encoding="ascii") as before:
        box("cp", f"box:{place}/new", place / "old").ok()
        assert before.read() == "old"
    assert (place / "old").read_text() == "new"
    assert sorted(os.listdir(place)) == ["new", "old"]


def stopped_halfway(box, source, into):
    """A copy that stands still in the midst of its file of 400 MiB. One that was quicker than this process is repeated."""
    for _ in range(20):
        process = box.start("cp", *source)
        wait_for(lambda: os.listdir(into) or process.poll() is not None)
        process.send_signal(signal.SIGSTOP)
        names = os.listdir(into)
        written = [(into / name).stat().st_blocks * 512 for name in names if name.startswith(".berth-cp")]
        if len(names) == 1 and written and written[0] < 300 << 20:  # the rest is more than what is on its way
            return process
        process.send_signal(signal.SIGCONT)
        box.finish(process).ok()
        (into / "large").unlink()
    raise AssertionError("each copy was done at once")


@pytest.mark.parametrize("source, target", [("{}", "box:{}"), ("box:{}", "{}")])
def test_interrupt_leaves_no_half_file(box, place, source, target):
    (place / "large").write_bytes(bytes(1 << 20) * 400)
    (place / "into").mkdir()
    box("run", "-d", "box", "--", "/bin/true").ok()  # it is up
    process = stopped_halfway(box, (source.format(place / "large"), target.format(place / "into")), place / "into")
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGCONT)
    assert box.finish(process).status == -signal.SIGINT
    wait_for(lambda: os.listdir(place / "into") == [])


def test_progress_is_shown_on_a_terminal(box, place):
    (place / "large").write_bytes(bytes(1 << 20) * 300)
    terminal = Terminal(box, "cp", f"box:{place}/large", place / "copy")
    terminal.expect(b"of 300 MiB")
    assert terminal.process.wait(timeout=LIMIT) == 0
