"""A model hub on the loopback: as much of the Hugging Face HTTP API as a snapshot download asks for."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def serve(models: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Serve directories under hub ids; yields the endpoint and the growing list of paths asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"models": models, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    models: dict[str, Path]
    asked: list[str]

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        path = self.path.split("?")[0]
        if "/broken" in path:
            self._answer(500, b"")
            return
        if found := re.fullmatch(r"/api/models/(.+?)(?:/(?:revision|tree)/[^/]+)?", path):
            self._describe(found[1], tree="/tree/" in path)
        elif found := re.fullmatch(r"/(.+)/resolve/[^/]+/(.+)", path):
            self._file(found[1], found[2])
        else:
            self._answer(404, b"")

    def _describe(self, name: str, *, tree: bool) -> None:
        if name not in self.models:
            self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})
            return
        files = [path for path in sorted(self.models[name].rglob("*")) if path.is_file()]
        names = [(path.relative_to(self.models[name]).as_posix(), path) for path in files]
        if tree:
            body: object = [{"type": "file", "path": n, "size": p.stat().st_size, "oid": _sha1(p)} for n, p in names]
        else:
            body = {
                "id": name,
                "modelId": name,
                "sha": COMMIT,
                "private": False,
                "tags": [],
                "downloads": 0,
                "siblings": [{"rfilename": n} for n, _ in names],
            }
        self._answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})

    def _file(self, name: str, file: str) -> None:
        path = self.models.get(name, Path("/nowhere")) / file
        if not path.is_file():
            self._answer(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
            return
        self._answer(200, path.read_bytes(), {"ETag": f'"{_sha1(path)}"', "X-Repo-Commit": COMMIT})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


def _sha1(path: Path) -> str:
    return hashlib.sha1(path.read_bytes()).hexdigest()
