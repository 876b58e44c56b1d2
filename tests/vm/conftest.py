"""Real boots. Needs BERTH_TEST_BUILD, BERTH_TEST_KERNEL, BERTH_TEST_DEBIAN and BERTH_TEST_BUSYBOX; tests/run sets them.

What takes long is run once, where BERTH_TEST_DEVEL names a Debian with docker and a developer's tools: as a plain user,
since nothing of it may need more on the host. BERTH_TEST_TRIXIE may name a minimal Debian 13.
"""
import os
import shlex
import sqlite3
import subprocess
import tarfile

import odd_archive
import pytest
from consoles import pytest_runtest_makereport  # noqa: F401, what it adds to pytest
from host import Host

DEBUGFS = "/usr/sbin/debugfs"
ODD = "srv/odd/"  # in debian: what odd_archive has


ONCE = {"BERTH_TEST_DEVEL": ["test_cloud.py", "test_docker.py", "test_names.py", "test_network.py", "test_robust.py", "test_ssh_devel.py", "test_tools.py"], "BERTH_TEST_TRIXIE": ["test_former_vm.py", "test_trixie.py"]}
collect_ignore = [name for variable, names in ONCE.items() if not os.environ.get(variable) for name in names]


# Each is minutes of one worker: begun last, it would leave the others without work.
LONG = ["test_docker.py", "test_network.py", "test_tools.py", "test_timers.py", "test_debian.py", "test_boot.py"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config):
    """Three workers on two processors: a test waits for its disk, for timers and for what is not to happen. The smoke
    tests of two releases run beside each other as it is.
    """
    processors = len(os.sched_getaffinity(0))
    return processors if config.option.markexpr else processors * 3 // 2


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


def required(name):
    value = os.environ.get(name)
    if not value:
        pytest.skip(f"{name} is not set: run tests/run")
    return value


def put(host, name, path, text, mode=0o100644):
    """Write a file into the stopped distro @name, whose directory is there."""
    disk = host.info(name)["disk"]
    source = host.root / "put"
    source.write_text(text)
    requests = f"rm {path}\nwrite {source} {path}\nsif {path} mode 0{mode:o}\n"
    subprocess.run([DEBUGFS, "-w", "-f", "-", disk], input=requests, check=True, text=True, capture_output=True)


def link(host, name, path, target):
    """The same for a symbolic link."""
    subprocess.run([DEBUGFS, "-w", "-R", f"symlink {path} {target}", host.info(name)["disk"]],
                   check=True, capture_output=True)


def set_row(host, name, **columns):
    """Change the row of @name: what only another user, or an earlier berth, would have written."""
    with sqlite3.connect(host.root / "data/berth/registry.db") as registry:
        for column, value in columns.items():
            registry.execute(f"UPDATE distro SET {column} = ? WHERE name = ?", (value, name))
    registry.close()


class Machine:
    """A distro whose default user does not matter: each command says whose it is."""

    def __init__(self, host, name):
        self.host, self.name = host, name

    def sh(self, script, user="root", check=True, **options):
        """@script in the user's bash, whose first failure is its own; what it wrote."""
        result = self.host("run", "-d", self.name, "-u", user, "--", "bash", "-euc", script, check=check, **options)
        return result.stdout if check else result

    def login(self, script, user):
        """As sh, in a login session of @user's: with a runtime directory and a bus."""
        return self.sh(f"exec runuser -l {user} -c {shlex.quote(script)}")


@pytest.fixture(scope="session")
def host():
    with Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"),
              BERTH_MEMORY="1G", BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120") as made:
        yield made


@pytest.fixture(scope="session")
def debian_tar(host):
    """Debian's archive, with files added of every kind that a distro as it comes has none of."""
    path = host.root / "debian.tar"
    with path.open("wb") as out:
        subprocess.run(["zstd", "-dcq", required("BERTH_TEST_DEBIAN")], stdout=out, check=True)
    with tarfile.open(path, "a", format=tarfile.PAX_FORMAT) as archive:
        builder = odd_archive.Builder(archive, ODD)
        odd_archive.add_all(builder)
    return path


@pytest.fixture(scope="session")
def debian(host, debian_tar):
    host("import", "--no-user", "debian", debian_tar)
    return "debian"


@pytest.fixture(scope="session")
def busybox(host):
    host("import", "--no-user", "busybox", required("BERTH_TEST_BUSYBOX"))
    return "busybox"


@pytest.fixture(scope="session")
def devel(host):
    host("import", "--no-user", "devel", required("BERTH_TEST_DEVEL"))
    yield Machine(host, "devel")
    host("terminate", "devel")  # its memory is the others', too


@pytest.fixture(scope="session")
def busybox_tar():
    """The busybox tree, as docker's ADD and nspawn take it."""
    tar = required("BERTH_TEST_BUSYBOX")
    command = ["zstd", "-dcq", tar] if tar.endswith(".zst") else ["cat", tar]
    return subprocess.run(command, capture_output=True, check=True).stdout


@pytest.fixture
def scratch(host):
    """A busybox distro for one test to break."""
    host("import", "--no-user", "scratch", required("BERTH_TEST_BUSYBOX"))
    yield "scratch"
    host("unregister", "scratch", check=False)


@pytest.fixture
def patient(host, debian):
    """A Debian for one test to break: a clone."""
    host("terminate", debian)
    host("clone", debian, "patient")
    yield "patient"
    host("terminate", "--force", "patient", check=False)
    host("unregister", "patient", check=False)
