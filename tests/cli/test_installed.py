"""What `meson install` installs works with neither build nor source tree, below any directory."""
import json
import os
import shlex
import shutil
import subprocess

import json_schema
import pytest
from conftest import BUILD, SOURCE
from waiting import LIMIT

# Runs the words that it is given where the directories in HIDDEN are empty, as the same user as before.
ALONE = """
set -eu
for directory in $HIDDEN; do mount -t tmpfs none "$directory"; done
[ -z "$BACK" ] || exec unshare --user --map-user="${BACK%:*}" --map-group="${BACK#*:}" -- "$@"
exec "$@"
"""


def alone(*words):
    """@words where neither the build nor what it was built from is to be seen."""
    hidden = " ".join(shlex.quote(str(path)) for path in (BUILD, SOURCE / "lib", SOURCE / "cmd", SOURCE / "templates"))
    root = os.geteuid() == 0
    back = "" if root else f"{os.geteuid()}:{os.getegid()}"
    namespace = ["unshare", "--mount", *([] if root else ["--user", "--map-root-user"])]
    return [*namespace, "env", f"HIDDEN={hidden}", f"BACK={back}", "sh", "-c", ALONE, "sh", *map(str, words)]


@pytest.fixture
def installed(berth):
    """The directory that has usr/local, or whatever prefix the build has, in it."""
    place = berth.path / "installed"
    subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", place], check=True)
    return place


def find(place, pattern):
    found = sorted(place.rglob(pattern))
    assert len(found) == 1, (pattern, found)
    return found[0]


def use(berth, program, script):
    """Run @script alone, with @program as berth; what it printed."""
    guest = find(program.parents[1], "berth-guest")
    shutil.copy(SOURCE / "tests/lib/fake-qemu", berth.bin / "fake-qemu")
    (berth.bin / "qemu-system-x86_64").write_text(
        f"#!/bin/sh\nexport FAKE_QEMU_GUEST={guest}\nexec {berth.bin}/fake-qemu \"$@\"\n")
    environment = {**berth.environment, "PATH": f"{program.parent}:{berth.environment['PATH']}"}
    del environment["BERTH_SUPPORT_DIR"]
    if not (guest.parent / "vmlinux").exists():
        (berth.path / "vmlinux").write_text("fake-qemu does not look\n")
        environment["BERTH_KERNEL"] = str(berth.path / "vmlinux")
    done = subprocess.run(alone("sh", "-euc", script), env=environment, cwd=berth.path, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=LIMIT)
    assert done.returncode == 0, done
    return done.stdout


SCRIPT = """
! test -e {build}/cmd/berth
berth import --no-user box rootfs.tar >&2
berth run echo it runs
berth status --json >status.json
berth terminate box
"""


def test_it_runs_without_a_build_tree(berth, rootfs, installed):
    program = find(installed, "bin/berth")
    assert use(berth, program, SCRIPT.format(build=BUILD)) == "it runs\n"
    assert json.loads((berth.path / "status.json").read_text())["support_dir"] == str(find(installed, "berth-keeper").parent)


def test_it_runs_where_it_was_moved(berth, rootfs, installed):
    prefix = find(installed, "bin/berth").parents[1]
    moved = berth.path / "moved"
    prefix.rename(moved)
    assert use(berth, moved / "bin/berth", SCRIPT.format(build=BUILD)) == "it runs\n"
    support = json.loads((berth.path / "status.json").read_text())["support_dir"]
    assert support == str(find(moved, "berth-keeper").parent)


def test_pages_completions_and_templates(installed):
    share = find(installed, "bin/berth").parents[1] / "share"
    assert "berth-import" in {page.name.removesuffix(".1") for page in share.glob("man/man1/*.1")}
    assert sorted(page.name for page in share.glob("man/man5/*")) == ["berth-json.5", "berth.conf.5"]
    for path in ("bash-completion/completions/berth", "zsh/site-functions/_berth", "fish/vendor_completions.d/berth.fish"):
        assert "berth" in (share / path).read_text(), path
    schemas = {path.name: path.read_text() for path in (share / "berth" / "schemas").iterdir()}
    assert schemas == {path.name: path.read_text() for path in json_schema.DIRECTORY.iterdir()}
    assert "/share/berth/schemas" in (share / "man/man5/berth-json.5").read_text()
    templates = find(installed, "templates")
    names = {str(path.relative_to(templates)) for path in templates.rglob("*.conf")}
    assert names == {str(path.relative_to(SOURCE / "templates")) for path in (SOURCE / "templates").rglob("*.conf")}
