"""What all pytest suites share: a skip is a failure where BERTH_TEST_STRICT is set."""
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("BERTH_TEST_STRICT"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which BERTH_TEST_STRICT does not allow: {report.longrepr}"
