"""Probing an emulator before it runs a distro, and handling rejected options. fake-qemu is the machine."""
import pytest

from waiting import LIMIT

FALLBACK = "type=microvm,memory-backend=memory,acpi=on,rtc=on"
PREFERRED = FALLBACK + ",firmware=qboot.rom"


def choices(start):
    """The -machine of a start, and the option that opens QMP."""
    argv = start["argv"]
    return argv[argv.index("-machine") + 1], "-mon" if "-mon" in argv else "-object"


def restart(box, **environment):
    """Restart box; return QEMU's options and the number of probes before."""
    probes = len(box.qemus(probe=True))
    box("shutdown").ok()
    box("start", env=environment).ok()
    return choices(box.qemus()[-1]), len(box.qemus(probe=True)) - probes


@pytest.mark.parametrize("refused, machine, monitor, probes", [
    ("", PREFERRED, "-object", 1),
    ("monitor-qmp", PREFERRED, "-mon", 2),
    ("qboot.rom", FALLBACK, "-object", 3),
    ("monitor-qmp qboot.rom", FALLBACK, "-mon", 4),
])
def test_first_accepted_variant_is_used(box, refused, machine, monitor, probes):
    """Probed before the first start, and never again: not for the next start, nor for another distro."""
    assert restart(box, FAKE_QEMU_REFUSE=refused) == ((machine, monitor), probes)
    assert restart(box, FAKE_QEMU_REFUSE=refused) == ((machine, monitor), 0)
    box("terminate", "box").ok()
    box("clone", "box", "second").ok()
    box("start", "second", env={"FAKE_QEMU_REFUSE": refused}).ok()
    assert len(box.qemus(probe=True)) == probes


def test_new_version_is_probed_again(box):
    assert restart(box) == ((PREFERRED, "-object"), 1)
    emulator = box.bin / "qemu-system-x86_64"
    emulator.write_text(emulator.read_text().replace("exec ", "export FAKE_QEMU_REFUSE=monitor-qmp\nexec ", 1))
    assert restart(box) == ((PREFERRED, "-mon"), 2)
    assert restart(box) == ((PREFERRED, "-mon"), 0)


@pytest.mark.parametrize("verb, status", [("start", 1), ("console", 125)])
def test_failed_probe_is_not_cached(box, tmp_path, verb, status):
    """QEMU's firmware disappears, which the cached answer does not cover: one start fails, the next probes again."""
    firmware, emulator = tmp_path / "qboot.rom", box.bin / "qemu-system-x86_64"
    firmware.touch()
    emulator.write_text(emulator.read_text().replace(
        "exec ", f"[ -e '{firmware}' ] || export FAKE_QEMU_REFUSE=qboot.rom\nexec ", 1))
    assert restart(box) == ((PREFERRED, "-object"), 1)
    box("terminate", "box").ok()
    firmware.unlink()
    box(verb).failed(status, "instance.qemu", "qboot.rom")
    box("start").ok()
    assert choices(box.qemus()[-1]) == (FALLBACK, "-object")
    assert restart(box) == ((FALLBACK, "-object"), 0)


@pytest.mark.parametrize("command, status", [(["start"], 1), (["run", "true"], 125), (["start", "--dry-run"], 1)])
def test_option_without_alternative_fails(box, command, status):
    """It fails at once, with an error of its own and QEMU's message."""
    result = box(*command, env={"FAKE_QEMU_REFUSE": "virtio-rng-device", "BERTH_BOOT_TIMEOUT": "600"}, timeout=LIMIT)
    result.failed(status, "vmm.qemu-refused", "-device: Parameter 'virtio-rng-device' is unexpected")
    assert box.info("box")["state"] == "stopped" and box.qemus() == []
    box("start").ok()
