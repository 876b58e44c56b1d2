"""Starting, watching and stopping instances, and failures to start."""
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BUILD, wait_for
from ports import free_port
from waiting import LIMIT, is_alive, stop_process


def state_of(pid):
    """The state letter of proc(5); X if the process does not exist."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def test_start_and_status(box):
    assert box("start").ok() == ""
    assert box("start", "BOX").ok() == ""  # starting again is not an error
    assert len(box.qemus()) == 1
    info = box.info("box")
    assert info["state"] == "running" and info["accel"] == "tcg" and info["ports"] == []
    assert info["started"].startswith("20") and info["memory_used"] > 0
    assert info["qemu_pid"] == box.qemus()[0]["pid"] and is_alive(info["keeper_pid"])
    line = box("list", "-v").ok().splitlines()[1].split()
    assert line[:3] == ["*", "box", "running"] and "tcg" in line
    assert box("list", "--running", "-q").ok() == "box\n"
    assert "1, 1 running" in box("status").ok()


def without_clock(word):
    """Remove the rate of the host's clock, which is measured anew each time."""
    return re.sub(r"tsc_early_khz=\d+", "tsc_early_khz=N", word)


def test_dry_run_prints_the_command_line(box):
    text = box("start", "--dry-run").ok()
    assert box.info("box")["state"] == "stopped" and box.qemus() == []
    box("start").ok()
    argv = box.qemus()[0]["argv"]
    assert [without_clock(word) for word in shlex.split(text.replace("\\\n", ""))[1:]] == \
        [without_clock(word) for word in argv[1:]]
    assert str(box.data / "distros" / box.ids()[0] / "disk.ext4") in text


def test_concurrent_starts(box):
    processes = [box.start("start", "box") for _ in range(6)]
    for process in processes:
        box.finish(process).ok()
    assert len(box.qemus()) == 1


def without_qemu(box):
    (box.bin / "qemu-system-x86_64").unlink()
    return {"BERTH_EMULATOR": "qemu-of-no-system"}


def without_kernel(box):
    (box.support / "vmlinux").unlink()


def with_a_kernel_of_no_place(box):
    return {"BERTH_KERNEL": "/nonexistent/vmlinux"}


def without_initramfs(box):
    (box.support / "initramfs.cpio").unlink()


def without_disk(box):
    next(box.data.glob("distros/*/disk.ext4")).unlink()


def without_template(box):
    (box.support / "templates").unlink()


def without_keeper(box):
    (box.support / "berth-keeper").unlink()


@pytest.mark.parametrize("spoil, code, word", [
    (without_qemu, "machine.no-qemu", "qemu-of-no-system"),
    (without_kernel, "machine.no-kernel", "vmlinux"),
    (with_a_kernel_of_no_place, "machine.no-kernel", "/nonexistent/vmlinux"),
    (without_initramfs, "machine.no-initramfs", "initramfs.cpio"),
    (without_disk, "machine.no-disk", "disk.ext4"),
    (without_template, "template.missing", "x86_64.conf"),
    (without_keeper, "instance.start.missing", "berth-keeper"),
])
def test_missing_programs_and_files(box, spoil, code, word):
    environment = spoil(box) or {}
    box("start", env=environment).failed(1, code, "start: ", word)
    box("run", "true", env=environment).failed(125, code, word)
    assert box.info("box")["state"] == "stopped" and box.qemus() == []


def test_machine_cannot_be_set_up(box):
    result = box("start", env={"FAKE_QEMU_MODE": "crash"})
    result.failed(1, result.code, "cannot set up the machine")
    assert result.code.startswith(("machine.", "instance.")), result
    assert box.info("box")["state"] == "stopped"
    box("start").ok()  # the next start works


def test_silent_guest_times_out(box):
    result = box("start", env={"FAKE_QEMU_MODE": "silent", "BERTH_BOOT_TIMEOUT": "1"})
    assert result.status == 1 and result.code.startswith("instance."), result
    assert "within 1 s" in result.err, result
    assert box.info("box")["state"] == "stopped"
    assert all(not is_alive(start["pid"]) for start in box.qemus())


