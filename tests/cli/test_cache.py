"""The image cache of imports. Without reflinks only slow imports are cached, so the worker is delayed here; it is the
real one otherwise.
"""
import hashlib
import json
import os
import shutil
import subprocess

import json_schema
import pytest

from conftest import BUILD, tar_bytes, wait_for
from web_server import WebServer


@pytest.fixture
def slow(berth):
    """A berth whose archives are worth caching, and a count of how often one is read."""
    delay(berth, "sleep 0.6")
    berth.reads = lambda: len((berth.path / "reads").read_text().splitlines())
    berth.images = berth.path / ".cache/berth/images"
    return berth


def delay(berth, command):
    """Have berth-image run @command before it begins."""
    program = berth.support / "berth-image"
    program.unlink()
    program.write_text(f"#!/bin/sh\necho x >> {berth.path}/reads\n{command}\nexec {BUILD}/cmd/berth-image \"$@\"\n")
    program.chmod(0o755)


def work(berth):
    """Have berth-image take processor time, which is all that counts of an import that also waits for a network."""
    delay(berth, "/usr/bin/python3 -c 'import time\nwhile time.process_time() < 0.6: pass'")


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "root.tar"
    write(path, tar_bytes({"etc/big": os.urandom(3 << 20)}))
    return path


def write(path, data):
    """Write a file and make it old enough that a further change changes its times."""
    path.write_bytes(data)
    settled(path)


def settled(path):
    import time
    wait_for(lambda: time.time_ns() - path.stat().st_ctime_ns > 100_000_000)


def cached(berth):
    answer = json.loads(berth("cache", "ls", "--json").ok())
    json_schema.check(answer, json_schema.read("cache"))
    return answer["images"]


def keys(berth):
    return sorted(p.name for p in berth.images.glob("[!.]*"))


def disk(berth, name):
    return berth.info(name)["disk"]


def same(berth, first, second):
    subprocess.run(["cmp", disk(berth, first), disk(berth, second)], check=True)


def test_second_import_copies_the_cached_image(slow, archive):
    assert "cache" not in slow("import", "--size=256M", "a", archive).ok()
    out = slow("import", "--size=256M", "b", archive).ok()
    assert out.startswith("b: 7 entries, ") and out.endswith("(from the cache)\n")
    assert slow.reads() == 1
    same(slow, "a", "b")
    subprocess.run(["e2fsck", "-fn", disk(slow, "b")], check=True, capture_output=True)
    assert [image["archive"] for image in cached(slow)] == [str(archive)]
    # A distro's writes reach neither the other distro nor the cache.
    with open(disk(slow, "b"), "r+b") as file:
        file.write(b"changed")
    slow("import", "--size=256M", "c", archive).ok()
    assert slow.reads() == 1
    same(slow, "a", "c")


@pytest.mark.parametrize("step, age", [(-86400, "0s ago"), (2 * 86400, "2d 0h ago")])
def test_age_of_an_image_after_the_clock_was_set(slow, archive, step, age):
    """The time of use is the host's time of day, so that it outlives a boot; the clock may step, here by @step."""
    slow("import", "--size=256M", "a", archive).ok()
    about = slow.images / keys(slow)[0] / "about"
    used = about.stat().st_mtime - step
    os.utime(about, (used, used))
    assert f"  {age}  " in slow("cache", "ls").ok()
    assert "(from the cache)" in slow("import", "--size=256M", "b", archive).ok()
    assert "2d 0h ago" not in slow("cache", "ls").ok()  # it was used now


def test_import_from_redirected_file_uses_the_cache(slow, archive):
    slow("import", "--size=256M", "a", archive).ok()
    with open(archive, "rb") as file:
        assert "(from the cache)" in slow("import", "--size=256M", "b", "-", stdin=file).ok()
    with open(archive, "rb") as file:
        file.seek(512)  # not at its beginning: another archive
        slow("import", "--size=256M", "c", "-", stdin=file).ok()
    assert slow.reads() == 2


def test_options_are_part_of_the_key(slow, archive):
    for n, options in enumerate([["--size=256M"], ["--size=300M"], ["--size=256M", "--inodes=5000"]]):
        assert "cache" not in slow("import", *options, f"x{n}", archive).ok()
    assert slow.reads() == 3 and len(cached(slow)) == 3


