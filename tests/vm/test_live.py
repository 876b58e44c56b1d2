# SPDX-License-Identifier: MIT
"""Copies that go on from a memory: clones of a distro that runs, and snapshots. What is their own, and what they have of their source."""
import hashlib
import os
import subprocess
import urllib.request
from pathlib import Path

import pytest

from ports import free_port
from test_ports import serve
from test_suspend import skew
from waiting import wait_for

AT_ONCE = 3
LOOK = "hostname; cat /etc/machine-id 2>/dev/null; head -c 16 /dev/urandom | md5sum"
MARK = "/dev/shm/mark"  # in memory alone


@pytest.fixture(params=["busybox", "debian"])
def source(request, host):
    name = request.getfixturevalue(request.param)
    host("start", name)
    host.shell(name, f"echo of-{name} >{MARK}; (sleep 987 >/dev/null 2>&1 &)")
    yield name
    host("terminate", name)


@pytest.fixture
def twin(host):
    yield "twin"
    host("unregister", "twin", check=False)


def memory_file(host, name):
    return Path(host.info(name)["disk"] + ".parked")


def digest(path):
    """Of a sparse file its data: a disk is 1 TiB."""
    sums = hashlib.sha256()
    with open(path, "rb") as file:
        end = 0
        try:
            while True:
                begin = os.lseek(file.fileno(), end, 3)
                end = os.lseek(file.fileno(), begin, 4)
                file.seek(begin)
                sums.update(f"{begin} {end}".encode())
                left = end - begin
                while left > 0:
                    data = file.read(min(left, 1 << 20))
                    sums.update(data)
                    left -= len(data)
        except OSError:
            return sums.hexdigest()


def look(host, name):
    return host.shell(name, LOOK).stdout.split("\n")


def test_clone_goes_on_as_its_own(host, source, twin):
    before = look(host, source)
    host("clone", "--live", source, twin)
    assert host.state(source) == host.state(twin) == "running"
    after = look(host, twin)
    assert after[0] == twin and before[0] == source
    assert len(set(before) & set(after) - {""}) == 0, (before, after)  # machine-id, where there is one, and random numbers
    for name in (source, twin):
        assert host.run(name, "cat", MARK).stdout == f"of-{source}\n"
        assert host.shell(name, "grep -ls [9]87 /proc/[0-9]*/cmdline | head -n 1 | wc -l").stdout == "1\n"
        assert skew(host, name) <= 1
    assert look(host, source)[0] == source
    host.shell(twin, f"echo own >{MARK}; echo own >/root/own; sync")
    assert host.shell(source, f"cat {MARK}; ls /root/own 2>/dev/null | wc -l").stdout == f"of-{source}\n0\n"
    for verb in ("suspend", "park"):
        host(verb, twin)
        assert host.run(twin, "cat", MARK).stdout == "own\n"
    host("terminate", twin)
    assert host.shell(twin, f"hostname; cat /root/own; ls {MARK} 2>/dev/null | wc -l").stdout == "twin\nown\n0\n"


def test_clone_has_a_network_and_ports(host, busybox, twin):
    port, other = free_port(), free_port()
    host("start", busybox)
    host.shell(busybox, "mkdir -p /h; echo source >/h/index.html")
    serve(host, busybox, port)
    host("clone", "--live", busybox, twin)
    host.shell(twin, "echo twin >/h/index.html")
    host("forward", "add", twin, f"{other}:{port}")
    for number, text in ((port, b"source\n"), (other, b"twin\n")):
        with urllib.request.urlopen(f"http://127.0.0.1:{number}/h/index.html", timeout=60) as answer:
            assert answer.read() == text
    assert "0% packet loss" in host.shell(twin, "ping -c 1 -W 5 10.0.2.2").stdout
    host("terminate", busybox)


