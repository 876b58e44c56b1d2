"""A server that takes another's place, with other shares: what the guest's kernel had of the former."""
import errno
import os

import pytest

from conftest import Mounted, wait_until


def fails_with(call, *errors):
    try:
        call()
    except OSError as error:
        return error.errno in errors
    return False


@pytest.fixture
def shared(tmp_path):
    """Directories a to c with a file each."""
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    return lambda name, target=None, mode="rw": (mode, tmp_path / name, target or f"/{name}")


@pytest.fixture
def mount(tmp_path):
    made = []
    def start(*roots):
        made.append(Mounted(tmp_path / "mnt", roots, uid=os.getuid(), gid=os.getgid()))
        return made[0]
    yield start
    made[0].end()


def test_a_removed_share_is_gone(mount, shared):
    mounted = mount(shared("a"), shared("b", "/deep/b"))
    top = mounted.directory
    (top / "a/file").stat(), (top / "deep/b/file").stat()
    assert sorted(os.listdir(top)) == ["a", "deep"]
    mounted.replace(shared("a"), ("was", "-", "/deep/b"))
    wait_until(lambda: not (top / "deep").exists(), "the end of the share")
    assert not (top / "deep/b/file").exists()
    wait_until(lambda: os.listdir(top) == ["a"], "the list without it")
    assert (top / "a/file").read_text() == "a"


def test_an_added_share_is_there(mount, shared):
    """Although the guest has seen that it was not."""
    mounted = mount(shared("a", "/deep/a"))
    top = mounted.directory
    assert not (top / "b").exists() and not (top / "deep/c").exists()
    assert os.listdir(top) == ["deep"] and os.listdir(top / "deep") == ["a"]
    mounted.replace(shared("a", "/deep/a"), shared("b"), shared("c", "/deep/c"))
    wait_until(lambda: (top / "b/file").exists() and (top / "deep/c/file").exists(), "the shares")
    wait_until(lambda: sorted(os.listdir(top)) == ["b", "deep"], "the list with it")
    wait_until(lambda: sorted(os.listdir(top / "deep")) == ["a", "c"], "the list with it")
    assert (top / "b/file").read_text() + (top / "deep/c/file").read_text() == "bc"


def test_another_directory_at_the_same_path(mount, shared):
    mounted = mount(shared("a", "/work"))
    file = mounted.directory / "work/file"
    assert file.read_text() == "a"
    mounted.replace(shared("b", "/work", "ro"))
    wait_until(lambda: file.read_text() == "b", "the other file")
    assert fails_with(lambda: file.write_text("x"), errno.EROFS)


def test_numbers_of_the_former_server_lead_nowhere(mount, shared, tmp_path):
    """An open file, and a directory in which a process is; the new server has as many of its own."""
    mounted = mount(shared("a"), shared("b"))
    top = mounted.directory
    old = os.open(top / "a/file", os.O_RDWR)
    directory = os.open(top / "a", os.O_PATH)
    mounted.replace(shared("c"), ("was", "-", "/a"), ("was", "-", "/b"))
    wait_until(lambda: (top / "c/file").exists(), "the new share")
    with open(top / "c/file", "r+b", buffering=0) as new:
        assert fails_with(lambda: (os.write(old, b"x"), os.fsync(old)), errno.EBADF, errno.ESTALE)
        assert fails_with(lambda: os.open("file", os.O_RDONLY, dir_fd=directory), errno.ESTALE, errno.ENOENT)
        assert new.read() == b"c"
    os.close(directory)
    os.close(old)
    assert [(tmp_path / name / "file").read_text() for name in "abc"] == ["a", "b", "c"]


def test_a_server_without_shares_serves_an_empty_directory(mount, shared):
    mounted = mount(shared("a"))
    assert os.listdir(mounted.directory) == ["a"]
    mounted.replace(("was", "-", "/a"))
    wait_until(lambda: os.listdir(mounted.directory) == [], "the empty list")
    assert not (mounted.directory / "a").exists()


@pytest.mark.parametrize("problem", ["missing", "link", "file", "nested"])
def test_a_root_that_cannot_be_opened_ends_no_other(mount, shared, tmp_path, problem):
    os.symlink("a", tmp_path / "link")
    (tmp_path / "plain").touch()
    bad = {"missing": ("rw", tmp_path / "missing", "/bad"), "link": ("rw", tmp_path / "link", "/bad"),
           "file": ("ro", tmp_path / "plain", "/bad"), "nested": ("rw", tmp_path / "c", "/b/bad")}[problem]
    mounted = mount(shared("b"), bad, shared("a"))
    assert sorted(os.listdir(mounted.directory)) == ["a", "b"]
    assert (mounted.directory / "a/file").read_text() == "a"
    assert fails_with(lambda: os.stat(mounted.directory / bad[2][1:]), errno.ENOENT)
    (line,) = mounted.server.wait_for_report("begun")
    assert line.startswith(f"skipped {bad[1]}: ")


@pytest.mark.parametrize("target", ["/new", "/a/deep", "/deep/new"])
def test_what_was_looked_for_before_is_found_once_the_guest_is_ready(mount, shared, target):
    """The guest may have cached that there is no such directory."""
    mounted = mount(shared("a", "/other"), shared("c", "/deep/c"))
    path = mounted.directory / target[1:]
    for _ in range(2):
        assert not path.exists()
        mounted.replace(shared("b", target), shared("c", "/deep/c"), ("was", "-", "/other"))
        assert mounted.server.wait_for_report("ready") == ["begun"]
        assert (path / "file").read_text() == "b" and not (mounted.directory / "other").exists()
        mounted.replace(shared("a", "/other"), shared("c", "/deep/c"), ("was", "-", target))
        mounted.server.wait_for_report("ready")
        assert not path.exists() and (mounted.directory / "other/file").read_text() == "a"
