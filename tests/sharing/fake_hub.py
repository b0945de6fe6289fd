"""A server on this machine that answers as the Hugging Face hub does, as far as models go.

It keeps the files of commits in memory: `FakeHub.repositories[name][file] -> bytes`.
"""

import base64
import contextlib
import hashlib
import http.server
import json
import re
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_test"


class FakeHub(http.server.ThreadingHTTPServer):
    """The server, with what it was given and asked."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = {}
        self.private = set()
        self.asked = []
        self.address = f"http://127.0.0.1:{self.server_port}"


@contextlib.contextmanager
def running():
    """Runs a hub while the body runs."""
    with FakeHub() as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append(("POST", self.path))
        path = self.path.split("?")[0]
        if self.headers.get("Authorization") != f"Bearer {TOKEN}" and "validate" not in path:
            self._answer({"error": "Invalid credentials"}, 401)
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            self._preupload(json.loads(body)["files"])
        elif "/commit/" in path:
            self._commit(path, body)
        else:
            self._answer({"error": f"no {path}"}, 404)

    def do_GET(self):
        self._get(with_body=True)

    def do_HEAD(self):
        self._get(with_body=False)

    def _get(self, with_body):
        path = self.path.split("?")[0]
        self.server.asked.append((self.command, path))
        known = self.server.repositories
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?(?:/.*)?", path)
        file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        found = api or file
        if not found or found[1] not in known:
            self._answer({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        elif api and api[2] == "tree":
            files = known[api[1]].items()
            self._answer(
                [
                    {"type": "file", "path": n, "size": len(c), "oid": hashlib.sha1(c).hexdigest()}
                    for n, c in files
                ]
            )
        elif api:
            siblings = [{"rfilename": name} for name in known[api[1]]]
            self._answer({"id": api[1], "sha": COMMIT, "siblings": siblings, "tags": []})
        elif file[3] not in known[file[1]]:
            self._answer({"error": "Entry not found"}, 404, {"X-Error-Code": "EntryNotFound"})
        else:
            self._file(known[file[1]][file[3]], with_body)

    def _create(self, asked):
        name = f"{asked.get('organization') or 'user'}/{asked['name']}"
        self.server.repositories.setdefault(name, {})
        if asked.get("private") or asked.get("visibility") == "private":
            self.server.private.add(name)
        self._answer({"url": f"{self.server.address}/{name}", "name": name, "id": name})

    def _preupload(self, files):
        regular = [
            {"path": file["path"], "uploadMode": "regular", "shouldIgnore": False, "oid": None}
            for file in files
        ]
        self._answer({"files": regular})

    def _commit(self, path, body):
        name = re.match(r"/api/models/([^/]+/[^/]+)/commit/", path)[1]
        for line in body.decode().splitlines():
            item = json.loads(line)
            if item["key"] == "file":
                content = base64.b64decode(item["value"]["content"])
                self.server.repositories[name][item["value"]["path"]] = content
        url = f"{self.server.address}/{name}/commit/{COMMIT}"
        self._answer({"success": True, "commitOid": COMMIT, "commitUrl": url, "hookOutput": ""})

    def _file(self, content, with_body):
        headers = {
            "X-Repo-Commit": COMMIT,
            "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
            "Accept-Ranges": "bytes",
        }
        self._send(200, content, headers, with_body)

    def _answer(self, content, status=200, headers=()):
        found = {"Content-Type": "application/json", **dict(headers)}
        self._send(status, json.dumps(content).encode(), found, self.command != "HEAD")

    def _send(self, status, content, headers, with_body):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)
