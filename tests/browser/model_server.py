"""A server with a small model and a large one that thinks where it is told to, which the page can choose from."""

from __future__ import annotations

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SMALL, BIG = "acme/small-1b", "Qwen/Qwen3-32B"


class Rack(ThreadingHTTPServer):
    """Answers with its model's name, or with `says`; a question with `wait` in it goes on until it is stopped."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.says: str | None = None
        self.models: tuple[str, ...] = (SMALL, BIG)
        self.code = ""
        """Goes on from a block of code that is opened for it."""
        self.ending = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Rack  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        rows = [{"id": id, "owned_by": "vllm", "max_model_len": 32768} for id in self.server.models]
        self._begin("application/json")
        self.wfile.write(json.dumps({"data": rows}).encode())

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.endswith("/chat/completions"):
            self.send_error(404)
            return
        self.server.asked.append(asked)
        self._begin("text/event-stream")
        try:
            if asked.get("chat_template_kwargs", {}).get("enable_thinking"):
                self._say(reasoning_content="Let me see.")
            opened = asked["messages"][-1]["role"] == "assistant"
            says = self.server.code if opened else self.server.says or f"{asked['model']} says yes."
            for line in says.splitlines(keepends=True):
                self._say(content=line)
            if "wait" in asked["messages"][-1]["content"]:
                while not self.server.ending.wait(0.05):
                    self._say(content=" more")
            self._say("stop")
        except (BrokenPipeError, ConnectionResetError):
            return

    def _begin(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()

    def _say(self, finish: str | None = None, **delta: str) -> None:
        row = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        self.wfile.write(b"data: " + json.dumps(row).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """It says nothing of what it is asked."""


@contextmanager
def racked() -> Generator[Rack]:
    with Rack() as rack:
        thread = threading.Thread(target=rack.serve_forever)
        thread.start()
        try:
            yield rack
        finally:
            rack.ending.set()
            rack.shutdown()
            thread.join()
