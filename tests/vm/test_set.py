"""What berth set says is what the next guest has."""
import os

import pytest

from conftest import required
from host import Host


@pytest.fixture
def host():
    """No variable says how much memory a distro has."""
    with Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120") as made:
        made("import", "--no-user", "busybox", required("BERTH_TEST_BUSYBOX"))
        yield made


def memory_of(host):
    """MiB, as the guest's kernel counts them."""
    line = next(line for line in host.run("busybox", "cat", "/proc/meminfo").stdout.splitlines() if line.startswith("MemTotal:"))
    return int(line.split()[1]) >> 10


def test_words_of_the_kernels_command_line(host):
    host("set", "busybox", 'kernel-command-line=loglevel=5 berth.test="two words" quiet')
    assert host.run("busybox", "cat", "/proc/cmdline").stdout.endswith(' loglevel=5 berth.test="two words" quiet\n')
    assert host.run("busybox", "cat", "/proc/sys/kernel/printk").stdout.split()[0] == "4"  # as the last word has it
    host("terminate", "busybox")
    host("set", "busybox", "kernel-command-line=")


def test_memory_and_processors(host):
    host("set", "busybox", "memory=256M", "cpus=1")
    assert 128 < memory_of(host) <= 256
    assert host.run("busybox", "nproc").stdout == "1\n"
    said = host("set", "busybox", "memory=512M", "cpus=255").stdout
    assert "until it is stopped" in said and 128 < memory_of(host) <= 256
    host("terminate", "busybox")
    assert 300 < memory_of(host) <= 512
    assert host.run("busybox", "nproc").stdout == f"{len(os.sched_getaffinity(0))}\n"
