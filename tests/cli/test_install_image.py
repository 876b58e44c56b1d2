"""berth install of container images, from a registry of the tests' own with faults."""
import gzip
import hashlib
import json
import os
import signal
import stat
import subprocess
import threading

import pytest

from conftest import tar_bytes, wait_for
from registry import ARCHITECTURE, CONFIG, DOCKER, INDEX, LAYER, MANIFEST, Registry, digest, packed
from test_import_images import layers, layout, pack
from web_server import Answer, WebServer, make_authority
from waiting import LIMIT


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def registry(web):
    return Registry(web)


def zipped(data):
    """The same bytes each time."""
    return gzip.compress(data, mtime=0)


def publish(registry, *tags, stack=None, **options):
    return registry.image(stack or layers(), *(tags or ["1"]), compress=zipped, **options)


def read(berth, path, name="x"):
    disk = berth.info(name)["disk"]
    return subprocess.run(["debugfs", "-R", f"cat {path}", disk], capture_output=True).stdout


def check(berth, name="x"):
    subprocess.run(["e2fsck", "-fn", berth.info(name)["disk"]], check=True, capture_output=True)
    assert read(berth, "/etc/motd", name) == b"upper\n" and read(berth, "/opt/new", name) == b"new\n"
    assert read(berth, "/big", name) == bytes(range(256)) * 4096
    assert read(berth, "/var/gone", name) == b"" and read(berth, "/var/.wh.gone", name) == b""
    assert berth.left_over() == []


def kept(berth):
    downloads = berth.path / ".cache/berth/downloads"
    return sorted(path.name for path in downloads.iterdir()) if downloads.exists() else []


def install(berth, registry, *words, tag="1", **options):
    return berth("install", registry.reference(tag), "--name", "x", *words, **options)


def ok(result):
    """It succeeded, and nothing was said but what image it is. Its output."""
    start = "berth: install: notice: container image ("
    assert result.status == 0 and all(line.startswith(start) for line in result.err.splitlines()), result
    return result.out


def fails(berth, registry, code, *words, tag="1", **options):
    """The install fails and leaves nothing."""
    result = install(berth, registry, tag=tag, **options).failed(1, code, *words)
    assert berth.names() == [] and berth.left_over() == [] and kept(berth) == []
    return result


# --- what is right ---

@pytest.mark.parametrize("kinds", [None, DOCKER], ids=["oci", "docker"])
def test_one_manifest(berth, registry, kinds):
    publish(registry, kinds=kinds)
    result = install(berth, registry)
    assert f"container image (linux/{ARCHITECTURE}, 2 layers, 2024-02-03)" in result.err, result
    ok(result)
    check(berth)


