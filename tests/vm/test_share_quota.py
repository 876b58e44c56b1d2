"""A share with a quota in a distro: its writes end at the limit, statfs shows it, and the count outlives a restart."""
import json

import pytest

from host import eventually

AT = "/mnt/host/work"
MIB = 1 << 20


@pytest.mark.parametrize("access", [[], ["--cow"]], ids=["plain", "cow"])
def test_writes_end_at_the_quota(host, busybox, tmp_path, access):
    source = tmp_path.resolve() / "work"
    source.mkdir()
    (source / "theirs").write_bytes(b"h" * 2 * MIB)
    def sh(script, **options):
        return host("run", "-d", busybox, "--", "sh", "-c", script, **options)
    def used():
        (distro,) = json.loads(host("share", "list", "--json", busybox).stdout)["distros"]
        (share,) = [share for share in distro["shares"] if share["target"] == "/work"]
        assert share["quota"] == 8 * MIB
        return share["quota_used"]
    host("share", "add", busybox, f"{source}:/work", "--quota", "8M", *access)
    try:
        eventually(lambda: sh(f"ls {AT}", check=False).stdout == "theirs\n", what="the share")
        assert used() <= 16384
        full = sh(f"dd if=/dev/zero of={AT}/big bs=64k", check=False)
        assert full.returncode != 0 and "No space left on device" in full.stderr
        assert 8 * MIB - 65536 <= used() <= 8 * MIB + 65536
        unit, size, left = map(int, sh(f"stat -f -c '%S %b %a' {AT}").stdout.split())
        assert unit * size == 8 * MIB and unit * left <= 4096
        assert (source / "big").exists() == (not access)

        host("terminate", busybox)
        full = sh(f"echo more > {AT}/more", check=False)
        assert full.returncode != 0 and "No space left on device" in full.stderr
        sh(f"rm {AT}/big && head -c 6000000 /dev/zero > {AT}/other")
        assert 6_000_000 <= used() <= 6_000_000 + 65536
        assert (source / "theirs").stat().st_size == 2 * MIB
    finally:
        host("share", "rm", busybox, "/work")
