"""A minimal Debian 13, whose systemd is five versions newer."""
import pytest

from conftest import required


@pytest.fixture(scope="module")
def trixie(host):
    host("import", "--no-user", "trixie", required("BERTH_TEST_TRIXIE"))
    yield "trixie"
    host("unregister", "trixie")


def test_debian_13_boots_without_failed_units(host, trixie):
    assert host.shell(trixie, "cut -d. -f1 /etc/debian_version").stdout == "13\n"
    assert host.shell(trixie, "systemctl --failed --no-legend --plain").stdout == ""
    assert host.shell(trixie, "systemctl is-system-running").stdout == "running\n"
    assert host.shell(trixie, "systemd-run -q --wait --pipe echo from-a-unit").stdout == "from-a-unit\n"
    assert host.shell(trixie, "cat /proc/[0-9]*/comm | grep -cx berth-session").stdout == "1\n"
