"""An MCP server by command, of the standard library alone, that behaves as its first argument says.

`python odd_server.py MODE [FILE]`. The modes are in `MODES`; a FILE is read at each listing, and is the description of
the tool `read`.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MODES = (
    *("well", "dies", "hangs", "floods", "babbles", "lies", "deep", "elsewhere", "twins", "many", "silent", "bad_list"),
    *("huge", "reports", "strides", "boasts"),
)
STRIDE_S = 0.05
PICTURE = "picture"
BOMB = "bomb"


def png(side: int = 2) -> bytes:
    """A picture of 2 × 2 pixels with a text in it that nobody is to keep; it may claim to be larger."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = b"".join(b"\0" + b"\xff\0\0" * 2 for _ in range(2))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"tEXt", b"Comment\0tracked")
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tools(mode: str, file: str | None) -> list[Any]:
    words = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
    described = Path(file).read_text("utf-8") if file else "Returns the text."
    reading = {"readOnlyHint": True}
    found: list[Any] = [
        {"name": "read", "description": described, "inputSchema": words, "annotations": reading},
        {"name": "write", "description": "Keeps the text.", "inputSchema": words},
    ]
    match mode:
        case "lies":
            found.append({"name": "lie", "inputSchema": {"type": "object", "properties": {"a": {"type": "bogus"}}}})
        case "deep":
            schema: Any = {"type": "string"}
            for _ in range(40):
                schema = {"type": "object", "properties": {"a": schema}}
            loop = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"$ref": "#/$defs/a"}}}
            found += [{"name": "deep", "inputSchema": schema}, {"name": "loop", "inputSchema": loop}]
        case "elsewhere":
            schema = {"type": "object", "properties": {"a": {"$ref": "http://169.254.169.254/latest"}}}
            found.append({"name": "elsewhere", "inputSchema": schema})
        case "twins":
            found.append(found[0])
        case "many":
            found += [{"name": f"tool-{number:03}", "inputSchema": {"type": "object"}} for number in range(200)]
        case "bad_list":
            found.append({"nome": "no name"})
        case _:
            pass
    return found


def report(token: Any, *told: Any) -> None:
    """Tell the progress of a call: how much is done, of how much, and a text."""
    params = dict(zip(("progress", "total", "message"), told, strict=False), progressToken=token)
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}) + "\n")
    sys.stdout.flush()


def call(mode: str, name: str, arguments: Any, token: Any) -> Any:
    text = str(arguments.get("text", ""))
    match mode:
        case "reports":  # until there is a file of that name
            report(token, 1, 4, "Reading the map")
            while not Path(text).exists():
                time.sleep(0.02)
        case "strides":  # likewise, ever further
            number = 0
            while not Path(text).exists():
                number += 1
                report(token, number, None, f"Step {number}")
                time.sleep(STRIDE_S)
        case "boasts":
            for number in range(20_000):
                report(token, number, 20_000)
            report("of nobody", 1, 2)
            report(token, float("nan"), 0, "\x1b[31m<b>One\u202e\nline</b>" + "x" * 100_000)
            report(token, -5, 10)
            report(token, 1e308, 1e-308, "Nearly done")
            while not Path(text).exists():
                time.sleep(0.02)
        case "dies":
            sys.stderr.write("a fault of mine\n")
            sys.stderr.flush()
            os._exit(3)
        case "hangs":
            time.sleep(3600)
        case "floods":
            while True:
                sys.stdout.write(
                    json.dumps({"jsonrpc": "2.0", "method": "notifications/x", "params": {"a": "b" * 9999}})
                )
                sys.stdout.write("\n")
        case "huge":
            text = "x" * (5 << 20)
        case _:
            pass
    if text == PICTURE:
        return [{"type": "image", "data": base64.b64encode(png()).decode(), "mimeType": "image/png"}]
    if text == BOMB:
        return [{"type": "image", "data": base64.b64encode(png(60_000)).decode(), "mimeType": "image/png"}]
    if text == "page":
        page = "<html><head><title>t</title></head><script>evil()</script><p>Seen &amp; read</p></html>"
        return [{"type": "resource", "resource": {"uri": "x://a", "mimeType": "text/html", "text": page}}]
    if text == "where":
        return [{"type": "text", "text": json.dumps(surroundings())}]
    return [{"type": "text", "text": f"{name}: {text}"}]


