"""A container registry of the test's own, over a web server: images of layers, tags, tokens."""
import gzip
import hashlib
import json
import platform
from urllib.parse import quote

from web_server import Answer

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DOCKER = {INDEX: "application/vnd.docker.distribution.manifest.list.v2+json",
          MANIFEST: "application/vnd.docker.distribution.manifest.v2+json",
          CONFIG: "application/vnd.docker.container.image.v1+json",
          LAYER: "application/vnd.docker.image.rootfs.diff.tar.gzip"}


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def packed(document):
    return json.dumps(document).encode()


class Registry:
    """The repository @name of a server @web. A token is asked for once `token` is set."""

    def __init__(self, web, name="toy"):
        self.web, self.name, self.token, self.challenge = web, name, None, None

    def path(self, kind, name):
        return f"/v2/{self.name}/{kind}/{name}"

    def serve(self, kind, name, *answers):
        answers = [Answer(one) if isinstance(one, bytes) else one for one in answers]
        self.web.answers[self.path(kind, name)] = [self.guarded(one) for one in answers]

    def guarded(self, answer):
        def give(request):
            if self.challenge and request.headers.get("Authorization") != f"Bearer {self.token}":
                return Answer(b'{"errors": []}', 401, {"WWW-Authenticate": self.challenge})
            return answer(request) if callable(answer) else answer
        return give

    def want_token(self, token="a.secret-token", realm=None, answer=None):
        """From now on. The realm is this server's /token."""
        self.token = token
        self.challenge = f'Bearer realm="{realm or self.web.url("/token")}",service="a, service",scope="repository:other:push"'
        self.web.serve(f"/token?service={quote('a, service')}&scope=repository:{self.name}:pull",
                       answer if answer is not None else packed({"token": token, "expires_in": 60}))

    # --- images ---

    def blob(self, data, media_type, **more):
        """The descriptor of @data, which is served from now on."""
        self.serve("blobs", digest(data), data)
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def document(self, document, media_type, *tags, **more):
        data = document if isinstance(document, bytes) else packed(document)
        for name in (*tags, digest(data)):
            self.serve("manifests", name, Answer(data, headers={"Content-Type": media_type}))
        return {"mediaType": media_type, "digest": digest(data), "size": len(data), **more}

    def image(self, stack, *tags, kinds=None, compress=gzip.compress, architecture=ARCHITECTURE, layer=LAYER, **more):
        """The descriptor of the manifest of an image with the layers @stack, as uncompressed tars."""
        kinds = kinds or {}
        config = packed({"architecture": architecture, "os": "linux", "created": "2024-02-03T04:05:06Z",
                         "rootfs": {"type": "layers", "diff_ids": [digest(one) for one in stack]}})
        manifest = {"schemaVersion": 2, "mediaType": kinds.get(MANIFEST, MANIFEST),
                    "config": self.blob(config, kinds.get(CONFIG, CONFIG)),
                    "layers": [self.blob(compress(one), kinds.get(layer, layer)) for one in stack]}
        return self.document(manifest, kinds.get(MANIFEST, MANIFEST), *tags,
                             platform={"os": "linux", "architecture": architecture}, **more)

    def index(self, manifests, *tags, kinds=None):
        kind = (kinds or {}).get(INDEX, INDEX)
        return self.document({"schemaVersion": 2, "mediaType": kind, "manifests": manifests}, kind, *tags)

    def manifest(self, tag):
        """The served document of @tag."""
        return self.web.answers[self.path("manifests", tag)][0]

    def asked(self, kind):
        """Requests of @kind, as the names that were asked for."""
        start = self.path(kind, "")
        return [path.removeprefix(start) for path in self.web.paths() if path.startswith(start)]

    def layers_asked(self, stack, compress=gzip.compress):
        names = {digest(compress(one)) for one in stack}
        return [name for name in self.asked("blobs") if name in names]

    def reference(self, tag="1", host="127.0.0.1"):
        return f"oci:{host}:{self.web.port}/{self.name}{'@' if tag.startswith('sha256:') else ':'}{tag}"
