# SPDX-License-Identifier: MIT
"""What is due next, which the agent says at FREEZE: with a directory in place of the distro's root."""
import os
import time

import pytest
import wire
from timers import Timers

HOUR = 3600


@pytest.fixture
def timers(tmp_path):
    return Timers(tmp_path / "root")


@pytest.fixture
def agent(start_agent, timers, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    return start_agent("--no-listeners", "--timers", str(timers.root))


class Due:
    def __init__(self, frame):
        fields = wire.Fields(frame.payload)
        self.at, self.lead, self.hold, self.name = (fields.number("Q"), fields.number("I"), fields.number("I"),
                                                    fields.string())
        assert fields.rest == b""

    def is_at(self, at, name):
        return (self.at, self.name) == (int(at), name)


def ask(agent):
    """Freeze, and thaw: what was due, or None."""
    host = agent.host
    frozen, due = len(host.find(wire.FROZEN)), len(host.find(wire.DUE))
    host.queue(wire.frame(wire.FREEZE))
    host.until(lambda: len(host.find(wire.FROZEN)) > frozen)
    assert wire.Fields(host.find(wire.FROZEN)[-1].payload).string() == ""
    new = host.find(wire.DUE)[due:]
    host.queue(wire.frame(wire.THAW))
    assert len(new) <= 1
    return Due(new[0]) if new else None


def test_a_distro_without_timers(agent):
    assert ask(agent) is None


def test_the_earliest_unit(agent, timers):
    now = int(time.time())
    timers.run_systemd()
    timers.set_units(("late.timer", now + 2 * HOUR), ("next.timer", now + HOUR), ("boot.timer", None))
    due = ask(agent)
    assert due.is_at(now + HOUR, "next.timer")
    assert 0 < due.lead <= 60 and 0 < due.hold <= 60
    timers.set_units(("boot.timer", None))
    assert ask(agent) is None


def test_what_may_be_late(agent, timers):
    now = int(time.time())
    timers.run_systemd()
    timers.set_units(("a.timer", now + HOUR, "AccuracyUSec=1h"), ("b.timer", now + HOUR, "RandomizedDelayUSec=12h"),
                     ("man-db.timer", now + HOUR), ("c.timer", now + 5 * HOUR, "AccuracyUSec=1min"))
    assert ask(agent).is_at(now + 5 * HOUR, "c.timer")
    timers.set_units(("a.timer", now + HOUR, "AccuracyUSec=1min", "WakeSystem=yes", "RandomizedDelayUSec=12h"))
    assert ask(agent).is_at(now + HOUR, "a.timer")


def test_the_timers_of_users(agent, timers):
    now = int(time.time())
    user = os.getuid()
    timers.run_systemd()
    os.makedirs(timers.root / "run/user/notauser/systemd")
    timers.run_systemd(private=f"run/user/{user}/systemd/private")
    timers.set_units(("theirs.timer", now + HOUR), manager=str(user))
    assert ask(agent).is_at(now + HOUR, "theirs.timer")
    timers.set_units(("ours.timer", now + HOUR // 2))
    assert ask(agent).is_at(now + HOUR // 2, "ours.timer")


def next_minute(hour, minute):
    at = int(time.time()) // 60 * 60 + 60
    while time.gmtime(at)[3:5] != (hour, minute):
        at += 60
    return at


def test_cron_only_if_its_daemon_runs(agent, timers):
    timers.write("etc/crontab", "SHELL=/bin/sh\n7 3 * * * root job\n")
    timers.write("proc/1/comm", "init\n")
    assert ask(agent) is None
    timers.run_cron()
    due = ask(agent)
    assert due.is_at(next_minute(3, 7), "cron job of /etc/crontab")
    assert 0 < due.lead <= 65 and 60 < due.hold <= 70


@pytest.mark.parametrize("path, line, name", [
    ("etc/cron.d/backup", "7 3 * * * root job", "/etc/cron.d/backup"),
    ("var/spool/cron/crontabs/alice", "7 3 * * * job", "alice"),
    ("var/spool/cron/root", "7 3 * * * job", "root"),
    ("etc/crontabs/root", "7 3 * * * job", "root"),
])
def test_where_crontabs_are(agent, timers, path, line, name):
    timers.run_cron("crond", "/bin/busybox")
    timers.write(path, line + "\n")
    assert ask(agent).is_at(next_minute(3, 7), f"cron job of {name}")


@pytest.mark.parametrize("path", ["etc/cron.d/.placeholder", "etc/cron.d/x.dpkg-old", "etc/cron.d/e2scrub_all", "etc/cron.d/x~"])
def test_files_that_are_no_crontabs(agent, timers, path):
    timers.run_cron()
    timers.write(path, "* * * * * root job\n")
    assert ask(agent) is None


def test_crontabs_that_cannot_be_read(agent, timers):
    """None of them delays the answer or hides another."""
    timers.run_cron()
    timers.write("etc/crontab", "7 3 * * * root job\n")
    os.makedirs(timers.root / "etc/cron.d/directory")
    os.mkfifo(timers.root / "etc/cron.d/fifo")
    os.symlink("/dev/zero", timers.root / "etc/cron.d/zero")
    os.symlink("nowhere", timers.root / "etc/cron.d/dangling")
    timers.write("etc/cron.d/large", "* * * * * root job\n" * 20000)
    timers.write("etc/cron.d/binary", "\0\1\2\n")
    assert ask(agent).is_at(next_minute(3, 7), "cron job of /etc/crontab")


def test_zones_of_a_crontab(agent, timers):
    text = "CRON_TZ=JST-9\n7 3 * * * job\n"
    timers.write("var/spool/cron/root", text)
    timers.run_cron("crond", "/usr/sbin/crond")
    assert ask(agent).at == next_minute(18, 7)  # cronie
    (timers.root / "proc/123/exe").unlink()
    os.symlink("/bin/busybox", timers.root / "proc/123/exe")
    assert ask(agent).at == next_minute(3, 7)


def test_what_a_distro_installs(agent, timers):
    """Debian's, Alpine's: they have nothing to do, until someone gives them something."""
    timers.run_cron()
    timers.write("etc/crontab", "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n"
                                "25 6 * * * root test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }\n")
    timers.write("etc/cron.hourly/.placeholder", "")
    timers.write("etc/cron.daily/apt-compat", "", 0o755)
    timers.write("etc/crontabs/root", "*/15 * * * * run-parts /etc/periodic/15min\n")
    assert ask(agent) is None
    timers.write("etc/cron.daily/mine", "", 0o755)
    assert ask(agent).at == next_minute(6, 25)


def test_units_and_cron(agent, timers):
    at = next_minute(3, 7)
    timers.run_systemd()
    timers.run_cron()
    timers.write("etc/crontab", "7 3 * * * root job\n")
    timers.set_units(("late.timer", at + 1))
    assert ask(agent).is_at(at, "cron job of /etc/crontab")
    timers.set_units(("early.timer", at - 1))
    assert ask(agent).is_at(at - 1, "early.timer")


@pytest.mark.parametrize("script", [None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\nkill -9 $$\n", "#!/nowhere\n",
                                    "#!/bin/sh\nexec yes x\n", "#!/bin/sh\nexec sleep 1000\n"],
                         ids=["none", "fails", "killed", "cannot run", "endless", "hangs"])
def test_a_manager_that_does_not_answer(agent, timers, script):
    timers.run_cron()
    timers.write("etc/crontab", "7 3 * * * root job\n")
    timers.run_systemd(script or "")
    if script is None:
        timers.program.unlink()
    due = ask(agent)
    assert due is None or due.is_at(next_minute(3, 7), "cron job of /etc/crontab")
    assert agent.host.run("echo", "on").stdout == b"on\n"
    assert agent.children() == []


def test_a_thaw_while_systemd_is_asked(agent, timers):
    """What was asked for is no longer wanted; the next freeze says what is due then."""
    now = int(time.time())
    asked = timers.root / "asked"
    timers.run_systemd(f"#!/bin/sh\necho $$ >{asked}.new; mv {asked}.new {asked}; exec sleep 1000\n")
    agent.host.queue(wire.frame(wire.FREEZE))
    agent.host.until(asked.exists)
    agent.host.queue(wire.frame(wire.THAW))
    timers.program.unlink()
    timers.program.write_text("#!/bin/sh\nexec cat " + str(timers.answers / "system") + "\n")
    timers.program.chmod(0o755)
    timers.set_units(("next.timer", now + HOUR))
    assert ask(agent).is_at(now + HOUR, "next.timer")
    assert len(agent.host.find(wire.FROZEN)) == 1
    agent.host.until(lambda: agent.children() == [])
