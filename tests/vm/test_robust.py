"""kill -9, of everything, at any moment: the next command works, by itself, and what was synced is there."""
import os
import re
import signal
import subprocess

import pytest

from host import eventually

STAGES = ["starts", "channel", "disk", "network", "agent"]


def log(host, name):
    return host("logs", name, check=False).stdout


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def keeper_of(host, name):
    """From its lock: a keeper is asked nothing while it starts."""
    lock = host.root / "run" / "berth" / host.info(name)["id"] / "lock"
    return int(lock.read_text().split()[0])


def qemu_of(host, name):
    for child in children(keeper_of(host, name)):
        with open(f"/proc/{child}/comm", encoding="ascii") as file:
            if file.read().startswith("qemu"):
                return child
    return None


def kill_hard(host, name, pid):
    """And wait until it is known: who comes between is told of it, as who was there."""
    os.kill(pid, signal.SIGKILL)

    def gone():
        row = host.info(name)  # "busy", without either, while the QEMU of a killed keeper ends
        return row["state"] in ("stopped", "starting") or pid not in (row.get("keeper_pid"), row.get("qemu_pid"))
    eventually(gone, what="the end")


def assert_all_is_well(host, name):
    """It starts again, what was synced is there, and the disk is sound once it has been unmounted."""
    assert host.run(name, "cat", "/root/synced").stdout == "kept\n"
    host("terminate", name)
    disk = host.info(name)["disk"]
    check = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout


@pytest.fixture
def synced(host, scratch):
    host.shell(scratch, "echo kept >/root/synced; sync")
    host("terminate", scratch)
    return scratch


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("victim", [keeper_of, qemu_of])
def test_killed_while_it_boots(host, synced, victim, stage):
    seen = log(host, synced).count("starts\n")
    client = host.spawn("start", synced, stderr=subprocess.DEVNULL)

    def reached():
        boots = log(host, synced).split(" starts\n")
        return len(boots) > seen + 1 and (stage == "starts" or re.search(rf" s  {stage}$", boots[-1], re.M))
    eventually(reached, what=stage)
    kill_hard(host, synced, eventually(lambda: victim(host, synced), what="its start"))
    client.wait(120)  # which may have started it anew, or say what happened
    assert_all_is_well(host, synced)


def test_killed_while_it_writes(host, synced):
    """All that sync has reported as written is on the disk."""
    writer = host.spawn("run", "-d", synced, "--", "sh", "-c",
                        "i=0; while :; do i=$((i + 1)); echo $i >>/root/numbers; sync; echo $i; done", stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, text=True)
    for _ in range(30):
        last = writer.stdout.readline()
        assert last, writer.stderr.read() + log(host, synced)
    kill_hard(host, synced, host.info(synced)["qemu_pid"])
    last = (writer.stdout.read() or last).splitlines()[-1]
    assert writer.wait(30) == 125
    assert int(host.run(synced, "tail", "-n", "1", "/root/numbers").stdout) >= int(last)
    assert "recovery complete" in host.run(synced, "dmesg").stdout
    assert_all_is_well(host, synced)


def test_killed_agent(host, synced):
    agent = host.shell(synced, "for p in /proc/[0-9]*; do grep -q '^@berth-agent' $p/cmdline 2>/dev/null && "
                               "basename $p; done; true").stdout.split()
    assert len(agent) == 1
    result = host.run(synced, "kill", "-9", *agent, check=False)
    assert result.returncode == 125 and "code: instance.agent" in result.stderr
    eventually(lambda: f"{synced} berth's agent in the guest was ended" in log(host, synced), what="its line in the log")
    assert_all_is_well(host, synced)


def test_agent_killed_while_others_wait(host, synced):
    """A command that comes while the keeper ends gets the next keeper."""
    before = host.run(synced, "cat", "/proc/sys/kernel/random/boot_id").stdout
    sleeper = host.spawn("run", "-d", synced, "--", "sh", "-c", "echo on; exec sleep 1000", stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    assert sleeper.stdout.readline() == b"on\n"  # or it is of those who come then
    killer = host.spawn("run", "-d", synced, "--", "sh", "-c", "kill -9 $PPID", stderr=subprocess.DEVNULL)

    def next_boot():
        """Ask all the time: some ask before the end, and at most one was on its way to the agent and fails."""
        now = host.run(synced, "cat", "/proc/sys/kernel/random/boot_id", check=False).stdout
        return now not in ("", before)
    eventually(next_boot, what="the next instance")
    assert (sleeper.wait(30), killer.wait(30)) == (125, 125)


def test_panic(host, synced):
    result = host.shell(synced, "echo more >/root/more; sync; echo c >/proc/sysrq-trigger; sleep 60", check=False)
    assert result.returncode == 125 and "code: instance.panic" in result.stderr
    assert host.run(synced, "cat", "/root/more").stdout == "more\n"
    assert_all_is_well(host, synced)


def test_killed_pid_1(host, synced):
    """It has no signal to die of, but its code can be taken away."""
    result = host.shell(synced, """
        code=$(grep -m 1 r-xp /proc/1/maps | cut -d ' ' -f 1)
        first=$((0x${code%-*} / 4096)) end=$((0x${code#*-} / 4096))
        dd if=/dev/zero of=/proc/1/mem bs=4096 seek=$first count=$((end - first)) conv=notrunc
        kill -CHLD 1
        sleep 60""", check=False)
    assert result.returncode == 125 and "code: instance.panic" in result.stderr
    assert "Attempted to kill init" in result.stderr
    assert_all_is_well(host, synced)


def runs(host, name, words):
    """Whether a process of the distro's has just this command line."""
    return re.search(rf"^ *\d+ \w+ +{words}$", host.run(name, "ps").stdout, re.M) is not None


def test_killed_client(host, synced):
    """Its command is hung up; one that has let go of it stays."""
    client = host.spawn("run", "-d", synced, "--", "sh", "-c", "setsid sleep 4711 </dev/null >/dev/null 2>&1 & exec sleep 4712")
    # Each is what it is to be: before, both are the shell, and go with it.
    eventually(lambda: runs(host, synced, "sleep 4711") and runs(host, synced, "sleep 4712"), what="the commands")
    client.kill()
    client.wait()
    eventually(lambda: not runs(host, synced, "sleep 4712"), what="the hang-up")
    assert runs(host, synced, "sleep 4711")
    assert host.info(synced)["sessions"] == 0
