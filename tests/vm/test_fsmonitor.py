"""git status in a distro with berth-fsmonitor: what the host has changed in a share is reported at once."""
import os
import random
import select
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from host import eventually

PROGRAM = "/run/berth/bin/berth-fsmonitor"


@pytest.fixture(scope="module")
def sh(host, debian):
    """Run a script in a distro, with this host's git and its libraries in PATH: the distro has none of its own."""
    home = (host.root / "home").resolve() / "git-program"
    (home / "lib").mkdir(parents=True)
    program = Path(shutil.which("git")).resolve()
    shutil.copy(program, home / "lib/git")
    for line in subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout.splitlines():
        for word in line.split():
            if word.startswith("/"):
                shutil.copy(word, home / "lib")
    guest = f"/mnt/host{home}"
    loader = next((home / "lib").glob("ld-*")).name
    (home / "git").write_text(f"#!/bin/sh\nexec {guest}/lib/{loader} --library-path {guest}/lib {guest}/lib/git \"$@\"\n")
    (home / "git").chmod(0o755)

    def run(script):
        return host.shell(debian, f"set -e; PATH={guest}:$PATH\n{script}").stdout
    run(f"""git config --global safe.directory '*'
        git config --global user.name x
        git config --global user.email x@y
        git config --global gc.auto 0
        git config --global core.fsmonitor {PROGRAM}
        git config --global core.untrackedCache true""")
    yield run
    run("rm -f ~/.gitconfig")
    host("terminate", debian)


@pytest.fixture(scope="module")
def repository(host, sh):
    """A repository in the host's home, and where the guest has it."""
    path = (host.root / "home").resolve() / "repository"
    for directory in ("a/b", "c"):
        (path / directory).mkdir(parents=True)
        for number in range(3):
            (path / directory / f"{number}.txt").write_text("text\n")
    (path / ".gitignore").write_text("*.o\n")
    guest = f"/mnt/host{path}"
    sh(f"cd {guest}; git init -q --template=; git add .; git commit -q -m all")
    return path, guest


def status(sh, guest):
    """What git reports, and what it does with neither the program nor a cache, at the same time."""
    out = sh(f"""cd {guest}
        git status --porcelain -uall
        echo ==
        GIT_OPTIONAL_LOCKS=0 git -c core.fsmonitor=false -c core.untrackedCache=false status --porcelain -uall""")
    told, plain = out.split("==\n")
    return told, plain


def test_changes_of_the_host_are_reported_at_once(sh, repository):
    path, guest = repository
    assert status(sh, guest) == ("", "")
    token = sh(f"cd {guest}; {PROGRAM} 2 none | tr '\\0' '\\n' | head -1").strip()
    assert token.startswith("berth:") and token != "berth:none"
    (path / "a/b/1.txt").write_text("more text\n")
    told = sh(f"cd {guest}; {PROGRAM} 2 {token} | tr '\\0' '\\n'").splitlines()
    assert told[1:] == ["a/b/1.txt"]
    (path / "c/2.txt").unlink()
    os.rename(path / "c/0.txt", path / "c/moved.txt")
    (path / "new/deep").mkdir(parents=True)
    (path / "new/deep/file").touch()
    (path / "new/deep/file.o").touch()
    expected = " M a/b/1.txt\n D c/0.txt\n D c/2.txt\n?? c/moved.txt\n?? new/deep/file\n"
    assert status(sh, guest) == (expected, expected)
    os.rename(path / "a", path / "moved")
    told, plain = status(sh, guest)
    assert told == plain and " D a/b/1.txt" in told and "?? moved/b/1.txt" in told
    os.rename(path / "moved", path / "a")
    (path / ".gitignore").write_text("*.txt\n")
    told, plain = status(sh, guest)
    assert told == plain and "moved" not in told
    (path / ".gitignore").write_text("*.o\n")


def test_random_changes_of_the_host(sh, repository):
    """20 rounds, compared with what git finds without it."""
    path, guest = repository
    chance = random.Random(21)
    for number in range(20):
        for _ in range(chance.randrange(1, 6)):
            directory = path / chance.choice(["a", "a/b", "c"])
            file = directory / f"{chance.randrange(4)}.txt"
            what = chance.randrange(4)
            if what == 0 or not file.exists():
                file.write_text("text\n" * chance.randrange(3))
            elif what == 1:
                file.unlink()
            elif what == 2:
                file.rename(directory / f"{chance.randrange(4)}.txt")
            else:
                file.chmod(0o755)
        told, plain = status(sh, guest)
        assert told == plain, number


def servers(keeper):
    """The pids of the berth-share that the process @keeper has started."""
    found = subprocess.run(["pgrep", "-P", str(keeper), "-x", "berth-share"], capture_output=True, text=True)
    return found.stdout.split()


def kill(pid):
    """And wait for its end: until then it may hear of what changes."""
    pidfd = os.pidfd_open(int(pid))
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    assert select.select([pidfd], [], [], 60)[0]
    os.close(pidfd)


def test_a_killed_server_costs_nothing_but_time(host, sh, debian, repository):
    path, guest = repository
    keeper = host.info(debian)["keeper_pid"]
    (server,) = servers(keeper)
    kill(server)
    (path / "c/after").touch()
    # There is another once the guest has seen the end: what it asks for before that fails.
    eventually(lambda: servers(keeper) not in ([], [server]), what="another server")
    told, plain = status(sh, guest)
    assert told == plain and "?? c/after" in told


def test_the_distros_own_files(sh):
    """There, too: without a share's help."""
    out = sh("""rm -rf ~/own; git init -q --template= ~/own; cd ~/own; touch one; git add .; git commit -q -m one
        git status --porcelain; echo two > one; git status --porcelain; touch new; git status --porcelain; cd; rm -rf ~/own""")
    assert out == " M one\n M one\n?? new\n"
