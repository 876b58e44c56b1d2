"""berth-fetch against servers with faults, all of them the test's own."""
import hashlib
import os
import random
import re
import struct
import subprocess

import pytest

from conftest import BUILD
from ports import free_port
from web_server import Answer, WebServer, http_date, make_authority
from waiting import LIMIT

PROGRAM = BUILD / "cmd/berth-fetch"
CONTENT = random.Random(12).randbytes(3_000_000)


@pytest.fixture
def web():
    server = WebServer()
    yield server
    server.stop()


class Fetched:
    """What a berth-fetch said, and what is in its file."""

    def __init__(self, status, lines, content):
        self.status, self.lines, self.content = status, lines, content

    def __repr__(self):
        return f"status {self.status}, {self.lines}, {len(self.content)} bytes"

    @property
    def report(self):
        """(size, digest), or None."""
        words = [line.split() for line in self.lines if line.startswith("report ")]
        return words and (int(words[0][1]), struct.pack(">4Q", *map(int, words[0][2:])).hex())

    def ok(self, content):
        assert self.status == 0, self
        assert self.report == (len(content), hashlib.sha256(content).hexdigest()), self
        assert self.content == content
        return self

    def failed(self, code, *words):
        assert self.status == 1 and not self.report, self
        _, found, hint, message = self.lines[-1].removeprefix("error ").split("\t")
        assert found == code, self
        for word in words:
            assert word in message, self
        return hint


def digest_of(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def fetch(tmp_path):
    def run(url, env=None, **options):
        options = {"backoff": 1, "tries": 4, "stall": 20, **options}
        environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
        words = [f"{name.replace('_', '-')}={value}" for name, value in options.items()]
        with open(tmp_path / "file", "wb+") as file:
            reading, writing = os.pipe()
            # the descriptors go by number: bash puts them where berth does
            process = subprocess.Popen(
                ["bash", "-c", f'exec "$@" 4<>{tmp_path}/file 5>&{writing}', "-", PROGRAM, "get", f"url={url}", *words],
                pass_fds=[writing], env={**environment, **(env or {})})
            os.close(writing)
            with os.fdopen(reading) as said:
                lines = said.read().splitlines()
            return Fetched(process.wait(timeout=LIMIT), lines, file.read())
    return run


def test_a_file_and_its_digest(web, fetch):
    url = web.serve("/file", CONTENT)
    fetch(url, sha256=digest_of(CONTENT)).ok(CONTENT)
    fetch(url, sha256="0x" + digest_of(CONTENT).upper()).ok(CONTENT)
    fetch(url).ok(CONTENT)
    fetch(web.serve("/empty", b"")).ok(b"")


def test_progress_of_a_fast_download(web, fetch):
    """The reader of what has arrived waits for it: a step of hundreds of milliseconds would be lost."""
    content = CONTENT * 21
    fetched = fetch(web.serve("/file", content)).ok(content)
    done = [0, *(int(line.split()[1]) for line in fetched.lines if line.startswith("progress ")), len(content)]
    assert max(after - before for before, after in zip(done, done[1:])) <= 2 << 20, done


def test_a_wrong_digest_shows_both(web, fetch):
    url = web.serve("/file", CONTENT)
    fetch(url, sha256="ab" * 32).failed("fetch.digest", digest_of(CONTENT), "ab" * 32, url)


def test_a_cut_download_continues(web, fetch):
    cuts = [Answer(CONTENT, cut=500_000), Answer(CONTENT, cut=700_000), Answer(CONTENT)]
    fetch(web.serve("/file", *cuts), sha256=digest_of(CONTENT)).ok(CONTENT)
    assert [request.headers.get("Range") for request in web.requests] == [
        None, "bytes=500000-", "bytes=1200000-"]
    assert web.requests[1].headers["If-Range"] == cuts[0].etag()


def test_a_file_that_changed_meanwhile_begins_again(web, fetch):
    other = CONTENT[::-1]
    fetch(web.serve("/file", Answer(CONTENT, cut=500_000), Answer(other))).ok(other)


@pytest.mark.parametrize("second", [
    Answer(CONTENT, ranges=False),
    Answer(CONTENT[7:], status=206, headers={"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}),
    Answer(b"", status=416)], ids=["whole", "another-part", "no-range"])
def test_a_server_that_gives_no_such_part(web, fetch, second):
    fetch(web.serve("/file", Answer(CONTENT, cut=500_000), second, Answer(CONTENT))).ok(CONTENT)


def test_without_a_version_a_cut_download_begins_again(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, cut=500_000, ranges=False), CONTENT)).ok(CONTENT)
    assert "Range" not in web.requests[1].headers


def test_a_server_that_always_cuts(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, cut=500_000, ranges=False)), tries=3).failed("fetch.cut")
    assert len(web.requests) == 4  # the first brought something, three did not


