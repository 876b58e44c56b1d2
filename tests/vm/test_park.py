"""Parked and woken: the guest's memory was a file in between, and its processes go on where they were."""
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from conftest import put
from host import eventually
from ports import free_port
from test_full import small  # noqa: F401, a fixture
from test_ports import serve
from test_suspend import Echo, skew
from test_timers import ran_at, utc
from waiting import wait_for


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


@pytest.mark.smoke
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


def test_no_room(small):  # noqa: F811
    """It stays suspended in memory, says so, and is parked once there is room."""
    small.shell("box", "head -c 20000000 /dev/urandom >/dev/shm/some; md5sum /dev/shm/some >/dev/shm/sum")
    result = small("park", "box", check=False)
    assert result.returncode != 0 and "it is suspended, but its memory cannot be parked: " in result.stderr, result
    assert "code: park.write.no-space" in result.stderr
    row = small.info("box")
    assert row["state"] == "suspended" and row["memory_used"] > 20000000 and "cannot be parked" in row["reason"]
    assert "cannot be parked and stays in memory" in small("logs", "box").stdout
    assert small.inside("find", Path(row["disk"]).parent, "-name", "*.park*") == ""
    assert small.run("box", "md5sum", "-c", "/dev/shm/sum").stdout == "/dev/shm/some: OK\n"
    small.limit("1g")
    small("park", "box")
    row = small.info("box")
    assert (row["state"], row["memory_used"], row.get("reason")) == ("parked", 0, None)
    assert small.run("box", "md5sum", "-c", "/dev/shm/sum").stdout == "/dev/shm/some: OK\n"


# ---- another keeper ----


def leave(host, name):
    """The keeper is told to end, as at a shutdown of the host; systemd tells QEMU, too."""
    info = host.info(name)
    keeper = info["keeper_pid"]
    for pid in filter(None, (info["qemu_pid"], keeper)):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not Path(f"/proc/{keeper}/cmdline").exists())
    assert parked_file(host, name).stat().st_size > 1 << 20
    return keeper


def boots(host, name):
    """Its boot, and how often its agent was started: neither changes without a boot."""
    return host.run(name, "cat", "/proc/sys/kernel/random/boot_id").stdout


def test_another_keeper_goes_on(host, distro):
    host.shell(distro, "head -c 20000000 /dev/urandom >/dev/shm/some; md5sum /dev/shm/some >/dev/shm/sum; echo on >/root/on; "
               "setsid sh -c 'while :; do echo x >>/dev/shm/count; sleep 0.2; done' >/dev/null 2>&1 &")
    before = boots(host, distro)
    for _ in range(3):
        keeper = leave(host, distro)
        started = host("start", distro)
        assert (started.stdout, started.stderr) == ("", "")
        assert host.info(distro)["keeper_pid"] != keeper
        assert not parked_file(host, distro).exists()
        assert boots(host, distro) == before
        assert host.run(distro, "md5sum", "-c", "/dev/shm/sum").stdout == "/dev/shm/some: OK\n"
        assert skew(host, distro) <= 1
        count = len(host.run(distro, "cat", "/dev/shm/count").stdout)
        wait_for(lambda: len(host.run(distro, "cat", "/dev/shm/count").stdout) > count)
    assert host.run(distro, "cat", "/root/on").stdout == "on\n"
    host("suspend", distro)
    assert boots(host, distro) == before


