"""A suspended distro whose memory is a file, as the user and the keeper see it; tests/vm has what a guest keeps of it."""
import json
import os
import resource
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, wait_for
from ports import free_port
from test_forward import listens
from test_suspend import state
from waiting import is_alive


def parked_file(box):
    return Path(box.info("box")["disk"] + ".parked")


def left_beside_disk(box):
    disk = Path(box.info("box")["disk"])
    return sorted(path.name for path in disk.parent.iterdir() if path.name.startswith(disk.name + "."))


@pytest.fixture
def parked(box):
    box("start", "box").ok()
    assert box("park", "box").ok() == ""
    return box


def memory_of(pid):
    """What the process has open of memory without a name."""
    links = [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir() if fd.is_symlink()]
    return [link for link in links if "berth-memory" in link]


def test_parked_distro_is_shown(parked):
    row = parked.info("box")
    assert (row["state"], row["qemu_pid"], row["memory_used"]) == ("parked", 0, 0)
    assert is_alive(row["keeper_pid"]) and memory_of(row["keeper_pid"]) == []
    assert left_beside_disk(parked) == ["disk.ext4.parked"]
    assert parked_file(parked).stat().st_mode & 0o777 == 0o600
    assert "parked" in parked("list").ok()
    assert "box, parked" in parked("status", "box").ok()
    assert "box is parked: " in parked("logs", "box").ok()


def test_a_suspended_one_is_parked(box):
    box("start", "box").ok()
    box("suspend", "box").ok()
    assert box("park", "box").ok() == ""
    assert state(box) == "parked"
    assert box("park", "box").ok() == ""
    assert box("suspend", "box").ok() == ""
    assert (state(box), len(box.qemus())) == ("parked", 1)


@pytest.mark.parametrize("words", [["run", "--", "echo", "on"], ["start", "box"]])
def test_commands_wake_it(parked, words):
    keeper = parked.info("box")["keeper_pid"]
    parked(*words).ok()
    assert (state(parked), parked.info("box")["keeper_pid"]) == ("running", keeper)
    assert left_beside_disk(parked) == []
    assert parked.qemus()[-1]["argv"][-2:] == ["-incoming", "defer"]
    parked("park", "box").ok()
    assert parked("run", "--", "echo", "on").ok() == "on\n"


def test_a_connection_wakes_it(box):
    box("start", "box").ok()
    port = free_port()
    box("forward", "add", "box", f"{port}:80").ok()
    wait_for(lambda: listens("127.0.0.1", port))
    box("park", "box").ok()
    with socket.create_connection(("127.0.0.1", port), 30):
        wait_for(lambda: state(box) == "running")
    assert left_beside_disk(box) == []


def test_by_itself(box):
    del box.environment["BERTH_PARK_AFTER"]
    box.configure("[berth]\npark-after = 1\n")
    box("start", "box").ok()
    box("suspend", "box").ok()
    wait_for(lambda: state(box) == "parked")
    assert box("run", "--", "echo", "on").ok() == "on\n"


def test_never_by_itself(box):
    del box.environment["BERTH_PARK_AFTER"]
    assert box("config", "get", "park-after").ok() == "600\n"
    box.configure("[berth]\npark-after = 0\n")
    assert box("config", "get", "park-after").ok() == "0\n"


def test_no_room(box):
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    limits = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (2048, limits[1]))
    box("park", "box").failed(1, "park.write.too-big", "it is suspended, but its memory cannot be parked: ")
    row = box.info("box")
    assert row["state"] == "suspended" and "cannot be parked" in row["reason"]
    assert left_beside_disk(box) == []
    assert "cannot be parked and stays in memory" in box("logs", "box").ok()
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, limits)
    box("park", "box").ok()
    row = box.info("box")
    assert (row["state"], row.get("reason")) == ("parked", None)
    assert box("run", "--", "echo", "on").ok() == "on\n"


def boots_cold(box, why):
    result = box("run", "--", "echo", "on")
    assert (result.status, result.out) == (0, "on\n"), result
    assert "box could not be woken, so its programs are lost: " in result.err and why in result.err
    assert "-incoming" not in box.qemus()[-1]["argv"]
    assert left_beside_disk(box) == []


def test_a_disk_that_changed(parked):
    disk = Path(parked.info("box")["disk"])
    with disk.open("r+b") as file:
        file.seek(1 << 20)
        byte = file.read(1)
        file.seek(1 << 20)
        file.write(byte)
    boots_cold(parked, "its disk has changed since it was parked")


