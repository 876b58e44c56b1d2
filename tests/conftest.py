"""What all pytest suites share.

A skip is a failure where BERTH_TEST_STRICT is set. A test marked as_root needs root itself, not one who behaves like
it: for other users it is left out rather than skipped, since it says nothing about them.
"""
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))


def pytest_configure():
    """TERM ends the tests as Ctrl-C does: fixtures end what they have started. A shell's job in the background ignores
    Ctrl-C and QUIT; what the tests start must not inherit that.
    """
    if threading.current_thread() is threading.main_thread():  # a worker of xdist's may run tests in another
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_collection_modifyitems(config, items):
    if os.getuid() != 0:
        left_out = [item for item in items if item.get_closest_marker("as_root")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("BERTH_TEST_STRICT"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which BERTH_TEST_STRICT does not allow: {report.longrepr}"


def pytest_terminal_summary(terminalreporter):
    """Say why a test was run again: pytest keeps that to itself if the test then passes (failures.py reads it)."""
    for report in terminalreporter.stats.get("rerun", []):
        terminalreporter.write_sep("_", f"rerun of {report.nodeid}")
        terminalreporter.line(report.longreprtext)
        for title, text in report.sections:
            terminalreporter.write_sep("-", title)
            terminalreporter.line(text)
