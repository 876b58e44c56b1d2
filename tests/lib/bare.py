"""Run QEMU as berth does, without berth: the baseline for benchmarks of starts."""
import shlex
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "bench/bare-init.c"
KEPT = {"-global", "-accel", "-cpu", "-smp", "-m", "-sandbox", "-kernel", "-append"}


def newc(entries):
    """Build a cpio archive of (name, mode, data, (major, minor))."""
    archive = b""
    for number, (name, mode, data, device) in enumerate([*entries, ("TRAILER!!!", 0, b"", (0, 0))]):
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        archive += header + b"\0" * (-len(header) % 4) + data + b"\0" * (-len(data) % 4)
    return archive


def make_initramfs(directory):
    """Build an initramfs whose only program powers off. Needs a C compiler with a static libc."""
    init = directory / "init"
    subprocess.run(["cc", "-Os", "-static", "-o", init, SOURCE], check=True)
    path = directory / "initramfs"
    path.write_bytes(newc([("dev", 0o40755, b"", (0, 0)), ("dev/console", 0o20600, b"", (5, 1)),
                           ("init", 0o100755, init.read_bytes(), (0, 0))]))
    return path


def command(host, distro, append=""):
    """The machine, processor, memory and kernel arguments of `berth start --dry-run`, without devices; the console is
    standard input and output, and the memory QEMU's own.
    """
    argv = shlex.split(host("start", "--dry-run", distro).stdout)
    made = [argv[0], "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none"]
    for name, value in zip(argv, argv[1:]):
        if name == "-machine":
            made += [name, value.replace("memory-backend=memory,", "")]
        elif name in KEPT:
            made += [name, f"{value} {append}".rstrip() if name == "-append" else value]
    return [*made, "-serial", "stdio"]