@pytest.mark.parametrize("at", [0, 5000, -1])
def test_a_file_that_is_damaged(parked, at):
    path = parked_file(parked)
    data = bytearray(path.read_bytes())
    data[at if at < len(data) else len(data) - 20] ^= 1
    path.write_bytes(data)
    boots_cold(parked, "it is damaged")


def test_a_file_that_is_gone(parked):
    parked_file(parked).unlink()
    boots_cold(parked, "no such file")


def test_a_file_of_another_version(parked):
    path = parked_file(parked)
    data = bytearray(path.read_bytes())
    data[8] += 1
    path.write_bytes(data)
    boots_cold(parked, "it is damaged")


@pytest.mark.parametrize("options", [[], ["--force"]])
def test_terminate(parked, options):
    keeper = parked.info("box")["keeper_pid"]
    parked("terminate", *options, "box").ok()
    assert (state(parked), left_beside_disk(parked)) == ("stopped", [])
    wait_for(lambda: not is_alive(keeper))
    assert len(parked.qemus()) == (1 if options else 2)


def test_unregister(parked):
    disk = Path(parked.info("box")["disk"])
    parked("unregister", "box").ok()
    assert not disk.parent.exists()


def test_keeper_killed(parked):
    os.kill(parked.info("box")["keeper_pid"], signal.SIGKILL)
    assert parked("run", "--", "echo", "on").ok() == "on\n"
    assert left_beside_disk(parked) == []


@pytest.mark.parametrize("words", [["compact", "box"],
                                   ["move", "box", "--default"], ["export", "box", "-"], ["restore", "box", "one"]])
def test_verbs_that_need_it_stopped(box, words):
    box("snapshot", "box", "one").ok()
    box("start", "box").ok()
    box("park", "box").ok()
    box(*words).failed(1, "instance.running")
    assert state(box) == "parked"


def test_clone(parked):
    """Its disk has all that was written before; the clone boots, and the parked one still goes on."""
    parked("clone", "box", "copy").ok()
    assert (state(parked), left_beside_disk(parked)) == ("parked", ["disk.ext4.parked"])
    assert parked("run", "-d", "copy", "--", "echo", "on").ok() == "on\n"
    assert parked("run", "--", "echo", "on").ok() == "on\n"
    assert [qemu["argv"][-2:] == ["-incoming", "defer"] for qemu in parked.qemus()] == [False, False, True]


def test_snapshot(parked):
    parked("snapshot", "box", "one").ok()
    assert state(parked) == "parked"
    assert parked("run", "--", "echo", "on").ok() == "on\n"


def test_resize_wakes_it(parked):
    parked("resize", "box", "2T").ok()
    assert (state(parked), left_beside_disk(parked)) == ("running", [])


def test_not_running(box):
    box("park", "nobox").failed(1, "distro.not-found", "nobox")
    result = box("park", "box")
    assert (result.status, result.out, result.err) == (0, "", "berth: box was not running\n")


def test_several(box, rootfs):
    box("import", "other", rootfs).ok()
    box("start", "box").ok()
    box("start", "other").ok()
    box("park", "other", "box").ok()
    assert [box.info(name)["state"] for name in ("box", "other")] == ["parked", "parked"]
    box("shutdown").ok()
    assert [box.info(name)["state"] for name in ("box", "other")] == ["stopped", "stopped"]

# ---- without a keeper ----


@pytest.fixture
def left(box):
    """Parked, and its keeper has gone."""
    box("start", "box").ok()
    leave(box)
    return box


def leave(box):
    keeper = box.info("box")["keeper_pid"]
    os.kill(keeper, signal.SIGTERM)
    wait_for(lambda: not is_alive(keeper))


def test_the_keeper_parks_it_at_sigterm(left):
    assert left_beside_disk(left) == ["disk.ext4.parked"]
    assert "box is parked, since its keeper is to end" in left("logs", "box").ok()


def test_the_whole_control_group_gets_sigterm(box):
    """As systemd does at the end of a session, and of an autostart unit: it is as if only the keeper got it."""
    box("start", "box").ok()
    info = box.info("box")
    whole = os.getsid(info["keeper_pid"])
    session = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if session_of(pid) == whole]
    assert info["qemu_pid"] in session and len(session) >= 3
    for pid in sorted(session, key=lambda pid: pid == info["keeper_pid"]):
        os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not is_alive(info["keeper_pid"]))
    assert left_beside_disk(box) == ["disk.ext4.parked"]
    assert box("run", "--", "echo", "on").ok() == "on\n"


