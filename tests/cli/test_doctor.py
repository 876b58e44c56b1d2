"""`berth doctor`: what it finds, that it works where nothing else does, and that it changes nothing unasked."""
import json
import os
import resource
import shlex
import signal
import sqlite3
import subprocess

import pytest

from conftest import BUILD, wait_for
from test_read_only import as_plain_user

NAMES = ["home", "settings", "programs", "kernel", "qemu", "accelerator", "huge-pages", "limits", "inotify", "ports",
         "sandbox", "fuse", "data", "registry", "disks", "shares", "runtime", "temporary", "ssh"]
DISTROS = ["disks", "shares"]  # not checked without the registry


def examine(home, *words, **options):
    """The checks by name; the exit status agrees with them."""
    result = home("doctor", "--json", *words, **options)
    answer = json.loads(result.out)
    assert answer["schema"] == 1
    assert [check["name"] for check in answer["checks"]] == NAMES
    for check in answer["checks"]:
        assert set(check) == {"name", "verdict", "text", "command", "fixed"}
        assert check["verdict"] in ("ok", "warning", "problem")
        assert check["text"] and "\n" not in check["text"]
    problems = [check["name"] for check in answer["checks"] if check["verdict"] == "problem"]
    assert answer["healthy"] == (not problems)
    assert result.status == (1 if problems else 0), result
    for line in result.err.splitlines():
        assert line.startswith("berth: trying the kernel"), result
    return {check["name"]: check for check in answer["checks"]}


def problems(checks):
    return [name for name, check in checks.items() if check["verdict"] == "problem"]


def files(home):
    """Every path of the user's and what it is, but for the cached proof. A running distro's keeper writes its log."""
    return {path: path.name if path.suffix == ".log" else
            (path.lstat().st_mtime_ns, path.lstat().st_size, path.lstat().st_ino)
            for top in (home.data, home.config.parent, home.runtime) for path in [top, *top.rglob("*")]
            if os.path.lexists(path)}


def kill_keeper(box):
    """As an out-of-memory killer does: nothing of it is tidied up."""
    info = box.info("box")
    keeper = os.pidfd_open(info["keeper_pid"])
    signal.pidfd_send_signal(keeper, signal.SIGKILL)
    os.close(keeper)
    wait_for(lambda: box.info("box")["state"] == "stopped")
    return box.runtime / info["id"]


def test_a_good_host(box):
    before = files(box)
    checks = examine(box)
    assert problems(checks) == []
    assert checks["registry"]["text"] == "1 distro"
    assert checks["qemu"]["text"] == "QEMU 7.2.0, x-ignore-shared, io_uring"
    assert checks["accelerator"]["text"] == "software emulation, as accel=tcg asks"
    assert files(box) == before


def test_an_empty_home_stays_empty(berth):
    assert problems(examine(berth)) == []
    assert not berth.data.exists() and not berth.config.parent.exists() and not berth.runtime.exists()


def test_the_proof_is_made_once(berth):
    first, second = berth("doctor"), berth("doctor")
    assert first.status == 0 and first.err == "berth: trying the kernel on this host, which takes a few seconds\n"
    second.ok()
    assert len(berth.qemus(probe=True)) == 1


def test_text_names_the_command_below(berth):
    berth.environment["PATH"] = str(berth.path)
    result = berth("doctor")
    assert result.status == 1
    lines = result.out.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("problem  qemu "))
    assert lines[at + 1].split(None, 1) == ["->", "install the package qemu-system-x86"]
    assert [line.split()[1] for line in lines if not line.startswith(" ")] == NAMES


def test_no_qemu(box):
    box.environment["PATH"] = str(box.path)
    checks = examine(box)
    assert problems(checks) == ["qemu", "accelerator"]
    assert "not found" in checks["qemu"]["text"]


def test_a_qemu_that_lacks_something(berth):
    checks = examine(berth, env={"FAKE_QEMU_LACK": "x-ignore-shared"})
    assert checks["qemu"]["verdict"] == "warning" and "x-ignore-shared" in checks["qemu"]["text"]
    checks = examine(berth, env={"FAKE_QEMU_LACK": "io_uring"})
    assert checks["qemu"]["verdict"] == "ok" and checks["qemu"]["text"].endswith(", no io_uring")


def test_a_qemu_that_refuses(berth):
    checks = examine(berth, env={"FAKE_QEMU_REFUSE": "none microvm"})
    assert problems(checks) == ["qemu", "accelerator"]
    assert "Parameter 'none' is unexpected" in checks["qemu"]["text"]


