"""Sessions in a real machine: PAM, logind and systemd's user manager on Debian; user selection on busybox."""
import hashlib
import os
import re
import shlex
import signal
import struct
import subprocess

import pytest

from host import eventually

SHOW = 'echo "$XDG_SESSION_ID $XDG_RUNTIME_DIR $DBUS_SESSION_BUS_ADDRESS"; cat /proc/self/cgroup'


@pytest.fixture(scope="module")
def sh(host, debian):
    def run(script, user="root", **options):
        return host("run", "-d", debian, "-u", user, "--", "sh", "-c", script, **options)
    run("for u in alice bob carol; do id $u 2>/dev/null || useradd -m -s /bin/bash $u; done; "
        "usermod -aG audio,video alice; mkdir -p /etc/security/limits.d; "
        "echo 'alice - nofile 2345' >/etc/security/limits.d/berth-test.conf")
    return run


def uid_of(sh, user):
    return sh(f"id -u {user}").stdout.strip()


# --- the login session ---

@pytest.mark.parametrize("user", ["root", "alice"])
def test_command_is_in_a_login_session(sh, user):
    uid = uid_of(sh, user)
    session, runtime, bus, group = sh(SHOW, user).stdout.split()
    assert runtime == f"/run/user/{uid}" and bus == f"unix:path=/run/user/{uid}/bus"
    assert group == f"0::/user.slice/user-{uid}.slice/session-{session}.scope"
    listed = [line.split()[:3] for line in sh("loginctl list-sessions --no-legend").stdout.splitlines()]
    assert [session, uid, user] in listed
    shown = sh(f"loginctl show-session {session} -p Type -p Class -p State -p Service", user).stdout.split()
    assert sorted(shown) == ["Class=user", "Service=login", "State=active", "Type=tty"]
    assert sh(f"systemctl is-active user@{uid}").stdout == "active\n"


def test_hierarchies_of_cgroup_v1(sh):
    """Docker and others mount one of their own, whose line comes before that of version 2."""
    sh("mkdir -p /run/v1; mount -t cgroup -o none,name=berth-test none /run/v1")
    sh("id carol")  # a session of somebody who has none yet
    *others, group = sh("cat /proc/self/cgroup", "carol").stdout.split()
    session = sh("echo $XDG_SESSION_ID", "carol").stdout.strip()
    sh("umount /run/v1")
    assert others and group == f"0::/user.slice/user-{uid_of(sh, 'carol')}.slice/session-{session}.scope"


def test_runtime_directory_is_private(sh):
    assert sh("stat -c '%a %U %F' $XDG_RUNTIME_DIR; findmnt -no FSTYPE $XDG_RUNTIME_DIR || "
              "grep -c \" $XDG_RUNTIME_DIR \" /proc/mounts", "alice").stdout.split()[:3] == ["700", "alice", "directory"]


def test_user_manager_works(sh):
    assert sh("systemctl --user is-system-running --wait", "alice").stdout == "running\n"
    assert sh("systemd-run --user --wait -q --pipe sh -c 'id -un; echo $XDG_RUNTIME_DIR'", "alice").stdout.split() == [
        "alice", f"/run/user/{uid_of(sh, 'alice')}"]
    assert "alice" in sh("loginctl user-status", "alice").stdout


def test_lingering(sh):
    """Enabled by root: users need polkit for it, which is not installed here."""
    sh("loginctl enable-linger alice")
    assert sh("loginctl show-user alice -p Linger", "alice").stdout == "Linger=yes\n"
    sh("loginctl disable-linger alice")


def test_later_commands_use_the_same_session(sh):
    first = sh(SHOW, "alice").stdout
    assert sh(SHOW, "alice").stdout == first
    journal = "journalctl -b --no-pager -o cat | grep -c 'Started berth-session@'"
    before = sh(journal).stdout
    for _ in range(3):
        assert sh(SHOW, "alice").stdout == first
    assert sh(journal).stdout == before


def test_concurrent_first_commands_share_one_session(host, debian, sh):
    commands = [host.spawn("run", "-d", debian, "-u", "carol", "sh", "-c", SHOW, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, text=True) for _ in range(12)]
    outputs = {command.communicate(timeout=120)[0] for command in commands}
    assert len(outputs) == 1 and "session-" in outputs.pop()


