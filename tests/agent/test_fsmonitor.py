# SPDX-License-Identifier: MIT
"""berth-fsmonitor against a real directory: its answers have at least what was changed, and git agrees."""
import os
import random
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import GUEST, assert_ends
from waiting import stop_process

EVERYTHING = {"/"}


class Monitor:
    """berth-fsmonitor for the directory @top."""

    def __init__(self, program, top):
        self.program, self.top, self.token = program, top, "none"

    def ask(self, token=None):
        """The paths that were changed since @token, or since the last answer."""
        done = subprocess.run([self.program, "2", self.token if token is None else token], cwd=self.top,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120, check=True)
        assert done.stderr == b"" and done.stdout.endswith(b"\0")
        self.token, *paths = [os.fsdecode(part) for part in done.stdout.split(b"\0")[:-1]]
        return set(paths)

    def pids(self):
        """Of what it left behind: their open directory tells them from all others."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if process.joinpath("comm").read_text() == "berth-fsmonitor\n" and \
                        os.path.samefile(process / "fd/4", self.top):
                    found.append(int(process.name))
            except OSError:
                continue
        return found

    def end(self):
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
            assert_ends(pid)


@pytest.fixture
def program(tmp_path):
    path = tmp_path / "bin/berth-fsmonitor"
    path.parent.mkdir()
    path.symlink_to(GUEST)
    return path


@pytest.fixture
def monitor(program, tmp_path):
    top = tmp_path / "work"
    top.mkdir()
    made = Monitor(program, top)
    yield made
    made.end()


def test_answers_are_exact(monitor):
    top = monitor.top
    (top / ".git").mkdir()
    (top / "a/b").mkdir(parents=True)
    (top / "a/b/old").write_text("text")
    assert monitor.ask() == EVERYTHING
    first = monitor.token
    assert monitor.ask() == set()
    (top / "a/b/old").write_text("other")
    (top / "ä new\n").touch()
    (top / ".git/index").touch()
    assert monitor.ask() == {"a/b/old", "ä new\n"}
    assert monitor.ask() == set()
    os.chmod(top / "a/b/old", 0o600)
    assert monitor.ask() == {"a/b/old"}
    os.rename(top / "a/b/old", top / "new")
    (top / "a/b").rmdir()
    assert monitor.ask() == {"a/b/old", "new", "a/b"}
    (top / "c/d/e").mkdir(parents=True)
    (top / "c/d/e/file").touch()
    assert monitor.ask() >= {"c", "c/d", "c/d/e", "c/d/e/file"}
    (top / "c/d/e/file").write_text("text")
    assert monitor.ask() == {"c/d/e/file"}
    assert monitor.ask(first) >= {"a/b/old", "ä new\n", "new", "a/b", "c/d/e/file"}
    assert len(monitor.pids()) == 1


def test_what_cannot_be_exact_is_everything(monitor):
    top = monitor.top
    (top / "a/b").mkdir(parents=True)
    monitor.ask()
    known = monitor.token
    for token in ("", "none", "builtin:1:2", known + "0000", known + " ", known.replace(":", ": "), "x" * 64, "x" * 500):
        assert monitor.ask(token) == EVERYTHING, token
    monitor.token = known
    os.rename(top / "a", top / "moved")
    assert monitor.ask() == EVERYTHING
    (top / "moved/b/file").touch()
    assert monitor.ask() == {"moved/b/file"}
    os.kill(monitor.pids()[0], signal.SIGKILL)
    (top / "moved/b/file").unlink()
    assert monitor.ask() == EVERYTHING


def test_a_nested_repository_is_always_reported(monitor):
    """git looks into it by its own means."""
    (monitor.top / "sub/.git").mkdir(parents=True)
    monitor.ask()
    assert monitor.ask() == {"sub"}
    (monitor.top / "other").mkdir()
    assert monitor.ask() == {"sub", "other"}
    (monitor.top / "other/.git").touch()
    assert monitor.ask() == {"sub", "other"} == monitor.ask()


def test_more_changes_than_inotify_keeps(monitor):
    """The monitor stands still meanwhile."""
    monitor.ask()
    stop_process(monitor.pids()[0])
    most = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(most // 2 + 100):
        (monitor.top / "one").touch()
        (monitor.top / "one").unlink()
    os.kill(monitor.pids()[0], signal.SIGCONT)
    assert monitor.ask() == EVERYTHING
    assert monitor.ask() == set()


def test_many_first_questions_at_once(monitor):
    asking = [subprocess.Popen([monitor.program, "2", "none"], cwd=monitor.top, stdout=subprocess.PIPE) for _ in range(20)]
    answers = {process.communicate(timeout=120)[0] for process in asking}
    assert len(monitor.pids()) == 1
    assert {answer.split(b"\0")[1] for answer in answers} == {b"/"}


@pytest.mark.as_root
def test_another_user_at_its_address_is_not_believed(monitor):
    """Whoever has the address first cannot lie to others: they look at everything."""
    info = os.stat(monitor.top)
    liar = socket.socket(socket.AF_UNIX)
    os.seteuid(65534)
    try:
        liar.bind(f"\0berth-fsmonitor/1/0/{info.st_dev:x}/{info.st_ino:x}")
        liar.listen()
    finally:
        os.seteuid(0)
    assert monitor.ask() == EVERYTHING and monitor.token == "berth:none"
    liar.close()


def test_other_file_systems(program, tmp_path):
    """/proc has no events."""
    other = Monitor(program, Path("/proc"))
    assert other.ask() == EVERYTHING and other.token == "berth:none"
    assert other.pids() == []


@pytest.mark.parametrize("words", [[], ["1", "token"], ["2"], ["2", "a", "b"], ["--bad"]])
def test_other_words(program, words):
    done = subprocess.run([program, *words], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.startswith("usage: berth-fsmonitor 2 TOKEN")


# ---- random changes ----

def shapes(top):
    """What git compares, for all that is in @top: {path: shape}"""
    found = {}
    for directory, names, files in os.walk(top):
        for name in names + files:
            path = os.path.join(directory, name)
            info = os.lstat(path)
            found[os.path.relpath(path, top)] = (info.st_mode, info.st_ino) + (
                () if name in names else (info.st_size, info.st_mtime_ns, info.st_ctime_ns))
    return found


def change(top, chance):
    """One change anywhere in @top."""
    directories = [Path(directory) for directory, _, _ in os.walk(top)]
    files = [Path(directory) / name for directory, _, names in os.walk(top) for name in names]
    what = chance.choice("create create write write mkdir deep rename rename mode unlink tree move".split())
    target = chance.choice(directories) / f"{chance.choice('abcdef')}"
    if what == "create" and not target.exists():
        target.write_text("text")
    elif what == "mkdir" and not target.exists():
        target.mkdir()
    elif what == "deep" and not target.exists():
        (target / "x/y").mkdir(parents=True)
        (target / "x/y/z").write_text("text")
    elif what == "tree" and len(directories) > 1:
        remove_tree(chance.choice(directories[1:]))
    elif what == "move" and len(directories) > 1 and not target.exists():
        source = chance.choice(directories[1:])
        if source not in target.parents:
            source.rename(target)
    elif files:
        file = chance.choice(files)
        if what == "write":
            file.write_text(file.read_text() + "more")
        elif what == "mode":
            file.chmod(file.stat().st_mode ^ 0o111)
        elif what == "unlink":
            file.unlink()
        elif what == "rename" and not target.is_dir():
            file.rename(target)


def remove_tree(directory):
    for path, _, files in os.walk(directory, topdown=False):
        for name in files:
            os.unlink(os.path.join(path, name))
        os.rmdir(path)


def covers(answer, path):
    return "/" in answer or path in answer or any(part.endswith("/") and path.startswith(part) for part in answer)


@pytest.mark.parametrize("part", range(4))
def test_random_changes_are_all_reported(monitor, part):
    """1000 seeds in four parts: some changes, a question; not all answers may be everything."""
    exact = 0
    monitor.ask()
    for seed in range(part * 250, (part + 1) * 250):
        chance = random.Random(seed)
        before = shapes(monitor.top)
        for _ in range(chance.randrange(1, 8)):
            change(monitor.top, chance)
        after = shapes(monitor.top)
        answer = monitor.ask()
        missing = {path for path in before.keys() | after.keys()
                   if before.get(path) != after.get(path) and not covers(answer, path)}
        assert not missing, f"seed {seed}: {missing} of {answer}"
        exact += "/" not in answer
    assert exact > 50
