"""File operations on a share in a distro, as tests/share tries them without one: by its users, and host and guest in turns."""
import subprocess
from pathlib import Path

import pytest

import exercising
import operations
from conftest import put, required

LIB = Path(__file__).parents[1] / "lib"


@pytest.fixture(scope="module")
def place(host):
    """A directory of the host's home with the programs, and where the guest has it."""
    path = (host.root / "home").resolve() / "files"
    path.mkdir()
    subprocess.run(["cc", "-O2", "-static", "-o", path / "operate", LIB / "operate.c"], check=True)
    exercising.build(path)
    return path, f"/mnt/host{path}"


@pytest.fixture(scope="module")
def distro(host, place):
    """A busybox with a default user, who has the host's files; a part of them is there a second time, read-only."""
    host("import", "--no-user", "files", required("BERTH_TEST_BUSYBOX"))
    host("run", "-d", "files", "--", "sh", "-c", "echo ann:x:1234:2345::/:/bin/sh >> /etc/passwd; echo ann:x:2345: >> /etc/group")
    host("terminate", "files")
    put(host, "files", "/etc/wsl.conf", "[user]\ndefault=ann\n")
    (place[0] / "work").mkdir()
    host("share", "add", "--read-only", "files", place[0] / "work", "/frozen")
    host("terminate", "files")
    yield "files"
    host("unregister", "files", check=False)


@pytest.fixture(scope="module")
def command(host, distro):
    """Words that run a program in the guest, from any environment."""
    ours = [f"{key}={value}" for key, value in host.environment.items() if key == "HOME" or key[:4] in ("XDG_", "BERT")]
    return lambda user, *words: ["env", *ours, host.program, "run", "-d", distro, "-u", user, "--", *words]


def test_every_operation_answers_as_written(host, place, distro, command):
    path, guest = place
    owner = tuple(int(host("run", "-d", distro, "--", "id", option).stdout) for option in ("-u", "-g"))
    assert owner == (1234, 2345)
    host("run", "-d", distro, "-u", "root", "--", "sh", "-c", "mkdir /plain /frozen; mount --bind /plain /frozen; "
         "mount -o remount,bind,ro /frozen")
    operate = command("root", f"{guest}/operate")
    plain = operations.Places(operate, "/plain", "/frozen", owner, True).results()
    prepare = operations.Places([path / "operate"], path / "work", None, (0, 0), False)
    share = operations.Places(operate, f"{guest}/work", "/mnt/host/frozen", owner, True,
                              lambda _, lines: prepare.perform(path / "work", lines)).results()
    wrong = operations.deviations(plain, share)
    print(len(share), "lines", *wrong, sep="\n")
    assert not wrong


def test_random_operations(place, command):
    path, guest = place
    for seed in exercising.seeds(2):
        exercising.alone(command("ann", f"{guest}/exercise"), f"{guest}/alone-{seed}", seed, 500)


def test_random_operations_of_host_and_guest(place, command):
    path, guest = place
    for seed in exercising.seeds(1):
        exercising.in_turns([path / "exercise"], path / f"both-{seed}", command("ann", f"{guest}/exercise"),
                            f"{guest}/both-{seed}", seed, 300)