def test_terminated_session_is_reopened(host, debian, sh):
    old = sh("echo $XDG_SESSION_ID", "alice").stdout.strip()
    victim = host.spawn("run", "-d", debian, "-u", "alice", "sleep", "1000", stdin=subprocess.DEVNULL)
    eventually(lambda: "sleep 1000" in sh(f"loginctl session-status {old} --no-pager").stdout, what="the command")
    sh(f"loginctl terminate-session {old}")
    assert victim.wait(timeout=60) == 128 + signal.SIGTERM
    new = sh("echo $XDG_SESSION_ID", "alice").stdout.strip()
    assert new and new != old
    assert sh("systemctl --user is-system-running --wait", "alice").stdout == "running\n"


def test_session_survives_isolate_and_daemon_reexec(sh):
    session = sh("echo $XDG_SESSION_ID").stdout
    sh("systemctl daemon-reexec; systemctl isolate multi-user.target")
    assert sh("echo $XDG_SESSION_ID").stdout == session


def test_groups_and_limits_of_the_session(sh):
    assert set(sh("id -Gn", "alice").stdout.split()) >= {"alice", "audio", "video"}
    assert sh("ulimit -n", "alice").stdout == "2345\n"
    sh("usermod -aG games alice")  # without a new login
    assert "games" in sh("id -Gn", "alice").stdout.split()


def test_environment_of_pam_arrives(sh):
    sh("echo FROM_PAM=yes >>/etc/environment")
    assert sh("echo $FROM_PAM $MAIL $LANG", "alice").stdout.split()[0] == "yes"
    assert not re.search("^(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID|MAINPID)=", sh("env", "alice").stdout, re.M)
    sh("sed -i /FROM_PAM/d /etc/environment")


def test_command_runs_without_pam(host, debian, sh):
    """It gets a user manager, and the log a line; no unit fails."""
    sh("mv /etc/pam.d/login /etc/pam.d/login.away; cp /etc/pam.d/other /root/other; "
       "printf 'session required pam_deny.so\\n' >/etc/pam.d/other")
    try:
        uid = uid_of(sh, "bob")
        got = sh("id -un; echo $XDG_RUNTIME_DIR; systemctl --user is-system-running --wait", "bob").stdout
        assert got.split() == ["bob", f"/run/user/{uid}", "running"]
        assert f"no login session for UID {uid}" in host("logs", debian).stdout
        assert sh("echo still", "bob").stdout == "still\n"
    finally:
        sh("mv /etc/pam.d/login.away /etc/pam.d/login; mv /root/other /etc/pam.d/other")
    assert sh("systemctl --failed --no-legend --plain").stdout == ""


def test_no_unit_failed(sh):
    assert sh("systemctl --failed --no-legend --plain").stdout == ""
    assert sh("systemctl is-system-running").stdout == "running\n"


# The count of context switches shows whether it woke up. (sd-pam) is systemd's process that closes the session.
HOLDER = """\
pid=$(systemctl show -p MainPID --value berth-session@$0)
until grep -q '^State:.S' /proc/$pid/status; do :; done
ps -o user=,comm=,args= -p $pid; ps -o comm= --ppid $pid; grep ctxt_switches /proc/$pid/status
"""


def holder(sh, user):
    return sh(f"sh -c {shlex.quote(HOLDER)} $(id -u {user})").stdout


@pytest.mark.parametrize("user", ["root", "alice"])
def test_holder_is_named_and_idle(sh, user):
    sh("true", user)
    first = holder(sh, user)
    assert first.split()[:6] == [user, "berth-session", "/bin/sh", "/run/berth/berth-session", uid_of(sh, user), "(sd-pam)"]
    sh("systemctl daemon-reload; systemctl daemon-reexec; loginctl list-sessions; true")
    sh("true", user)
    assert holder(sh, user) == first
    assert "sleep" not in sh("ps -eo comm").stdout.split()


def test_holder_does_not_delay_shutdown(host, debian, sh):
    sh("true", "alice")
    since, uid = sh("date +%s; id -u alice").stdout.split()
    host("terminate", debian, timeout=60)
    log = sh(f"journalctl -b -1 --since @{since} --no-pager -o cat | grep 'berth-session@'").stdout
    assert {"0", uid} <= set(re.findall(r"^Stopped berth-session@(\d+)\.service", log, re.M))
    assert not re.search("timed out|Killing|Failed|SIGKILL", log)


def test_terminal_belongs_to_the_user(sh, host, debian):
    got = host("run", "-d", debian, "-u", "alice", "--tty", "--", "stat", "-L", "-c", "%U %G %a", "/dev/stdin")
    assert got.stdout.split() == ["alice", "tty", "620"]