def test_terminate(box):
    box("start").ok()
    info = box.info("box")
    assert box("terminate", "Box").ok() == ""
    assert box.info("box")["state"] == "stopped"
    assert not is_alive(info["qemu_pid"])
    wait_for(lambda: not is_alive(info["keeper_pid"]))  # it has announced its end
    for words in (["box"], ["--force", "Box"]):  # stopping again is not an error
        again = box("terminate", *words)
        assert (again.status, again.err) == (0, "berth: box was not running\n")
    assert box("shutdown").ok() == ""
    box("terminate", "box", "none").failed(1, "distro.not-found", "none")


def test_terminate_with_sessions(box):
    process = box.start("run", "sleep", "60")
    wait_for(lambda: box.info("box").get("sessions") == 1)
    box("terminate", "box", "--grace", "2").ok()
    assert process.wait(timeout=LIMIT) != 0
    process.communicate()
    assert box.info("box")["state"] == "stopped"


@pytest.mark.parametrize("options, least", [(["--force"], 0), (["--grace", "1"], 1)])
def test_unwilling_guest_is_forced_off(box, options, least):
    box.configure("[berth]\nstop-timeout = 600\n")
    box("start", env={"FAKE_QEMU_MODE": "ignore-power"}).ok()
    started = time.monotonic()
    box("terminate", "box", *options).ok()
    assert time.monotonic() - started >= least
    assert box.info("box")["state"] == "stopped"


def test_shutdown_stops_distros_in_parallel(box, rootfs):
    """None powers off when asked, yet all are asked."""
    names = ["box", "two", "three", "four"]
    for name in names[1:]:
        box("import", name, rootfs).ok()
    for name in names:
        box("start", name, env={"FAKE_QEMU_MODE": "ignore-power"}).ok()
    shutdown = box.start("shutdown", "--grace", "600")
    wait_for(lambda: {box.info(name)["state"] for name in names} == {"stopping"})
    for name in names:
        os.kill(box.info(name)["qemu_pid"], signal.SIGKILL)
    box.finish(shutdown).ok()
    assert box("list", "--running", "-q").ok() == ""
    box("shutdown").ok()


def test_unregister_stops_it_first(box):
    box("start").ok()
    info = box.info("box")
    box("unregister", "box").ok()
    assert not is_alive(info["qemu_pid"])
    wait_for(lambda: not is_alive(info["keeper_pid"]))  # it has announced its end
    assert box.names() == [] and box.left_over() == []
    assert list(box.runtime.iterdir()) == []


def test_power_off_in_the_guest(box):
    box("start").ok()
    os.kill(box.qemus()[0]["pid"], signal.SIGUSR2)
    wait_for(lambda: box.info("box")["state"] == "stopped")
    assert box("run", "echo", "back").ok() == "back\n"


def test_reboot_in_the_guest(box):
    box("start").ok()
    os.kill(box.qemus()[0]["pid"], signal.SIGUSR1)
    wait_for(lambda: len(box.qemus()) == 2)
    assert box("run", "echo", "back").ok() == "back\n"
    assert len(box.qemus()) == 2


def test_client_sees_qemu_die_first(box):
    """A client that comes in between gets a new machine, with its input intact."""
    for turn in range(5):
        box("start", "box").ok()
        info = box.info("box")
        stop_process(info["keeper_pid"])
        os.kill(info["qemu_pid"], signal.SIGKILL)
        process = box.start("run", "-d", "box", "--", "cat", stdin=subprocess.PIPE)
        wait_for(lambda: state_of(process.pid) == "S")  # it waits, most likely for the keeper
        wait_for(lambda: not is_alive(info["qemu_pid"]))
        os.kill(info["keeper_pid"], signal.SIGCONT)
        assert box.finish(process, b"all of it").ok() == "all of it", turn
    assert len(box.qemus()) >= 5


