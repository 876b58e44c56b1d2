"""From the kernel to the distro's init: the owner's settings, and broken distros."""
import io
import os
import signal
import subprocess
import tarfile
import time

import pytest

from conftest import DEBUGFS, link, put, required, set_row
from host import eventually


def console(host, name, script, **options):
    return host("console", name, input=script, **options)


@pytest.fixture(autouse=True, scope="module")
def proven(host, busybox):
    """Start once: the notice about the accelerator belongs to the first start."""
    host.run(busybox, "true")


# --- the owner's settings ---

def test_settings_without_systemd(host, scratch):
    put(host, scratch, "/etc/fstab", "tmpfs /mnt tmpfs size=1m 0 0\n")
    put(host, scratch, "/etc/wsl.conf", "[boot]\r\ncommand = echo $(id -u) >/root/ran; echo from-the-command\r\n"
        "[network]\r\nhostname=my_Host.lan\r\ngenerateHosts=false\r\ngenerateResolvConf=false\r\n"
        "[filesystem]\r\numask=027\r\n[user]\r\ndefault=daemon\r\n")
    put(host, scratch, "/etc/berth.conf", "[user]\ndefault = nobody\n")
    put(host, scratch, "/etc/hosts", "1.2.3.4 mine\n")
    assert host("start", scratch).stderr == ""
    assert host.run(scratch, "cat", "/etc/hosts", "/etc/hostname").stdout == "1.2.3.4 mine\nmyHost.lan\n"
    asked = host("run", "-d", scratch, "-u", "root", "--", "sh", "-c",
                 "hostname; umask; grep -c ' /mnt ' /proc/mounts; test -e /etc/resolv.conf; echo $?").stdout
    assert asked == "myHost.lan\n0027\n1\n1\n"
    assert host("run", "-d", scratch, "--cd", "/", "--", "sh", "-c", "id -u").stdout == "65534\n"
    eventually(lambda: host("run", "-d", scratch, "-u", "root", "--", "cat", "/root/ran", check=False).stdout == "0\n",
               what="the boot command")
    eventually(lambda: "from-the-command" in host("logs", scratch).stdout, what="its output")


def test_invalid_setting_gives_a_notice_and_boots(host, scratch):
    put(host, scratch, "/etc/fstab", "/dev/nope /mnt ext4 defaults 0 0\n")
    put(host, scratch, "/etc/wsl.conf", "[boot]\nfoo = 1\nsystemd = maybe\n[user]\ndefault = nobody2\n")
    result = host.run(scratch, "id", "-u")
    # a start that fails, as of a test that is run again, has the accelerator proven anew
    lines = [line for line in result.stderr.splitlines() if "slower software emulation" not in line]
    assert result.stdout == "0\n"
    assert lines[:2] == ["berth: /etc/wsl.conf:2: unknown key boot.foo",
                         'berth: /etc/wsl.conf:3: boot.systemd is true or false, not "maybe"']
    assert lines[2] == "berth: user: the default user nobody2 is not in the distro"
    assert lines[3:] == ["berth: /etc/fstab:1: /dev/nope is not in this machine: left out, nothing is mounted on /mnt"]
    assert host.run(scratch, "true").stderr == ""  # only the first user of a start gets the notice
    assert "/etc/wsl.conf:2: unknown key boot.foo" in host("logs", scratch).stdout


def test_mount_fstab_false_mounts_nothing(host, scratch):
    put(host, scratch, "/etc/fstab", "tmpfs /mnt tmpfs size=1m 0 0\n")
    put(host, scratch, "/etc/wsl.conf", "[automount]\nmountFsTab=false\n")
    assert host.shell(scratch, "grep -c ' /mnt ' /proc/mounts", check=False).stdout == "0\n"