RESOURCES: list[Any] = [
    {"uri": "notes://tower.md", "name": "tower", "title": "The tower", "mimeType": "text/markdown"},
    {"uri": "notes://dot", "name": "dot", "mimeType": "image/png"},
    {"uri": "not a uri", "name": "odd"},
]
TEMPLATES: list[Any] = [
    {"uriTemplate": "notes://days/{day}", "name": "day", "title": "A day", "mimeType": "text/plain"}
]
PROMPTS: list[Any] = [
    {"name": "greet", "title": "Greet somebody", "arguments": [{"name": "who", "required": True}, {"name": "where"}]},
    {"name": "plain", "description": "A prompt without arguments."},
]


def read(mode: str, uri: str) -> list[Any]:
    if mode == "huge":
        return [{"uri": uri, "text": "x" * (5 << 20)}]
    if mode == "lies":
        return [{"uri": uri, "blob": "no base64!"}]
    if uri == "notes://dot":
        return [{"uri": uri, "mimeType": "image/png", "blob": base64.b64encode(png()).decode()}]
    text = (
        "# The tower\n\nThe tower of Brest is 71 metres high, and was built in 1424."
        if "tower" in uri
        else f"It is {uri}."
    )
    return [{"uri": uri, "mimeType": "text/markdown", "text": text}]


def prompt(mode: str, name: str, arguments: Any) -> list[Any]:
    text = f"Greet {arguments.get('who')} in {arguments.get('where', 'Brest')}." if name == "greet" else "A plain text."
    text = "x" * 60_000 if mode == "many" else text
    return [{"role": "user", "content": {"type": "text", "text": text}}]


def surroundings() -> dict[str, object]:
    """Say what the walls leave."""
    found: dict[str, object] = {"variables": sorted(os.environ), "home": os.listdir(os.environ["HOME"])}
    try:
        os.listdir("/root")
        found["root"] = "open"
    except OSError:
        found["root"] = "closed"
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
        found["network"] = "open"
    except ConnectionRefusedError:
        found["network"] = "open"
    except OSError:
        found["network"] = "closed"
    return found


def answers(mode: str, file: str | None) -> Iterator[Any]:
    for line in sys.stdin:
        asked = json.loads(line)
        if "id" not in asked:
            continue
        result: Any
        match asked["method"]:
            case "initialize":
                version = asked["params"]["protocolVersion"]
                result = {
                    "protocolVersion": version,
                    "capabilities": {"tools": {"listChanged": True}, "resources": {}, "prompts": {}},
                    "serverInfo": {"name": "odd", "version": "1"},
                }
            case "tools/list":
                result = {"tools": tools(mode, file)}
            case "tools/call":
                params = asked["params"]
                token = params.get("_meta", {}).get("progressToken")
                result = {"content": call(mode, params["name"], params.get("arguments", {}), token)}
            case "resources/list":
                result = {"resources": RESOURCES}
            case "resources/templates/list":
                result = {"resourceTemplates": TEMPLATES}
            case "resources/read":
                result = {"contents": read(mode, asked["params"]["uri"])}
            case "prompts/list":
                result = {"prompts": PROMPTS}
            case "prompts/get":
                result = {"messages": prompt(mode, asked["params"]["name"], asked["params"].get("arguments") or {})}
            case _:
                yield {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "Method not found"}}
                continue
        yield {"jsonrpc": "2.0", "id": asked["id"], "result": result}


def main() -> None:
    mode, file = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    if mode == "silent":
        time.sleep(3600)
    while mode == "babbles":
        sys.stdout.write("good morning\n")
    for answer in answers(mode, file):
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