@pytest.mark.parametrize("which", ["keeper_pid", "qemu_pid"])
def test_killed_process_ends_the_instance(box, which):
    box("start").ok()
    info = box.info("box")
    os.kill(info[which], signal.SIGKILL)
    wait_for(lambda: not is_alive(info["qemu_pid"]) and not is_alive(info["keeper_pid"]))
    assert box.info("box")["state"] == "stopped"
    assert box("run", "echo", "back").ok() == "back\n"


def test_logs(box):
    assert box("logs").ok() == ""  # there is no log yet
    box("start").ok()
    box("terminate", "box").ok()
    text = box("logs", "BOX").ok()
    assert "fake-qemu: booting" in text and "fake-qemu: power down" in text
    box("logs", "none").failed(1, "distro.not-found", "logs none: ")


def test_log_calls_an_orderly_end_no_failure(box):
    """Terminate, a reboot and a power-off in the guest end its agent, too."""
    box("start").ok()
    os.kill(box.qemus()[0]["pid"], signal.SIGUSR1)
    wait_for(lambda: len(box.qemus()) == 2)
    box("run", "true").ok()
    os.kill(box.qemus()[1]["pid"], signal.SIGUSR2)
    wait_for(lambda: box.info("box")["state"] == "stopped")
    box("start").ok()
    box("terminate", "box").ok()
    text = box("logs").ok()
    assert "box reboots" in text and "box was powered off" in text
    assert "was ended" not in text


class Reader:
    """Reads a process's output as it comes."""

    def __init__(self, process):
        self.pipe = process.stdout.fileno()
        os.set_blocking(self.pipe, False)
        self.seen = b""

    def expect(self, text):
        def more():
            try:
                self.seen += os.read(self.pipe, 65536)
            except BlockingIOError:
                pass
            return text in self.seen
        wait_for(more)
        self.seen = self.seen[self.seen.index(text) + len(text):]


def test_logs_follow_appended_lines(box):
    box("start").ok()
    process = box.start("logs", "-f")
    reader = Reader(process)
    reader.expect(b"booting")
    box("terminate", "box").ok()
    reader.expect(b"power down")
    box("unregister", "box").ok()
    assert process.wait(timeout=LIMIT) == 0  # the log is complete
    process.communicate()


def test_logs_follow_a_rotation(box):
    """The log is two files: a full one is continued in a new one."""
    log = box.data / "distros" / box.ids()[0] / "console.log"
    log.write_text("first\n")
    process = box.start("logs", "-f")
    reader = Reader(process)
    reader.expect(b"first\n")
    with open(log, "a", encoding="ascii") as old:
        old.write("second\n")
    log.rename(str(log) + ".old")
    log.write_text("third\n")
    reader.expect(b"second\nthird\n")
    process.kill()
    process.communicate()
    assert box("logs").ok() == "first\nsecond\nthird\n"


def test_ports(box):
    """The guest is this host, so its listening ports are in use here."""
    listener, port = socket.socket(), free_port()
    listener.bind(("0.0.0.0", port))
    listener.listen()
    box("start", env={"FAKE_QEMU_LISTENERS": port}).ok()

    def find():
        answer = json.loads(box("ports", "--json").ok())
        assert answer["schema"] == 1
        return next((entry for entry in answer["ports"] if entry["port"] == port), None)

    def decided():
        entry = find()
        return entry if entry is not None and entry["state"] != "wanted" else None

    found = wait_for(decided)
    assert found["distro"] == "box" and found["protocol"] == "tcp" and found["state"] == "blocked"
    assert found["reason"]
    line = next(line for line in box("ports", "box").ok().splitlines() if line.startswith(f"{port} "))
    assert line.split()[:4] == [str(port), "tcp", "blocked", "box"] and found["reason"] in line

    listener.close()
    wait_for(lambda: find() is None)
    box("terminate", "box").ok()
    box("ports", "box").failed(1, "instance.not-running", "ports box: ")
    assert json.loads(box("ports", "--json").ok())["ports"] == []


