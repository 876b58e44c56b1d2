"""Importing container images and .wsl files: saved, compressed, piped."""
import gzip
import hashlib
import io
import json
import lzma
import platform
import subprocess
import tarfile

import pytest

from conftest import tar_bytes

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
LAYER = "application/vnd.oci.image.layer.v1.tar"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"


def pack(members):
    """Make a tar of (name, content); a str as content is the target of a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.mode = 0o644
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def digits(data):
    return hashlib.sha256(data).hexdigest()


def layers():
    return [tar_bytes({"etc/motd": b"lower\n", "var/gone": b"x", "big": bytes(range(256)) * 4096}),
            pack([("etc/motd", b"upper\n"), ("var/.wh.gone", b""), ("opt/new", b"new\n")])]


def config_of(stack, architecture=ARCHITECTURE):
    return json.dumps({"architecture": architecture, "os": "linux",
                       "created": "2024-02-03T04:05:06Z",
                       "rootfs": {"type": "layers",
                                  "diff_ids": [f"sha256:{digits(layer)}" for layer in stack]},
                       }).encode()


def layout(stack=None, compress=gzip.compress, architecture=ARCHITECTURE):
    """An OCI image layout, its blobs in the order of their digests."""
    stack = stack or layers()
    blobs = {}

    def add(data, media_type, **more):
        blobs[f"blobs/sha256/{digits(data)}"] = data
        return {"mediaType": media_type, "digest": f"sha256:{digits(data)}", "size": len(data),
                **more}

    config = config_of(stack, architecture)
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": add(config, CONFIG),
                "layers": [add(compress(layer), f"{LAYER}+gzip") for layer in stack]}
    named = add(json.dumps(manifest).encode(), MANIFEST,
                platform={"os": "linux", "architecture": architecture},
                annotations={"org.opencontainers.image.ref.name": "debian:12"})
    index = json.dumps({"schemaVersion": 2, "manifests": [named]}).encode()
    return pack([*sorted(blobs.items()), ("index.json", index),
                 ("oci-layout", b'{"imageLayoutVersion": "1.0.0"}')])


def saved():
    """The format of docker save before Docker 25, with one layer twice."""
    stack = [*layers(), layers()[1]]
    config = config_of(stack)
    ids = [digits(bytes([i])) for i in range(len(stack))]
    members = [member for i in range(2) for member in
               [(f"{ids[i]}/VERSION", b"1.0"), (f"{ids[i]}/layer.tar", stack[i])]]
    manifest = [{"Config": f"{digits(config)}.json", "RepoTags": ["debian:12"],
                 "Layers": [f"{name}/layer.tar" for name in ids]}]
    return pack([*members, (f"{ids[2]}/layer.tar", f"../{ids[1]}/layer.tar"),
                 (f"{digits(config)}.json", config),
                 ("manifest.json", json.dumps(manifest).encode()), ("repositories", b"{}")])


def check(berth):
    disk = berth.info("x")["disk"]
    subprocess.run(["e2fsck", "-fn", disk], check=True, capture_output=True)

    def read(path):
        return subprocess.run(["debugfs", "-R", f"cat {path}", disk], capture_output=True).stdout

    assert read("/etc/motd") == b"upper\n" and read("/opt/new") == b"new\n"
    assert read("/big") == bytes(range(256)) * 4096
    assert read("/var/gone") == b"" and read("/var/.wh.gone") == b""


def imported(berth, result, count):
    """The import succeeded, and one line describes the image."""
    assert result.status == 0, result
    assert result.err == (f"berth: import x: notice: container image debian:12 (linux/{ARCHITECTURE}, "
                          f"{count} layers, 2024-02-03)\n"), result
    check(berth)
    assert berth.left_over() == []


KINDS = {"layout": (layout, 2), "saved": (saved, 3)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compress", [None, gzip.compress, lzma.compress],
                         ids=["plain", "gzip", "xz"])
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_case_47_48_images(berth, tmp_path, kind, compress, way):
    make, count = KINDS[kind]
    data = compress(make()) if compress else make()
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    result = berth("import", "x", path) if way == "file" else berth("import", "x", "-", data=data)
    imported(berth, result, count)


def test_case_48_a_layout_packed_by_gnu_tar(berth, tmp_path):
    """In directory order, with ./ before all names."""
    with tarfile.open(fileobj=io.BytesIO(layout())) as archive:
        archive.extractall(tmp_path / "layout")
    subprocess.run(["tar", "-C", tmp_path / "layout", "-cf", tmp_path / "x.tar", "."], check=True)
    imported(berth, berth("import", "x", tmp_path / "x.tar"), 2)


def broken():
    whole = layout()
    changed = bytearray(layout(compress=lambda layer: layer))
    changed[changed.index(bytes(range(256)) * 2) + 7] ^= 1
    return {
        "cut": (whole[:1500], "import.read.truncated"),
        "changed": (bytes(changed), "import.image.digest"),
        "foreign": (layout(architecture="s390x"), "import.image.platform"),
        "no-root": (layout([pack([("nothing", b"x")])]), "import.not-a-rootfs"),
        "bad-whiteout": (layout([*layers(), pack([(".wh.", b"")])]), "import.layer.bad-whiteout"),
        "not-a-tar": (layout([*layers(), b"words " * 500]), "import.open.not-a-tar"),
        "no-config": (pack([("manifest.json", b'[{"Config": "../../etc/passwd", "Layers": []}]')]),
                      "import.image.missing"),
    }


@pytest.mark.parametrize("kind", broken())
@pytest.mark.parametrize("way", ["file", "pipe"])
def test_case_48_broken_images_leave_nothing(berth, tmp_path, kind, way):
    data, code = broken()[kind]
    path = tmp_path / "image.tar"
    path.write_bytes(data)
    result = berth("import", "x", path) if way == "file" else berth("import", "x", "-", data=data)
    result.failed(1, code, "import x: ")
    assert berth.names() == [] and berth.left_over() == []


def test_case_48_no_directory_to_strip(berth, tmp_path):
    path = tmp_path / "image.tar"
    path.write_bytes(layout())
    berth("import", "--strip-root", "x", path).failed(1, "import.image.strip-root")
    assert berth.names() == [] and berth.left_over() == []


@pytest.mark.parametrize("compress", [gzip.compress, lzma.compress, bytes],
                         ids=["gzip", "xz", "plain"])
def test_case_46_wsl_files(berth, tmp_path, compress):
    """The compression is detected by content, not by name."""
    path = tmp_path / "Debian.wsl"
    path.write_bytes(compress(tar_bytes({"etc/wsl-distribution.conf": b"[oobe]\n"})))
    berth("import", "x", path).ok()
    subprocess.run(["e2fsck", "-fn", berth.info("x")["disk"]], check=True, capture_output=True)


def test_case_49_whiteouts_in_a_root_file_system_are_files(berth, tmp_path):
    path = tmp_path / "x.tar"
    path.write_bytes(tar_bytes({"etc/.wh.os-release": b"mine\n", "manifest.json": b"[]"}))
    berth("import", "x", path).ok()
    disk = berth.info("x")["disk"]
    listing = subprocess.run(["debugfs", "-R", "ls -p /etc", disk], capture_output=True, text=True)
    assert "/os-release/" in listing.stdout and "/.wh.os-release/" in listing.stdout