def session_of(pid):
    try:
        return os.getsid(pid)
    except OSError:  # it has just ended
        return 0


def test_another_keeper_goes_on(left):
    assert left("run", "--", "echo", "on").ok() == "on\n"
    assert left_beside_disk(left) == []
    assert [qemu["argv"][-2:] == ["-incoming", "defer"] for qemu in left.qemus()] == [False, True]
    leave(left)
    result = left("run", "--", "echo", "on")
    assert (result.status, result.out, result.err) == (0, "on\n", "")
    left("park", "box").ok()
    leave(left)
    left("start", "box").ok()
    assert state(left) == "running" and len(left.qemus()) == 4
    left("suspend", "box").ok()
    assert left("run", "--", "echo", "on").ok() == "on\n"


def starts_anew(box, why):
    result = box("run", "--", "echo", "on")
    assert (result.status, result.out) == (0, "on\n"), result
    assert result.err.startswith("berth: box was parked, but cannot continue: ") and why in result.err, result.err
    assert result.err.count("\n") == 1
    assert "-incoming" not in box.qemus()[-1]["argv"]
    assert left_beside_disk(box) == []


def rewrite(path, at):
    """The same byte once more: only the file's times change."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(byte)


def test_left_and_its_disk_has_changed(left):
    rewrite(Path(left.info("box")["disk"]), 1 << 20)
    starts_anew(left, "its disk has changed since it was parked")


def test_left_and_its_settings_have_changed(left):
    left("set", "box", "memory=1G").ok()
    starts_anew(left, "its settings have changed since it was parked")


def host_of(box, memory, cpus):
    """From now on this host has @memory bytes and @cpus processors."""
    box.environment.update(LD_PRELOAD=str(BUILD / "tests/cli/host_size.so"), HOST_SIZE_CPUS=str(cpus),
                           HOST_SIZE_PAGES=str(memory // resource.getpagesize()),
                           ASAN_OPTIONS="verify_asan_link_order=0:detect_leaks=0")


def size_of(qemu):
    words = qemu["argv"]
    return words[words.index("-m") + 1], words[words.index("-smp") + 1]


@pytest.mark.parametrize("settings", [[], ["memory=64G", "cpus=9"]])
def test_left_and_the_host_has_another_size(box, settings):
    """What depends on it stays as it was parked, until the next boot."""
    host_of(box, 4 << 30, 3)
    if settings:
        box("set", "box", *settings)
    box("start", "box")  # which warns of what is too much
    leave(box)
    for memory, cpus in ((4 << 30) - 4096, 3), (6 << 30, 1):
        host_of(box, memory, cpus)
        assert box("run", "--", "echo", "on").out == "on\n"
        assert "-incoming" in box.qemus()[-1]["argv"]
        assert size_of(box.qemus()[-1]) == size_of(box.qemus()[0])
        leave(box)
    box("terminate", "box")
    assert box("run", "--", "echo", "on").out == "on\n"
    assert size_of(box.qemus()[-1]) != size_of(box.qemus()[0])


@pytest.mark.parametrize("setting", ["memory=1G", "cpus=1"])
def test_left_and_a_setting_is_automatic_again(box, setting):
    """Even if its value would be another than the host's: what was asked for has changed."""
    host_of(box, 4 << 30, 2)
    box("set", "box", setting)
    box("start", "box").ok()
    leave(box)
    box("set", "box", "--unset", setting.split("=")[0]).ok()
    starts_anew(box, "its settings have changed since it was parked")


def test_left_and_qemu_has_changed(left):
    left.environment["FAKE_QEMU_BUSY"] = "another"  # which makes it another program
    starts_anew(left, "QEMU has changed since it was parked")


def test_left_and_the_kernel_has_changed(left):
    (left.support / "vmlinux").write_text("another\n")
    starts_anew(left, "berth's kernel has changed since it was parked")


@pytest.mark.parametrize("at", [0, 5000, -1])
def test_left_and_the_file_is_damaged(left, at):
    """Also where only a keeper, who loads it, can see that."""
    path = parked_file(left)
    data = bytearray(path.read_bytes())
    data[at if at < len(data) else len(data) - 20] ^= 1
    path.write_bytes(data)
    starts_anew(left, "it is damaged")