def test_kvm_that_does_not_work(berth):
    env = {"BERTH_ACCEL": "auto", "FAKE_QEMU_MODE": "abort-kvm"}
    found = examine(berth, env=env)["accelerator"]
    assert found["verdict"] == "warning" and "KVM does not work here: " in found["text"]
    assert found["command"] and found["fixed"] is None
    probes = len(berth.qemus(probe=True))
    assert examine(berth, env=env)["accelerator"] == found
    assert len(berth.qemus(probe=True)) == probes
    again = examine(berth, "--fix", env=env)["accelerator"]
    assert again == {**found, "fixed": "forgot the cached answer and tried again"}
    assert len(berth.qemus(probe=True)) > probes


def test_kvm_that_is_demanded(berth):
    checks = examine(berth, env={"BERTH_ACCEL": "kvm", "FAKE_QEMU_MODE": "abort-kvm"})
    assert problems(checks) == ["accelerator"]


@pytest.mark.parametrize("name, check", [("vmlinux", "kernel"), ("initramfs.cpio", "kernel"), ("berth-net", "programs")])
def test_an_incomplete_installation(berth, name, check):
    (berth.support / name).unlink()
    checks = examine(berth)
    assert check in problems(checks)
    assert name in checks[check]["text"] and checks[check]["command"]


def test_no_machine_template(berth):
    (berth.support / "templates").unlink()
    assert problems(examine(berth)) == ["kernel", "qemu", "accelerator"]


def test_no_home(box):
    checks = examine(box, env={"HOME": "nowhere"})
    assert problems(checks) == ["home"]
    assert "not an absolute path" in checks["home"]["text"] and checks["home"]["command"]
    assert checks["registry"]["text"] == "not checked without a home directory"


def test_settings(berth):
    berth.configure("[brth]\nmemory=1G\n[distor a]\nmemory=1G\n")
    found = examine(berth)["settings"]
    assert found["verdict"] == "warning" and "brth" in found["text"] and found["text"].endswith("(and 1 more)")
    berth.configure("[berth]\nmemory=lots\n")
    assert "settings" in problems(examine(berth))


def test_a_registry_that_is_none(box):
    (box.data / "registry.db").write_bytes(b"no registry at all" * 100)
    checks = examine(box)
    assert problems(checks) == ["registry"]
    assert checks["registry"]["text"].endswith("damaged, or not a registry")
    assert {checks[name]["text"] for name in DISTROS} == {"not checked without the registry"}


def test_a_damaged_registry(box):
    path = box.data / "registry.db"
    database = sqlite3.connect(path)
    (size,), (root,) = (database.execute("PRAGMA page_size").fetchone(),
                        database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'forward'").fetchone())
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * size] ^= 0xff
    path.write_bytes(content)
    assert problems(examine(box)) == ["registry"]
    assert path.read_bytes() == content


def test_a_registry_that_cannot_be_read(box):
    path = box.data / "registry.db"
    path.chmod(0)
    try:
        checks = examine(box, preexec_fn=as_plain_user)
    finally:
        path.chmod(0o600)
    assert problems(checks) == ["registry"]


@pytest.mark.parametrize("change, verdict, words", [(90, "problem", "a newer berth"), (-1, "warning", "an older berth")])
def test_a_registry_of_another_version(box, change, verdict, words):
    path = box.data / "registry.db"
    database = sqlite3.connect(path)
    (version,) = database.execute("PRAGMA user_version").fetchone()
    database.execute(f"PRAGMA user_version = {version + change}")
    database.commit()
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    before = path.read_bytes()
    found = examine(box)["registry"]
    assert found["verdict"] == verdict and words in found["text"] and found["command"]
    assert path.read_bytes() == before


def test_a_data_directory_that_cannot_be_written(box):
    box.data.chmod(0o500)
    try:
        checks = examine(box, preexec_fn=as_plain_user)
    finally:
        box.data.chmod(0o700)
    assert problems(checks) == ["data"]
    assert checks["data"]["command"] == f"chmod u+wx {box.data}" or "'" in checks["data"]["command"]
    assert checks["registry"]["text"] == "1 distro"


def test_a_data_directory_that_is_a_file(berth):
    berth.data.parent.mkdir(parents=True)
    berth.data.write_text("")
    assert "data" in problems(examine(berth))


def test_a_runtime_directory_that_others_may_enter(box):
    box.runtime.mkdir(exist_ok=True)
    box.runtime.chmod(0o755)
    checks = examine(box)
    box.runtime.chmod(0o700)
    assert problems(checks) == ["runtime"]
    assert "chmod 700" in checks["runtime"]["command"]


