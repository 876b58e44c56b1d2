"""A failing host disk under a real QEMU: quota and I/O errors. Calls fail while a switch file says so."""
import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import required
from host import Host, eventually

SOURCE = Path(__file__).resolve().parents[1] / "lib/fault.c"
EMULATOR = "qemu-system-x86_64"


class FaultyHost(Host):
    """QEMU and keeper are both run with tests/lib/fault.c, so that they see the same disk."""

    def __init__(self, build, **settings):
        super().__init__(build, **settings)
        self.library, self.switch = self.root / "fault.so", self.root / "faults"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", self.library, SOURCE, "-ldl"], check=True)
        support = self.root / "support"
        support.mkdir()
        for path in (Path(build) / "cmd").iterdir():
            (support / path.name).symlink_to(path.resolve())
        (support / "berth-keeper").unlink()
        self.load_into(support / "berth-keeper", Path(build) / "cmd/berth-keeper")
        emulator = self.root / EMULATOR
        self.load_into(emulator, shutil.which(EMULATOR))
        self.environment.update(BERTH_SUPPORT_DIR=str(support), BERTH_EMULATOR=str(emulator))

    def load_into(self, script, program):
        """Make a @script that runs @program with the fault, since a keeper passes no variables on."""
        script.write_text(f"#!/bin/sh\nexport LD_PRELOAD={self.library} BERTH_FAULT_PROGRAM={Path(program).name} "
                          f'BERTH_FAULT_WHILE={self.switch}\nexec {program} "$@"\n')
        script.chmod(0o755)

    def fail(self, **faults):
        """Make the named calls fail with an errno; without arguments, none."""
        written = self.root / "faults.new"
        written.write_text("".join(f"{name} {int(number)}\n" for name, number in faults.items()))
        os.rename(written, self.switch)


@pytest.fixture
def faulty():
    with FaultyHost(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"),
                    BERTH_MEMORY="512M", BERTH_BOOT_TIMEOUT="120") as host:
        host("import", "--no-user", "box", required("BERTH_TEST_BUSYBOX"))
        host("start", "box")
        yield host
        host.fail()


WORDS = {errno.EDQUOT: "the quota on the host's disk is used up",
         errno.EIO: "the host cannot write the distro's disk: Input/output error"}
WRITES = "head -c 300000 /dev/urandom >/root/big; sync; echo 3 >/proc/sys/vm/drop_caches; cat /root/big | md5sum; md5sum /root/big"
PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


def write(host):
    """Start a command that writes a file and reads it again."""
    return host.spawn("run", "-d", "box", "--", "sh", "-euc", WRITES, **PIPES)


def check(host):
    disk = host.info("box")["disk"]
    result = subprocess.run(["/sbin/e2fsck", "-fn", disk], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.smoke
@pytest.mark.parametrize("number", WORDS, ids=errno.errorcode.get)
def test_guest_pauses_until_the_host_can_write(faulty, number):
    faulty.fail(write=number)
    process = write(faulty)
    assert WORDS[number] in process.stderr.readline()
    info = faulty.info("box")
    assert (info["state"], info["reason"]) == ("paused", WORDS[number])
    late = faulty.spawn("run", "-d", "box", "--", "echo", "late", **PIPES)
    assert WORDS[number] in late.stderr.readline()
    assert process.poll() is None and late.poll() is None
    faulty.fail()
    out, _ = process.communicate(timeout=120)
    sums = [line.split()[0] for line in out.splitlines()]
    assert process.returncode == 0 and sums[0] == sums[1]
    assert late.communicate(timeout=120)[0] == "late\n"
    eventually(lambda: faulty.state("box") == "running", timeout=120)
    faulty("terminate", "box")
    check(faulty)


def test_persistent_write_error(faulty):
    """The distro can still be terminated."""
    faulty.fail(write=errno.EIO)
    process = write(faulty)
    assert WORDS[errno.EIO] in process.stderr.readline()
    result = faulty("terminate", "box", "--grace", "5")
    assert "was stopped without an orderly power-off: " + WORDS[errno.EIO] in result.stderr
    process.communicate(timeout=60)
    assert process.returncode != 0 and faulty.state("box") == "stopped"
    faulty.fail()
    assert faulty.run("box", "echo", "fine").stdout == "fine\n"


@pytest.mark.smoke
def test_failed_flush_ends_the_machine(faulty):
    """After a failed fdatasync QEMU flushes no more. berth reports it, and the next command gets a new machine."""
    faulty.fail(sync=errno.EIO)
    process = write(faulty)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "the host lost the last writes of box: Input/output error\n" in err and "instance.writes-lost" in err
    eventually(lambda: faulty.state("box") == "stopped")
    faulty.fail()
    assert faulty.run("box", "echo", "fine").stdout == "fine\n"
    faulty("terminate", "box")
    check(faulty)


def test_terminate_when_the_host_has_lost_writes(faulty):
    faulty.shell("box", "echo text >/root/file")
    faulty.fail(sync=errno.EIO)
    result = faulty("terminate", "box")
    assert "was stopped without an orderly power-off: " in result.stderr and "Input/output error" in result.stderr
    assert faulty.state("box") == "stopped"


# The first line waits for the kernel's own reads after a mount: their errors would end the journal.
READS = """while grep -qx ext4lazyinit /proc/[0-9]*/comm 2>/dev/null; do sleep 0.1; done
read_block() { dd if=/dev/vda of=/dev/null bs=4096 count=1 skip=$1 2>/dev/null && echo read || echo failed; }
read_block 100000; read x; read_block 200000; read x; read_block 200000; touch /root/written; sync; echo written"""


@pytest.mark.smoke
def test_read_errors_reach_the_guest(faulty):
    """The guest gets the errors and continues, as with any disk; the user gets a notice."""
    process = faulty.spawn("run", "-d", "box", "--", "sh", "-euc", READS, **{**PIPES, "stdin": subprocess.PIPE})
    assert process.stdout.readline() == "read\n"
    faulty.fail(read=errno.EIO)
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "failed\n"
    assert process.stderr.readline() == ("berth: box gets read errors: the host cannot read its disk: "
                                         "Input/output error\n")
    assert faulty.state("box") == "running"
    faulty.fail()
    out, err = process.communicate("\n", timeout=120)
    assert (process.returncode, out, err) == (0, "read\nwritten\n", "")
    assert faulty("logs", "box").stdout.count("box gets read errors") == 1
