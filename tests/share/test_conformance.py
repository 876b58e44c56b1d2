"""Each file operation with each of its errors, times and permissions: as POSIX and Linux say, on a plain directory and
on a share; what differs has its reason in tests/lib/operation_cases.py."""
import os
import subprocess
from pathlib import Path

import pytest

import operations
from conftest import GID, LIBC, UID, Mounted

BIND, READ_ONLY, REMOUNT = 4096, 1, 32
LIB = Path(__file__).parents[1] / "lib"


@pytest.fixture(scope="session")
def operate(tmp_path_factory):
    program = tmp_path_factory.mktemp("operate") / "operate"
    subprocess.run(["cc", "-O2", "-static", "-o", program, LIB / "operate.c"], check=True)
    return [program]


def has_other_users():
    """Whether this process can be another user: not in a namespace that has only its own."""
    return os.getuid() == 0 and len(Path("/proc/self/uid_map").read_text().split()) == 3 and \
        int(Path("/proc/self/uid_map").read_text().split()[2]) > operations.OTHER


@pytest.fixture
def plain(tmp_path):
    """A directory, and the same read-only at a mount."""
    directory, frozen = tmp_path / "plain", tmp_path / "frozen"
    directory.mkdir()
    frozen.mkdir()
    for flags in (BIND, BIND | REMOUNT | READ_ONLY):
        assert LIBC.mount(bytes(directory), bytes(frozen), None, flags, None) == 0
    yield directory, frozen
    LIBC.umount2(bytes(frozen), 2)


@pytest.fixture
def both(tmp_path, source):
    """@source twice: to be written, and read-only."""
    owner = (UID, GID) if has_other_users() else (0, 0)
    made = Mounted(tmp_path / "mnt", [("rw", source, "/home/ann"), ("ro", source, "/frozen")], uid=owner[0], gid=owner[1])
    yield made, owner
    made.end()


def test_every_operation_answers_as_written(operate, plain, both, source):
    mounted, owner = both
    users = has_other_users()
    ours = operations.Places(operate, *plain, owner, users).results()
    on_host = operations.Places(operate, source, None, (os.getuid(), os.getgid()), False)
    share = operations.Places(operate, mounted.directory / "home/ann", mounted.directory / "frozen", owner, users,
                              lambda _, lines: on_host.perform(source, lines)).results()
    print(f"{len(ours)} lines")
    wrong = operations.deviations(ours, share)
    print(*wrong, sep="\n")
    assert not wrong