def test_left_and_qemu_cannot_load_it(box):
    box.environment["FAKE_QEMU_MODE"] = "no-load"
    box("start", "box").ok()
    leave(box)
    starts_anew(box, "load of migration failed")
    assert ["-incoming" in qemu["argv"] for qemu in box.qemus()] == [False, True, False]


def test_left_and_no_agent_answers(box):
    """QEMU ends while the agent is awaited: the guest is booted."""
    box.environment["FAKE_QEMU_MODE"] = "deaf"
    box("start", "box").ok()
    leave(box)
    starting = box.start("run", "--", "echo", "on")
    wait_for(lambda: "box continues" in box("logs", "box").ok())
    os.kill(box.qemus()[1]["pid"], signal.SIGKILL)
    result = box.finish(starting)
    assert (result.status, result.out) == (0, "on\n") and "box was parked, but cannot continue: " in result.err, result
    assert ["-incoming" in qemu["argv"] for qemu in box.qemus()] == [False, True, False]
    assert left_beside_disk(box) == []


@pytest.mark.parametrize("words", [["terminate"], ["terminate", "--force"]])
def test_stopped_while_the_agent_is_awaited(box, words):
    """An orderly stop waits for the agent; once that has failed nothing boots."""
    box.environment["FAKE_QEMU_MODE"] = "deaf"
    box("start", "box").ok()
    leave(box)
    starting = box.start("start", "box")
    wait_for(lambda: "box continues" in box("logs", "box").ok())
    starting.kill()  # or it starts the next keeper
    ending = box.start(*words, "box")
    if len(words) == 1:
        wait_for(lambda: state(box) == "waking")
        os.kill(box.qemus()[1]["pid"], signal.SIGKILL)
    box.finish(ending).ok()
    box.finish(starting)
    assert (state(box), left_beside_disk(box)) == ("stopped", [])


def test_sigint_powers_off(box):
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    os.kill(keeper, signal.SIGINT)
    wait_for(lambda: not is_alive(keeper))
    assert left_beside_disk(box) == []
    assert "box was powered off" in box("logs", "box").ok()


@pytest.mark.parametrize("before", ["suspend", "park"])
def test_sigterm_when_it_sleeps(box, before):
    box("start", "box").ok()
    box(before, "box").ok()
    leave(box)
    assert left_beside_disk(box) == ["disk.ext4.parked"]
    assert box("run", "--", "echo", "on").ok() == "on\n"
    assert ["-incoming" in qemu["argv"] for qemu in box.qemus()] == [False, True]


def test_sigterm_ends_commands(box):
    """They are told why, and their processes are hung up when it goes on."""
    running = box.start("run", "--", "sh", "-c", "echo on; sleep 600")
    assert running.stdout.readline() == b"on\n"
    leave(box)
    result = box.finish(running)
    assert result.status != 0 and "it was parked, since its keeper was told to end" in result.err, result


def test_no_room_at_sigterm(box):
    """It is powered off in order, and nothing is left."""
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    limits = resource.prlimit(keeper, resource.RLIMIT_FSIZE)
    resource.prlimit(keeper, resource.RLIMIT_FSIZE, (2048, limits[1]))
    leave(box)
    assert left_beside_disk(box) == []
    log = box("logs", "box").ok()
    assert "cannot be parked and stays in memory" in log and "fake-qemu: power down" in log


def test_sigterm_when_it_cannot_be_suspended(box):
    box.environment["FAKE_QEMU_MODE"] = "no-stop"
    box("start", "box").ok()
    leave(box)
    assert left_beside_disk(box) == []
    assert "fake-qemu: power down" in box("logs", "box").ok()


def test_sigterm_while_it_starts(box):
    box.environment["FAKE_QEMU_MODE"] = "silent"
    box.configure("[berth]\nstop-timeout = 1\n")  # it is powered off, and does not answer
    starting = box.start("start", "box")
    wait_for(lambda: state(box) == "starting")
    leave(box)
    box.finish(starting)
    assert left_beside_disk(box) == []


def test_sigterm_again_and_again(box):
    box("start", "box").ok()
    keeper = box.info("box")["keeper_pid"]
    while is_alive(keeper):
        try:
            os.kill(keeper, signal.SIGTERM)
        except ProcessLookupError:
            break
    assert left_beside_disk(box) == ["disk.ext4.parked"]
    assert box("run", "--", "echo", "on").ok() == "on\n"