def test_a_length_that_is_too_short_is_noticed_by_the_digest(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, length=1000)), sha256=digest_of(CONTENT)).failed(
        "fetch.digest", digest_of(CONTENT[:1000]))


def test_without_a_length(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, length="none")), sha256=digest_of(CONTENT)).ok(CONTENT)


def test_a_stalled_transfer_is_tried_again(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, cut=400_000, stall=True), CONTENT), stall=1).ok(CONTENT)
    assert web.requests[1].headers["Range"] == "bytes=400000-"


def test_a_server_that_stays_silent(web, fetch):
    fetch(web.serve("/file", Answer(CONTENT, cut=0, stall=True)), stall=1, tries=2).failed("fetch.stalled")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects(web, fetch, status):
    web.serve("/there", CONTENT)
    fetch(web.serve("/here", Answer(b"elsewhere", status, {"Location": "/there"}))).ok(CONTENT)


def test_redirects_without_an_end(web, fetch):
    fetch(web.serve("/here", Answer(b"", 302, {"Location": "/here"}))).failed("fetch.redirect", "too often")
    assert len(web.requests) == 11


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_out_of_the_web(web, fetch, place):
    fetch(web.serve("/here", Answer(b"", 302, {"Location": place}))).failed("fetch.url")


@pytest.mark.parametrize("status,code", [(401, "fetch.denied"), (403, "fetch.denied"), (404, "fetch.missing"),
                                         (410, "fetch.missing"), (418, "fetch.refused")])
def test_refusals_are_final(web, fetch, status, code):
    fetch(web.serve("/file", Answer(b"no", status))).failed(code, str(status), "/file")
    assert len(web.requests) == 1


@pytest.mark.parametrize("status", [429, 503, 500, 502, 504])
def test_a_busy_server_is_asked_again(web, fetch, status):
    fetch(web.serve("/file", Answer(b"busy", status), Answer(b"busy", status), CONTENT)).ok(CONTENT)
    fetch(web.serve("/never", Answer(b"busy", status)), tries=2).failed("fetch.busy", str(status))


@pytest.mark.parametrize("after", ["1", 2])
def test_retry_after_is_respected(web, fetch, after):
    """In seconds, or as a date, whose part of a second is lost."""
    value = after if isinstance(after, str) else http_date(after)
    fetch(web.serve("/file", Answer(b"busy", 429, {"Retry-After": value}), CONTENT)).ok(CONTENT)
    waited = web.requests[1].at - web.requests[0].at
    assert waited >= 0.9, waited


def test_a_server_that_wants_an_hour(web, fetch):
    hint = fetch(web.serve("/file", Answer(b"busy", 503, {"Retry-After": "3600"}))).failed("fetch.busy", "503")
    assert "3600" in hint and len(web.requests) == 1


@pytest.mark.parametrize("page", [b"<!DOCTYPE html>\n<title>Log in</title>", b"\r\n <HTML><body>Hotel</body></HTML>"])
def test_a_captive_portal(web, fetch, page):
    hint = fetch(web.serve("/file", Answer(page + b" " * 2000, headers={"Content-Type": "text/html"}))).failed(
        "fetch.web-page", "web page")
    assert "login" in hint


@pytest.mark.parametrize("length", [None, "none"], ids=["with-length", "without"])
def test_sizes_are_bounded(web, fetch, length):
    result = fetch(web.serve("/file", Answer(CONTENT, length=length)), size_max=1_000_000)
    result.failed("fetch.too-big")
    assert len(result.content) <= 1_000_000