def test_locale_and_terminal_are_those_the_distro_has(host, debian):
    environment = {**host.environment, "LANG": "xx_XX.UTF-8", "TERM": "xterm-nobody-knows", "LC_TIME": "C.UTF-8"}
    got = subprocess.run([host.program, "run", "-d", debian, "--tty", "sh", "-c", "echo $LANG $TERM $LC_TIME"],
                         env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=True)
    assert got.stdout.split() == [b"C.UTF-8", b"xterm-256color", b"C.UTF-8"]


def test_locale_in_an_archive_is_one_the_distro_has(host, scratch):
    """glibc's locale-archive: a header of 14 words, of which the 6th and 7th locate the names."""
    names = b"C\0xx_YY.utf8\0xx_ZZ.iso885915@euro\0"
    head = [0xde020109, 0, 0, 0, 0, 56, len(names)] + [0] * 7
    host.shell(scratch, "mkdir -p /usr/lib/locale; cat >/usr/lib/locale/locale-archive",
               input=struct.pack("<14I", *head) + names, text=False)
    for offered, taken in (("xx_YY.UTF-8", "xx_YY.UTF-8"), ("xx_ZZ.ISO-8859-15@euro", "xx_ZZ.ISO-8859-15@euro"),
                           ("yy_YY.UTF-8", "C.UTF-8"), ("xx_YY", "")):
        got = subprocess.run([host.program, "run", "-d", scratch, "sh", "-c", "echo $LANG"], check=True, timeout=60,
                             env={**host.environment, "LANG": offered}, stdin=subprocess.DEVNULL, capture_output=True)
        assert got.stdout.decode() == taken + "\n"


# --- stress ---

AGENT = "for p in /proc/[0-9]*; do grep -qs ^@berth-agent $p/cmdline && break; done; "


def test_many_commands_leak_nothing(host, debian, sh):
    count = AGENT + "ls $p/fd | wc -l; sed -n 's/^VmRSS:[^0-9]*\\([0-9]*\\).*/\\1/p' $p/status; pgrep -cP ${p#/proc/}"
    sh("true")
    before = [int(number) for number in sh(count).stdout.split()]
    commands = [host.spawn("run", "-d", debian, "sh", "-c", f"cat; exit {i}", stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE) for i in range(100)]
    for i, command in enumerate(commands):
        assert command.communicate(b"%d" % i, timeout=180)[0] == b"%d" % i
        assert command.returncode == i
    for _ in range(50):
        sh("true")
    fds, resident, children = (int(number) for number in sh(count).stdout.split())
    assert fds <= before[0] and children <= before[2]
    assert resident <= 2048


def test_bytes_both_ways_at_once(host, debian):
    data = os.urandom(16 << 20)
    got = host.run(debian, "cat", input=data, text=False)
    assert hashlib.sha256(got.stdout).digest() == hashlib.sha256(data).digest()


# --- user selection ---

def test_order_of_default_users(host, scratch):
    def configure(name, user):
        host("run", "-d", scratch, "-u", "root", "--", "sh", "-c",
             f"printf '[user]\\ndefault = {user}\\n' >/etc/{name}.conf")
        host("terminate", scratch)  # effective from the next start

    host.shell(scratch, "for i in 1 2; do echo user$i:x:100$i:100$i::/home/user$i:/bin/sh >>/etc/passwd; "
                        "echo user$i:x:100$i: >>/etc/group; mkdir -p /home/user$i; done; "
                        "echo extra:x:2000:user2 >>/etc/group")
    who = "id -un; pwd"
    assert host.shell(scratch, who).stdout == "root\n/root\n"
    configure("wsl", "user1")
    assert host.shell(scratch, who).stdout == "user1\n/home/user1\n"
    configure("berth", "user2")
    assert host.shell(scratch, who).stdout == "user2\n/home/user2\n"
    assert host.shell(scratch, "id -Gn").stdout == "user2 extra\n"
    assert host("run", "-d", scratch, "-u", "1001", "id", "-un").stdout == "user1\n"
    configure("berth", "nobody-here")
    got = host.shell(scratch, who)
    assert got.stdout == "root\n/root\n" and "nobody-here is not in the distro" in got.stderr


def test_umask_is_the_configured_one(host, scratch):
    assert host.shell(scratch, "umask").stdout == "0022\n"
    for text, umask in ("077", "0077\n"), ("9x", "0022\n"):
        host.shell(scratch, f"printf '[filesystem]\\numask = {text}\\n' >/etc/wsl.conf")
        host("terminate", scratch)
        assert host.shell(scratch, "umask").stdout == umask