def test_sessions_of_the_former_keeper_are_hung_up(host, distro):
    """And nothing else of the distro's is."""
    session = host.spawn("run", "-d", distro, "--", "sh", "-c", "trap '' PIPE; trap 'echo hup >/root/hup; exit' HUP; echo on; while :; do sleep 0.1; done",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert session.stdout.readline() == "on\n"
    leave(host, distro)
    assert "it was parked, since its keeper was told to end" in session.communicate()[1] and session.returncode != 0
    host("start", distro)
    wait_for(lambda: host.run(distro, "cat", "/root/hup", check=False).stdout == "hup\n")


def test_ports_again(host, busybox):
    port = free_port()
    host.shell(busybox, "mkdir -p /h; echo served >/h/index.html")
    serve(host, busybox, port)
    leave(host, busybox)
    host("start", busybox)
    def served():
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/h/index.html", timeout=60) as answer:
                return answer.read() == b"served\n"
        except OSError:
            return False
    wait_for(served)
    host("terminate", busybox)


def test_a_reboot_of_the_host(host, distro):
    """The runtime directory has nothing of it then, and the page cache is cold. Other distros of this suite may run."""
    host.shell(distro, "touch /dev/shm/kept")
    before = boots(host, distro)
    leave(host, distro)
    for path in Path(host.environment["XDG_RUNTIME_DIR"]).glob(f"berth/*{host.info(distro)['id']}*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    with open(parked_file(host, distro), "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert host.run(distro, "ls", "/dev/shm/kept").stdout == "/dev/shm/kept\n"
    assert boots(host, distro) == before


def starts_anew(host, distro, script, why):
    """The output of @script in a distro that boots, and says so in one line. Its disk is sound."""
    result = host.shell(distro, script)
    lines = [line for line in result.stderr.splitlines() if "KVM does not work here" not in line]  # said for a new kernel
    assert len(lines) == 1, result.stderr
    assert f"{distro} was parked, but cannot continue: {why} since it was parked; it boots instead" in result.stderr
    host("terminate", distro)
    check = subprocess.run(["/sbin/e2fsck", "-fn", host.info(distro)["disk"]], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    return result.stdout


def test_left_and_its_disk_has_changed(host, distro):
    """By a program that really writes it."""
    host.shell(distro, "echo kept >/root/kept; rm -f /root/put; touch /dev/shm/lost")
    leave(host, distro)
    put(host, distro, "/root/put", "put\n")
    assert starts_anew(host, distro, "cat /root/kept /root/put; ls /dev/shm", "its disk has changed") == "kept\nput\n"


def test_left_and_the_kernel_has_changed(host, distro, monkeypatch):
    """What was written just before is there, too, though nobody asked for it to be on the disk."""
    host.shell(distro, "i=0; while [ $i -lt 500 ]; do echo $i >/root/n$i; i=$((i + 1)); done; touch /dev/shm/lost")
    leave(host, distro)
    kernel = host.root / "another-kernel"
    kernel.write_bytes(Path(host.environment["BERTH_KERNEL"]).read_bytes() + b"another")
    monkeypatch.setitem(host.environment, "BERTH_KERNEL", str(kernel))
    assert starts_anew(host, distro, "cat /root/n499; rm /root/n[0-9]*; ls /dev/shm", "berth's kernel has changed") == "499\n"


def test_shares_and_timers_go_on(host, debian):
    """What the host changed meanwhile is seen, and what was due meanwhile runs at once; so does what is due later."""
    directory = (host.root / "home").resolve() / "parked"
    directory.mkdir()
    (directory / "file").write_text("before\n")
    guest = f"/mnt/host{directory}"
    host("start", debian)
    host.shell(debian, "rm -f /root/ran-*")
    for i in range(3):
        assert host.run(debian, "cat", f"{guest}/file").stdout == ("before\n" if i == 0 else f"{i - 1} is another\n")
        at = int(time.time()) + 20
        host.run(debian, "systemd-run", "-q", f"--unit=parked{i}", f"--on-calendar={utc(at)}",
                 "--timer-property=AccuracySec=1s", "sh", "-c", f"date +%s.%N >/root/ran-{i}")
        leave(host, debian)
        (directory / "file").write_text(f"{i} is another\n")
        (directory / f"new-{i}").touch()
        if i > 0:  # the first one is due after the wake, unless this machine is busy
            eventually(lambda: time.time() > at + 1, what="its time")
        host("start", debian)
        assert host.run(debian, "cat", f"{guest}/file").stdout == f"{i} is another\n"
        assert f"new-{i}" in host.run(debian, "ls", guest).stdout.split()
        host.shell(debian, f"echo {i} >{guest}/from-guest")
        assert (directory / "from-guest").read_text() == f"{i}\n"
        assert ran_at(host, debian, f"/root/ran-{i}") >= at
    host("terminate", debian)
