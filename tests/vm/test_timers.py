"""A suspended distro wakes for its own timers and jobs, which run at their time."""
import time

import pytest

from conftest import required
from host import eventually


def awake_by_itself(host, name):
    return host.state(name) == "running"


def suspend(host, name):
    host("suspend", name)
    assert host.state(name) == "suspended"
    return host.json("status", name)


def soon(host, name):
    """A time, in whole seconds, before which @name is suspended again, however busy this machine is."""
    begin = time.monotonic()
    suspend(host, name)
    host.run(name, "true")
    return int(time.time() + 15 + 6 * (time.monotonic() - begin))


def utc(at):
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def ran_at(host, name, path):
    """When the job ran, by the guest's clock; it may be about to."""
    eventually(lambda: host.run(name, "test", "-s", path, check=False).returncode == 0, what="the job")
    return float(host.run(name, "cat", path).stdout.split()[0])


@pytest.fixture(scope="module")
def trixie(host):
    host("import", "--no-user", "newer", required("BERTH_TEST_TRIXIE"))
    yield "newer"
    host("unregister", "newer")


@pytest.fixture(params=["debian", "trixie"])
def systemd(request, host):
    name = request.getfixturevalue(request.param)
    host("start", name)
    yield name
    host("terminate", name)


def test_a_timer_of_systemd(host, systemd):
    for i in range(2):
        at = soon(host, systemd)
        host.run(systemd, "systemd-run", "-q", f"--unit=job{i}", f"--on-calendar={utc(at)}",
                 "--timer-property=AccuracySec=1s", "sh", "-c", f"date +%s.%N >/root/ran{i}")
        row = suspend(host, systemd)
        assert row["due_for"] == f"job{i}.timer"
        eventually(lambda: awake_by_itself(host, systemd), what="the wake")
        ran = ran_at(host, systemd, f"/root/ran{i}")
        assert at <= ran < at + 60, (at, ran)
        assert host("logs", systemd).stdout.count(f"job{i}.timer is due at") == 1


def test_a_timer_that_wakes_nobody_runs_at_the_next_wake(host, systemd):
    """One of the distro's own upkeep does not wake it, and is not lost either."""
    at = soon(host, systemd)
    unit = f"[Timer]\nOnCalendar={utc(at)}\nAccuracySec=1s\nUnit=upkeep.service\n"
    service = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'date +%%s.%%N >/root/upkeep'\n"
    host.shell(systemd, "cat >/run/systemd/system/man-db.timer", input=unit)
    host.shell(systemd, "cat >/run/systemd/system/upkeep.service", input=service)
    host.shell(systemd, "rm -f /root/upkeep; systemctl daemon-reload; systemctl restart man-db.timer")
    assert time.time() < at, "the timer began too late"
    assert suspend(host, systemd)["due_for"] is None
    eventually(lambda: time.time() > at + 2, what="its time")
    assert host.state(systemd) == "suspended"
    assert ran_at(host, systemd, "/root/upkeep") >= at


def test_a_timer_of_a_user(host, debian):
    """The manager of a user who is logged in has timers, too: here root's, whose session is open."""
    host("start", debian)
    eventually(lambda: host.run(debian, "test", "-S", "/run/user/0/systemd/private", check=False).returncode == 0,
               what="the user's manager")
    at = soon(host, debian)
    host.run(debian, "systemd-run", "--user", "-q", "--unit=mine", f"--on-calendar={utc(at)}",
             "--timer-property=AccuracySec=1s", "sh", "-c", "date +%s.%N >/root/mine")
    assert suspend(host, debian)["due_for"] == "mine.timer"
    eventually(lambda: awake_by_itself(host, debian), what="the wake")
    assert at <= ran_at(host, debian, "/root/mine") < at + 60
    host("terminate", debian)


def test_a_job_of_cron(host, busybox):
    host("start", busybox)
    at = int(time.time() + 90) // 60 * 60
    minute, hour = time.gmtime(at)[4], time.gmtime(at)[3]
    host.shell(busybox, "mkdir -p /var/spool/cron/crontabs; cat >/var/spool/cron/crontabs/root",
               input=f"{minute} {hour} * * * date +%s >/root/ran\n")
    host.shell(busybox, "rm -f /root/ran; TZ=UTC0 crond -L /dev/null")
    row = suspend(host, busybox)
    assert row["due_for"] == "cron job of root"
    eventually(lambda: awake_by_itself(host, busybox), what="the wake")
    assert time.time() < at + 60
    ran = ran_at(host, busybox, "/root/ran")
    assert at <= ran < at + 60, (at, ran)
    host("terminate", busybox)


# As at's daemon, which the image does not have: it sleeps by alarm(2), which stands still in a suspended machine, and
# looks again after SIGHUP. The kernel calls it by the name of its file.
ATD = """#!/bin/sh
trap : HUP
echo $$ >/run/atd.pid
while :; do
    next=$(ls /var/spool/cron/atjobs | sed -n 's/^a.....//p' | sort | head -1)
    left=$((0x${next:-ffffffff} * 60 - $(date +%s)))
    if [ "$left" -le 0 ]; then
        sh /var/spool/cron/atjobs/a?????$next
        rm /var/spool/cron/atjobs/a?????$next
    else
        sleep $left & wait $!
        kill $! 2>/dev/null
    fi
done
"""


def test_a_job_of_at(host, debian):
    host("start", debian)
    host.shell(debian, "mkdir -p /var/spool/cron/atjobs; cat >/usr/local/sbin/atd; chmod +x /usr/local/sbin/atd", input=ATD)
    host.run(debian, "systemd-run", "-q", "--unit=atd", "/usr/local/sbin/atd")
    at = int(soon(host, debian) + 75) // 60 * 60
    host.shell(debian, f"cat >/var/spool/cron/atjobs/a00001{at // 60:08x}; systemctl kill --signal=HUP atd",
               input="date +%s.%N >/root/ran-at\n")
    assert suspend(host, debian)["due_for"] == "at job 1"
    eventually(lambda: awake_by_itself(host, debian), what="the wake")
    assert time.time() < at + 60
    ran = ran_at(host, debian, "/root/ran-at")
    assert at <= ran < at + 60, (at, ran)
    host("terminate", debian)
