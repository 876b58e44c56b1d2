# SPDX-License-Identifier: MIT
"""berth diff of distros that run."""
import os
import signal
import subprocess

import pytest

from test_snapshots import fill


def changed(host, *words):
    return {row["path"] for row in host.json("diff", *words)["differences"]}


@pytest.mark.parametrize("kind", ["scratch", "patient"])
def test_diff_of_running_ones(host, request, kind):
    """Neither disk has a journal to replay."""
    scratch = request.getfixturevalue(kind)
    fill(host, scratch, "old")
    host.shell(scratch, "(while [ ! -e /enough ]; do echo x >> /log; done) > /dev/null 2>&1 &")
    host("snapshot", scratch, "before")
    host.shell(scratch, "echo new > /mark; rm /data")
    host("snapshot", scratch, "after")
    assert host.info(scratch)["state"] == "running"
    assert {"/mark", "/data", "/log"} <= changed(host, scratch, "before", "after")
    host.shell(scratch, "touch /enough")
    host("suspend", scratch)
    check = subprocess.run(["/sbin/e2fsck", "-fn", host.info(scratch)["disk"]], capture_output=True, text=True)
    assert check.returncode == 0, check.stdout
    os.kill(host.info(scratch)["keeper_pid"], signal.SIGKILL)
    assert host.shell(scratch, "cat /mark").stdout == "new\n"
