"""Names of the host that are too many for a guest: the first reach it, and a notice says how many do not."""
import os
import re

import pytest

# Runs the words that it is given where /etc/hosts is HOSTS, as the same user as before.
ELSEWHERE = """
set -eu
mount --bind "$HOSTS" /etc/hosts
[ -z "$BACK" ] || exec unshare --user --map-user="${BACK%:*}" --map-group="${BACK#*:}" -- "$@"
exec "$@"
"""


@pytest.fixture
def elsewhere(box, tmp_path):
    """Runs berth where /etc/hosts is a file of ours."""
    def run(*words):
        root = os.geteuid() == 0
        environment = {"HOSTS": str(tmp_path / "hosts"), "BERTH_RESOLV_CONF": str(tmp_path / "resolv.conf"),
                       "BACK": "" if root else f"{os.geteuid()}:{os.getegid()}"}
        namespace = ["--mount", *([] if root else ["--user", "--map-root-user"])]
        return box.finish(box.start(*namespace, "sh", "-c", ELSEWHERE, "sh", box.program, *words, program="unshare",
                                    env=environment))
    return run


def test_names_that_do_not_fit(elsewhere, box, tmp_path):
    (tmp_path / "hosts").write_text("".join(f"10.1.{i // 256}.{i % 256} m{i}.example\n" for i in range(4000)))
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\nsearch" + "".join(f" d{i}.example" for i in range(300)) + "\n")

    notices = elsewhere("start").err.splitlines()
    assert len(notices) == 2, notices
    domains = re.fullmatch(r"berth: the last (\d+) search domains of this host are not passed on: "
                           r"the names would take more than 1 KiB", notices[0])
    lines = re.fullmatch(r"berth: the last (\d+) lines of this host's /etc/hosts are not passed on: "
                         r"the names would take more than 32 KiB", notices[1])
    assert 0 < int(domains[1]) < 300 and 0 < int(lines[1]) < 4000
    box("suspend", "box").ok()
    box("run", "true").ok() # which tells the guest the names again
    assert box("logs", "box").ok().count("are not passed on") == 2


def test_names_that_fit_have_no_notice(elsewhere, tmp_path):
    (tmp_path / "hosts").write_text("0.0.0.0 a-name-that-is-blocked.example\n" * 4000 + "10.0.0.1 one\n")
    (tmp_path / "resolv.conf").write_text("nameserver 192.0.2.1\nsearch one.example\n")
    assert elsewhere("start").err == ""
