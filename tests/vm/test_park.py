"""Parked and woken: the guest's memory was a file in between, and its processes go on where they were."""
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ports import free_port
from test_ports import serve
from test_suspend import Echo, skew


@pytest.fixture(params=["busybox", "debian"])
def distro(request, host):
    name = request.getfixturevalue(request.param)
    host("start", name)
    yield name
    host("terminate", name)


def parked_file(host, name):
    return Path(host.info(name)["disk"] + ".parked")


def park(host, name):
    host("park", name)
    row = host.info(name)
    assert (row["state"], row["qemu_pid"], row["memory_used"]) == ("parked", 0, 0)
    links = [os.readlink(fd) for fd in Path(f"/proc/{row['keeper_pid']}/fd").iterdir() if fd.is_symlink()]
    assert not [link for link in links if "berth-memory" in link]
    assert parked_file(host, name).stat().st_size > 1 << 20


def test_a_session_and_files_survive(host, distro):
    echo = Echo(host, distro)
    echo.say("one")
    host.shell(distro, "head -c 20000000 /dev/urandom >/dev/shm/some; md5sum /dev/shm/some >/dev/shm/sum; echo on >/root/on")
    for _ in range(3):
        park(host, distro)
        echo.say("more")  # which wakes it
        assert not parked_file(host, distro).exists()
        assert host.run(distro, "md5sum", "-c", "/dev/shm/sum").stdout == "/dev/shm/some: OK\n"
        assert skew(host, distro) <= 1
    assert host.run(distro, "cat", "/root/on").stdout == "on\n"
    echo.end()


def test_a_port_wakes_it(host, busybox):
    port = free_port()
    host.shell(busybox, "mkdir -p /h; echo served >/h/index.html")
    serve(host, busybox, port)
    park(host, busybox)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/h/index.html", timeout=60) as answer:
        assert answer.read() == b"served\n"
    host("terminate", busybox)


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_terminated_while_parked(host, distro, options):
    host.shell(distro, "echo kept >/root/kept")
    park(host, distro)
    host("terminate", *options, distro)
    assert host.state(distro) == "stopped" and not parked_file(host, distro).exists()
    assert host.run(distro, "cat", "/root/kept").stdout == "kept\n"


def test_a_disk_that_changed(host, distro):
    """It boots, and replays the journal: nothing that was written before is lost, and nothing is torn."""
    host.shell(distro, "echo kept >/root/kept; touch /dev/shm/lost")
    park(host, distro)
    disk = host.info(distro)["disk"]
    os.utime(disk, (0, 0))  # as if another program had written it
    result = host.run(distro, "sh", "-c", "cat /root/kept; ls /dev/shm")
    assert result.stdout == "kept\n"
    assert "programs are lost: its disk has changed since it was parked" in result.stderr
    host("terminate", distro)
    check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