def test_changed_archive_is_a_miss(slow, archive):
    slow("import", "--size=256M", "a", archive).ok()
    data, st = bytearray(archive.read_bytes()), archive.stat()
    data[-5000] ^= 1
    write(archive, data)  # of the same length
    os.utime(archive, ns=(st.st_atime_ns, st.st_mtime_ns))  # and the same times
    settled(archive)
    slow("import", "--size=256M", "b", archive).ok()
    assert slow.reads() == 2


def test_copied_archive_is_a_hit(slow, archive, tmp_path):
    slow("import", "--size=256M", "a", archive).ok()
    copy = tmp_path / "copy.tar"
    write(copy, archive.read_bytes())
    assert "(from the cache)" in slow("import", "--size=256M", "b", copy).ok()
    archive.unlink()  # the copy's identity is known now
    assert "(from the cache)" in slow("import", "--size=256M", "c", copy).ok()
    assert slow.reads() == 1 and len(cached(slow)) == 1


def test_other_file_of_the_same_length_is_a_miss(slow, archive, tmp_path):
    slow("import", "--size=256M", "a", archive).ok()
    data = bytearray(archive.read_bytes())
    data[-5000] ^= 1
    other = tmp_path / "other.tar"
    write(other, data)
    slow("import", "--size=256M", "b", other).ok()
    assert slow.reads() == 2


def damage_truncate(entry):
    os.truncate(entry / "disk.ext4", 1 << 20)


def damage_write(entry):
    with open(entry / "disk.ext4", "r+b") as file:
        file.write(b"x")


def damage_missing(entry):
    (entry / "disk.ext4").unlink()


def damage_link(entry):
    (entry / "disk.ext4").rename(entry / "moved")
    (entry / "disk.ext4").symlink_to("moved")


def damage_about(entry):
    (entry / "about").write_bytes(os.urandom(500))


def damage_no_about(entry):
    (entry / "about").unlink()


@pytest.mark.parametrize("damage", [damage_truncate, damage_write, damage_missing, damage_link,
                                    damage_about, damage_no_about])
def test_damaged_entry_is_a_miss(slow, archive, damage):
    slow("import", "--size=256M", "a", archive).ok()
    [key] = keys(slow)
    damage(slow.images / key)
    assert "cache" not in slow("import", "--size=256M", "b", archive).ok()
    assert slow.reads() == 2
    same(slow, "a", "b")
    slow("cache", "prune").ok()
    assert len(cached(slow)) == len(keys(slow)) == 1


def test_incomplete_entries_are_removed(slow, archive):
    slow("import", "--size=256M", "a", archive).ok()
    [key] = keys(slow)
    shutil.copytree(slow.images / key, slow.images / ".new-0000000000000000")
    assert len(cached(slow)) == 1
    slow("cache", "prune").ok()
    assert sorted(os.listdir(slow.images)) == [".lock", key]


def test_images_over_the_limit_are_evicted(slow, tmp_path):
    paths = [tmp_path / f"{n}.tar" for n in range(3)]
    for path in paths:
        write(path, tar_bytes({"etc/big": os.urandom(3 << 20)}))
    slow("import", "--size=256M", "a", paths[0]).ok()
    one = cached(slow)[0]["disk_used"]
    slow.configure(f"[berth]\ncache-size = {one * 5 // 2}\n")
    slow("import", "--size=256M", "b", paths[1]).ok()
    slow("import", "--size=256M", "c", paths[0]).ok()  # used again, so the other is the oldest now
    slow("import", "--size=256M", "d", paths[2]).ok()
    assert {image["archive"] for image in cached(slow)} == {str(paths[0]), str(paths[2])}
    slow.configure(f"[berth]\ncache-size = {one}\n")
    assert slow("cache", "prune").ok().startswith("removed 1 image, ")
    assert [image["archive"] for image in cached(slow)] == [str(paths[2])]


def test_prune_all(slow, archive):
    assert slow("cache", "prune", "--all").ok() == "removed 0 images, 0 B\n"
    slow("import", "--size=256M", "a", archive).ok()
    assert slow("cache", "prune").ok() == "removed 0 images, 0 B\n"
    assert slow("cache", "prune", "--all").ok().startswith("removed 1 image, ")
    assert cached(slow) == [] and keys(slow) == []
    slow("import", "--size=256M", "b", archive).ok()
    assert slow.reads() == 2


def test_size_zero_disables_the_cache(slow, archive):
    slow.configure("[berth]\ncache-size = 0\n")
    for name in "ab":
        slow("import", "--size=256M", name, archive).ok()
    assert slow.reads() == 2 and not slow.images.exists()