def test_no_such_host(fetch):
    assert "network" in fetch("http://no-such-host.invalid/file").failed("fetch.resolve", "no-such-host.invalid")


def test_nobody_listens(fetch):
    fetch(f"http://127.0.0.1:{free_port()}/file").failed("fetch.connect")


@pytest.mark.parametrize("url", ["", "http://", "gopher://127.0.0.1/", "file:///etc/passwd", "http://a b/"])
def test_what_is_no_url_of_the_web(fetch, url):
    fetch(url).failed("fetch.url")


def test_names_are_looked_up(web, fetch):
    web.serve("/file", CONTENT)
    fetch(web.url("/file", "localhost")).ok(CONTENT)


def test_the_proxy_of_the_environment(web, fetch):
    """A proxy is asked for the whole URL; the name is its business."""
    web.serve("http://somewhere.invalid/file", CONTENT)
    for proxy in (web.url(""), web.url("", "localhost")):
        fetch("http://somewhere.invalid/file", env={"http_proxy": proxy}).ok(CONTENT)
    assert "code" not in fetch("http://somewhere.invalid/file", env={
        "http_proxy": web.url(""), "no_proxy": "somewhere.invalid"}).failed("fetch.resolve")


def test_passwords_and_queries_stay_out_of_messages(web, fetch):
    result = fetch(f"http://me:secret@127.0.0.1:{web.port}/nothing?token=hidden")
    result.failed("fetch.missing", "/nothing")
    assert not re.search("secret|hidden", result.lines[-1])


# --- TLS ---

@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("tls") / "localhost")


@pytest.fixture
def secure(authority):
    server = WebServer(authority[1])
    yield server
    server.stop()


def test_tls_with_an_authority_that_is_trusted(secure, authority, fetch):
    secure.serve("/file", Answer(CONTENT, cut=500_000), CONTENT)
    fetch(secure.url("/file", "localhost"), env={"SSL_CERT_FILE": str(authority[0])}).ok(CONTENT)


def test_tls_with_an_unknown_authority(secure, fetch):
    secure.serve("/file", CONTENT)
    fetch(secure.url("/file", "localhost")).failed("fetch.tls")
    assert not secure.requests


def test_tls_with_another_host_s_name(secure, authority, fetch):
    secure.serve("/file", CONTENT)
    fetch(secure.url("/file", "127.0.0.1"), env={"SSL_CERT_FILE": str(authority[0])}).failed("fetch.tls")
    assert not secure.requests


def test_tls_without_authorities(secure, fetch):
    hint = fetch(secure.url("/file", "localhost"), env={"SSL_CERT_FILE": "/nonexistent"}).failed("fetch.tls")
    assert "ca-certificates" in hint


def test_plain_text_where_tls_belongs(web, authority, fetch):
    fetch(web.url("/file", "localhost").replace("http:", "https:"),
          env={"SSL_CERT_FILE": str(authority[0])}).failed("fetch.tls")


def test_no_redirect_leads_from_https_to_http(web, secure, authority, fetch):
    place = web.serve("/file", CONTENT)
    secure.serve("/here", Answer(b"", 302, {"Location": place}))
    fetch(secure.url("/here", "localhost"), env={"SSL_CERT_FILE": str(authority[0])}).failed(
        "fetch.redirect", "not secure")
    assert not web.requests


def test_a_redirect_from_http_to_https(web, secure, authority, fetch):
    secure.serve("/file", CONTENT)
    url = web.serve("/here", Answer(b"", 301, {"Location": secure.url("/file", "localhost")}))
    fetch(url, env={"SSL_CERT_FILE": str(authority[0])}).ok(CONTENT)


# --- files ---

def test_a_full_disk(web, tmp_path):
    """A limit of the size of files stands in for it."""
    url = web.serve("/file", CONTENT)
    result = subprocess.run(
        ["bash", "-c", f'ulimit -f 100; exec {PROGRAM} get url={url} 4<>{tmp_path}/file 5>&1'], capture_output=True, text=True,
        timeout=LIMIT)
    assert result.returncode == 1 and "\tfetch.write.too-big\t" in result.stdout
