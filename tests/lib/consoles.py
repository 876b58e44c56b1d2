# SPDX-License-Identifier: MIT
"""consoles — a plugin of pytest's that adds to a failed test's report, also to one that is then run again, the console
logs of all distros that have written since the test began: a kernel that panicked tells why only there.

The end of CI's output repeats the kernel's part (failures.py).
"""
import pytest

from host import Host

BEGAN = pytest.StashKey[float]()
TITLE = "console of"
LIMIT = 128 << 10  # bytes of one log: some twenty boots


def end_of(path):
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - LIMIT))
        return log.read().decode(errors="replace")


def written_since(began):
    """(title, text) of each console log of a Host of this process that has changed since @began."""
    for host in Host.opened:
        for log in sorted(host.root.glob("data/berth/distros/*/console.log")):
            if log.stat().st_mtime >= began - 1:  # file systems count coarsely
                yield f"{TITLE} {log.parent.name}", end_of(log)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if call.when == "setup":
        item.stash[BEGAN] = call.start
    if report.failed:
        report.sections.extend(written_since(item.stash[BEGAN]))