@pytest.mark.parametrize("verb", ["suspend", "park"])
def test_template_is_never_changed(host, source, verb):
    """And its clones go on beside each other, see nothing of the host, and are gone."""
    host(verb, source)
    files = [Path(host.info(source)["disk"])] + [memory_file(host, source)] * (verb == "park")
    before = [digest(path) for path in files]
    script = f"cat {MARK}; echo $$ >{MARK}; hostname; ls /mnt/host 2>/dev/null | wc -l; read -r line; cat {MARK} | wc -l"
    running = [host.spawn("run", "--rm", "-d", source, "--", "sh", "-c", script, text=True, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(AT_ONCE)]
    names = set()
    for process in running:
        assert process.stdout.readline() == f"of-{source}\n", process.stderr.read()
        names.add(process.stdout.readline())
        assert process.stdout.readline() == "0\n"
    assert len(names) == AT_ONCE
    for process in running:
        out, err = process.communicate("\n", timeout=180)
        assert (process.returncode, out, err) == (0, "1\n", "")
    assert [digest(path) for path in files] == before
    assert [row["name"] for row in host.json("list")["distros"] if row.get("template") == source] == []
    assert host.run(source, "cat", MARK).stdout == f"of-{source}\n"


def test_snapshot_is_gone_back_to(host, source):
    """Twice: what runs on from it changes nothing of it."""
    host("snapshot", source, "it")
    host.shell(source, f"echo later >{MARK}; echo later >/root/later; sync")
    try:
        seen = []
        for _ in range(2):
            out = host("restore", "--terminate", source, "it").stdout
            assert "its programs continue with the next command\n" in out
            assert host.shell(source, f"cat {MARK}; ls /root/later 2>/dev/null | wc -l").stdout == f"of-{source}\n0\n"
            assert skew(host, source) <= 1
            seen.append(look(host, source)[-2])
            host.shell(source, f"echo again >{MARK}; touch /root/later; sync")
        assert len(set(seen)) == 2  # random numbers
    finally:
        host("snapshot", "--remove", source, "it")
        host("snapshot", "--remove", source, "before-restore", check=False)
        host.shell(source, "rm -f /root/later")


# --- a memory that clones share ---

def lent_memory(host, name):
    """A digest of a suspended guest's memory, wherever it has holes: a clone that reads one fills it with zeros."""
    keeper, sums, size = host.info(name)["keeper_pid"], hashlib.sha256(), 1 << 20
    (path,) = [path for path in Path(f"/proc/{keeper}/fd").iterdir() if os.readlink(path).startswith("/memfd:berth-memory")]
    with path.open("rb") as file:
        for place, data in enumerate(iter(lambda: file.read(size), b"")):
            if data.count(0) != len(data):
                sums.update(place.to_bytes(8, "little") + data)
    return sums.hexdigest()


# Memory that is freed is reported after 2 s (the kernel's mm/page_reporting.c), and QEMU would punch it out of the file.
USE = f"cat {MARK}; head -c 100000000 /dev/zero >/dev/shm/more; rm /dev/shm/more; sleep 5; cat {MARK}; hostname"


def test_no_clone_changes_what_its_source_has(host, source):
    host("suspend", source)
    disk, before = Path(host.info(source)["disk"]), lent_memory(host, source)
    disk_before = digest(disk)
    running = [host.spawn("run", "--rm", "-d", source, "--", "sh", "-c", USE, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) for _ in range(AT_ONCE)]
    answers = [process.communicate()[0].splitlines() for process in running]
    assert all(answer[:2] == [f"of-{source}"] * 2 and answer[2].startswith(f"{source}-") for answer in answers), answers
    assert len({answer[2] for answer in answers}) == AT_ONCE
    assert lent_memory(host, source) == before and digest(disk) == disk_before
    assert host.state(source) == "suspended"
    assert host.shell(source, f"cat {MARK}").stdout == f"of-{source}\n"  # with a copy
    host.shell(source, f"echo more >>{MARK}")
    host("suspend", source)
    assert host.shell(source, f"cat {MARK}").stdout == f"of-{source}\nmore\n"
    assert host("run", "--rm", "-d", source, "--", "cat", MARK).stdout == f"of-{source}\nmore\n"


# Writes a file in memory with its digest, and the same on the disk, one after another. Between two rounds it waits while
# there is /dev/shm/w/hold, and answers with its words.
WRITER = """
i=0
while :; do
    i=$((i + 1)); n=$((i % 8))
    yes "round $i" | head -c 2097152 >/dev/shm/w/new && mv /dev/shm/w/new /dev/shm/w/$n &&
        md5sum /dev/shm/w/$n >/dev/shm/w/$n.sum && cp /dev/shm/w/$n /root/w/$n && echo $i >/dev/shm/w/done
    while [ -e /dev/shm/w/hold ]; do cat /dev/shm/w/hold >/dev/shm/w/held; sleep 0.05; done
done
"""
CHECK = """
cd /dev/shm/w; cat /proc/sys/kernel/random/uuid >hold
until cmp -s hold held; do sleep 0.05; done
for n in 0 1 2 3 4 5 6 7; do
    md5sum -s -c $n.sum || echo "memory $n"
    cmp $n /root/w/$n || echo "disk $n"
done 2>&1
cat done; rm hold
"""
COPIES = 2


def checked(host, name):
    """The round of its writer, once all that it has written is whole, in memory and on the disk."""
    *wrong, last = host.shell(name, CHECK).stdout.splitlines()
    assert wrong == [], (name, wrong, last)
    return int(last)


def test_copies_of_a_guest_that_writes(host, busybox, twin):
    """What was copied while it ran is mended in the pause: a copy has one moment, in memory and on the disk."""
    host("start", busybox)
    host.shell(busybox, f"mkdir -p /dev/shm/w /root/w; cat >/dev/shm/w/writer <<'END'\n{WRITER}\nEND\n"
               "sh /dev/shm/w/writer >/dev/null 2>&1 &")
    wait_for(lambda: host.shell(busybox, "[ -e /root/w/0 ] && cat /dev/shm/w/done", check=False).stdout.strip() != "")
    try:
        for _ in range(COPIES):
            host("clone", "--live", busybox, twin)
            at = checked(host, twin)
            checked(host, busybox)
            wait_for(lambda at=at: checked(host, twin) > at)  # it goes on
            host("unregister", twin)
        host("snapshot", busybox, "it")
        host("restore", "--terminate", busybox, "it")
        assert checked(host, busybox) > 0
    finally:
        host("snapshot", "--remove", busybox, "it", check=False)
        host("snapshot", "--remove", busybox, "before-restore", check=False)
        host("terminate", busybox)
