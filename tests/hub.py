"""A hub for the real client: its routes for repositories, LFS, commits and downloads."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN = "hf_of_ann"
LARGE = (".safetensors", ".webp", ".png", ".mp4", ".flac")
COMMIT = 40 * "a"


class Hub:
    """What was made and what lies in it.

    Attributes:
        made: what each repository was asked to be, by its name.
        files: bytes by path, of the one repository.
    """

    def __init__(self):
        self.url = ""
        self.made: dict[str, dict] = {}
        self.files: dict[str, bytes] = {}
        self._large: dict[str, bytes] = {}

    def answer(self, method: str, path: str, body: bytes) -> dict | list | bytes:
        """To a request; a KeyError if the hub has no such route or repository."""
        parts = path.strip("/").split("/")
        match method, *parts:
            case "POST", "api", "repos", "create":
                asked = json.loads(body)
                name = f"{asked['organization']}/{asked['name']}"
                self.made[name] = asked
                return {"url": f"{self.url}/spaces/{name}"}
            case "POST", "api", "validate-yaml":
                return {"warnings": [], "errors": []}
            case "GET", "api", "spaces", user, name, "revision", "main":
                self.made[f"{user}/{name}"]
                listed = [{"rfilename": path} for path in self.files]
                return {"id": f"{user}/{name}", "sha": COMMIT, "siblings": listed}
            case (("GET" | "HEAD"), "spaces", user, name, "resolve", _, *place):
                self.made[f"{user}/{name}"]
                return self.files["/".join(place)]
            case "GET", "api", "spaces", user, name, "tree", _:
                self.made[f"{user}/{name}"]
                return [
                    {"type": "file", "path": p, "size": len(data), "oid": COMMIT}
                    for p, data in self.files.items()
                ]
            case "POST", "api", "spaces", user, name, "preupload", "main":
                self.made[f"{user}/{name}"]
                return {"files": [
                    {"path": one["path"], "shouldIgnore": False,
                     "uploadMode": "lfs" if one["path"].endswith(LARGE) else "regular"}
                    for one in json.loads(body)["files"]
                ]}  # fmt: skip
            case "POST", "spaces", _, _, "info", "lfs", "objects", "batch":
                return {"transfer": "basic", "objects": [
                    one | {"actions": {"upload": {"href": f"{self.url}/large/{one['oid']}"}}}
                    for one in json.loads(body)["objects"]
                ]}  # fmt: skip
            case "PUT", "large", oid:
                if hashlib.sha256(body).hexdigest() != oid:
                    raise KeyError(oid)
                self._large[oid] = body
                return {}
            case "POST", "api", "spaces", user, name, "commit", "main":
                self.made[f"{user}/{name}"]
                for line in body.decode().splitlines():
                    self._commit(**json.loads(line))
                address = f"{self.url}/spaces/{user}/{name}/commit/{COMMIT}"
                return {"commitUrl": address, "commitOid": COMMIT}
        raise KeyError(f"{method} {path}")

    def _commit(self, key: str, value: dict) -> None:
        if key == "file":
            self.files[value["path"]] = base64.b64decode(value["content"])
        elif key == "lfsFile":
            self.files[value["path"]] = self._large[value["oid"]]
        elif key == "deletedFile":
            del self.files[value["path"]]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """A hub at `url`, for whoever has its token."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0].replace(".git/", "/")
            known = path.startswith("/large/") or TOKEN in self.headers.get("Authorization", "")
            try:
                status, found = (200, hub.answer(self.command, path, body)) if known else (401, {})
            except KeyError as error:
                status, found = 404, {"error": str(error)}
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            if found is data:
                self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
                self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_HEAD = do_POST = do_PUT = answer

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
