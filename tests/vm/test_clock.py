"""The host's clock jumps while a distro sleeps: the keeper, which tells the guest the time, is run with another clock."""
import subprocess
import time
from pathlib import Path

import pytest

from conftest import required
from host import Host, eventually
from test_park import leave, park

SOURCE = Path(__file__).resolve().parents[1] / "lib/clock_shift.c"


class ShiftedHost(Host):
    """Its keepers have a clock that shift() sets."""

    def __init__(self, build, **settings):
        super().__init__(build, **settings)
        self.library, self.seconds = self.root / "clock_shift.so", self.root / "shift"
        subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", self.library, SOURCE, "-ldl"], check=True)
        support = self.root / "support"
        support.mkdir()
        for path in (Path(build) / "cmd").iterdir():
            (support / path.name).symlink_to(path.resolve())
        keeper = support / "berth-keeper"
        program = keeper.resolve()
        keeper.unlink()
        keeper.write_text(f'#!/bin/sh\nexport LD_PRELOAD={self.library} CLOCK_SHIFT={self.seconds}\nexec {program} "$@"\n')
        keeper.chmod(0o755)
        self.environment["BERTH_SUPPORT_DIR"] = str(support)

    def shift(self, seconds):
        written = self.root / "shift.new"
        written.write_text(f"{seconds}\n")
        written.rename(self.seconds)


@pytest.fixture(scope="module")
def shifted():
    with ShiftedHost(required("BERTH_TEST_BUILD"), BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_MEMORY="512M",
                     BERTH_BOOT_TIMEOUT="120", BERTH_INIT_TIMEOUT="120") as host:
        yield host


@pytest.fixture(params=["BUSYBOX", "DEBIAN"])
def distro(request, shifted):
    shifted("import", "--no-user", "box", required(f"BERTH_TEST_{request.param}"))
    shifted("start", "box")
    yield "box"
    shifted("unregister", "box", check=False)
    shifted.shift(0)


def asleep(host, how):
    if how == "leave":
        leave(host, "box")
    elif how == "park":
        park(host, "box")
    else:
        host("suspend", "box")


def guest_is_ahead_by(host, seconds):
    """As the keeper's clock is, but for the time that it takes to say so."""
    before = int(time.time())
    now = int(host.run("box", "date", "+%s").stdout) - seconds
    assert before - 1 <= now <= time.time() + 1, (before, now)


@pytest.mark.parametrize("how", ["suspend", "park", "leave"])
def test_it_jumped_while_the_distro_slept(shifted, distro, how):
    """Back by a day, far ahead, and to where it was: each time what ran goes on, and the guest has the new time."""
    shifted.shell("box", "setsid sh -c 'while :; do echo x >>/dev/shm/count; sleep 0.2; done' >/dev/null 2>&1 &")
    shifted.shell("box", "cat /proc/sys/kernel/random/boot_id >/dev/shm/boot")
    for seconds in -86400, 40 * 86400, 0:
        asleep(shifted, how)
        shifted.shift(seconds)
        guest_is_ahead_by(shifted, seconds)
        count = len(shifted.run("box", "cat", "/dev/shm/count").stdout)
        eventually(lambda: len(shifted.run("box", "cat", "/dev/shm/count").stdout) > count, what="what ran before")
    assert shifted.run("box", "cmp", "/dev/shm/boot", "/proc/sys/kernel/random/boot_id").stdout == ""