def test_start_on_demand_is_silent(box):
    """Messages go to stderr: stdout has only the command's output."""
    process = subprocess.run([box.program, "run", "printf", "x"], env=box.environment,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT)
    assert process.stdout == b"x" and process.stderr == b""


def test_programs_are_found_in_search_order(box):
    """Uninstalled, berth's programs are beside it."""
    environment = {"BERTH_SUPPORT_DIR": ""}
    assert json.loads(box("status", "--json", env=environment).ok())["support_dir"] == str(
        (BUILD / "cmd").resolve())


def test_log_of_the_keeper(box):
    """Its file is emptied by the next start, and is gone with the host's runtime directory."""
    assert box("logs", "--keeper").ok() == ""
    box("start").ok()
    log = box.runtime / box.ids()[0] / "keeper.log"
    assert box("logs", "--keeper", "BOX").ok() == log.read_text()
    with open(log, "a") as file:
        file.write("a line of the keeper's\n")
    assert box("logs", "--keeper").ok().endswith("a line of the keeper's\n")
    assert "a line of the keeper's" not in box("logs", "--console").ok()
    box("logs", "--keeper", "--console").failed(2, "usage.value", "cannot be used together")
    box("logs", "--keeper", "--boot").failed(2, "usage.value", "cannot be used together")
    box("logs", "--keeper", "none").failed(1, "distro.not-found", "logs none: ")


# --- the log of the last start ---

MARK = "[berth 2026-01-02 03:04:05] "


def console(box):
    directory = box.data / "distros" / box.ids()[0]
    directory.mkdir(exist_ok=True)
    return directory / "console.log"


def test_log_of_the_last_start(box):
    assert box("logs", "--boot").ok() == ""  # there is no log yet
    for _ in range(2):
        box("start").ok()
        box("terminate", "box").ok()
    text = box("logs", "--boot", "box").ok()
    assert re.match(r"\[berth [0-9-]{10} [0-9:]{8}\] box starts\n", text)
    assert text.count(" starts\n") == 1 and text.count("fake-qemu: booting") == 1 and "fake-qemu: power down" in text
    assert box("logs", "box").ok().endswith(text) and box("logs").ok().count(" starts\n") == 2


@pytest.mark.parametrize("old, new, shown", [
    ("", f"a\n{MARK}box starts\nb\n", f"{MARK}box starts\nb\n"),
    (f"a\n{MARK}box starts\nb\n", "c\n", f"{MARK}box starts\nb\nc\n"),
    (f"a\n{MARK}box starts\nb\n", f"c\n{MARK}box starts\n", f"{MARK}box starts\n"),
    ("a\n", "b\n", "a\nb\n"),
    ("", f"login: {MARK}box starts\nb", f"{MARK}box starts\nb"),
    ("", f"\0\0{MARK}box starts\nb\0", f"{MARK}box starts\nb\0"),
    ("", f"{MARK}box starts\nthe server starts\n", f"{MARK}box starts\nthe server starts\n"),
], ids=["new", "old", "both", "none", "in a line", "zeros", "another's word"])
def test_where_the_log_of_the_last_start_begins(box, old, new, shown):
    if old:
        Path(f"{console(box)}.old").write_text(old)
    console(box).write_text(new)
    assert box("logs", "--boot").ok() == shown


def test_log_of_the_last_start_is_followed(box):
    console(box).write_text(f"before\n{MARK}box starts\nfirst\n")
    process = box.start("logs", "--boot", "-f")
    start = f"{MARK}box starts\nfirst\n".encode()
    assert process.stdout.read(len(start)) == start
    with open(console(box), "a", encoding="ascii") as log:
        log.write("second\n")
    assert process.stdout.read(7) == b"second\n"
    process.kill()
    process.communicate()