def test_another_runtime_directory(left):
    """As after a reboot of the host."""
    shutil.rmtree(left.environment["XDG_RUNTIME_DIR"])
    os.mkdir(left.environment["XDG_RUNTIME_DIR"], 0o700)
    assert left("run", "--", "echo", "on").ok() == "on\n"
    assert ["-incoming" in qemu["argv"] for qemu in left.qemus()] == [False, True]


def test_rescue_and_isolation_lose_nothing(left):
    left("start", "--rescue", "box").failed(1, "instance.parked")
    left("start", "--isolated", "box").failed(1, "instance.parked")
    assert left_beside_disk(left) == ["disk.ext4.parked"]


def test_left_is_shown(left):
    row = left.info("box")
    assert (row["state"], row.get("keeper_pid", 0), row.get("memory_used", 0)) == ("parked", 0, 0)
    assert "parked" in left("list").ok()
    assert "box, parked" in left("status", "box").ok()
    assert left("park", "box").ok() == "" and left("suspend", "box").ok() == ""
    assert left_beside_disk(left) == ["disk.ext4.parked"]


class Keeper:
    """In the place of a keeper, one that listens, and ends at the first request."""

    def __init__(self, box):
        self.path = box.runtime / box.info("box")["id"] / "control"
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(self.path))
        self.socket.listen()

    def accept(self):
        """A client that waits for an answer; from now on nobody else can connect."""
        client, _ = self.socket.accept()
        self.socket.close()
        self.path.unlink()
        return client


SHOWS = {"list": ["list", "--json"], "status": ["status", "box", "--json"]}


def shown(result):
    data = json.loads(result.ok())
    return next(row["state"] for row in data.get("distros", [data]))


@pytest.mark.parametrize("words", SHOWS.values(), ids=SHOWS)
def test_its_keeper_leaves_instead_of_answering(left, words):
    keeper = Keeper(left)
    process = left.start(*words)
    keeper.accept().close()
    assert shown(left.finish(process)) == "parked"


@pytest.mark.parametrize("words", SHOWS.values(), ids=SHOWS)
def test_another_keeper_has_taken_it_over_meanwhile(left, words):
    left("start", "box").ok()
    there = left.runtime / left.info("box")["id"] / "control"
    there.rename(there.with_name("later"))
    keeper = Keeper(left)
    process = left.start(*words)
    client = keeper.accept()
    there.with_name("later").rename(there)
    client.close()
    assert shown(left.finish(process)) == "running"


@pytest.mark.parametrize("words", [["terminate", "box"], ["terminate", "--force", "box"], ["shutdown"]])
def test_left_and_terminated(left, words):
    result = left(*words)
    assert (result.status, result.err) == (0, "berth: box was parked: data that its programs had not saved is lost\n"), result
    assert (state(left), left_beside_disk(left)) == ("stopped", [])
    assert left("terminate", "box").err == "berth: box was not running\n"
    result = left("run", "--", "echo", "on")
    assert (result.status, result.out, result.err) == (0, "on\n", "")
    assert len(left.qemus()) == 2 and "-incoming" not in left.qemus()[-1]["argv"]


def test_left_and_unregistered(left):
    disk = Path(left.info("box")["disk"])
    left("unregister", "box").ok()
    assert not disk.parent.exists()


@pytest.mark.parametrize("words", [["compact", "box"], ["move", "box", "--default"], ["restore", "box", "one"], ["resize", "box", "2T"],
                                   ["resize", "box", "1G"]])
def test_left_and_its_disk_is_to_be_changed(box, words):
    box("snapshot", "box", "one").ok()
    box("start", "box").ok()
    leave(box)
    box(*words).failed(1, "instance.parked", "box is parked")
    assert left_beside_disk(box) == ["disk.ext4.parked"]
    assert box("run", "--", "echo", "on").ok() == "on\n"
    assert "-incoming" in box.qemus()[-1]["argv"]


@pytest.mark.parametrize("words", [["clone", "box", "copy"], ["export", "box", "-"], ["snapshot", "box", "one"], ["rename", "box", "other"]])
def test_left_and_its_disk_is_read(left, words):
    """Or only its row is changed: it still goes on."""
    name = words[2] if words[0] == "rename" else "box"
    left(*words, stdout=subprocess.DEVNULL).ok()
    result = left("run", "-d", name, "--", "echo", "on")
    assert (result.status, result.out, result.err) == (0, "on\n", ""), result
    assert "-incoming" in left.qemus()[-1]["argv"]
