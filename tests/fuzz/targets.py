"""What is fuzzed: valid seeds, and an attempt that fails unless a changed copy gives a result or one clear refusal."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import TypeAdapter

from eclair.documents import parse_protocol
from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import PageRead, ReadDocument
from eclair.errors import EclairError, InvalidInput, ModelMissing, NotFound, TooLarge, UnreadableFile, UpstreamError
from eclair.llm.base import Delta, Finish, PromptMessage, Reasoning, Request, Text, TokenUsage, ToolCall
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.openai.stream_parser import StreamParser, parse_embeddings
from eclair.models.gguf.header import read_header
from eclair.provenance.certificates import KnownSigners
from eclair.provenance.provenance_report import Origin
from eclair.provenance.service import Provenance
from eclair.provenance.worker import inspect_file
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.documents import Block, Page
from eclair.schema.feeds import Feed, FeedEntry
from eclair.settings import Settings
from eclair.util.frames import FrameError
from eclair.web.feeds import feed_protocol
from eclair.web.feeds.feed_protocol import FindFeedLinks, ReadFeed, ReadOpml
from eclair.web.feeds.worker import handle
from tests.documents import files, photos
from tests.documents.conftest import look
from tests.llm.standin import standing_in
from tests.models.gguf_files import gguf
from tests.provenance import made
from tests.support import Server, serving
from tests.transfer.support import NOW, sample, staged, zipped
from tests.web.publisher import rss

Attempt = Callable[[str, bytes], Awaitable[bool]]
"""Tries a file of that name: whether it gave a result. Raises AssertionError if it gave no clear refusal either."""

REFUSED_SEEDS = ("a.doc", "error", "refusal.json", "images")
"""The first is only its head, and no model draws."""

URL = "https://news.example.org/feeds/all"


@dataclass(frozen=True, slots=True)
class Target:
    """`examples` are tried in the suite; `begin` gets a folder of its own."""

    examples: int
    seeds: Callable[[Path], Mapping[str, bytes]]
    begin: Callable[[Path], AbstractAsyncContextManager[Attempt]]


def check_sentence(text: str) -> None:
    assert text.rstrip().endswith((".", "?", "!")), text
    assert "\n" not in text.strip(), text
    assert len(text) < 1000, text


# Documents and pictures


def documents(_: Path) -> dict[str, bytes]:
    noted = photos.exif(place=(48.8, 2.3), serial="7", owner="Ada")
    return {
        "a.pdf": files.pdf([files.page_of_text(1), files.page_of_text(2)], outline=[("One", 1), ("Two", 2)]),
        "a.docx": files.docx(
            files.word_paragraph("Kopf", "berschrift1")
            + files.word_paragraph("eins", depth=0)
            + files.word_table([["a", "b"], ["c", "d"]])
        ),
        "a.odt": files.odf("text", "<text:h text:outline-level='1'>Titel</text:h><text:p>Hallo<text:s/></text:p>"),
        "a.ods": files.odf(
            "spreadsheet",
            "<table:table table:name='T'><table:table-row><table:table-cell table:number-columns-repeated='3'>"
            "<text:p>1</text:p></table:table-cell></table:table-row></table:table>",
        ),
        "a.odp": files.odf("presentation", "<draw:page><draw:frame><text:p>Folie</text:p></draw:frame></draw:page>"),
        "a.xlsx": files.xlsx({"S": [["a", "b"], [1, 2.5]], "T": [[True, None]]}, {"B2": "0.00%"}),
        "a.pptx": files.pptx([("T", ["a", "b"], "n")]),
        "a.epub": files.epub({"1.xhtml": "<h1>One</h1><p>Text</p>", "2.xhtml": "<p>Two</p>"}),
        "a.eml": files.eml({"a.txt": b"attached", "b.csv": b"a;b\n1;2\n"}),
        "a.zip": files.zipped({"a.txt": b"text", "b.md": b"# x", "c.zip": files.zipped({"d.html": b"<p>deep"})}),
        "a.rtf": rb"{\rtf1\ansi\deff0{\fonttbl{\f0 Arial;}}Hallo \b Welt\b0\par{\pict\pngblip 8950}\u252?x}",
        "a.doc": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "WordDocument\0".encode("utf-16-le") + bytes(512),
        "a.html": b"<html><head><title>T</title><body><table><tr><td>1<td>2</table><ul><li>a<li>b</ul><pre>x</pre>",
        "a.md": b"# h\n\n- a\n- b\n\n|a|b|\n|-|-|\n|1|2|\n\n```py\nx\n```\n[^1]: note\n",
        "a.csv": b'a;b;c\n1;2;3\n"4;5";6;7\n',
        "a.json": b'{"a": [1, 2, {"b": null}], "c": "d"}',
        "a.xml": b"<?xml version='1.0' encoding='utf-8'?><!DOCTYPE a [<!ENTITY e 'x'>]><a b='c'>&e;<d/></a>",
        "a.py": b"def f():\n    return 'x'\n",
        "a.txt": "Grüße\n\nZwei Absätze.\n".encode("utf-16"),
        "a.jpg": photos.encoded(photos.quarters(32), "JPEG", exif=noted),
        "a.svg": photos.SVG.format(more="<text>x</text><image href='data:image/png;base64,iVBORw0KGgo='/>").encode(),
    }


def pictures(_: Path) -> dict[str, bytes]:
    noted = photos.exif(orientation=6, place=(48.8, 2.3))
    return {**photos.every(noted), "grid.heic": photos.heic(columns=2, turned=1, noted=noted)}


@contextlib.asynccontextmanager
async def _parser(folder: Path) -> AsyncGenerator[tuple[Parser, Path]]:
    parser = Parser(Limits(seconds=20, memory_mb=1500, pages=50, unpacked=64 << 20, members=100))
    try:
        yield parser, folder / "file"
    finally:
        await parser.close()


def _check_refusal(error: EclairError, name: str) -> None:
    check_sentence(error.message)
    assert name in error.message, error.message
    if isinstance(error.__cause__, SandboxError):  # its process died, or never ended
        assert error.__cause__.fault in ("crash", "memory"), error.__cause__.fault


@contextlib.asynccontextmanager
async def reading(folder: Path) -> AsyncGenerator[Attempt]:
    async with _parser(folder) as (parser, path):

        async def attempt(name: str, data: bytes) -> bool:
            path.write_bytes(data)
            try:
                async for piece in parser.read(path, name):
                    if isinstance(piece, Page):
                        look(piece)
            except (UnreadableFile, TooLarge) as error:
                _check_refusal(error, name)
                return False
            return True

        yield attempt


@contextlib.asynccontextmanager
async def decoding(folder: Path) -> AsyncGenerator[Attempt]:
    async with _parser(folder) as (parser, path):

        async def attempt(name: str, data: bytes) -> bool:
            path.write_bytes(data)
            try:
                prepared = await parser.prepare_image(path, name, 64)
            except (UnreadableFile, TooLarge, NotFound) as error:
                _check_refusal(error, name)
                return False
            assert prepared.data
            return True

        yield attempt


# Exports of other programs


def exports(_: Path) -> dict[str, bytes]:
    names = ("chatgpt", "claude", "openwebui", "librechat", "librechat_tree")
    own = {
        "eclair": 1,
        "conversation": {
            "id": "conv_" + "a" * 26,
            "title": "T",
            "created": NOW,
            "leaf": "msg_" + "b" * 26,
            "tags": ["x"],
        },
        "messages": [
            {
                "id": "msg_" + letter * 26,
                "conversation": "conv_" + "a" * 26,
                "parent": parent,
                "role": role,
                "parts": [{"kind": "text", "text": "Hello"}],
                "created": NOW,
            }
            for letter, parent, role in (("a", None, "user"), ("b", "msg_" + "a" * 26, "assistant"))
        ],
    }
    seeds = {f"{name}.json": sample(name) for name in names} | {"eclair.json": orjson.dumps(own)}
    return {**seeds, "all.zip": zipped({**seeds, "chat.html": b"<html>"})}


@contextlib.asynccontextmanager
async def importing(folder: Path) -> AsyncGenerator[Attempt]:
    async def attempt(name: str, data: bytes) -> bool:
        try:
            preview, found = staged(folder, data, name)
        except (InvalidInput, TooLarge) as error:
            check_sentence(error.message)
            return False
        assert preview.conversations == len(found) > 0
        for one in found:
            seen: set[str] = set()
            for message in one.messages:
                assert message.parent is None or message.parent in seen
                seen.add(message.id)
        return True

    yield attempt


# Feeds


def feeds(_: Path) -> dict[str, bytes]:
    atom = (
        '<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><title>Log</title><link href="https://a.example.org/"/>'
        '<entry><title type="html">A &lt;i&gt;b&lt;/i&gt;</title><link href="one"/><id>tag:1</id>'
        "<author><name>Ada</name></author><published>2026-11-01T00:00:00Z</published><summary>Said.</summary></entry></feed>"
    )
    item = {"id": "7", "url": "https://j.example.org/7", "title": "Dijk", "content_html": "<p>De dijk.</p>"}
    dated = {**item, "date_published": "2026-11-23T10:00:00+01:00", "authors": [{"name": "Jan"}]}
    outline = '<outline type="rss" text="T" xmlUrl="https://a.example.org/f" htmlUrl="https://a.example.org"/>'
    return {
        "rss.feed": rss(("One", "Text &amp;amp; more"), ("Two", "&lt;p&gt;Text&lt;/p&gt;"), at=1_764_000_000).encode(),
        "atom.feed": atom.encode(),
        "json.feed": json.dumps({"version": "https://jsonfeed.org/version/1.1", "items": [dated]}).encode(),
        "list.opml": f'<opml version="2.0"><body><outline text="F">{outline}</outline></body></opml>'.encode(),
        "page.html": b'<html><base href="/x"><link rel="alternate" type="application/rss+xml" href="f" title="Feed">',
    }


@contextlib.asynccontextmanager
async def feeding(_: Path) -> AsyncGenerator[Attempt]:
    async def attempt(name: str, data: bytes) -> bool:
        kind = Path(name).suffix
        request = ReadOpml(data) if kind == ".opml" else FindFeedLinks(data, URL) if kind == ".html" else None
        try:
            (found,) = handle(request or ReadFeed(data, URL, "", NOW))
        except Rejected as rejected:
            check_sentence(rejected.message + ".")
            return False
        results = feed_protocol.PROTOCOL.results
        assert results.read(io.BytesIO(results.encode(found))) == found
        return True

    yield attempt


# Marks of provenance


def marked(folder: Path) -> dict[str, bytes]:
    marks = Provenance.configured(Settings(data_dir=folder / "marks"))
    forms = {"a.png": "PNG", "a.jpg": "JPEG", "a.webp": "WEBP", "a.avif": "AVIF", "a.tiff": "TIFF"}

    async def mark_all() -> list[bytes]:
        origin = Origin("created", "FLUX.1 schnell")
        found = [await marks.mark(made.encoded(made.photo(40, 30), form), origin) for form in forms.values()]
        await marks.close()
        return found

    pdf = files.pdf([files.page_of_text(1)])
    return {**dict(zip(forms, asyncio.run(mark_all()), strict=True)), "a.pdf": pdf}


@contextlib.asynccontextmanager
async def inspecting(folder: Path) -> AsyncGenerator[Attempt]:
    path = folder / "file"

    async def attempt(name: str, data: bytes) -> bool:
        path.write_bytes(data)
        try:
            with warnings.catch_warnings(action="ignore"):  # Pillow warns of what is odd in a file
                report = inspect_file(path, KnownSigners())
        except Rejected as rejected:
            check_sentence(rejected.message + ".")
            return False
        assert report.made is None or name != "a.pdf"
        return True

    yield attempt


# Models


def models(_: Path) -> dict[str, bytes]:
    return {"tiny.gguf": gguf(weights=bytes(64)), "other.gguf": gguf("Other", architecture="qwen3", context=0)}


@contextlib.asynccontextmanager
async def loading(folder: Path) -> AsyncGenerator[Attempt]:
    path = folder / "model.gguf"

    async def attempt(_: str, data: bytes) -> bool:
        path.write_bytes(data)
        try:
            header = read_header(path)
        except ModelMissing as error:
            check_sentence(error.message)
            return False
        assert header.context is None or header.context > 0
        return True

    yield attempt


# Frames between processes


def frames(_: Path) -> dict[str, bytes]:
    page = Page(1, "Käse", (Block("paragraph", 0, 4, 0, None),))
    request = ReadDocument("/tmp/a", "a.pdf", Limits(), 3)
    entry = FeedEntry(key="k", url="https://a.example.org/1", title="T", summary="S", published=1)
    return {
        "results": parse_protocol.PROTOCOL.results.encode(PageRead.pack(page)),
        "requests": parse_protocol.PROTOCOL.requests.encode(request),
        "feeds": feed_protocol.PROTOCOL.results.encode(Feed(title="T", language="de", entries=(entry,))),
    }


@contextlib.asynccontextmanager
async def framing(_: Path) -> AsyncGenerator[Attempt]:
    codecs: dict[str, Any] = {
        "results": parse_protocol.PROTOCOL.results,
        "requests": parse_protocol.PROTOCOL.requests,
        "feeds": feed_protocol.PROTOCOL.results,
    }

    async def attempt(name: str, data: bytes) -> bool:
        with contextlib.suppress(FrameError):
            message = codecs[name].read(io.BytesIO(data))
            if isinstance(message, PageRead):
                message.unpack()
            return message is not None
        return False

    yield attempt


# Streams and other replies of model servers

_DELTAS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Text, Reasoning, ToolCall, TokenUsage, Finish)
}


def check_delta(delta: Delta) -> None:
    """Check that a piece of an answer can be sent on, and is what its type says."""
    assert orjson.dumps(delta)
    plain = replace(delta, logprobs=()) if isinstance(delta, Text) else delta
    assert _DELTAS[type(delta)].validate_json(orjson.dumps(plain), strict=True) == plain


def streams(_: Path) -> dict[str, bytes]:
    def sse(*chunks: Any) -> bytes:
        return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"

    call = {"index": 0, "id": "c", "function": {"name": "draw", "arguments": '{"a":'}}
    logprobs: dict[str, Any] = {"content": [{"token": "a", "logprob": -0.1, "top_logprobs": []}]}
    return {
        "chat": sse(
            {"choices": [{"index": 0, "delta": {"role": "assistant", "reasoning_content": "Hm."}}]},
            {"choices": [{"index": 0, "delta": {"content": "Hello "}, "logprobs": logprobs}]},
            {"choices": [{"index": 0, "delta": {"content": [{"type": "thinking", "thinking": [{"text": "x"}]}]}}]},
            {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]},
            {
                "choices": [],
                "usage": {
                    "prompt_tokens": 3,
                    "completion_tokens": 5,
                    "prompt_tokens_details": {"cached_tokens": 1},
                    "completion_tokens_details": {"reasoning_tokens": 2, "accepted_prediction_tokens": 1},
                },
                "timings": {"predicted_n": 5, "prompt_n": 3, "cache_n": 1, "draft_n": 2},
                "metrics": {"speculative_decoding": {"num_draft_tokens": 3}},
            },
        ),
        "completion": sse({"choices": [{"text": "Hello", "finish_reason": "stop", "stop_reason": "x"}]}),
        "error": b'event: error\ndata: {"error": {"message": "no", "code": 429}}\n\n',
        "embeddings.json": orjson.dumps({"data": [{"index": 0, "embedding": [0.5, 1]}], "usage": {"prompt_tokens": 2}}),
    }


@contextlib.asynccontextmanager
async def streaming(_: Path) -> AsyncGenerator[Attempt]:
    def parse(data: bytes, size: int) -> None:
        parser = StreamParser("far", "Hel")
        pieces: list[Delta] = []
        for at in range(0, len(data), size):
            pieces += parser.feed(data[at : at + size])
            if parser.done:
                break
        for piece in (*pieces, *parser.finish()):
            check_delta(piece)

    async def attempt(name: str, data: bytes) -> bool:
        try:
            if name == "embeddings.json":
                with contextlib.suppress(ValueError):
                    if isinstance(body := orjson.loads(data), dict):
                        parse_embeddings("far", body, 1)  # pyright: ignore[reportUnknownArgumentType]
            else:
                for size in (7, 1 << 20):
                    parse(data, size)
        except UpstreamError as error:
            check_sentence(error.message)
            return False
        return True

    yield attempt


def replies(folder: Path) -> dict[str, bytes]:
    rows = [
        {
            "id": "m",
            "owned_by": "vllm",
            "max_model_len": 4096,
            "meta": {"n_ctx": 2048},
            "capabilities": {"vision": True},
        },
        {"id": "n", "name": "N", "context_length": 8, "architecture": {"input_modalities": ["text", "image"]}},
    ]
    return {
        "models.json": orjson.dumps({"data": rows, "models": [{"model": "m", "capabilities": ["multimodal"]}]}),
        "tokenize.json": orjson.dumps({"count": 3, "tokens": [1, 2, 3]}),
        "refusal.json": orjson.dumps({"error": {"message": "no such model", "code": 404}, "detail": [{"msg": "no"}]}),
        "stream": streams(folder)["chat"],
    }


@contextlib.asynccontextmanager
async def serving_models(_: Path) -> AsyncGenerator[Attempt]:
    async with standing_in() as standin:

        async def attempt(name: str, data: bytes) -> bool:
            engine = OpenAIEngine("far", f"{standin.url}/v1", dialect=DIALECTS[1], idle=5.0, sleep=_no_sleep)
            listing = name if name == "models.json" else ""
            standin.routes = {
                "/v1/models": lambda call: call.reply(200, data if listing else b'{"data": []}'),
                "/tokenize": lambda call: call.reply(200, data),
                "/v1/chat/completions": lambda call: call.reply(400 if name == "refusal.json" else 200, data),
            }
            asked = Request("m", (PromptMessage("user", "Hello?"),))
            try:
                if name == "models.json":
                    await engine.models()
                elif name == "tokenize.json":
                    assert await engine.count("m", "Hello") >= 0
                else:
                    async with contextlib.aclosing(engine.stream(asked)) as deltas:
                        async for delta in deltas:
                            check_delta(delta)
            except UpstreamError as error:
                check_sentence(error.message)
                return False
            finally:
                await engine.close()
            return True

        yield attempt


async def _no_sleep(_: float) -> None:
    pass


# Requests


PATHS = {
    "completions": "/v1/completions",
    "chat": "/v1/chat/completions",
    "responses": "/v1/responses",
    "messages": "/v1/messages",
    "count": "/v1/messages/count_tokens",
    "embeddings": "/v1/embeddings",
    "images": "/v1/images/generations",
    "conversations": "/api/conversations",
    "answers": "/api/answers",
    "engines": "/api/engines",
    "preferences": "/api/preferences",
}
_DOT = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEAAAAALAAAAAABAAEAAAIBAAA="


def requests(_: Path) -> dict[str, bytes]:
    tool = {
        "name": "find",
        "description": "d",
        "parameters": {"type": "object", "properties": {"a": {"type": "string"}}},
    }
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"a": "b"}'}}
    few = {"model": "scripted", "temperature": 0.5, "top_p": 0.9, "stream": False}
    text = "Hello\nscript: words=2"
    bodies: dict[str, Any] = {
        "completions": {**few, "prompt": text, "max_tokens": 5, "stop": ["x"], "seed": 1},
        "chat": {
            **few,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "content": [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": _DOT}}],
                },
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
                {"role": "user", "content": text},
            ],
            "tools": [{"type": "function", "function": tool}],
            "tool_choice": "auto",
            "max_tokens": 5,
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            "stop": "x",
            "logprobs": True,
            "top_logprobs": 2,
            "prediction": {"type": "content", "content": "Hello"},
        },
        "responses": {
            **few,
            "instructions": "Be brief.",
            "input": [
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Look"}, {"type": "input_image", "image_url": _DOT}],
                },
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "found"},
                {"role": "user", "content": text},
            ],
            "tools": [{"type": "function", **tool}],
            "max_output_tokens": 16,
            "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}},
            "store": False,
        },
        "messages": {
            "model": "scripted",
            "max_tokens": 5,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
            "messages": [
                {"role": "user", "content": "Find it."},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t1", "name": "find", "input": {"a": "b"}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "found"}]},
            ],
            "tools": [{"name": "find", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "auto"},
            "stop_sequences": ["x"],
            "thinking": {"type": "disabled"},
        },
        "count": {"model": "scripted", "messages": [{"role": "user", "content": "Count me."}]},
        "embeddings": {"model": "scripted", "input": ["a", "b"], "encoding_format": "float"},
        "images": {"prompt": "", "n": 1, "size": "256x256", "response_format": "b64_json"},
        "conversations": {"title": "T", "mode": "auto", "turn": {"text": text, "model": "scripted"}},
        "answers": {"messages": [{"role": "user", "text": text}], "mode": "auto"},
        "engines": {"name": "far", "url": "http://127.0.0.1:9/v1", "key": "k"},
        "preferences": {"version": 0, "theme": "dark", "language": "de", "instructions": "Be brief."},
    }
    return {name: orjson.dumps(body) for name, body in bodies.items()}


@contextlib.asynccontextmanager
async def requesting(folder: Path) -> AsyncGenerator[Attempt]:
    settings = Settings(
        data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=20, egress="offline"
    )
    async with serving(settings) as server:

        async def attempt(name: str, data: bytes) -> bool:
            return await _request(server, name, data)

        yield attempt


async def _request(server: Server, name: str, data: bytes) -> bool:
    method = "PUT" if name == "preferences" else "POST"
    reply = await server.call(method, PATHS[name], data=data)
    assert reply.status < 500, (reply.status, reply.raw[:500])
    if reply.status >= 400:
        check_sentence(reply.error["message"])
        return False
    if name == "engines":
        await server.call("DELETE", f"{PATHS[name]}/{quote(reply.body['name'], safe='')}")
    return True


TARGETS: dict[str, Target] = {
    "documents": Target(260, documents, reading),
    "pictures": Target(120, pictures, decoding),
    "exports": Target(150, exports, importing),
    "feeds": Target(150, feeds, feeding),
    "marks": Target(100, marked, inspecting),
    "models": Target(100, models, loading),
    "frames": Target(200, frames, framing),
    "streams": Target(250, streams, streaming),
    "replies": Target(150, replies, serving_models),
    "requests": Target(200, requests, requesting),
}
