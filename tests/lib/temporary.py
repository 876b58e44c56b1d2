# SPDX-License-Identifier: MIT
"""temporary — a plugin of pytest's that removes a test's tmp_path as soon as the test has passed or been skipped.

A sparse disk's blocks are then mostly freed before they are ever written. A run of the cli suite left 13 GB of them,
whose removal took minutes. What a failed test made stays, and pytest removes it three runs later.
"""
import shutil

import pytest

FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    before = call.when != "setup" and item.stash.get(FAILED, False)  # a rerun begins anew
    item.stash[FAILED] = before or report.failed


@pytest.fixture
def tmp_path(tmp_path, request):
    yield tmp_path
    if not request.node.stash[FAILED]:
        shutil.rmtree(tmp_path, ignore_errors=True)
