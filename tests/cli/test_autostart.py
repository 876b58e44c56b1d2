# SPDX-License-Identifier: MIT
"""berth autostart: a unit of the user's systemd, which follows its distro."""
import json
import os
import pwd

import pytest

MARK = "# Made by berth autostart, which replaces and removes it.\n"

# Runs the words that it is given where systemd runs, by what sd_booted(3) looks at, as the same user as before.
BOOTED = """
set -eu
mount -t tmpfs none /run
mkdir -p /run/systemd/system
mount -t tmpfs none /var/lib
mkdir -p /var/lib/systemd/linger
[ -z "$LINGERS" ] || : >"/var/lib/systemd/linger/$LINGERS"
[ -z "$BACK" ] || exec unshare --user --map-user="${BACK%:*}" --map-group="${BACK#*:}" -- "$@"
exec "$@"
"""


class Booted:
    """A berth on a host that runs systemd; `systemctl` only writes down how it is called."""

    def __init__(self, home):
        self.home = home
        self.units = home.path / ".config/systemd/user"
        self.log = home.path / "systemctl.log"
        (home.bin / "systemctl").write_text(f'#!/bin/sh\necho "$*" >>{self.log}\n')
        (home.bin / "systemctl").chmod(0o755)

    def __call__(self, *words, lingers=False, **environment):
        root = os.geteuid() == 0
        name = pwd.getpwuid(os.geteuid()).pw_name
        extra = {"LINGERS": name if lingers else "", "BACK": "" if root else f"{os.geteuid()}:{os.getegid()}", **environment}
        namespace = ["--mount", *([] if root else ["--user", "--map-root-user"])]
        process = self.home.start(*namespace, "sh", "-c", BOOTED, "sh", self.home.program, *words, program="unshare", env=extra)
        return self.home.finish(process)

    def files(self):
        """Every file below the directory of units, and where the links lead."""
        return {str(path.relative_to(self.units)): os.readlink(path) if path.is_symlink() else path.read_text()
                for path in self.units.rglob("*") if not path.is_dir()}

    def reloads(self):
        return self.log.read_text().splitlines() if self.log.exists() else []

    def is_on(self, name="box"):
        """As each command says it, which must agree."""
        said = [self.home("autostart", name).ok() == "on\n", self.home.info(name)["autostart"],
                json.loads(self.home("status", name, "--json").ok())["autostart"], "Autostart:" in self.home("status", name).ok()]
        assert len(set(said)) == 1, said
        return said[0]


@pytest.fixture
def booted(box):
    return Booted(box)


def test_on_and_off(booted):
    assert not booted.is_on()
    result = booted("autostart", "BOX", "on")
    assert (result.status, result.out) == (0, "") and "starts when you log in" in result.err and "loginctl enable-linger" in result.err
    unit = booted.units / "berth-box.service"
    program = os.path.realpath(booted.home.program)
    assert booted.files() == {
        "berth-box.service": f"{MARK}[Unit]\nDescription=berth distro box\n\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
                             f"Environment=\"BERTH_SUPPORT_DIR={booted.home.support}\"\n"
                             f"ExecStart=\"{program}\" start box\n\n[Install]\nWantedBy=default.target\n",
        "default.target.wants/berth-box.service": str(unit)}
    assert booted.is_on() and booted.reloads() == ["--user daemon-reload"]
    assert booted("autostart", "box", "on", lingers=True).ok() == ""  # nothing to hint at
    assert booted("autostart", "box", "off").ok() == ""
    assert booted.files() == {} and not booted.is_on() and len(booted.reloads()) == 3
    assert booted("autostart", "box", "off").ok() == "" and len(booted.reloads()) == 3  # there was nothing to reload


def test_what_says_where_the_files_are_is_kept(booted, tmp_path):
    odd = tmp_path / 'da ta%h"x\\'
    booted.home.environment["XDG_DATA_HOME"] = str(odd)
    booted.home("import", "far", booted.home.path / "rootfs.tar").ok()
    booted("autostart", "far", "on", lingers=True).ok()
    text = (booted.units / "berth-far.service").read_text()
    assert f'Environment="XDG_DATA_HOME={tmp_path}/da ta%%h\\"x\\\\"\n' in text