def test_settings_with_systemd(host, patient):
    put(host, patient, "/etc/fstab", "/dev/nope /mnt ext4 defaults 0 0\n")
    put(host, patient, "/etc/wsl.conf", "[boot]\ncommand=\"id -u >/root/ran; sleep 1000 & echo from-the-command\"\n"
        "[automount]\nmountFsTab=false\n[network]\nhostname=other\n[user]\ndefault=games\n")
    result = host("start", "--json", patient)
    assert result.stderr == ""
    def sh(script):
        return host("run", "-d", patient, "-u", "root", "--", "sh", "-c", script).stdout
    assert sh("systemctl is-system-running; systemctl --failed --no-legend --plain; hostname") == "running\nother\n"
    assert eventually(lambda: sh("cat /root/ran; pgrep -c -f '[s]leep 1000'"), what="the boot command") == "0\n1\n"
    assert "from-the-command" in sh("journalctl -u berth-boot-command -o cat")

    # The agent survives all of systemd's operations.
    pid = sh("pgrep -o -f '^@berth-agent'")
    sh("systemctl daemon-reexec")
    sh("systemctl isolate rescue.target")
    assert sh("systemctl is-system-running; true") == "maintenance\n"
    sh("systemctl isolate emergency.target")
    assert sh("systemctl is-active emergency.target; cat /proc/1/comm") == "active\nsystemd\n"
    sh("systemctl isolate multi-user.target")
    assert sh("systemctl is-system-running --wait; pgrep -o -f '^@berth-agent'") == "running\n" + pid
    before = host.info(patient)["qemu_pid"]
    host.run(patient, "true")
    assert host.info(patient)["qemu_pid"] == before


def test_another_init(host, scratch):
    """A sysvinit, played by a script: it is controlled by commands and kills processes that are not exempt."""
    put(host, scratch, "/sbin/init", "#!/bin/sh\ntrap 'sync; poweroff -f' USR2\necho $$ >/run/init-ran\n"
        "while :; do sleep 1000 & wait; done\n", mode=0o100755)
    put(host, scratch, "/etc/fstab", "tmpfs /mnt tmpfs size=1m 0 0\n")
    put(host, scratch, "/etc/wsl.conf", "[automount]\nmountFsTab=false\n[boot]\ncommand=echo ran >/root/ran\n")
    asked = host.shell(scratch, "cat /run/init-ran /root/ran /etc/fstab; pidof @berth-agent || pgrep -f '^@berth-agent'")
    assert asked.stdout.startswith("1\nran\n") and len(asked.stdout.splitlines()) == 3  # fstab is empty
    assert host.info(scratch)["init"] == "init"
    agent = asked.stdout.splitlines()[2]
    assert host.run(scratch, "cat", "/run/sendsigs.omit.d/berth").stdout == f"{agent}\n"
    host("terminate", scratch, timeout=60)
    assert "did not power off in time" not in host("logs", scratch).stdout


def test_openrc_init(host, scratch):
    """An openrc-init, played by a script: it accepts only its own command, which records its arguments."""
    put(host, scratch, "/sbin/init", "#!/bin/sh\nmkdir /run/openrc; mkfifo /run/openrc/init.ctl\n"
        "read asked </run/openrc/init.ctl\necho $asked >/root/asked\nsync; poweroff -f\n", mode=0o100755)
    put(host, scratch, "/sbin/openrc-shutdown", "#!/bin/sh\necho $* >/run/openrc/init.ctl\n", mode=0o100755)
    host.shell(scratch, "until [ -p /run/openrc/init.ctl ]; do :; done")
    host("terminate", scratch, timeout=60)
    assert "did not power off in time" not in host("logs", scratch).stdout
    put(host, scratch, "/sbin/init", "")
    assert host.run(scratch, "cat", "/root/asked").stdout == "--poweroff now\n"


def test_first_boot_in_stages(host, scratch):
    stages = host.json("start", scratch)["stages"]
    names = [stage["name"] for stage in stages]
    assert names == ["qemu", "kernel", "channel", "config", "disk", "root", "size", "settings", "name", "identity",
                     "user", "network", "mounts", "share", "agent", "ready", "init", "booted"]
    assert all(stage["problem"] is None for stage in stages)
    assert stages[0]["took_usec"] > 0 and stages[1]["took_usec"] > 0
    script = "head -c 32 /dev/random | wc -c; cat /proc/sys/kernel/random/entropy_avail"
    assert host.shell(scratch, script, timeout=30).stdout == "32\n256\n"