@pytest.mark.parametrize("kinds", [None, DOCKER], ids=["oci", "docker"])
def test_an_index(berth, registry, kinds):
    """Of several platforms this machine's; signatures beside them are ignored."""
    ours = publish(registry, "ours", kinds=kinds)
    other = publish(registry, "other", stack=[tar_bytes({"etc/motd": b"other\n"})], architecture="s390x", kinds=kinds)
    windows = {**other, "platform": {"os": "windows", "architecture": ARCHITECTURE}}
    signature = {**ours, "digest": digest(b"signature"), "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    registry.index([windows, other, signature, ours], "1", kinds=kinds)
    ok(install(berth, registry))
    check(berth)
    assert other["digest"] not in registry.asked("manifests")


def test_an_index_without_platforms(berth, registry):
    images = [publish(registry, "a", stack=[tar_bytes({"usr": b"x"})], architecture="s390x"), publish(registry, "b")]
    for image in images:
        del image["platform"]
    chart = registry.document({"schemaVersion": 2, "mediaType": MANIFEST, "config": registry.blob(b"{}", "application/chart"),
                               "layers": []}, MANIFEST)
    registry.index([registry.index([chart, *images])], "1")
    ok(install(berth, registry))
    check(berth)


def test_by_digest(berth, registry):
    image = publish(registry, "other")
    ok(install(berth, registry, tag=image["digest"]))
    check(berth)
    index = registry.index([image], "1")
    ok(berth("install", registry.reference(index["digest"]), "--name", "y"))
    check(berth, "y")
    assert registry.asked("manifests") and not set(registry.asked("manifests")) & {"other", "1"}


@pytest.mark.parametrize("tag,name", [("12-slim", "toy-12-slim"), ("latest", "toy")])
def test_names_options_and_the_default_tag(berth, registry, tmp_path, tag, name):
    publish(registry, tag)
    reference = registry.reference(tag).removeprefix("oci:").removesuffix(":latest")
    result = berth("install", reference, "--location", tmp_path / "place", "--size", "2G")
    assert ok(result) == f'{name} is installed; "berth shell {name}" opens a shell in it\n'
    assert (tmp_path / f"place/{name}.ext4").stat().st_size == 2 << 30
    check(berth, name)


def test_layers_of_other_compressions(berth, registry):
    stack = layers()
    zstd = subprocess.run(["zstd", "-qc"], input=stack[1], capture_output=True, check=True).stdout
    publish(registry)
    manifest = json.loads(registry.manifest("1")(WithoutHeaders).body)
    manifest["layers"] = [registry.blob(stack[0], "application/vnd.oci.image.layer.v1.tar"),
                          registry.blob(zstd, "application/vnd.oci.image.layer.v1.tar+zstd")]
    registry.document(manifest, MANIFEST, "1")
    ok(install(berth, registry))
    check(berth)


class WithoutHeaders:
    headers = {}


def test_a_layer_twice(berth, registry):
    """It is downloaded once and unpacked twice: the second time after what hid it."""
    first, second = layers()
    stack = [first, second, first, second]
    publish(registry, stack=stack)
    ok(install(berth, registry))
    check(berth)
    assert len(registry.layers_asked(stack, zipped)) == 2


def test_layers_come_in_parallel(berth, registry):
    stack = [*layers(), *(pack([(f"opt/{i}", b"x")]) for i in range(4))]
    publish(registry, stack=stack)
    together = threading.Barrier(4)

    def wait(data):
        def give(request):
            together.wait(timeout=LIMIT)
            return Answer(data)
        return give

    for layer in stack[:4]:
        registry.serve("blobs", digest(zipped(layer)), wait(zipped(layer)))
    ok(install(berth, registry))
    check(berth)


def test_a_download_is_kept_by_its_digest(berth, registry):
    image = publish(registry)
    ok(install(berth, registry))
    ok(berth("install", registry.reference(), "--name", "y"))
    check(berth, "y")
    assert kept(berth) == [image["digest"].removeprefix("sha256:") + ".image"]
    assert len(registry.layers_asked(layers(), zipped)) == 2
    publish(registry, stack=[tar_bytes({"etc/motd": b"newer\n"})])
    ok(berth("install", registry.reference(), "--name", "z"))
    assert read(berth, "/etc/motd", "z") == b"newer\n"
    berth("cache", "prune", "--all").ok()
    assert kept(berth) == []


# --- tokens ---

def test_a_token(berth, registry):
    publish(registry)
    registry.want_token()
    ok(install(berth, registry))
    check(berth)
    assert [path for path in registry.web.paths() if path.startswith("/token")] == 2 * [
        "/token?service=a%2C%20service&scope=repository:toy:pull"]  # one by each of two processes


@pytest.mark.parametrize("answer", [b"{}", b"[]", b"", b'{"token": ""}', b'{"token": "a\\r\\nHost: b"}', b'{"token": 7}',
                                    b"[" * 16000, b"x" * 17000], ids=range(8))
def test_bad_tokens(berth, registry, answer):
    publish(registry)
    registry.want_token(answer=answer)
    result = install(berth, registry)
    assert result.status == 1 and result.out == "" and "/token" in result.err, result
    assert any(f"code: {code}" in result.err for code in ("import.image.bad-json", "fetch.image.token", "fetch.too-big")), result
    assert berth.names() == [] and kept(berth) == []


def test_another_form_of_token(berth, registry):
    publish(registry)
    registry.want_token(answer=packed({"access_token": registry.token or "a.secret-token"}))
    ok(install(berth, registry))


@pytest.mark.parametrize("realm", ["http://registry.invalid/token", "ftp://127.0.0.1/token", "file:///etc/passwd", "x", "http://127.0.0.1.evil.invalid/t"])
def test_a_realm_without_a_secure_connection(berth, registry, realm):
    publish(registry)
    registry.want_token(realm=realm)
    fails(berth, registry, "fetch.image.token", "secure")
    assert registry.asked("blobs") == []


def test_a_private_image(berth, registry):
    """The registry gives a token, and refuses it."""
    publish(registry)
    registry.want_token()
    registry.token = "another"
    assert "docker save" in fails(berth, registry, "fetch.image.denied", "/v2/toy").hint


@pytest.mark.parametrize("challenge", ['Basic realm="x"', "Bearer", "Bearer scope=x", "Negotiate"])
def test_a_registry_that_wants_a_log_in(berth, registry, challenge):
    publish(registry)
    registry.want_token()
    registry.challenge = challenge
    fails(berth, registry, "fetch.image.denied")


def test_a_token_goes_to_the_registry_alone(berth, registry):
    """Not to where it says that its blobs are."""
    publish(registry)
    registry.want_token()
    other = WebServer()
    try:
        for layer in layers():
            place = other.serve(f"/{digest(zipped(layer))}", zipped(layer))
            registry.serve("blobs", digest(zipped(layer)), Answer(b"", 307, {"Location": place}))
        ok(install(berth, registry))
        check(berth)
        assert len(other.requests) == 2
        assert not [request for request in other.requests if "Authorization" in request.headers]
    finally:
        other.stop()


def test_a_token_that_ends(berth, registry):
    """During the download of layers: another one is fetched, once for all of them."""
    publish(registry)
    registry.want_token()
    for layer in layers():
        registry.serve("blobs", digest(zipped(layer)),
                       Answer(b"", 401, {"WWW-Authenticate": registry.challenge}), zipped(layer))
    ok(install(berth, registry))
    check(berth)


# --- faults of layers ---

def layer_answers(registry, *answers, which=0):
    registry.serve("blobs", digest(zipped(layers()[which])), *answers)


def test_a_cut_layer_continues(berth, registry):
    stack = [pack([("usr", b""), ("noise", os.urandom(100_000))]), layers()[1]]
    publish(registry, stack=stack)
    data = zipped(stack[0])
    registry.serve("blobs", digest(data), Answer(data, cut=30_000), Answer(data))
    ok(install(berth, registry))
    ranges = [request.headers.get("Range") for request in registry.web.requests if request.path.endswith(digest(data))]
    assert ranges == [None, "bytes=30000-"]


def test_a_changed_layer(berth, registry):
    data = bytearray(zipped(layers()[1]))
    data[-20] ^= 1
    publish(registry)
    layer_answers(registry, bytes(data), which=1)
    fails(berth, registry, "fetch.digest", digest(zipped(layers()[1])).removeprefix("sha256:"))


@pytest.mark.parametrize("change", [-1, 1])
def test_a_layer_of_another_size(berth, registry, change):
    publish(registry)
    manifest = json.loads(registry.manifest("1")(WithoutHeaders).body)
    manifest["layers"][0]["size"] += change
    registry.document(manifest, MANIFEST, "1")
    fails(berth, registry, "fetch.image.size" if change > 0 else "fetch.too-big", "/blobs/sha256:")


def test_a_missing_layer(berth, registry):
    publish(registry)
    del registry.web.answers[registry.path("blobs", digest(zipped(layers()[0])))]
    fails(berth, registry, "fetch.image.missing", digest(zipped(layers()[0])))


@pytest.mark.parametrize("kind,word", [
    ("application/vnd.oci.image.layer.v1.tar+brotli", "unknown"),
    ("application/vnd.oci.image.layer.v1.tar+encrypted", "encrypted"),
    ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "not in the registry"), ("", "unknown")])
