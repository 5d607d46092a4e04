"""A hub that has picture models in diffusers' layout, beside much else as real repositories have it."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import orjson

from tests.llm.standin import Call, StandIn, cut

NOISE = {
    "README.md": b"# FLUX",
    "flux1-schnell.safetensors": b"the same once more",
    "ae.safetensors": b"and again",
    "text_encoder/pytorch_model.bin": b"a pickle",
    "text_encoder/own.py": b"code",
    "vae/diffusion_pytorch_model.fp16.safetensors": b"a variant",
    "safety_checker/model.safetensors": b"no part of it",
    "transformer/../../escape.json": b"{}",
}


class Gallery:
    """One repository; `cuts` is after how many bytes each file breaks off, once."""

    def __init__(self, hub: StandIn, repo: str, folder: Path) -> None:
        self.hub = hub
        self.url = hub.url
        self.repo = repo
        self.wanted = {
            str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
        }
        self.files = {**NOISE, **self.wanted}
        self.served: dict[str, bytes] = {}
        self.cuts: dict[str, int] = {}
        self.ranges: list[tuple[str, str | None]] = []
        hub.routes[f"/api/models/{repo}?blobs=true"] = self.about
        for name in self.files:
            hub.routes[f"/{repo}/resolve/main/{name}"] = self.file

    @property
    def size(self) -> int:
        return sum(map(len, self.wanted.values()))

    async def about(self, call: Call) -> None:
        rows = await asyncio.to_thread(lambda: [self._row(name, content) for name, content in self.files.items()])
        await call.reply(200, orjson.dumps({"cardData": {"license": "apache-2.0"}, "siblings": rows}))

    def _row(self, name: str, content: bytes) -> dict[str, object]:
        git = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
        row: dict[str, object] = {"rfilename": name, "size": len(content), "blobId": git}
        if name.endswith((".safetensors", ".bin")):
            row["lfs"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        return row

    async def file(self, call: Call) -> None:
        name = call.path.partition("/resolve/main/")[2]
        content = self.served.get(name, self.files[name])
        span = call.headers.get("range")
        self.ranges.append((name, span))
        start = int(span[6:].partition("-")[0]) if span else 0
        rest = content[start:]
        head = f"HTTP/1.1 {206 if span else 200} X\r\nContent-Length: {len(rest)}\r\n"
        head += f"Content-Range: bytes {start}-{start + len(rest) - 1}/{len(content)}\r\n" if span else ""
        most = self.cuts.pop(name, len(rest))
        await call.send(head.encode() + b"\r\n" + rest[:most])
        if most < len(rest):
            await cut(call)
