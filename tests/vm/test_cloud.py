"""Debian's cloud-init: off unless the distro has user-data."""
import pytest
from conftest import required

CONFIG = """#cloud-config
users: []
write_files:
  - {path: /srv/written, content: by cloud-init}
runcmd:
  - echo run >>/srv/runs
bootcmd:
  - echo boot >>/srv/boots
"""
NOT_USED = "the user-data was not used: "


@pytest.fixture(scope="module")
def config(host):
    path = host.root / "user-data"
    path.write_text(CONFIG)
    return path


def test_cloud_init_is_off_without_user_data(devel):
    assert devel.sh("cloud-init status || true") == "status: disabled\n"
    assert devel.sh("ls -A /run/cloud-init 2>&1 | grep -c enabled || true") == "0\n"


def test_user_data_is_applied_once(host, config):
    host("import", "--no-user", "--user-data", config, "cloud", required("BERTH_TEST_DEVEL"), timeout=600)
    for number in (1, 2):
        assert NOT_USED not in host("start", "cloud", timeout=300).stderr
        assert host.shell("cloud", "cloud-init status --wait", timeout=300).stdout.split() == ["status:", "done"]
        assert host.shell("cloud", "cat /srv/written /srv/runs").stdout == "by cloud-initrun\n"
        assert host.shell("cloud", "cat /srv/boots").stdout == "boot\n" * number
        assert host.shell("cloud", "systemctl --failed --no-legend --plain; hostname").stdout == "cloud\n"
        assert host.shell("cloud", "ls /var/lib/cloud/seed").stdout == ""
        assert host.shell("cloud", "stat -c %a /run/berth /run/berth/cloud /run/berth/cloud/*").stdout.split() == \
            ["755", "700", "600", "600"]
        assert "inet 10.0.2.15/24" in host.shell("cloud", "ip -4 addr show eth0").stdout
        host("terminate", "cloud")
    host("unregister", "cloud")


def test_image_without_cloud_init_gives_a_notice(host, config):
    host("import", "--no-user", "--user-data", config, "cloud", required("BERTH_TEST_BUSYBOX"))
    reasons = [("true", "the image has no cloud-init"),
               ("mkdir -p /usr/bin /etc/cloud && cp /bin/busybox /usr/bin/cloud-init", "the image's init"),
               ("touch /etc/cloud/cloud-init.disabled", "/etc/cloud/cloud-init.disabled is there")]
    for script, reason in reasons:
        host.shell("cloud", script)
        host("terminate", "cloud")
        assert NOT_USED + reason in host("start", "cloud").stderr
    host("unregister", "cloud")