def test_layers_of_other_kinds(berth, registry, kind, word):
    publish(registry, layer=kind)
    fails(berth, registry, "fetch.image.media-type", word)
    assert registry.layers_asked(layers(), zipped) == []


@pytest.mark.parametrize("bad,code", [(b"words " * 500, "import.open.not-a-tar"), (b"", "import.open.empty")])
def test_layers_that_are_no_tar(berth, registry, bad, code):
    registry.image([*layers(), bad], "1", compress=lambda layer: zipped(layer) if layer != bad else bad)
    result = install(berth, registry)
    assert result.status == 1 and code in result.err, result
    assert berth.names() == [] and berth.left_over() == []


def test_redirects_without_an_end(berth, registry):
    publish(registry)
    place = registry.path("blobs", digest(zipped(layers()[0])))
    layer_answers(registry, Answer(b"", 302, {"Location": place}))
    fails(berth, registry, "fetch.redirect", "too often")


def test_a_busy_registry(berth, registry):
    publish(registry)
    document = registry.manifest("1")
    registry.web.answers[registry.path("manifests", "1")] = [Answer(b"", 429, {"Retry-After": "1"}), document]
    ok(install(berth, registry))
    check(berth)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_nothing(berth, registry, number):
    publish(registry)
    data = zipped(layers()[0])
    layer_answers(registry, Answer(data, cut=100, stall=True))
    process = berth.start("install", registry.reference())
    wait_for(lambda: digest(data) in registry.asked("blobs"))
    process.send_signal(number)
    process.wait(timeout=LIMIT)
    assert process.returncode == -number
    process.communicate()
    assert berth.names() == [] and berth.left_over() == [] and kept(berth) == []