# --- time ---

def clock_is_right(host, name):
    before = time.time()
    guests = int(host.run(name, "date", "+%s").stdout)
    return before - 2 <= guests <= time.time() + 1


def test_clock(host, scratch):
    """At the start, and after a pause of the machine."""
    host.run(scratch, "true")
    assert clock_is_right(host, scratch)
    qemu = host.info(scratch)["qemu_pid"]
    os.kill(qemu, signal.SIGSTOP)
    time.sleep(3)
    os.kill(qemu, signal.SIGCONT)
    assert clock_is_right(host, scratch)


@pytest.mark.as_root
def test_clock_follows_a_step_of_the_hosts(host, scratch):
    host.shell(scratch, "date -s 2001-01-01")
    # set it to the present time, which is reported as a step, too
    time.clock_settime(time.CLOCK_REALTIME, time.time())
    eventually(lambda: clock_is_right(host, scratch), what="the step")


@pytest.mark.as_root
def test_time_zone_follows_the_host(host, scratch):
    """The keeper has a mount namespace with an /etc that the test can change."""
    etc, zones = host.root / "etc", "/usr/share/zoneinfo/"
    etc.mkdir()
    (etc / "localtime").symlink_to(zones + "Etc/UTC")
    host.shell(scratch, f"mkdir -p {zones}Asia {zones}Etc; touch {zones}Asia/Tokyo {zones}Etc/UTC")
    host("terminate", scratch)
    subprocess.run(["unshare", "-m", "sh", "-c", f"mount --bind {etc} /etc && exec {host.program} start {scratch}"],
                   env=host.environment, check=True, timeout=180)
    assert host.run(scratch, "readlink", "/etc/localtime").stdout == zones + "Etc/UTC\n"
    (etc / "new").symlink_to(zones + "Asia/Tokyo")
    (etc / "new").rename(etc / "localtime")
    eventually(lambda: host.run(scratch, "readlink", "/etc/localtime").stdout == zones + "Asia/Tokyo\n", what="the zone")
    put_off = "[time]\nuseWindowsTimezone=false\n"
    host.run(scratch, "sh", "-c", "cat >/etc/wsl.conf; ln -sfn /mine /etc/localtime; sync", input=put_off)
    host("terminate", scratch)
    assert host.run(scratch, "readlink", "/etc/localtime").stdout == "/mine\n"


# --- shutdown ---

