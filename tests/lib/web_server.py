"""A web server of the test's own: each path has its answers, given in turn, the last one again and again.
An answer may be a function that makes it of the request."""
import email.utils
import hashlib
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer:
    """One answer. @cut: only so many bytes of the body are sent, then the connection ends. @length: of the
    header, if not the body's. @stall: nothing more is sent after the cut, and the connection stays open.
    @gate: an event; the rest follows after the cut once it is set."""

    def __init__(self, body=b"", status=200, headers=None, cut=None, length=None, stall=False, ranges=True, gate=None):
        self.body, self.status, self.headers = body, status, dict(headers or {})
        self.cut, self.length, self.stall, self.ranges, self.gate = cut, length, stall, ranges, gate

    def etag(self):
        return f'"{hashlib.sha256(self.body).hexdigest()[:16]}"'


class Request:
    def __init__(self, path, headers):
        self.path, self.headers, self.at = path, headers, time.monotonic()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *words):
        pass

    def do_GET(self):
        server = self.server.of
        request = Request(self.path, dict(self.headers))
        server.requests.append(request)
        answers = server.answers.get(self.path)
        if answers is None:
            return self.give(Answer(b"no such file\n", 404))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.give(answer(request) if callable(answer) else answer)

    def first_byte(self, answer):
        """Of a range that was asked for and may be given; else None."""
        asked = self.headers.get("Range")
        if not asked or not answer.ranges or answer.status != 200:
            return None
        if self.headers.get("If-Range", answer.etag()) != answer.etag():
            return None
        return int(asked.removeprefix("bytes=").split("-")[0])

    def give(self, answer):
        first = self.first_byte(answer)
        body = answer.body[first or 0:]
        self.send_response(answer.status if first is None else 206)
        if answer.status == 200 and answer.ranges:
            self.send_header("ETag", answer.etag())
        if first is not None:
            self.send_header("Content-Range", f"bytes {first}-{len(answer.body) - 1}/{len(answer.body)}")
        if answer.length != "none":
            self.send_header("Content-Length", str(len(body) if answer.length is None else answer.length))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body if answer.cut is None else body[:answer.cut])
        self.wfile.flush()
        if answer.stall:
            self.server.of.stopping.wait()
        if answer.gate is not None:
            answer.gate.wait()
            self.wfile.write(body[answer.cut:])
        if answer.cut is not None or answer.length is not None:
            self.close_connection = True

    do_CONNECT = None


class WebServer:
    def __init__(self, certificate=None):
        self.answers, self.requests, self.stopping = {}, [], threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads, self.server.of = True, self
        self.server.handle_error = lambda request, address: None  # a client that hung up
        self.scheme = "http"
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})
        self.thread.start()

    def url(self, path, host="127.0.0.1"):
        return f"{self.scheme}://{host}:{self.port}{path}"

    def serve(self, path, *answers):
        """The URL of @path, which has @answers; bytes are a whole, good one."""
        self.answers[path] = [Answer(one) if isinstance(one, bytes) else one for one in answers]
        return self.url(path)

    def paths(self):
        return [request.path for request in self.requests]

    def stop(self):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def http_date(seconds_from_now):
    return email.utils.formatdate(time.time() + seconds_from_now, usegmt=True)


def _openssl(directory, *words):
    subprocess.run(["openssl", *words], cwd=directory, check=True, capture_output=True)


def make_authority(directory, host="localhost", days=2):
    """(the authority's certificate, (the certificate, the key) of a server called @host)."""
    directory.mkdir()
    new = ["req", "-newkey", "rsa:2048", "-nodes", "-days", str(days)]
    _openssl(directory, *new, "-x509", "-subj", "/CN=berth test authority", "-keyout", "ca.key", "-out", "ca.pem")
    _openssl(directory, "req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}",
             "-keyout", "key.pem", "-out", "request.pem")
    (directory / "extensions").write_text(f"subjectAltName=DNS:{host}\n")
    _openssl(directory, "x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
             "-days", str(days), "-extfile", "extensions", "-out", "cert.pem")
    return directory / "ca.pem", (directory / "cert.pem", directory / "key.pem")