# --- faults of documents ---

def test_another_platform(berth, registry):
    registry.index([publish(registry, "a", architecture="s390x"), publish(registry, "b", architecture="arm")], "1")
    fails(berth, registry, "import.image.platform", "linux/s390x, linux/arm")
    assert registry.asked("blobs") == []


def test_tags_that_are_near(berth, registry):
    registry.serve("tags", "list", packed({"name": "toy", "tags": ["bookworm", "trixie"]}))
    assert "did you mean the tag bookworm?" in fails(berth, registry, "fetch.image.missing", "toy:bokworm", tag="bokworm").hint
    assert "bookworm, trixie" in fails(berth, registry, "fetch.image.missing", tag="sid").hint
    registry.serve("tags", "list", packed({"tags": [f"t{i}" for i in range(50)]}))
    assert "t7 and 42 more" in fails(berth, registry, "fetch.image.missing", tag="sid").hint


@pytest.mark.parametrize("tags", [b"", b"[]", b"{}", packed({"tags": [1]}), packed({"tags": []}), packed({"tags": ["\x1b[2J"]}), None],
                         ids=range(7))
def test_no_such_image(berth, registry, tags):
    if tags is not None:
        registry.serve("tags", "list", tags)
    result = fails(berth, registry, "fetch.image.missing", "toy:1")
    assert "\x1b" not in result.err
    missing = "sha256:" + "ab" * 32
    assert "tag" in fails(berth, registry, "fetch.image.missing", missing, tag=missing).hint


@pytest.mark.parametrize("kind", ["text/html", "application/json", "application/vnd.docker.distribution.manifest.v1+prettyjws",
                                  CONFIG, "application/\x01\x02"])
def test_manifests_of_other_kinds(berth, registry, kind):
    registry.document(b'{"schemaVersion": 1}', kind, "1")
    fails(berth, registry, "fetch.image.media-type")


def test_a_web_page(berth, registry):
    registry.document(b"<!DOCTYPE html><title>Log in</title>" + b" " * 200, "text/html", "1")
    fails(berth, registry, "fetch.web-page")


@pytest.mark.parametrize("where", ["length", "body"])
def test_a_huge_manifest(berth, registry, where):
    registry.serve("manifests", "1", Answer(b"{" + b" " * (5 << 20), headers={"Content-Type": MANIFEST},
                                            length="none" if where == "body" else None))
    fails(berth, registry, "fetch.too-big", "4")


BROKEN = {"empty": b"", "no-json": b"{", "list": b"[]", "deep": b"[" * 100_000, "nothing": b"{}", "zeros": bytes(100),
          "both": packed({"manifests": [], "layers": [], "config": {}}),
          "config": packed({"config": 1, "layers": []}), "layers": packed({"config": {}, "layers": {}}),
          "no-text": b"\xff\xfe{}"}


@pytest.mark.parametrize("kind", BROKEN)
@pytest.mark.parametrize("media_type", [INDEX, MANIFEST], ids=["index", "manifest"])
def test_broken_documents(berth, registry, kind, media_type):
    registry.document(BROKEN[kind], media_type, "1")
    result = install(berth, registry)
    assert result.status == 1 and result.out == "" and result.err.count("\n") <= 3, result
    assert "crashed" not in result.err and berth.names() == [] and berth.left_over() == [] and kept(berth) == []


@pytest.mark.parametrize("bad", ["sha256:../../etc/passwd", "sha512:" + 64 * "a", "sha256:" + 64 * "A", "", 7])
def test_bad_digests_of_layers(berth, registry, bad):
    publish(registry)
    manifest = json.loads(registry.manifest("1")(WithoutHeaders).body)
    manifest["layers"][1]["digest"] = bad
    registry.document(manifest, MANIFEST, "1")
    fails(berth, registry, "import.image.bad-digest")


def test_sizes_that_overflow(berth, registry):
    publish(registry)
    manifest = json.loads(registry.manifest("1")(WithoutHeaders).body)
    for sizes, code in (((1 << 62, 1 << 62), "fetch.too-big"), ((9 << 30, 1), "fetch.too-big"), ((-1, 1), "import.image.bad-json")):
        for layer, size in zip(manifest["layers"], sizes):
            layer["size"] = size
        registry.document(manifest, MANIFEST, "1")
        result = install(berth, registry)
        assert result.status == 1 and code in result.err, result
    assert registry.layers_asked(layers(), zipped) == [] and kept(berth) == []


