"""What a quiet guest does not need is the host's again: its memory, and the space of what it deleted."""
from pathlib import Path

import pytest

from conftest import required
from guest_memory import memory_used
from host import Host, eventually

MIB = 1 << 20


@pytest.fixture(scope="module")
def quick():
    """Samples half a second apart."""
    with Host(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_MEMORY="1G",
              BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120", BERTH_IDLE_TIMEOUT="3") as made:
        yield made


@pytest.fixture(params=["busybox", "debian"])
def distro(request, quick):
    quick("import", "--no-user", request.param, required(f"BERTH_TEST_{request.param.upper()}"))
    quick("start", request.param)
    yield request.param
    quick("unregister", request.param)


def memory_of(host, name):
    """MiB of the host's that the guest's memory takes."""
    return memory_used(host.info(name)["keeper_pid"]) / MIB


def test_page_cache_and_what_was_freed(quick, distro):
    """With systemd's control groups and with those that berth mounts."""
    quick.shell(distro, "dd if=/dev/zero of=/root/file bs=1M count=400 2>/dev/null; sync; cat /root/file >/dev/null")
    eventually(lambda: memory_of(quick, distro) < 300, what=f"the memory: {memory_of(quick, distro)} MiB")
    quick.shell(distro, "mkdir -p /root/m && mount -t tmpfs -o size=600m t /root/m && dd if=/dev/zero of=/root/m/file bs=1M count=400 2>/dev/null")
    assert memory_of(quick, distro) > 400
    quick.shell(distro, "umount /root/m; test $(wc -c </root/file) = 419430400")
    eventually(lambda: memory_of(quick, distro) < 300, what=f"the memory: {memory_of(quick, distro)} MiB")


def test_without_control_groups(quick):
    """As with an init that mounts none: the page cache is dropped as a whole."""
    quick("import", "--no-user", "busybox", required("BERTH_TEST_BUSYBOX"))
    quick.shell("busybox", "umount /sys/fs/cgroup; dd if=/dev/zero of=/root/file bs=1M count=400 2>/dev/null")
    eventually(lambda: memory_of(quick, "busybox") < 300, what="the memory")
    quick("unregister", "busybox")


def test_deleted_files(quick, distro):
    disk = Path(quick.info(distro)["disk"])
    quick.shell(distro, "head -c 4194304 /dev/urandom >/run/part; for i in $(seq 50); do cat /run/part; done >/root/file; sync")
    full = disk.stat().st_blocks * 512
    quick.shell(distro, "rm /root/file /run/part")
    eventually(lambda: full - disk.stat().st_blocks * 512 > 190 * MIB, what="the space of a deleted file")


def swaps(host, name):
    """Device, size in KiB and priority of each."""
    rows = [line.split() for line in host.shell(name, "cat /proc/swaps").stdout.splitlines()[1:]]
    return [(row[0], int(row[2]), row[4]) for row in rows]


def test_swap_in_memory(quick, distro):
    """1 GiB unless the user wants another size, in a device that leaves zram0 to the distro."""
    assert swaps(quick, distro) == [("/dev/zram1", (1 << 20) - 4, "100")]
    assert quick.shell(distro, "cat /sys/block/zram0/disksize").stdout == "0\n"
    for size, found in (("64M", [("/dev/zram1", (64 << 10) - 4, "100")]), ("0", [])):
        quick("config", "set", "-d", distro, "swap", size)
        quick("terminate", distro)
        assert swaps(quick, distro) == found
    quick("config", "unset", "-d", distro, "swap")


def test_memory_of_processes_that_does_not_fit(quick, monkeypatch):
    """A process that takes more than the guest's memory goes on, since what it has compresses well."""
    quick("import", "--no-user", "small", required("BERTH_TEST_BUSYBOX"))
    monkeypatch.setitem(quick.environment, "BERTH_MEMORY", "256M")
    script = "mkdir -p /m && mount -t tmpfs -o size=400m t /m && dd if=/dev/zero of=/m/f bs=1M count=350 2>/dev/null && wc -c </m/f"
    assert quick.shell("small", script).stdout.strip() == str(350 << 20)
    used = int(quick.shell("small", "tail -n 1 /proc/swaps").stdout.split()[3])
    assert used > 50 << 10
    quick("unregister", "small")