@pytest.mark.parametrize("command, words", [("reboot", "scratch was rebooted"), ("poweroff", "has stopped")])
def test_sessions_learn_why_they_end(host, scratch, command, words):
    host.run(scratch, "true")
    waiting = host.spawn("run", "-d", scratch, "--", "sh", "-c", "trap '' HUP TERM; echo up; sleep 1000",
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert waiting.stdout.readline() == "up\n"
    host.run(scratch, command, check=False)
    _, output = waiting.communicate(timeout=60)
    assert waiting.returncode == 125 or "signal" in output or waiting.returncode >= 128, output
    if waiting.returncode == 125:
        assert words in output
    if command == "reboot":
        assert host.run(scratch, "echo", "again").stdout == "again\n"
    else:
        eventually(lambda: host.state(scratch) == "stopped", what="the power-off")


# --- users ---

ACCOUNT = "id -un; id -u; id -gn; echo $HOME; stat -c '%U %a' $HOME"


def test_account_made_by_hand(host, scratch):
    """Without a program for it: busybox's adduser is missing."""
    set_row(host, scratch, account="alice", account_uid=4242)
    put(host, scratch, "/etc/group", "root:x:0:\nwheel:x:10:root\nnogroup:x:65534:")
    result = host.shell(scratch, ACCOUNT)
    assert result.stderr == ""
    assert result.stdout == "alice\n4242\nalice\n/home/alice\nalice 700\n"
    assert host.shell(scratch, "id -Gn").stdout == "alice wheel\n"
    as_root = ("run", "-d", scratch, "-u", "root", "--", "sh", "-c")
    assert host(*as_root, "tail -n 1 /etc/shadow | cut -d: -f1,2; stat -c %a /etc/shadow").stdout == "alice:!\n600\n"
    assert host(*as_root, "tail -n 2 /etc/group").stdout == "nogroup:x:65534:\nalice:x:4242:\n"
    before = host(*as_root, "cat /etc/passwd /etc/group").stdout
    host("terminate", scratch)
    assert host.run(scratch, "id", "-un").stdout == "alice\n"
    assert host(*as_root, "cat /etc/passwd /etc/group").stdout == before  # only once
    host("terminate", scratch)
    host("clone", scratch, "twin")
    assert host.run("twin", "id", "-un").stdout == "alice\n"
    host("unregister", "twin")


def test_account_made_by_adduser(host, scratch):
    """As on Alpine: busybox's adduser, played by a script that records its arguments."""
    host.run(scratch, "sh", "-c", "mkdir -p /opt /usr/sbin; cat >/opt/busybox; chmod 755 /opt/busybox; "
             "ln -s /opt/busybox /usr/sbin/adduser; sync",
             input='#!/bin/sh\necho "$@" >>/root/asked\nfor last; do :; done\n'
                   '[ $# -lt 4 ] || echo "$last:x:$3:$3::/home/$last:/bin/sh" >>/etc/passwd\n')
    host("terminate", scratch)
    put(host, scratch, "/etc/group", "root:x:0:\nwheel:x:10:root\nalice:x:4242:\n")
    set_row(host, scratch, account="alice", account_uid=4242)
    assert host.run(scratch, "id", "-un").stdout == "alice\n"
    assert host("run", "-d", scratch, "-u", "root", "--", "cat", "/root/asked").stdout == (
        "-D -u 1000 -s /bin/sh -h /home/alice -G alice alice\nalice wheel\n")


@pytest.mark.parametrize("passwd, who", [
    ("root:x:0:0::/root:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/sh\n", "ubuntu"),
    ("root:x:0:0::/root:/bin/sh\nservice:x:1000:1000::/:/sbin/nologin\n", "alice"),
    ("root:x:0:0::/root:/bin/sh\nalice:x:5:5::/:/bin/sh\n", "root"),
])
def test_account_beside_existing_accounts(host, scratch, passwd, who):
    set_row(host, scratch, account="alice", account_uid=4242)
    put(host, scratch, "/etc/passwd", passwd)
    result = host.run(scratch, "id", "-un")
    assert result.stdout == f"{who}\n"
    assert ("alice is a system account" in result.stderr) == (who == "root")


def test_user_default_overrides_the_account(host, scratch):
    set_row(host, scratch, account="alice", account_uid=4242)
    put(host, scratch, "/etc/wsl.conf", "[user]\ndefault=daemon\n")
    assert host.run(scratch, "id", "-un").stdout == "daemon\n"
    assert host("run", "-d", scratch, "-u", "alice", "--", "true", check=False).returncode == 125


def test_another_default_user(host, scratch):
    """berth manage --set-default-user: from the next session on, and after a restart; wsl.conf wins and is named."""
    host("manage", scratch, "--set-default-user", "daemon")
    assert host.run(scratch, "id", "-un").stdout == "daemon\n"
    host("terminate", scratch)
    assert host.run(scratch, "id", "-un").stdout == "daemon\n"
    unknown = host("manage", scratch, "--set-default-user", "nobody-has-it", check=False)
    assert unknown.returncode == 1 and "nobody-has-it" in unknown.stderr
    assert host.run(scratch, "id", "-un").stdout == "daemon\n"
    host("terminate", scratch)
    put(host, scratch, "/etc/wsl.conf", "[boot]\nsystemd=false\n[user]\ndefault=nobody\n[network]\n")
    result = host("manage", scratch, "--set-default-user", "root")
    assert "user.default in /etc/wsl.conf of the distro is used instead" in result.stderr
    assert host.run(scratch, "id", "-un").stdout == "nobody\n"


def test_account_made_by_useradd(host, patient):
    set_row(host, patient, account="alice", account_uid=4242)
    put(host, patient, "/etc/wsl.conf", "[boot]\nsystemd=false\n")  # for speed; it must work without systemd, too
    result = host.shell(patient, ACCOUNT)
    assert result.stderr == ""
    assert host.info(patient)["init"] == "berth"
    assert result.stdout.splitlines()[:4] == ["alice", "4242", "alice", "/home/alice"]
    assert host.shell(patient, "id -Gn; echo $SHELL; test -O ~/.bashrc && sudo -n id -u; grep -c alice /etc/subuid",
                      ).stdout == "alice sudo\n/bin/bash\n0\n1\n"


@pytest.mark.smoke
def test_this_users_account(host):
    """The account that an import requests by default; none for root."""
    host("import", "mine", required("BERTH_TEST_BUSYBOX"))
    try:
        import pwd
        me = pwd.getpwuid(os.getuid())
        got = host.shell("mine", "id -un; id -u").stdout
        assert got == ("root\n0\n" if me.pw_uid == 0 else f"{me.pw_name}\n{me.pw_uid}\n")
    finally:
        host("unregister", "mine")


def test_first_run_command(host):
    """Runs only in an interactive shell; repeated until it succeeds once."""
    host("import", "--oobe", "first", required("BERTH_TEST_BUSYBOX"))
    put(host, "first", "/etc/wsl-distribution.conf", "[oobe]\ncommand = /bin/sh /root/setup\ndefaultUid = 1000\n")
    put(host, "first", "/root/setup", "tty >&2 && id -u && echo ran >>/root/runs && test -e /root/ready || exit 3\n"
        "read name; echo $name:x:1000:1000::/:/bin/sh >>/etc/passwd\n")
    try:
        assert host.run("first", "id", "-u").stdout == "0\n"
        def shell():
            return host("run", "-d", "first", "--tty", input="newcomer\nid -un\nexit 7\n", check=False)
        assert "failed; it is run again next time" in shell().stdout
        host("run", "-d", "first", "-u", "root", "--", "sh", "-c", "test $(wc -l </root/runs) = 1; touch /root/ready")
        second = shell()
        assert second.returncode == 7 and second.stdout.count("newcomer") >= 2  # the input was echoed and received
        assert host("run", "-d", "first", "--", "id", "-u").stdout == "1000\n"
        shell()
        assert host("run", "-d", "first", "-u", "root", "--", "cat", "/root/runs").stdout == "ran\nran\n"
        host("terminate", "first")
        assert host.run("first", "id", "-u").stdout == "1000\n"
    finally:
        host("unregister", "first")


# --- broken distros ---

@pytest.fixture
def hollow(host):
    """A distro with no init, no shell, no program."""
    path = host.root / "hollow.tar"
    with tarfile.open(path, "w") as archive:
        for name, data in (("etc/os-release", b"ID=hollow\n"), ("bin/sh", b"\x7fELF nothing")):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
    host("import", "--no-user", "hollow", path)
    yield "hollow"
    host("unregister", "hollow", check=False)


def test_console_without_a_working_shell(host, hollow):
    host("start", hollow)
    assert host.info(hollow)["init"] == "berth"
    failed = host.run(hollow, "sh", check=False)
    assert failed.returncode == 126
    result = console(host, hollow, "cat /etc/os-release; id -u; ls /run/rescue/vi; exit 5\n", check=False)
    assert result.returncode == 5
    assert result.stdout == "ID=hollow\n0\n/run/rescue/vi\n"
    assert "it is started in rescue mode" in result.stderr


def test_rescue_runs_nothing_of_the_distros(host, scratch):
    put(host, scratch, "/etc/fstab", "tmpfs /mnt tmpfs size=1m 0 0\n")
    put(host, scratch, "/etc/wsl.conf", "[boot]\ncommand=touch /root/ran\n[network]\nhostname=other\nfoo\n")
    result = host("start", "--rescue", scratch)
    assert result.stderr == ""
    result = console(host, scratch, "hostname; ls /root/ran; grep -c ' /mnt ' /proc/mounts; echo $0; rm /etc/wsl.conf\n",
                     check=False)
    assert result.stdout == "scratch\n0\nsh\n"
    host("terminate", scratch)
    assert host.run(scratch, "hostname").stderr == ""


def test_full_disk(host):
    host("import", "--no-user", "--size", "64M", "full", required("BERTH_TEST_BUSYBOX"))
    try:
        host.shell("full", "echo old >/etc/hostname; cat /dev/zero >/filler; cat /dev/zero >/filler2; sync", check=False)
        host("terminate", "full")
        result = host.run("full", "echo", "works")
        assert result.stdout == "works\n"
        assert "No space left on device" in result.stderr and "identity" in result.stderr
        assert console(host, "full", "rm /filler /filler2; sync\n").stdout == ""
        host("terminate", "full")
        assert host.run("full", "true").stderr == ""
    finally:
        host("unregister", "full")


def test_disk_without_a_file_system(host, scratch):
    with open(host.info(scratch)["disk"], "r+b") as image:
        for offset in (1024, 32768 * 4096):  # the superblock and its first backup
            image.seek(offset)
            image.write(bytes(1024))
    failed = host.run(scratch, "true", check=False)
    assert failed.returncode == 125 and "code: disk.damaged" in failed.stderr
    result = console(host, scratch, "ls /dev/vda; id -u\n")
    assert result.stdout == "/dev/vda\n0\n"
    assert "it is started in rescue mode" in result.stderr


def test_unmountable_disk_is_repaired(host, scratch):
    host.shell(scratch, "echo kept >/root/file; sync")
    host("terminate", scratch)
    subprocess.run([DEBUGFS, "-w", "-R", "set_bg 0 checksum 0x1234", host.info(scratch)["disk"]],
                   check=True, capture_output=True)
    result = host.run(scratch, "cat", "/root/file")
    assert result.stdout == "kept\n"
    assert result.stderr == "berth: the disk of scratch was damaged; e2fsck has repaired it\n"


def test_systemd_hangs_or_fails(host, patient):
    put(host, patient, "/etc/fstab", "tmpfs /mnt tmpfs size=nonsense 0 0\n")
    result = host.run(patient, "systemctl", "is-system-running", check=False)
    assert result.stdout == "maintenance\n"
    assert 'in maintenance mode: "berth logs patient"' in result.stderr
    assert console(host, patient, "echo >/etc/fstab; sync; id -u\n").stdout == "0\n"

    host("terminate", patient)
    put(host, patient, "/etc/wsl.conf", "[boot]\ninitTimeout=6000\n")
    put(host, patient, "/etc/systemd/system/hang.service", "[Service]\nType=oneshot\nExecStart=/bin/sleep infinity\n")
    link(host, patient, "/etc/systemd/system/multi-user.target.wants/hang.service", "../hang.service")
    result = console(host, patient, "cat /proc/1/comm; id -u; echo $0\n")
    assert result.stdout in ("init\n0\nbash\n", "systemd\n0\nbash\n") and result.stderr == ""  # it may be up by now
    assert host.state(patient) == "starting"  # console did not wait for the init
    host.run(patient, "true")
    assert "systemd has not finished starting within 6 s" in host("logs", patient).stdout
    eventually(lambda: host.run(patient, "systemctl", "is-system-running", check=False).stdout
               in ("initializing\n", "starting\n"), what="systemd's answer")
    host("terminate", patient)
