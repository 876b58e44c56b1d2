# SPDX-License-Identifier: MIT
"""Commands of the host, run by programs of a distro: real boots of a busybox and of a Debian with systemd."""
import os
import signal
import subprocess

import pytest

from host import eventually


@pytest.fixture(params=["busybox", "debian"])
def distro(host, request):
    """A distro that may run commands of the host until the test ends."""
    name = request.getfixturevalue(request.param)
    settings = host.root / "config/berth/berth.conf"
    before = settings.read_text() if settings.exists() else ""
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f"{before}[distro {name}]\nhost-commands=true\n")
    host("start", name)  # whose notices about KVM are not the command's
    yield name
    settings.write_text(before)


def test_commands_of_the_host(host, distro):
    """The mark is in the host's home: streams, status, directory, and nothing without the setting."""
    home = (host.root / "home").resolve()
    place = home / "called from"
    place.mkdir(exist_ok=True)

    def call(*words, **options):
        return host("run", "-d", distro, "--", "berth-host", *words, cwd=place, check=False, **options)
    result = call("sh", "-c", "cat; pwd; id -u; echo err >&2; exit 7", input="in\n")
    assert (result.stdout, result.stderr, result.returncode) == (f"in\n{place}\n{os.getuid()}\n", "err\n", 7)
    assert call("uname", "-n").stdout == os.uname().nodename + "\n"
    nobody = host("run", "-d", distro, "-u", "nobody", "--", "berth-host", "true", check=False)
    assert nobody.returncode == 125 and "default user" in nobody.stderr
    settings = host.root / "config/berth/berth.conf"
    allowed = settings.read_text()
    settings.write_text("")
    refused = call("touch", "ran")
    settings.write_text(allowed)
    assert refused.returncode == 125 and "host-commands=true" in refused.stderr
    assert not (place / "ran").exists() and not (home / "ran").exists()


def test_it_ends_with_its_program(host, distro):
    client = host.spawn("run", "-d", distro, "--", "berth-host", "sh", "-c", "echo $$; exec sleep 1000",
                        text=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    command = int(client.stdout.readline())
    client.send_signal(signal.SIGKILL)  # its session is hung up, and berth-host with it
    client.wait()
    eventually(lambda: not os.path.exists(f"/proc/{command}"), what="the command's end")
