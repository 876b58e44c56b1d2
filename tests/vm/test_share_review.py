"""A share with --cow in a distro: its changes are kept beside the host's files, listed, accepted and discarded."""
import json

import pytest

from host import eventually

ROOT = "/mnt/host"


@pytest.fixture
def shared(host, busybox, tmp_path):
    source = tmp_path.resolve() / "work"
    (source / "d").mkdir(parents=True)
    for name in ("edited", "gone", "followed", "d/deep"):
        (source / name).write_text(f"{name}\n")
    host("share", "add", busybox, f"{source}:/work", "--cow")
    yield source
    host("share", "rm", busybox, "/work")


def test_changes_are_reviewed(host, busybox, shared):
    at = f"{ROOT}/work"
    def sh(script, **options):
        return host("run", "-d", busybox, "--", "sh", "-c", script, **options).stdout
    def changes():
        found = json.loads(host("changes", busybox, "--json").stdout)["changes"]
        return {one["path"].removeprefix(f"{shared}/"): one["change"] for one in found}
    eventually(lambda: sh(f"cat {at}/edited", check=False) == "edited\n", what="the share")
    before = {path: path.read_text() for path in shared.rglob("*") if path.is_file()}
    sh(f"cd {at} && echo guest > edited && rm gone && mkdir new && echo x > new/x && chmod 700 d && echo y >> d/deep")
    assert sh(f"cd {at} && cat edited new/x d/deep && ls") == "guest\nx\nd/deep\ny\nd\nedited\nfollowed\nnew\n"
    assert {path: path.read_text() for path in shared.rglob("*") if path.is_file()} == before
    assert changes() == {"d": "mode", "d/deep": "modified", "edited": "modified", "gone": "deleted", "new": "added"}
    (shared / "followed").write_text("by the host\n")
    eventually(lambda: sh(f"cat {at}/followed") == "by the host\n", what="the host's text")

    sh(f"cd {at}/new && (while ! [ -e stop ]; do sleep 0.1; done; cat x >> y; pwd >> y) </dev/null >/dev/null 2>&1 &")
    host("accept", busybox, shared / "new")
    host("discard", busybox, shared / "gone")
    assert changes() == {"d": "mode", "d/deep": "modified", "edited": "modified"}
    assert (shared / "new/x").read_text() == "x\n" and (shared / "edited").read_text() == "edited\n"
    assert sh(f"cd {at} && cat edited gone new/x") == "guest\ngone\nx\n"  # at once
    sh(f"touch {at}/new/stop")
    eventually(lambda: sh(f"cat {at}/new/y", check=False) == f"x\n{at}/new\n", what="the program that works in new/")

    host("terminate", busybox)  # and of a stopped distro
    assert changes() == {"d": "mode", "d/deep": "modified", "edited": "modified", "new/stop": "added", "new/y": "added"}
    host("discard", busybox, shared / "new/stop")
    host("accept", busybox)
    assert changes() == {} and (shared / "edited").read_text() == "guest\n"
    assert (shared / "new/y").read_text() == f"x\n{at}/new\n" and not (shared / "new/stop").exists()
