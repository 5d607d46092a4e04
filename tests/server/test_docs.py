"""The pages on the API hold what the code does, and the OpenAPI document is sound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from eclair.schema.events import Event
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

FOLDER = Path(__file__).parents[2] / "docs"
PAGES = (
    "api",
    "accounts",
    "assistants",
    "ai-act",
    "audit",
    "budgets",
    "branding",
    "capacity",
    "mcp",
    "policy",
    "projects",
    "receipts",
    "retention",
    "sandboxed-python",
    "speech",
)
API = (FOLDER / "api.md").read_text(encoding="utf-8")
DOCS = "\n".join((FOLDER / f"{name}.md").read_text(encoding="utf-8") for name in PAGES)


async def document(server: Server) -> Any:
    reply = await server.get("/openapi.json")
    assert reply.status == 200
    return reply.body


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method.upper(), path, operation


async def test_every_route_is_in_the_docs_and_no_other(server: Server) -> None:
    written = set(re.findall(r"`(GET|POST|PATCH|PUT|DELETE) (/[^`\s?]*)", DOCS))
    assert {(method, path) for method, path, _ in operations(await document(server))} == written


async def test_every_query_is_in_the_docs(server: Server) -> None:
    for method, path, operation in operations(await document(server)):
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "query":
                assert re.search(rf"`{method} {re.escape(path)}\?[^`]*\b{parameter['name']}=", DOCS), parameter


async def test_every_field_of_a_turn_is_in_the_docs(server: Server) -> None:
    body = (await document(server))["components"]["schemas"]["NewTurnBody"]
    section = API.partition("## Turns")[2].partition("## Runs")[0]
    assert all(re.search(rf"[`\"]{name}[`\"]", section) for name in body["properties"])


async def test_every_event_is_in_the_docs() -> None:
    table = API.partition("The events, in the order")[2]
    rows = {row.partition("|")[0] + row: row for row in table.splitlines() if row.startswith("|")}
    text = "\n".join(rows.values())
    for kind in Event.__args__:
        name = str(kind.__dataclass_fields__["type"].default)
        (row,) = [row for row in rows.values() if f"`{name}`" in row]
        for spec in fields(kind):
            assert spec.name in ("seq", "type") or f"`{spec.name}`" in row, (name, spec.name)
    assert "`text`, `reasoning`, `tool_call`" in text


async def test_the_openapi_document_is_sound(server: Server) -> None:
    found = await document(server)
    assert found["openapi"].startswith("3.1")
    assert found["info"]["title"] == "Éclair"
    names = [operation["operationId"] for _, _, operation in operations(found)]
    assert len(names) == len(set(names))
    for _, path, operation in operations(found):
        declared = {parameter["name"] for parameter in operation.get("parameters", []) if parameter["in"] == "path"}
        assert declared == set(re.findall(r"{(\w+)}", path)), path
        assert operation["responses"]
    for reference in references(found):
        target: Any = found
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            if key == "$ref":
                yield str(inner)  # pyright: ignore[reportUnknownArgumentType]
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:  # pyright: ignore[reportUnknownVariableType]
            yield from references(inner)


FIELDS = (Path(__file__).parents[2] / "docs" / "fields.md").read_text(encoding="utf-8")
FIELD_SECTIONS = {
    "/v1/chat/completions": ("Both completions", "Chat completions"),
    "/v1/completions": ("Both completions", "Completions"),
    "/v1/responses": ("Responses",),
    "/v1/messages": ("Messages",),
    "/v1/embeddings": ("Embeddings",),
    "/v1/rerank": ("Rerank",),
    "/v1/moderations": ("Moderations",),
    "/v1/audio/speech": ("Speech",),
    "/v1/batches": ("Batches",),
}


@pytest.mark.parametrize("path", FIELD_SECTIONS)
async def test_every_field_of_a_v1_route_is_in_the_docs_and_no_other(server: Server, path: str) -> None:
    whole = await document(server)
    reference = whole["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    body = whole["components"]["schemas"][reference.rpartition("/")[2]]
    sections = [FIELDS.partition(f"\n## {name}\n")[2].partition("\n## ")[0] for name in FIELD_SECTIONS[path]]
    cells = [row.split("|")[1] for section in sections for row in section.splitlines() if row.startswith("| `")]
    assert {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)} == set(body["properties"])