def test_unwritable_cache_gives_a_notice(slow, archive):
    slow.images.parent.mkdir(parents=True)
    slow.images.write_text("in the way")
    result = slow("import", "--size=256M", "a", archive)
    assert result.status == 0, result
    assert result.err.startswith("berth: import a: notice: the image is not kept for the next import: ")
    assert len(result.err.splitlines()) == 1
    subprocess.run(["e2fsck", "-fn", disk(slow, "a")], check=True, capture_output=True)


def test_concurrent_imports_share_an_entry(slow, archive):
    started = [slow.start("import", "--size=256M", name, archive) for name in "abcd"]
    for process in started:
        slow.finish(process).ok()
    assert len(cached(slow)) == len(keys(slow)) == 1
    for name in "bcd":
        same(slow, "a", name)


@pytest.mark.parametrize("words, status", [(["cache"], 2), (["cache", "frob"], 2),
                                           (["cache", "ls", "--all"], 2),
                                           (["cache", "prune", "--json"], 2)])
def test_usage(berth, words, status):
    result = berth(*words)
    assert result.status == status and result.code.startswith("usage."), result


def test_a_download_is_known_by_its_digest(slow, web):
    """The first install reads it while it arrives, the second finds both the download and its image."""
    archive = tar_bytes({"etc/big": os.urandom(3 << 20)})
    file = {"Url": web.serve("/root.tar", archive), "Sha256": hashlib.sha256(archive).hexdigest()}
    toy = [{"Name": "Toy", "FriendlyName": "Toy", "Default": True, "Amd64Url": file}]
    web.serve("/list.json", json.dumps({"ModernDistributions": {"Toy": toy}}).encode())
    slow.configure(f"[berth]\ndisk-size = 256M\ndistro-list = {web.url('/list.json')}\ndistro-lists =\n")
    work(slow)
    for name in ("a", "b"):
        slow("install", "--no-launch", "toy", "--name", name).ok()
    assert slow.reads() == 1 and web.paths().count("/root.tar") == 1
    same(slow, "a", "b")
    assert [image["archive_size"] for image in cached(slow)] == [len(archive)]
    slow("install", "--no-launch", "toy", "--name", "c", "--size", "512M").ok()  # another image
    assert slow.reads() == 2
    for kept in (slow.path / ".cache/berth/downloads").iterdir():
        kept.unlink()
    slow("install", "--no-launch", "toy", "--name", "d").ok()  # the image is there, also without the download
    assert slow.reads() == 2
    same(slow, "a", "d")


def test_a_download_with_other_bytes_is_no_hit(slow, web):
    """The digest is the list's: what the server sent for the first one is not what the second one has."""
    work(slow)
    for content in (b"one", b"two"):
        archive = tar_bytes({"etc/name": content})
        file = {"Url": web.serve("/root.tar", archive), "Sha256": hashlib.sha256(archive).hexdigest()}
        toy = [{"Name": "Toy", "FriendlyName": "Toy", "Default": True, "Amd64Url": file}]
        web.serve("/list.json", json.dumps({"ModernDistributions": {"Toy": toy}}).encode())
        slow.configure(f"[berth]\ndisk-size = 256M\ndistro-list = {web.url('/list.json')}\ndistro-lists =\n")
        slow("install", "--no-launch", "toy", "--name", content.decode()).ok()
    assert slow.reads() == 2


def test_a_slow_network_makes_no_image_worth_keeping(slow, web):
    """The worker waits here as it would for the network. The download is kept, and is unpacked again as fast as it is copied."""
    archive = tar_bytes({"etc/name": b"one"})
    file = {"Url": web.serve("/root.tar", archive), "Sha256": hashlib.sha256(archive).hexdigest()}
    toy = [{"Name": "Toy", "FriendlyName": "Toy", "Default": True, "Amd64Url": file}]
    web.serve("/list.json", json.dumps({"ModernDistributions": {"Toy": toy}}).encode())
    slow.configure(f"[berth]\ndisk-size = 256M\ndistro-list = {web.url('/list.json')}\ndistro-lists =\n")
    slow("install", "--no-launch", "toy", "--name", "a").ok()
    assert cached(slow) == [] or can_share_blocks(slow)


def can_share_blocks(berth):
    (berth.path / "from").write_bytes(bytes(4096))
    return subprocess.run(["cp", "--reflink=always", berth.path / "from", berth.path / "to"], capture_output=True).returncode == 0
