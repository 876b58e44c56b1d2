"""git with berth-fsmonitor on a share: it reports what it reports without, right after the host's changes."""
import os
import random
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, Mounted

IDENTITY = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}


def git(where, *words, **settings):
    environment = {**os.environ, **IDENTITY, **settings}
    return subprocess.run(["git", *words], cwd=where, env=environment, capture_output=True, text=True, check=True).stdout


def end_monitors(top):
    """End what the program has left behind for @top."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.joinpath("comm").read_text() == "berth-fsmonitor\n" and os.path.samefile(process / "fd/4", top):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


@pytest.fixture
def repository(source, share, tmp_path):
    """A repository of the host's that git in the guest uses with the program. (on the host, in the guest)"""
    program = tmp_path / "berth-fsmonitor"
    program.symlink_to(BUILD / "berth-guest")
    path = source / "work"
    for directory in ("", "a", "a/b", "c"):
        (path / directory).mkdir()
        for number in range(3):
            (path / directory / f"{number}.txt").write_text("text\n")
    (path / ".gitignore").write_text("*.o\n")
    git(path, "init", "-q")
    git(path, "add", ".")
    git(path, "commit", "-q", "-m", "all")
    git(path, "config", "core.fsmonitor", program)
    git(path, "config", "core.untrackedCache", "true")
    yield path, share / "work"
    end_monitors(share / "work")


def status(where):
    """What git status prints, and what it prints with neither the program nor a cache."""
    told = git(where, "status", "--porcelain", "-uall")
    plain = git(where, "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false", "status", "--porcelain", "-uall",
                GIT_OPTIONAL_LOCKS="0")
    return told, plain


def answer(where, token):
    """What the program says."""
    program = git(where, "config", "core.fsmonitor").strip()
    out = subprocess.run([program, "2", token], cwd=where, capture_output=True, text=True, check=True).stdout.split("\0")
    return out[0], set(out[1:-1])


def test_changes_of_the_host_are_seen_at_once(repository):
    path, guest = repository
    assert status(guest) == ("", "")
    token, _ = answer(guest, "none")
    assert answer(guest, token)[1] == set()
    (path / "a/b/1.txt").write_text("more text\n")
    assert answer(guest, token)[1] == {"a/b/1.txt"}
    assert git(guest, "status", "--porcelain") == " M a/b/1.txt\n"
    (path / "c/2.txt").unlink()
    assert git(guest, "status", "--porcelain") == " M a/b/1.txt\n D c/2.txt\n"
    os.rename(path / "0.txt", path / "c/moved.txt")
    (path / "new/deep").mkdir(parents=True)
    (path / "new/deep/file").touch()
    (path / "new/deep/file.o").touch()
    assert git(guest, "status", "--porcelain", "-uall") == " D 0.txt\n M a/b/1.txt\n D c/2.txt\n?? c/moved.txt\n?? new/deep/file\n"
    (path / ".gitignore").write_text("*.o\nfile\n")
    assert git(guest, "status", "--porcelain", "-uall") == " M .gitignore\n D 0.txt\n M a/b/1.txt\n D c/2.txt\n?? c/moved.txt\n"
    os.rename(path / "a", path / "renamed")
    assert status(guest)[0] == status(guest)[1] and " D a/0.txt" in status(guest)[0]


def change(path, chance):
    directories = [Path(found) for found, _, _ in os.walk(path) if ".git" not in Path(found).relative_to(path).parts]
    files = [entry for directory in directories for entry in directory.iterdir() if entry.is_file()]
    target = chance.choice(directories) / chance.choice(["x.txt", "y.o", "z", "0.txt", "1.txt"])
    what = chance.choice("write write create rename unlink mkdir move ignore".split())
    if what == "write" and files:
        chance.choice(files).write_text(chance.choice(["text\n", "other\n", "much more text\n"]))
    elif what == "create" and not target.exists():
        target.write_text("text\n")
    elif what == "rename" and files and not target.is_dir():
        chance.choice(files).rename(target)
    elif what == "unlink" and len(files) > 3:
        chance.choice(files).unlink()
    elif what == "mkdir" and len(directories) < 12 and not target.exists():
        target.mkdir()
        (target / "inner.txt").write_text("text\n")
    elif what == "move" and len(directories) > 1 and not target.exists() and chance.random() < 0.3:
        moved = chance.choice(directories[1:])
        if moved not in target.parents:
            moved.rename(target)
    elif what == "ignore":
        (path / ".gitignore").write_text(chance.choice(["*.o\n", "*.o\nz\n", "x.txt\n"]))


def test_random_changes_of_both_sides(repository):
    """Tried with 200 rounds: the host and the guest change files, and git's two answers are the same."""
    path, guest = repository
    chance = random.Random(12)
    for number in range(50):
        for _ in range(chance.randrange(1, 6)):
            change(path if chance.random() < 0.7 else guest, chance)
        told, plain = status(guest)
        assert told == plain, number
        if number % 20 == 19:
            git(guest, "add", "-A")
            git(guest, "commit", "-q", "--allow-empty", "-m", "more")


def test_the_next_server(repository, mounted, source):
    """What the host changes while there is none is seen."""
    path, guest = repository
    assert status(guest) == ("", "")
    mounted.server.process.kill()
    mounted.server.process.wait()
    (path / "a/1.txt").write_text("more text\n")
    mounted.replace(("rw", source, "/home/ann"))
    assert git(guest, "status", "--porcelain") == " M a/1.txt\n"
    (path / "a/2.txt").unlink()
    assert git(guest, "status", "--porcelain") == " M a/1.txt\n D a/2.txt\n"


def test_a_share_with_changes_kept_beside_it(tmp_path, source):
    """Both sides' changes, also in a directory that both have made."""
    beside = tmp_path / "beside"
    beside.mkdir()
    made = Mounted(tmp_path / "other", [(f"cow={beside}", source, "/home/ann")], uid=os.getuid(), gid=os.getgid())
    try:
        share = made.directory / "home/ann"
        (tmp_path / "berth-fsmonitor").symlink_to(BUILD / "berth-guest")
        (source / "sub").mkdir()
        (source / "sub/file").touch()
        git(share, "init", "-q")
        git(share, "add", ".")
        git(share, "commit", "-q", "-m", "all")
        git(share, "config", "core.fsmonitor", tmp_path / "berth-fsmonitor")
        assert status(share) == ("", "")
        (source / "sub/file").write_text("host")
        assert status(share)[0] == " M sub/file\n"
        (share / "both").mkdir()
        assert status(share)[0] == " M sub/file\n"
        (source / "both").mkdir()
        (source / "both/host").touch()
        told, plain = status(share)
        assert told == plain
        (share / "both/guest").touch()
        (source / "both/later").touch()
        told, plain = status(share)
        assert told == plain and "?? both/guest" in told
    finally:
        end_monitors(share)
        made.end()
