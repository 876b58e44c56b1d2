"""Suspended and woken: sessions, files, ports and the clock are as if nothing had been in between."""
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request

import pytest

from conftest import required
from host import eventually
from ports import free_port
from test_ports import serve

CYCLES = 20


@pytest.fixture(params=["busybox", "debian"])
def distro(request, host):
    name = request.getfixturevalue(request.param)
    host("start", name)
    yield name
    host("terminate", name)


def suspend(host, name):
    host("suspend", name)
    row = host.info(name)
    assert (row["state"], row["qemu_pid"]) == ("suspended", 0)
    return row


class Echo:
    """A session that answers each line with it, and its own number of the line."""

    def __init__(self, host, name):
        script = 'i=0; while read -r line; do i=$((i + 1)); echo "$i $line"; done'
        self.process = host.spawn("run", "-d", name, "--", "sh", "-c", script, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.count = 0

    def say(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        self.count += 1
        assert self.process.stdout.readline() == f"{self.count} {text}\n"

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0


def skew(host, name):
    """By how many seconds the guest's clock is outside the time that the question took."""
    before = int(time.time())
    guest = int(host.run(name, "date", "+%s").stdout)
    after = int(time.time())
    return max(before - guest, guest - after, 0)


def test_a_session_lives_through_many(host, distro):
    echo = Echo(host, distro)
    echo.say("first")
    boot = host.run(distro, "cat", "/proc/sys/kernel/random/boot_id").stdout
    for i in range(CYCLES):
        suspend(host, distro)
        echo.say(f"again {i}")  # which wakes it
        eventually(lambda: host.state(distro) == "running")
    assert host.run(distro, "cat", "/proc/sys/kernel/random/boot_id").stdout == boot
    echo.end()


@pytest.mark.smoke
def test_is_idempotent_and_takes_nothing(host, distro):
    row = suspend(host, distro)
    assert 0 < row["memory_used"] < 1 << 30
    suspend(host, distro)
    assert host("ports", distro).returncode == 0  # which asks the keeper only
    assert host.state(distro) == "suspended"
    assert host.run(distro, "echo", "awake").stdout == "awake\n"


def test_no_process_sees_a_wrong_clock(host, distro):
    """One that logs the time without a pause: no step backwards, and after the wake none that is behind the host."""
    script = ('date +%s; read -r line; while [ ! -e /tmp/enough ]; do date +%s; done; date +%s')
    logger = host.spawn("run", "-d", distro, "--", "sh", "-c", script, text=True, stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
    logger.stdout.readline()
    logger.stdin.write("go\n")
    logger.stdin.flush()
    logger.stdout.readline()
    suspend(host, distro)
    suspended = int(time.time())
    eventually(lambda: time.time() > suspended + 4, what="a difference that no rounding hides")
    woken = int(time.time())
    assert skew(host, distro) <= 1  # the host's time is some milliseconds old when the guest has it
    host.run(distro, "touch", "/tmp/enough")
    times = [int(line) for line in logger.communicate(timeout=60)[0].splitlines()]
    host.run(distro, "rm", "/tmp/enough")
    assert times == sorted(times)
    assert [time for time in times if suspended < time < woken - 1] == []  # nothing ran before the clock was right


def test_a_file_that_is_written(host, distro):
    script = ("i=0; while [ ! -e /tmp/enough ]; do i=$((i + 1)); echo $i; done >/root/numbers; sync; "
              "tail -n 1 /root/numbers; sha256sum </root/numbers")
    writer = host.spawn("run", "-d", distro, "--", "sh", "-c", script, text=True, stdout=subprocess.PIPE)
    eventually(lambda: host.run(distro, "sh", "-c", "wc -c </root/numbers", check=False).stdout.strip() not in ("", "0"))
    for _ in range(5):
        suspend(host, distro)
        host.run(distro, "true")
    host.run(distro, "touch", "/tmp/enough")
    last, digest = writer.communicate(timeout=120)[0].splitlines()
    again = host.shell(distro, f"rm /tmp/enough; seq 1 {last} | sha256sum").stdout.strip()
    assert digest == again


def test_a_port_stays_and_answers(host, busybox):
    port = free_port()
    host.shell(busybox, "mkdir -p /h; echo served >/h/index.html")
    serve(host, busybox, port)
    suspend(host, busybox)
    with socket.create_connection(("127.0.0.1", port), 10):
        pass  # it is still there
    host.run(busybox, "true")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/h/index.html", timeout=60) as answer:
        assert answer.read() == b"served\n"
    host("terminate", busybox)


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_terminated_while_suspended(host, distro, options):
    host.shell(distro, "echo kept >/root/kept")
    suspend(host, distro)
    host("terminate", *options, distro)
    assert host.state(distro) == "stopped"
    disk = host.info(distro)["disk"]
    if not options:
        check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True)
        assert check.returncode == 0, check.stdout
    assert host.run(distro, "cat", "/root/kept").stdout == "kept\n"  # written before the suspend


def test_unregistered_while_suspended(host, scratch):
    host("start", scratch)
    suspend(host, scratch)
    host("unregister", scratch)
    assert scratch not in [row["name"] for row in host.json("list")["distros"]]


def test_keeper_killed_while_suspended(host, distro):
    host.shell(distro, "echo kept >/root/kept")
    row = suspend(host, distro)
    os.kill(row["keeper_pid"], signal.SIGKILL)  # the next command may come before its end
    assert host.run(distro, "cat", "/root/kept").stdout == "kept\n"


def test_suspended_where_it_does_not_run(host, busybox):
    host("terminate", busybox)
    result = host("suspend", busybox)
    assert result.stderr == f"berth: {busybox} was not running\n"
    assert host.state(busybox) == "stopped"


def test_a_share_sees_what_changed(host):
    directory = (host.root / "home").resolve() / "suspended"
    directory.mkdir(exist_ok=True)
    (directory / "file").write_text("before\n")
    host("import", "--no-user", "sharing", required("BERTH_TEST_BUSYBOX"))
    try:
        guest = f"/mnt/host{directory}"
        assert host.run("sharing", "cat", f"{guest}/file").stdout == "before\n"
        for i in range(8):  # more often than a server may end by itself
            suspend(host, "sharing")
            (directory / "file").write_text(f"{i} is another\n")
            (directory / f"new-{i}").touch()
            assert host.run("sharing", "cat", f"{guest}/file").stdout == f"{i} is another\n"
            assert f"new-{i}" in host.run("sharing", "ls", guest).stdout.split()
            host.shell("sharing", f"echo {i} >{guest}/from-guest")
            assert (directory / "from-guest").read_text() == f"{i}\n"
    finally:
        host("unregister", "sharing")


USER = """
set -e
cd "$1"
i=0
while [ ! -e stop ]; do
    i=$((i + 1))
    echo $i >>log
    echo $i >number
    test "$(cat number)" = $i
    mkdir d; touch d/new; mv d/new d/old; chmod 600 d/old; rm d/old; rmdir d
    md5sum -c sums >/dev/null
done
seq 1 $i | cmp - log
echo "$i rounds"
"""


def test_requests_to_a_share_go_on(host, distro):
    """Whatever is under way at a suspend: a change that failed would end the program, one made twice too."""
    directory = (host.root / "home").resolve() / f"under-way-{distro}"
    directory.mkdir()
    (directory / "data").write_bytes(os.urandom(1 << 20))
    (directory / "sums").write_text(hashlib.md5((directory / "data").read_bytes()).hexdigest() + "  data\n")
    programs = [directory / str(i) for i in range(3)]
    for program in programs:
        shutil.copytree(directory, program, ignore=lambda at, names: [name for name in names if name.isdigit()])
    guest = f"/mnt/host{directory}"
    spawned = [host.spawn("run", "-d", distro, "--", "sh", "-c", USER, "sh", f"{guest}/{program.name}", text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for program in programs]
    def lines(program):
        log = program / "log"
        return len(log.read_text().splitlines()) if log.exists() else 0
    def goes_on(before):
        """Or one has ended, which its output explains."""
        return any(process.poll() is not None for process in spawned) or all(
            lines(program) > count for program, count in zip(programs, before))
    for _ in range(10):
        before = [lines(program) for program in programs]
        eventually(lambda: goes_on(before), what="a round")
        suspend(host, distro)
        host.run(distro, "true")
    for program in programs:
        (program / "stop").touch()
    ends = [process.communicate(timeout=300)[0] for process in spawned]
    assert [end.split()[1:] for end in ends] == [["rounds"]] * 3, ends
