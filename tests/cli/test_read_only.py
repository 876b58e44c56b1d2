"""Unwritable, unreadable and missing directories: reading works, and a machine can be stopped."""
import ctypes
import os
import select
import stat
import tempfile
from pathlib import Path

import pytest

from waiting import LIMIT

PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


def as_plain_user():
    """Before exec: make file modes apply to root's programs, too."""
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


@pytest.fixture
def plain(box):
    """Box, with commands to which file modes apply."""
    box.modes = {}

    def protect(path, mode):
        box.modes.setdefault(path, stat.S_IMODE(path.stat().st_mode))
        path.chmod(mode)

    def run(*arguments, **options):
        return box(*arguments, preexec_fn=as_plain_user, **options)

    box.protect, box.plain = protect, run
    yield box
    for path, mode in box.modes.items():
        path.chmod(mode)


def make_read_only(box):
    for path in [box.data, *box.data.rglob("*")]:
        if not path.is_symlink():
            box.protect(path, 0o500 if path.is_dir() else 0o400)


READING = [["list"], ["list", "--json"], ["status"], ["ports"], ["host", "list"], ["forward", "list"],
           ["config"], ["logs", "box"], ["snapshots"], ["export", "box", "-"]]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_reading_works_read_only(plain, words):
    plain("start").ok()
    plain("terminate", "box").ok()
    make_read_only(plain)
    plain.plain(*words).ok()


def test_running_distro_can_be_used_and_stopped(plain):
    plain("start").ok()
    make_read_only(plain)
    assert plain.plain("run", "echo", "said").ok() == "said\n"
    assert "running" in plain.plain("list").ok()
    plain.plain("terminate", "box").ok()
    assert "running" not in plain.plain("list").ok()


WRITING = [["clone", "box", "twin"], ["rename", "box", "other"], ["unregister", "box"],
           ["import", "second", "{rootfs}"], ["host", "allow", "box", "80"], ["forward", "add", "box", "8080:80"]]


@pytest.mark.parametrize("words", WRITING, ids=lambda words: words[0])
def test_writing_fails_with_reason(plain, rootfs, words):
    make_read_only(plain)
    result = plain.plain(*[word.format(rootfs=rootfs) for word in words])
    assert result.status == 1 and result.code.endswith((".denied", ".read-only")), result
    assert plain.plain("list", "-q").ok() == "box\n"


@pytest.mark.parametrize("verb", [["terminate", "box"], ["shutdown"], ["terminate", "--force", "BOX"]], ids=" ".join)
@pytest.mark.parametrize("fault", ["garbage", "unreadable", "settings"])
def test_machine_can_always_be_stopped(plain, verb, fault):
    plain("start").ok()
    keeper = os.pidfd_open(plain.info("box")["keeper_pid"])
    if fault == "garbage":
        (plain.data / "registry.db").write_bytes(b"garbage" * 1000)
        for name in ("registry.db-wal", "registry.db-shm"):
            (plain.data / name).unlink(missing_ok=True)
    elif fault == "unreadable":
        plain.protect(plain.data, 0)
    else:
        plain.configure("[berth]\nstop-timeout = soon\n")
    plain.plain(*verb).ok()
    assert select.select([keeper], [], [], LIMIT)[0]
    os.close(keeper)


def test_unknown_name_is_reported(plain):
    plain("terminate", "none").failed(1, "distro.not-found", "none")


EMPTY = [["list"], ["list", "--json"], ["status"], ["ports"], ["host", "list"], ["forward", "list"], ["config"],
         ["cache", "ls"], ["shutdown"]]


@pytest.mark.parametrize("words", EMPTY, ids=" ".join)
def test_unwritable_home_lists_no_distros(berth, words):
    berth.path.joinpath(".local").mkdir(exist_ok=True)
    for path in (berth.path / ".local", berth.path):
        path.chmod(0o500)
    try:
        assert berth(*words, preexec_fn=as_plain_user).status == 0
        result = berth("run", "true", preexec_fn=as_plain_user)
        assert (result.status, result.code) == (125, "distro.none")
    finally:
        for path in (berth.path, berth.path / ".local"):
            path.chmod(0o700)


@pytest.fixture
def elsewhere(plain):
    """A runtime directory that cannot be created. Its path is short, since a path too long for sockets is not used."""
    directory = Path(tempfile.mkdtemp(prefix="berth-cli-", dir="/tmp"))
    plain.protect(directory, 0o500)
    yield str(directory)
    del plain.modes[directory]
    directory.rmdir()


@pytest.mark.parametrize("verb", [["terminate", "box"], ["shutdown"], ["list"], ["status"], ["ports"],
                                  ["run", "echo", "said"]], ids=" ".join)
def test_missing_runtime_directory_hides_no_machine(plain, elsewhere, verb):
    plain("start").ok()
    keeper = os.pidfd_open(plain.info("box")["keeper_pid"])
    result = plain.plain(*verb, env={"XDG_RUNTIME_DIR": elsewhere})
    result.ok()
    if verb[0] in ("terminate", "shutdown"):
        assert select.select([keeper], [], [], LIMIT)[0]
    os.close(keeper)


def test_start_reports_a_missing_runtime_directory(plain, elsewhere):
    result = plain.plain("run", "true", env={"XDG_RUNTIME_DIR": elsewhere})
    assert result.status == 125 and result.code == "layout.denied", result
    plain.plain("list", env={"XDG_RUNTIME_DIR": elsewhere}).ok()