def test_no_runtime_directory(box):
    assert problems(examine(box, env={"XDG_RUNTIME_DIR": "/nonexistent"})) == []


def test_a_lost_disk(box):
    disk = next(box.data.glob("distros/*/disk.ext4"))
    disk.rename(disk.with_name("away"))
    checks = examine(box)
    assert problems(checks) == ["disks"]
    assert checks["disks"]["text"] == f"box has no disk {disk}"
    assert "berth unregister box" in checks["disks"]["command"]


def test_a_disk_without_a_record(box):
    disk = box.data / "distros" / "0123456789abcdef" / "disk.ext4"
    disk.parent.mkdir()
    disk.write_bytes(bytes(4096))
    found = examine(box, "--fix")["disks"]
    assert found["verdict"] == "warning" and found["text"] == f"{disk} belongs to no distro"
    assert found["command"].startswith("berth import-in-place NAME ")
    assert disk.read_bytes() == bytes(4096)


def test_a_share_whose_directory_is_gone(box, tmp_path):
    box.configure("[berth]\nshare-home=false\n")
    shared = tmp_path / "shared"
    shared.mkdir()
    box("share", "add", "box", shared).ok()
    assert examine(box)["shares"]["text"] == "1 added"
    shared.rmdir()
    found = examine(box)["shares"]
    assert found["verdict"] == "warning" and str(shared) in found["text"]
    words = shlex.split(found["command"])
    assert words[:4] == ["berth", "share", "rm", "box"]
    box(*words[1:]).ok()
    assert examine(box)["shares"]["text"] == "0 added"


def test_what_a_killed_keeper_left(box):
    box("start").ok()
    directory = kill_keeper(box)
    assert (directory / "control").exists()
    found = examine(box)["runtime"]
    assert found["verdict"] == "warning" and found["command"] == "berth doctor --fix"
    assert (directory / "control").exists()
    fixed = examine(box, "--fix")["runtime"]
    assert fixed["verdict"] == "ok" and fixed["fixed"] == "removed the files of 1 killed keeper"
    assert sorted(path.name for path in directory.iterdir()) == ["keeper.log", "lock", "start"]
    assert examine(box, "--fix")["runtime"]["fixed"] is None
    assert box("run", "echo", "up").ok() == "up\n"


def test_a_running_distro_is_left_alone(box):
    box("start").ok()
    before = files(box)
    checks = examine(box, "--fix")
    assert checks["runtime"]["verdict"] == "ok" and checks["runtime"]["fixed"] is None
    assert files(box) == before
    assert box.info("box")["state"] == "running"


def test_temporary_files(box):
    ended = subprocess.Popen(["true"])
    ended.wait()
    directory = next(box.data.glob("distros/*"))
    left, used = (directory / f".disk.ext4.import-{pid}" for pid in (ended.pid, os.getpid()))
    left.touch()
    used.touch()
    found = examine(box)["temporary"]
    assert found["verdict"] == "warning" and found["text"] == "killed commands left 1 temporary file"
    assert left.exists()
    fixed = examine(box, "--fix")["temporary"]
    assert fixed["verdict"] == "ok" and fixed["fixed"].startswith("removed ")
    assert not left.exists() and (directory / "disk.ext4").exists()


def test_ssh_only_where_it_was_set_up(box):
    assert examine(box)["ssh"]["text"] == "not set up"
    box("ssh-config", "--install").ok()
    assert examine(box)["ssh"]["verdict"] == "ok"
    (box.path / ".ssh/config").write_text("")
    found = examine(box)["ssh"]
    assert found["verdict"] == "warning" and found["command"] == "berth ssh-config --install"
    box(*found["command"].split()[1:])
    assert examine(box)["ssh"]["verdict"] == "ok"


@pytest.mark.parametrize("limit, verdict", [(200, "problem"), (1024, "warning"), (4096, "ok")])
def test_open_files(berth, limit, verdict):
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    found = examine(berth, preexec_fn=lower)["limits"]
    assert found["verdict"] == verdict and str(limit) in found["text"]


def test_a_registry_in_use(box):
    """A log that is not in the file yet is read, too."""
    database = sqlite3.connect(box.data / "registry.db")
    database.execute("UPDATE distro SET disk = '/nowhere'")
    database.commit()
    assert "box has no disk /nowhere" in examine(box)["disks"]["text"]
    database.close()


def test_it_is_in_the_help(berth):
    assert "doctor" in berth("help").ok()
    assert (BUILD / "cmd/berth-doctor.1").exists()
