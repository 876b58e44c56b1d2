"""A QEMU without qboot falls back to SeaBIOS, whose tables need memory."""
from pathlib import Path

import pytest

from conftest import required
from host import Host


@pytest.mark.smoke
def test_seabios(tmp_path):
    build = Path(required("BERTH_TEST_BUILD"))
    support = tmp_path / "support"
    (support / "templates/machines").mkdir(parents=True)
    for path in (build / "cmd").iterdir():
        if path.name != "templates":
            (support / path.name).symlink_to(path.resolve())
    template = (build / "cmd/templates/machines/x86_64.conf").read_text()
    assert template.count("firmware=qboot.rom") == 1
    (support / "templates/machines/x86_64.conf").write_text(template.replace("qboot.rom", "bios-microvm.bin"))
    with Host(build, BERTH_KERNEL=required("BERTH_TEST_KERNEL"), BERTH_SUPPORT_DIR=str(support),
              BERTH_MEMORY="512M", BERTH_BOOT_TIMEOUT="120") as host:
        host("import", "--no-user", "box", required("BERTH_TEST_BUSYBOX"))
        assert "bios-microvm.bin" in host("start", "--dry-run", "box").stdout
        assert host.run("box", "echo", "fine").stdout == "fine\n"
        host("terminate", "box")
        log = host("logs", "box").stdout
        assert "Power down" in log and "forced" not in log
