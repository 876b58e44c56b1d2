"""A keeper, its QEMU and its berth-net inherit nothing from the command that starts them."""
import ctypes
import fcntl
import os
import resource
import signal
import subprocess
from pathlib import Path

import pytest

from conftest import wait_for
from waiting import LIMIT

PR_CAPBSET_DROP = 24
CAP_SYS_NICE, CAP_SYS_RESOURCE = 23, 24
AS_ROOT = os.geteuid() == 0


def give_up(*capabilities):
    """Before exec: drop privileges that root's programs have."""
    for capability in capabilities if AS_ROOT else ():
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0


def children(pid):
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.fixture
def kept(box):
    """Start box by a command with @options of Popen; return the pids of keeper, QEMU and berth-net."""
    def start(**options):
        box("start", **options).ok()
        keeper = box.info("box")["keeper_pid"]
        pids = [keeper, *children(keeper)]
        assert len(pids) == 3
        return pids
    return start


def status(pid, key):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split()[1] for line in lines if line.startswith(key + ":"))


def test_keeper_inherits_no_descriptor(kept, tmp_path):
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    reader, writer = os.pipe()
    kept(pass_fds=[lock, writer])
    os.close(writer)
    os.close(lock)
    again = os.open(tmp_path / "lock", os.O_RDWR)
    fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is unlocked
    os.close(again)
    assert os.read(reader, 1) == b""  # EOF: the other end is closed
    os.close(reader)


def test_keeper_does_not_hold_a_pipeline_open(box):
    script = '{ exec 5>&1; "$0" run -d box -- echo said; } | cat'
    result = subprocess.run(["sh", "-c", script, box.program], env=box.environment, capture_output=True,
                            text=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    assert result.stdout == "said\n"


@pytest.mark.parametrize("number", [resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_AS,
                                    resource.RLIMIT_CPU])
def test_soft_limit_is_raised(kept, number):
    hard = resource.getrlimit(number)[1]
    least = {resource.RLIMIT_NOFILE: 64, resource.RLIMIT_FSIZE: 16 << 20, resource.RLIMIT_CPU: 1000,
             resource.RLIMIT_AS: 1 << 46}[number]  # the address sanitizer reserves 2^44
    keeper, *others = kept(preexec_fn=lambda: resource.setrlimit(number, (least, hard)))
    assert resource.prlimit(keeper, number) == (hard, hard)
    for pid in others:
        assert resource.prlimit(pid, number)[0] != least


HARD = [(resource.RLIMIT_NOFILE, 64, "open files"), (resource.RLIMIT_FSIZE, 16 << 20, "size of files"),
        (resource.RLIMIT_CPU, 1000, "CPU time")]


@pytest.mark.parametrize("number, value, word", HARD)
def test_low_hard_limit_is_reported(box, number, value, word):
    def prepare():
        resource.setrlimit(number, (value, value))
        give_up(CAP_SYS_RESOURCE)
    result = box("start", preexec_fn=prepare).failed(1, "instance.limit", word)
    assert "ulimit -H" in result.hint
    assert box.info("box")["state"] == "stopped"
    box("start").ok()


@pytest.mark.parametrize("number, value, word", HARD)
def test_privileged_keeper_raises_the_hard_limit(box, number, value, word):
    may = int(status("self", "CapEff"), 16) >> CAP_SYS_RESOURCE & 1
    result = box("start", preexec_fn=lambda: resource.setrlimit(number, (value, value)))
    if not may:
        result.failed(1, "instance.limit", word)
        return
    result.ok()
    hard = resource.prlimit(box.info("box")["keeper_pid"], number)[1]
    assert hard > value or hard == resource.RLIM_INFINITY


def test_keeper_resets_its_priority(kept):
    before = os.getpriority(os.PRIO_PROCESS, 0)
    for pid in kept(preexec_fn=lambda: (os.nice(5), os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)))):
        assert os.getpriority(os.PRIO_PROCESS, pid) == (0 if AS_ROOT else before + 5)
        assert os.sched_getscheduler(pid) == os.SCHED_OTHER


def test_keeper_starts_with_niceness_it_cannot_lower(kept):
    def prepare():
        os.nice(5)
        give_up(CAP_SYS_NICE)
    assert os.getpriority(os.PRIO_PROCESS, kept(preexec_fn=prepare)[0]) == os.getpriority(os.PRIO_PROCESS, 0) + 5


def test_keeper_resets_signals(kept, box):
    numbers = [signal.SIGCHLD, signal.SIGPIPE, signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1]

    def prepare():
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    keeper, *others = kept(preexec_fn=prepare)
    own = 1 << (signal.SIGPIPE - 1) | 1 << (signal.SIGXFSZ - 1)  # signals that the program itself ignores
    term = 1 << (signal.SIGTERM - 1)  # only the keeper takes it
    for pid, not_taken in (keeper, 0), *((other, term) for other in others):
        blocked, ignored = int(status(pid, "SigBlk"), 16), int(status(pid, "SigIgn"), 16)
        assert (blocked | ignored & ~own) == not_taken
    os.kill(keeper, signal.SIGTERM)
    wait_for(lambda: box.info("box")["state"] == "parked")


def test_keeper_has_own_session_directory_and_umask(kept, tmp_path):
    keeper, *others = kept(cwd=tmp_path, preexec_fn=lambda: os.umask(0o002))
    assert os.getsid(keeper) != os.getsid(0)
    for pid in others:
        assert os.getsid(pid) == os.getsid(keeper)
    assert os.readlink(f"/proc/{keeper}/cwd") == "/"
    assert status(keeper, "Umask") == "0077"


@pytest.mark.as_root  # berth-net hides its environment from its own user
def test_keeper_drops_the_environment(kept):
    secrets = {"AWS_SECRET_ACCESS_KEY": "s3cret", "SSH_AUTH_SOCK": "/tmp/s3cret", "BERTH_TEST_X": "s3cret",
               "LANGCHAIN_API_KEY": "s3cret", "http_proxy": "http://me:s3cret@proxy"}
    for pid in kept(env=secrets):
        assert b"s3cret" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_failed_child_is_noticed_with_sigchld_ignored(box):
    """If SIGCHLD is ignored, as some supervisors leave it, waitpid has no status."""
    (box.bin / "e2fsck").write_text("#!/bin/sh\nexit 8\n")
    (box.bin / "e2fsck").chmod(0o755)
    disk = Path(box.info("box")["disk"])
    size = disk.stat().st_size
    result = box("resize", "box", "64M", preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    result.failed(1, "resize.check")
    assert disk.stat().st_size == size