def test_a_changed_manifest(berth, registry):
    """Asked for by its digest, and another one comes."""
    image = publish(registry)
    registry.serve("manifests", image["digest"],
                   Answer(registry.manifest("1")(WithoutHeaders).body + b" ", headers={"Content-Type": MANIFEST}))
    fails(berth, registry, "fetch.digest", tag=image["digest"])


def test_a_config_that_does_not_fit(berth, registry):
    """Found by the import, since only that unpacks layers."""
    first, second = publish(registry, "a"), publish(registry, "b", stack=layers()[:1])
    manifests = [json.loads(registry.manifest(tag)(WithoutHeaders).body) for tag in "ab"]
    registry.document({**manifests[0], "config": manifests[1]["config"]}, MANIFEST, "1")
    result = install(berth, registry)
    assert first != second and result.status == 1 and "import.image.diff-id" in result.err, result
    assert berth.names() == [] and berth.left_over() == []


def test_many_manifests_without_a_platform(berth, registry):
    registry.index([{"mediaType": MANIFEST, "digest": publish(registry, stack=[pack([(f"usr{i}", b"")])])["digest"],
                     "size": len(registry.manifest("1")(WithoutHeaders).body)} for i in range(70)], "all")
    fails(berth, registry, "fetch.image.too-many", tag="all")


# --- references, TLS, and who is believed ---

@pytest.mark.parametrize("word", ["oci:", "oci:Debian", "./file.tar", "a/b c", "oci:x@sha256:12"])
def test_bad_references(berth, word):
    berth("install", word).failed(1, "image.reference", "does not name a container image")


def test_a_taken_name_is_refused_before_the_download(berth, registry, rootfs):
    berth("import", "toy-1", rootfs).ok()
    berth("install", registry.reference()).failed(1, "registry.exists", "toy-1")
    assert registry.web.requests == []


def test_plain_http_only_on_this_machine(berth, registry):
    """libcurl knows that names below localhost are this machine; berth wants TLS of them."""
    publish(registry)
    berth("install", registry.reference(host="registry.localhost")).failed(1, "fetch.tls")
    assert registry.web.requests == []


def test_tls(berth, tmp_path):
    authority = make_authority(tmp_path / "tls", "registry.localhost")
    web = WebServer(authority[1])
    try:
        registry = Registry(web)
        publish(registry)
        registry.want_token(realm=f"https://registry.localhost:{web.port}/token")
        words = ["install", registry.reference(host="registry.localhost"), "--name", "x"]
        berth(*words).failed(1, "fetch.tls")
        ok(berth(*words, env={"SSL_CERT_FILE": str(authority[0])}))
        check(berth)
    finally:
        web.stop()


def test_no_token_of_a_server_without_tls(berth, web, tmp_path):
    """A registry elsewhere cannot send berth to this machine's own servers, either."""
    authority = make_authority(tmp_path / "tls", "registry.localhost")
    secure = WebServer(authority[1])
    try:
        registry = Registry(secure)
        publish(registry)
        registry.want_token(realm=web.url("/token"))
        berth("install", registry.reference(host="registry.localhost"),
              env={"SSL_CERT_FILE": str(authority[0])}).failed(1, "fetch.image.token", "secure")
        assert web.requests == []
    finally:
        secure.stop()


def lie(berth, archive):
    """berth-fetch is replaced by a program that reports success and writes @archive."""
    program = berth.support / "berth-fetch"
    program.unlink()
    program.write_text(f"#!/bin/sh\ncat {archive} >&4\necho 'report 1 0 0 0 0' >&5\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.parametrize("what", ["another-image", "a-root", "saved", "compressed"])
def test_berth_fetch_is_not_believed(berth, registry, tmp_path, what):
    """A digest that the user gives is checked by a process that talks to nobody."""
    made = {"another-image": layout(), "a-root": tar_bytes({"usr": b"x"}), "compressed": gzip.compress(layout()),
            "saved": pack([("manifest.json", b"[]"), ("index.json", b"{}")])}[what]
    (tmp_path / "archive").write_bytes(made)
    lie(berth, tmp_path / "archive")
    result = install(berth, registry, tag="sha256:" + hashlib.sha256(b"wanted").hexdigest())
    assert result.status == 1 and "import.image." in result.err, result
    assert berth.names() == [] and berth.left_over() == []


def test_the_list_is_not_read(berth, registry):
    berth.configure("[berth]\ndistro-list = http://127.0.0.1:1/list.json\n")
    publish(registry)
    ok(install(berth, registry))