def test_no_systemd(booted):
    """In a mount namespace of its own, too: this machine may run systemd."""
    result = booted.home("autostart", "box", "on") if not os.path.isdir("/run/systemd/system") else None
    if result is None:
        process = booted.home.start("--mount", "sh", "-c", 'mount -t tmpfs none /run; exec "$@"', "sh", booted.home.program, "autostart", "box",
                                    "on", program="unshare")
        result = booted.home.finish(process)
    result.failed(1, "autostart.no-systemd", "box")
    assert f"@reboot {os.path.realpath(booted.home.program)} start box" in result.hint
    assert not booted.units.exists() and not booted.is_on()
    assert booted.home("autostart", "box", "off").ok() == ""


def test_a_systemd_that_does_not_answer(booted):
    (booted.home.bin / "systemctl").write_text("#!/bin/sh\necho 'Failed to connect to bus' >&2\nexit 1\n")
    assert booted("autostart", "box", "on", lingers=True).ok() == ""
    (booted.home.bin / "systemctl").unlink()
    assert booted("autostart", "box", "on", lingers=True).ok() == ""
    assert booted.is_on()


def test_a_rename_takes_it_along(booted):
    booted("autostart", "box", "on", lingers=True).ok()
    booted("rename", "box", "tub").ok()
    assert sorted(booted.files()) == ["berth-tub.service", "default.target.wants/berth-tub.service"]
    assert " start tub\n" in booted.files()["berth-tub.service"] and booted.is_on("tub")
    booted("rename", "tub", "Tub").ok()
    assert sorted(booted.files()) == ["berth-Tub.service", "default.target.wants/berth-Tub.service"] and booted.is_on("Tub")
    assert booted.is_on("Tub")


def test_a_rename_that_fails_changes_nothing(booted, rootfs):
    booted.home("import", "other", rootfs).ok()
    for name in ("box", "other"):
        booted("autostart", name, "on", lingers=True).ok()
    before = booted.files()
    for bad, code in (("other", "registry.exists"), ("a b", "name.invalid"), ("localhost", "name.reserved")):
        booted("rename", "box", bad).failed(1, code)
        assert booted.files() == before
    (booted.units / "berth-tub.service").write_text("[Unit]\n")
    booted("rename", "box", "tub").failed(1, "autostart.foreign", "berth-tub.service")
    assert sorted(booted.home.names()) == ["box", "other"] and booted.is_on()


def test_it_goes_with_the_distro(booted, rootfs):
    booted("autostart", "box", "on", lingers=True).ok()
    booted("unregister", "box").ok()
    assert booted.files() == {}
    booted.home("import", "box", rootfs).ok()
    assert not booted.is_on()


def test_a_clone_has_none(booted):
    booted("autostart", "box", "on", lingers=True).ok()
    booted("clone", "box", "two").ok()
    assert booted.is_on() and not booted.is_on("two")


def test_a_unit_of_the_users_own(booted):
    booted.units.mkdir(parents=True)
    own = booted.units / "berth-box.service"
    own.write_text("[Service]\nExecStart=true\n")
    result = booted("autostart", "box", "on").failed(1, "autostart.foreign", "berth-box.service")
    assert str(own) in result.hint
    booted("autostart", "box", "off").ok()
    booted("unregister", "box").ok()
    assert booted.files() == {"berth-box.service": "[Service]\nExecStart=true\n"}


def test_a_stale_link_is_replaced(booted):
    wants = booted.units / "default.target.wants"
    wants.mkdir(parents=True)
    (wants / "berth-box.service").symlink_to("/nowhere")
    assert not booted.is_on()
    booted("autostart", "box", "on", lingers=True).ok()
    assert booted.is_on() and os.readlink(wants / "berth-box.service") == str(booted.units / "berth-box.service")


def test_a_place_that_cannot_be_written(booted):
    booted.units.parent.parent.mkdir(exist_ok=True)
    booted.units.parent.write_text("")  # systemd is a file
    booted("autostart", "box", "on").failed(1, "layout.io", "not a directory")
    assert not booted.is_on()


@pytest.mark.parametrize("words, status, code", [
    ([], 2, "usage.arguments"), (["box", "maybe"], 2, "usage.value"), (["box", "on", "x"], 2, "usage.arguments"),
    (["none"], 1, "distro.not-found"), (["none", "on"], 1, "distro.not-found"), (["none", "off"], 1, "distro.not-found"),
])
def test_wrong_words(booted, words, status, code):
    booted("autostart", *words).failed(status, code)
    assert not booted.units.exists()
