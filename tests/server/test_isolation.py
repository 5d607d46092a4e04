"""Nobody reads or changes what is another person's: every route, with every kind of id of theirs.

One person has something of each kind. A stranger with a key of their own then sends each id of theirs to each route: in
the path, in the query, and in every string of the body.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import io
import itertools
import time
import zipfile
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

import aiohttp
import apsw
import numpy as np
import orjson
import pytest
import pytest_asyncio
from fastapi import FastAPI

from eclair.schema.documents import Block, Page
from eclair.schema.feeds import FeedEntry
from eclair.schema.ids import new_id
from eclair.schema.mcp_servers import McpListing, McpServerConfig, McpTool
from eclair.schema.messages import Change
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebPage
from eclair.server.lazy_routes import add_routes, build_all_routers
from eclair.settings import Settings
from eclair.skills.service import pack_skill
from eclair.storage.api_keys import StoredApiKey
from eclair.storage.chunks import SearchScope
from eclair.storage.egress import CallRecord
from eclair.storage.feeds import StoredFeed
from eclair.storage.mcp_servers import McpServerStore, StoredMcpServer
from tests.server.test_documents import add, ready
from tests.support import JSON, Reply, Server, serving

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(600)]

SECRET = "Quetzalcoatl"
"""Stands in everything that the person has."""
SOUGHT = "Popocatepetl"
"""Stands beside it; the stranger searches for it."""
HIDDEN = "Ixtaccihuatl"
"""Stands there too; nobody sends it, so whoever is shown it is shown what is another's."""
TEXT = f"{SECRET}, {SOUGHT} and {HIDDEN} stand beside the lake."
CONCURRENT = 12
MAX_STREAM_S = 5.0
"""Of a stream that goes on, what came until then is looked at."""
OWNER_KEY = "a-key-of-the-owner"
SOMEONE = Principal("someone")
NEWCOMER = Principal("newcomer")

INSTALLATION = frozenset(
    {"server", "probe", "web_settings", "health_check", "index_merge_due", "announcement", "branding"}
)
"""Tables of what belongs to nobody."""

OPEN_BY_DESIGN = frozenset({"/api/shared/{id}", "/api/shared/{id}/pictures/{picture}"})
"""Anyone with the link may read what it shares."""

ENDLESS_ROUTES = frozenset({("GET", "/api/changes")})
"""Streams that don't end; they have tests of their own."""

NO_OWNER = frozenset(
    {
        "/api/models/pulls/{id}",
        "/api/engines/{name}",
        "/v1/models/{id}",
        "/api/blobs/{digest}",
        "/api/pictures/{id}/preview",
        "/api/compliance/{name}",
    }
)
"""Paths whose id is nobody's, or is of something that lasts for seconds; the owner sees nothing there either."""

ACCOUNT_ROUTES = ("/api/people/", "/api/groups/", "/api/emergency-reads/", "/api/erasures/", "/api/compliance/")
"""Beginnings of paths of what is the house's; roles decide there."""

PLAIN_STRINGS = frozenset(
    [
        "model",
        "role",
        "text",
        "content",
        "input",
        "query",
        "prompt",
        "instructions",
        "title",
        "name",
        "system",
        "language",
        "format",
        "type",
        "detail",
        "media_type",
        "effort",
        "arguments",
        "output",
        "keep_alive",
        "suffix",
        "stop",
        "purpose",
        "user",
        "summary",
        "refusal",
        "url",
        "phase",
        "status",
        "verbosity",
        "data",
        "description",
        "quality",
        "size",
        "style",
        "negative",
        "background",
        "moderation",
        "signature",
        "thinking",
        "reasoning",
        "comment",
        "key",
        "host",
        "service_tier",
        "truncation",
        "tier",
        "transcript",
        "strategy",
        "syntax",
        "definition",
        "logprobs",
        "email",
    ]
)
"""Fields whose strings are no ids."""

EXAMPLES: Mapping[str, object] = {
    "model": "scripted",
    "messages": [{"role": "user", "content": "script: words=2"}],
    "input": "script: words=2",
    "endpoint": "/v1/chat/completions",
    "completion_window": "24h",
    "max_tokens": 9,
    "documents": ["a"],
    "days": 7,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request that names something of the owner's. `sent` are the ids in it."""

    method: str
    route: str
    path: str
    body: object
    sent: tuple[str, ...]


@dataclass(slots=True)
class House:
    """A server with an owner who has something of each kind, by what it is, and a stranger."""

    server: Server
    ids: dict[str, str]
    document: JSON
    stranger_key: str
    newcomer_key: str
    """That of somebody who has nothing and has sent nothing."""
    database: str

    async def call(self, attempt: Attempt, key: str) -> Reply:
        headers = {"Authorization": f"Bearer {key}"}
        data = b"hello" if attempt.body is None and attempt.method in ("POST", "PUT") else None
        if attempt.body is not None:
            data, headers["Content-Type"] = orjson.dumps(attempt.body), "application/json"
        url, came = self.server.address + attempt.path, bytearray()
        async with self.server.http.request(attempt.method, url, data=data, headers=headers) as reply:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(MAX_STREAM_S):
                    async for piece in reply.content.iter_any():
                        came += piece
            return Reply(reply.status, reply.headers, bytes(came))

    async def as_stranger(self, attempt: Attempt) -> Reply:
        return await self.call(attempt, self.stranger_key)

    async def as_owner(self, attempt: Attempt) -> Reply:
        return await self.call(attempt, OWNER_KEY)

    def rows(self) -> set[tuple[object, ...]]:
        """Return every row of the database that isn't the stranger's or the installation's."""
        found: set[tuple[object, ...]] = set()
        # the library of the server, since two of them in one process lose each other's locks
        with contextlib.closing(apsw.Connection(str(self.database), flags=apsw.SQLITE_OPEN_READONLY)) as db:
            tables = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
            for table, sql in list(tables):
                if table in INSTALLATION or "VIRTUAL" in sql or "_text_" in table:
                    continue
                for row in db.execute(f"SELECT * FROM {table}"):
                    if SOMEONE.id not in row and NEWCOMER.id not in row:
                        found.add((table, *row))
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[House]:
    data = tmp_path_factory.mktemp("house") / "data"
    settings = Settings(
        data_dir=data, embedded=False, scripted=True, port=0, api_key=OWNER_KEY, titles=False, max_tokens=20
    )
    async with serving(settings) as server:
        server.http.headers["Authorization"] = f"Bearer {OWNER_KEY}"
        ids = await furnish(server)
        del server.http.headers["Authorization"]
        yield House(
            server,
            ids,
            await asyncio.to_thread(open_api, server),
            await make_key(server, SOMEONE),
            await make_key(server, NEWCOMER),
            str(data / "eclair.db"),
        )


async def make_key(server: Server, owner: Principal) -> str:
    """Make a key that acts for somebody."""
    secret = f"eclair_of-{owner.id}"
    key = StoredApiKey(new_id("key"), owner.id, "mine", hashlib.sha256(secret.encode()).digest(), 1, None)
    await server.app.storage.api_keys.add_key(owner, key)
    return secret


def open_api(server: Server) -> JSON:
    """Describe every route there is."""
    every = FastAPI()
    for router in build_all_routers(server.app):
        add_routes(every, router)
    return every.openapi()


async def furnish(server: Server) -> dict[str, str]:
    """Give the owner something of each kind; return its ids."""
    project = (await server.post("/api/projects", {"name": TEXT[:70]})).body["id"]
    library = (await server.post("/api/libraries", {"name": f"{SECRET}-{SOUGHT}"})).body["id"]
    shelved = await ready(server, await add(server, f"# {TEXT}\n\n{TEXT}", f"{SECRET}.md", library))
    file = await ready(server, await add(server, TEXT + TEXT, f"{SOUGHT}-{SECRET}.md"))
    conversation = await server.begin(title=TEXT)
    edit = {"tags": [SECRET, SOUGHT], "project_id": project}
    assert (await server.call("PATCH", f"/api/conversations/{conversation}", edit)).status == 200
    begun = await server.ask(conversation, f"script: say={TEXT}", files=[file["id"]], libraries=[library])
    answer = await server.answered(begun["run"])
    rating = {"value": "up", "comment": TEXT}
    rated = await server.call("PUT", f"/api/ratings/{answer['id']}", rating)
    assert rated.status < 300, rated
    share = (await server.post(f"/api/conversations/{conversation}/shares", {"days": 1})).body["id"]
    shown = await server.call("PUT", f"/api/project-conversations/{conversation}", {"project_id": project})
    assert shown.status == 204
    written = await server.post(f"/api/conversations/{conversation}/canvases", {"title": SECRET, "text": TEXT})
    await server.call("PUT", "/api/preferences", {"version": 0, "instructions": TEXT})
    prompt = (await server.post("/api/prompts", {"name": f"{SECRET}-{HIDDEN}", "text": TEXT})).body["id"]
    memory = (await server.post("/api/memories", {"text": TEXT})).body["id"]
    asks = {"question": TEXT, "cron": "0 7 1 1 *", "zone": "UTC", "libraries": [library]}
    schedule = (await server.post("/api/schedules", asks)).body["id"]
    profile = {"name": SECRET, "description": TEXT[:80], "instructions": TEXT, "libraries": [library]}
    assistant = (await server.post("/api/assistants", profile)).body["id"]
    own = (await server.call("PUT", f"/api/assistants/{assistant}/library")).body["library"]
    kept = await ready(server, await add(server, f"# {TEXT}\n\nKept: {TEXT}", f"{SECRET}.md", own))
    packed = pack_skill("skill", {"SKILL.md": f"---\nname: secret\ndescription: {SECRET}\n---\n{TEXT}".encode()})
    skill = (await server.post("/api/skills", data=packed, headers={"Content-Type": "application/zip"})).body["id"]
    drawn = await server.post("/api/pictures", {"prompt": TEXT})
    picture = (await server.get("/api/pictures")).body["pictures"]
    assert picture, drawn.raw
    named = (await server.post("/api/keys", {"name": SECRET})).body
    code = {"code": f"secret = {TEXT!r}\nopen('{SECRET}.txt', 'w').write(secret)"}
    made = await server.post(f"/api/conversations/{conversation}/python", code)
    assert made.body["files"], made
    return {
        "project": project,
        "library": library,
        "library name": f"{SECRET}-{SOUGHT}",
        "library file": shelved["id"],
        "file": file["id"],
        "conversation": conversation,
        "question": begun["message"],
        "answer": begun["answer"],
        "run": begun["run"],
        "share": share,
        "prompt": prompt,
        "memory": memory,
        "schedule": schedule,
        "assistant": assistant,
        "assistant file": kept["id"],
        "skill": skill,
        "canvas": written.body["canvas"]["id"],
        "picture": picture[0]["id"],
        "workspace file": f"{SECRET}.txt",
        "key": named["key"]["name"] if "key" in named and isinstance(named["key"], dict) else SECRET,
        **await furnish_v1(server),
        **await furnish_store(server, conversation),
    }


async def furnish_v1(server: Server) -> dict[str, str]:
    first = (await server.post("/v1/responses", {"model": "scripted", "input": f"script: say={TEXT}"})).body
    items = [{"type": "message", "role": "user", "content": TEXT}]
    holder = (await server.post("/v1/conversations", {"items": items, "metadata": {"a": TEXT}})).body
    item = (await server.get(f"/v1/conversations/{holder['id']}/items")).body["data"][0]
    line = {"model": "scripted", "messages": [{"role": "user", "content": f"script: say={TEXT}"}]}
    row = orjson.dumps({"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": line})
    upload = await upload_file(server, row, "batch", f"{SECRET}.jsonl")
    wanted = {"input_file_id": upload, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    batch = (await server.post("/v1/batches", wanted)).body
    async with asyncio.timeout(60):
        while batch["status"] != "completed":
            await asyncio.sleep(0.05)
            batch = (await server.get(f"/v1/batches/{batch['id']}")).body
    return {
        "response": first["id"],
        "response item": first["output"][0]["id"],
        "api conversation": holder["id"],
        "api item": item["id"],
        "batch": batch["id"],
        "batch input": upload,
        "batch output": batch["output_file_id"],
        "upload": await upload_file(server, TEXT.encode() * 3, "user_data", f"{SECRET}.txt"),
        "import": await stage_import(server),
    }


async def upload_file(server: Server, data: bytes, purpose: str, name: str) -> str:
    form = aiohttp.FormData()
    form.add_field("purpose", purpose)
    form.add_field("file", data, filename=name, content_type="text/plain")
    async with server.http.post(f"{server.address}/v1/files", data=form) as reply:
        body = await reply.json()
        assert reply.status == 200, body
        return str(body["id"])


async def stage_import(server: Server) -> str:
    message = {"id": "a", "role": "user", "content": TEXT, "timestamp": 1}
    chat = {
        "id": "1",
        "title": TEXT,
        "chat": {"title": TEXT, "messages": [message], "history": {"messages": {"a": message}}},
    }
    data = orjson.dumps([chat])
    reply = await server.post("/api/imports?name=a.json", data=data, headers={"Content-Type": "application/json"})
    assert reply.status == 201, reply
    return str(reply.body["id"])


async def furnish_store(server: Server, conversation: str) -> dict[str, str]:
    """Give the owner what comes from the web."""
    storage = server.app.storage
    feed = StoredFeed(
        id=new_id("feed"),
        owner=LOCAL_PRINCIPAL.id,
        url=f"https://news.example/{SECRET}",
        host="news.example",
        title=TEXT,
        created=1,
        due=10,
        active=False,
    )
    await storage.feeds.add_feeds(LOCAL_PRINCIPAL, [feed])
    entry = FeedEntry(key="a", url=f"https://news.example/a/{SECRET}", title=TEXT, published=int(time.time() * 1000))
    await storage.feeds.save_fetch(feed, [entry], 100, 99)
    page = new_id("page")
    sheet = Page(1, TEXT, (Block("paragraph", 0, len(TEXT)),))
    read = WebPage(f"https://page.example/{SECRET}", 0, TEXT, "page.example", (sheet,))
    await storage.web.add_page(LOCAL_PRINCIPAL, page, conversation, read)
    await storage.egress.add_calls([call_record()])
    mcp = await furnish_mcp(storage.mcp_servers)
    return {"feed": feed.id, "web page": page, "mcp server": mcp}


async def furnish_mcp(store: McpServerStore) -> str:
    """Give the owner an MCP server of their own, whose tools they have looked at."""
    config = McpServerConfig(url=f"https://mcp.example/{SECRET}")
    mcp = StoredMcpServer(new_id("mcp"), LOCAL_PRINCIPAL.id, SOUGHT.lower(), config, None, 1)
    await store.add_mcp_server(LOCAL_PRINCIPAL, mcp)
    tool = McpTool("read", TEXT, TEXT, {"type": "object"})
    await store.save_mcp_listing(LOCAL_PRINCIPAL, mcp.id, McpListing((tool,), HIDDEN, 1))
    await store.approve_mcp_listing(LOCAL_PRINCIPAL, mcp.id, HIDDEN)
    return mcp.id


def call_record() -> CallRecord:
    return CallRecord(
        owner=LOCAL_PRINCIPAL.id,
        moment=int(time.time() * 1000),
        purpose="page",
        run=None,
        method="GET",
        url=f"https://page.example/{SECRET}",
        host=f"{SECRET.lower()}.example",
        address=None,
        country=None,
        sent=1,
        received=1,
        status=200,
        milliseconds=1.0,
        verdict="passed",
        reason=None,
    )


def operations(document: JSON) -> Iterator[tuple[str, str, JSON]]:
    for route, methods in document["paths"].items():
        for method, operation in methods.items():
            if (method.upper(), route) not in ENDLESS_ROUTES and route not in OPEN_BY_DESIGN:
                yield method.upper(), route, operation


def attempts(house: House) -> Iterator[Attempt]:
    """Yield each request: an id in each place of each route."""
    ids = house.ids.values()
    for method, route, operation in operations(house.document):
        named = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        texts = [each for each in named if each != "number"]
        queries = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        content = operation.get("requestBody", {}).get("content", {}).get("application/json")
        schema = content["schema"] if content is not None else None
        body = None if schema is None else example(house.document, schema)
        for values in combinations(house, len(texts)):
            path = fill(route, {**dict.fromkeys(named, "1"), **dict(zip(texts, values, strict=True))})
            yield Attempt(method, route, path + required_query(house.document, queries), body, values)
            if len(texts) == 2 or not texts:
                continue
            for query in text_queries(house.document, queries):
                yield Attempt(method, route, f"{path}?{query}={quote(values[0])}", body, values)
        if texts:
            bodies = [fill(route, {**dict.fromkeys(named, "1"), texts[0]: id}) for id in ids]
        else:
            bodies = [fill(route, dict.fromkeys(named, "1"))]
            for query, id in itertools.product(text_queries(house.document, queries), (*ids, SOUGHT)):
                yield Attempt(method, route, f"{route}?{query}={quote(id)}", body, (id,))
        for slot in sorted(set(string_slots(house.document, schema)) if schema is not None else ()):
            for at, id in enumerate(ids):
                if len(slot) > 1 and (at + len(slot[-1])) % 4:  # what lies deeper is read by the same code
                    continue
                path = bodies[at % len(bodies)]
                sent = (id, *(house_id for house_id in ids if quote(house_id, safe="") in path))
                yield Attempt(method, route, path, example(house.document, schema or {}, slot, id), sent)


def combinations(house: House, count: int) -> Iterator[tuple[str, ...]]:
    """Yield ids for the places of a path: each with each, where one of two says in what the other is."""
    parents = {
        house.ids[kind]
        for kind in (
            "conversation",
            "answer",
            "api conversation",
            "api item",
            "library",
            "prompt",
            "assistant",
            "skill",
            "share",
        )
    }
    for values in itertools.product(house.ids.values(), repeat=count):
        if count < 2 or values[0] in parents or values[0] == values[1]:
            yield values


def fill(route: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        route = route.replace(f"{{{name}}}", quote(value, safe="")).replace(f"{{{name}:path}}", quote(value, safe=""))
    return route


def required_query(document: JSON, queries: list[JSON]) -> str:
    needed = [f"{each['name']}={quote(str(example(document, each['schema'])))}" for each in queries if each["required"]]
    return f"?{'&'.join(needed)}" if needed else ""


def text_queries(document: JSON, queries: list[JSON]) -> list[str]:
    return [each["name"] for each in queries if () in set(string_slots(document, each["schema"]))]


def resolve(document: JSON, schema: JSON) -> JSON:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
    return schema


def string_slots(document: JSON, schema: JSON, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the places of strings that may be ids."""
    schema = resolve(document, schema)
    if len(at) > 6:
        return
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from string_slots(document, choice, at)
    if schema.get("type") == "string" and "enum" not in schema and "const" not in schema:
        yield at
    for name, each in schema.get("properties", {}).items():
        if name not in PLAIN_STRINGS or resolve(document, each).get("type") != "string":
            yield from string_slots(document, each, (*at, name))
    if "items" in schema:
        yield from string_slots(document, schema["items"], (*at, "[]"))


def example(document: JSON, schema: JSON, slot: tuple[str, ...] | None = None, value: str = "", name: str = "") -> Any:
    """Build what a schema asks for at least, with a value in a slot."""
    schema = resolve(document, schema)
    if slot == ():
        return value
    for kind in ("anyOf", "oneOf", "allOf"):
        if choices := schema.get(kind):
            fitting = [each for each in choices if slot is None or has_slot(document, each, slot)]
            return example(document, (fitting or choices)[0], slot, value, name)
    if slot is None and name in EXAMPLES:
        return EXAMPLES[name]
    match schema.get("type"):
        case "object":
            wanted = {*schema.get("required", ()), *((slot[0],) if slot else ()), *(EXAMPLES if not name else ())}
            return {
                each: example(document, of, slot[1:] if slot and slot[0] == each else None, value, each)
                for each, of in schema.get("properties", {}).items()
                if each in wanted
            }
        case "array":
            return [example(document, schema.get("items", {}), slot[1:] if slot else None, value)]
        case "string":
            return schema.get("const", schema.get("enum", ["hello"])[0])
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case _:
            return schema.get("const")


def has_slot(document: JSON, schema: JSON, slot: tuple[str, ...]) -> bool:
    return slot in set(string_slots(document, schema))


def shown(reply: Reply) -> str:
    """Return all that a reply says, archives unpacked."""
    heads = " ".join(f"{name}: {value}" for name, value in reply.headers.items())
    if not reply.raw.startswith(b"PK"):
        return heads + reply.raw.decode("utf-8", "replace")
    with zipfile.ZipFile(io.BytesIO(reply.raw)) as archive:
        members = [f"{name} {archive.read(name).decode('utf-8', 'replace')}" for name in archive.namelist()]
    return heads + "\n".join(members)


def leak(house: House, attempt: Attempt, reply: Reply) -> str | None:
    """Return what a reply says that only the owner's own things say."""
    text = shown(reply)
    at = text.lower().find(HIDDEN.lower())
    return None if at < 0 else text[max(0, at - 200) : at + 50]


async def test_no_route_shows_or_changes_what_is_another_persons(house: House) -> None:
    before = await asyncio.to_thread(house.rows)
    tried = await asyncio.to_thread(lambda: list(attempts(house)))
    leaks: list[str] = []
    opened: list[str] = []
    queue = iter(tried)

    async def send() -> None:
        for attempt in queue:
            judge(attempt, await house.as_stranger(attempt))

    def judge(attempt: Attempt, reply: Reply) -> None:
        assert reply.status < 500 or reply.status in (501, 502, 503), (attempt, reply)
        if (word := leak(house, attempt, reply)) is not None:
            leaks.append(f"{attempt.method} {attempt.path} {attempt.body} shows {word!r}")
        is_elsewhere = house.ids["api conversation"] in attempt.sent and not attempt.route.startswith("/v1/")
        if reply.status < 300 and "{" in attempt.route and attempt.route not in NO_OWNER and not is_elsewhere:
            opened.append(f"{attempt.method} {attempt.path} is {reply.status}")

    async with asyncio.TaskGroup() as group:
        for _ in range(CONCURRENT):
            group.create_task(send())
    assert leaks == []
    assert opened == []
    for method, route, operation in operations(house.document):
        if method == "GET" and "{" not in route:
            path = route + required_query(house.document, operation.get("parameters", []))
            text = shown(await house.call(Attempt("GET", route, path, None, ()), house.newcomer_key))
            opened += [f"{path} shows the {kind}" for kind, id in house.ids.items() if id in text]
    assert opened == []
    lost = before - await asyncio.to_thread(house.rows)
    assert lost == set()
    assert len(tried) > 3000


async def test_the_owner_sees_there_what_the_stranger_does_not(house: House) -> None:
    """The ids are right: with one of them, each route that reads something shows it to its owner."""
    silent: list[str] = []
    for method, route, operation in operations(house.document):
        named = [each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"]
        if method != "GET" or not named or route in NO_OWNER or route.startswith(ACCOUNT_ROUTES):
            continue
        texts = [each for each in named if each != "number"]
        queries = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        for values in itertools.product(house.ids.values(), repeat=len(texts)):
            path = fill(route, {**dict.fromkeys(named, "1"), **dict(zip(texts, values, strict=True))})
            path += required_query(house.document, queries)
            if (await house.as_owner(Attempt("GET", route, path, None, values))).status < 400:
                break
        else:
            silent.append(route)
    # a text has no pages with pictures and no sound, and no MCP server answers
    mcp = {f"/api/mcp-servers/{{id}}/{kind}" for kind in ("resources", "prompts")}
    textual = {*mcp, "/api/files/{id}/sound", "/api/project-conversations/{id}/pictures/{picture}"}
    assert [route for route in silent if not route.endswith("/picture") and route not in textual] == []


BORROWED: tuple[tuple[str, str, JSON], ...] = (
    ("library", "/api/files?name=a.txt&library={}", {}),
    ("file", "/api/answers", {"messages": [{"role": "user", "text": "script: words=2"}], "files": ["{}"]}),
    (
        "batch input",
        "/v1/batches",
        {"input_file_id": "{}", "endpoint": "/v1/chat/completions", "completion_window": "24h"},
    ),
    ("response", "/v1/responses", {"model": "scripted", "input": "script: words=2", "previous_response_id": "{}"}),
    ("api conversation", "/v1/responses", {"model": "scripted", "input": "script: words=2", "conversation": "{}"}),
    ("conversation", "/api/prefill", {"conversation": "{}", "text": "a"}),
    ("picture", "/api/pictures", {"prompt": "the same in blue", "source": "{}"}),
)
"""The ids that a request may borrow from another person, by route and body."""


@pytest.mark.parametrize(("kind", "path", "body"), BORROWED, ids=[kind for kind, _, _ in BORROWED])
async def test_a_request_borrows_from_its_own_person_alone(house: House, kind: str, path: str, body: JSON) -> None:
    id = house.ids[kind]
    sent = orjson.loads(orjson.dumps(body).replace(b"{}", id.encode())) if body else None
    attempt = Attempt("POST", path, path.format(id), sent, (id,))
    refused = await house.as_stranger(attempt)
    assert refused.status in (400, 404, 422), refused
    assert leak(house, attempt, refused) is None


async def test_a_turn_borrows_from_its_own_person_alone(house: House) -> None:
    headers = {"Authorization": f"Bearer {house.stranger_key}"}
    own = (await house.server.post("/api/conversations", {}, headers=headers)).body["id"]
    for more in (
        {"files": [house.ids["file"]]},
        {"files": [house.ids["library file"]]},
        {"libraries": [house.ids["library"]]},
        {"libraries": [house.ids["library name"]]},
        {"parent": house.ids["answer"]},
    ):
        asked = {"text": "script: words=2", **more}
        reply = await house.server.post(f"/api/conversations/{own}/turns", asked, headers=headers)
        assert reply.status in (400, 404), (more, reply)
        assert SECRET not in shown(reply) or SECRET in str(more)
    for change in ({"project_id": house.ids["project"]}, {"leaf": house.ids["answer"]}):
        assert (await house.server.call("PATCH", f"/api/conversations/{own}", change, headers=headers)).status == 404


async def test_a_crafted_archive_replaces_nothing_of_others(house: House) -> None:
    """An archive is data from outside: the ids in it may be anybody's, those of what was just deleted too."""
    owner = {"Authorization": f"Bearer {OWNER_KEY}"}
    stranger = {"Authorization": f"Bearer {house.stranger_key}"}
    server = house.server
    victim = (await server.post("/api/conversations", {"title": TEXT}, headers=owner)).body["id"]
    begun = (await server.post(f"/api/conversations/{victim}/turns", {"text": "script: words=2"}, headers=owner)).body
    await server.stream(begun["run"], headers=owner)
    archive = (await server.get(f"/api/export?ids={victim}", owner)).raw
    before = house.rows()
    for deleted in (False, True):
        if deleted:
            assert (await server.call("DELETE", f"/api/conversations/{victim}", headers=owner)).status < 300
            before = house.rows()
        staged = await server.post("/api/imports?name=a.zip", data=archive, headers=stranger)
        assert staged.status == 201, staged
        done = await server.post(f"/api/imports/{staged.body['id']}", headers=stranger)
        assert done.status == 200, done
        assert before - house.rows() == set()
    assert (await server.post(f"/api/conversations/{victim}/restore", headers=owner)).status == 200
    assert len((await server.get(f"/api/conversations/{victim}", owner)).body["messages"]) == 2


async def test_nobody_hears_of_another_persons_changes(house: House) -> None:
    feed = house.server.app.changes
    async with aclosing(feed.follow(SOMEONE)) as theirs, aclosing(feed.follow(LOCAL_PRINCIPAL)) as ours:
        await anext(theirs)
        await anext(ours)
        owner = {"Authorization": f"Bearer {OWNER_KEY}"}
        conversation = (await house.server.post("/api/conversations", {"title": TEXT}, headers=owner)).body["id"]
        assert await anext(ours) == [Change(conversation, "changed")]
        stranger = {"Authorization": f"Bearer {house.stranger_key}"}
        own = (await house.server.post("/api/conversations", {}, headers=stranger)).body["id"]
        assert await anext(theirs) == [Change(own, "changed")]


async def test_search_stays_within_the_persons_own(house: House) -> None:
    """Even a scope that names another person's files and libraries finds nothing there, by words, vectors or names."""
    chunks, ids = house.server.app.storage.chunks, house.ids
    scope = SearchScope(LOCAL_PRINCIPAL, (ids["file"],), (ids["library"],))
    pieces = await chunks.list_unembedded("test", 99, scope)
    vectors = np.eye(len(pieces), 8, dtype=np.float32)
    assert await chunks.add_vectors("test", pieces, vectors)
    by_words = await chunks.search_words(scope, SOUGHT, 9)
    by_vectors = await chunks.search_vectors(scope, "test", vectors[0], 9)
    assert by_words
    assert by_vectors
    foreign = replace(scope, principal=SOMEONE)
    assert await chunks.search_words(foreign, SOUGHT, 9) == []
    assert await chunks.search_vectors(foreign, "test", vectors[0], 9) == []
    assert await chunks.locate_chunks(foreign, [*by_words, *by_vectors]) == {}
    assert (await chunks.list_names(scope, [""], 9)).files
    assert (await chunks.list_names(foreign, [""], 9)).files == []


async def test_the_name_of_anothers_file_with_the_same_bytes_stays_theirs(house: House) -> None:
    broken = b"%PDF-1.7 broken"
    headers = {"Authorization": f"Bearer {OWNER_KEY}", "Content-Type": "application/pdf"}
    path = f"/api/files?name={SECRET}.pdf"
    first = (await house.server.post(path, data=broken, headers=headers)).body
    async with asyncio.timeout(60):
        while first["state"] != "failed":
            await asyncio.sleep(0.05)
            first = (await house.server.get(f"/api/files/{first['id']}", headers)).body
    assert SECRET in first["fault"]["message"]
    theirs = {**headers, "Authorization": f"Bearer {house.stranger_key}"}
    second = (await house.server.post("/api/files?name=mine.pdf", data=broken, headers=theirs)).body
    assert second["state"] == "failed"
    assert second["fault"]["message"] == first["fault"]["message"].replace(f"{SECRET}.pdf", "mine.pdf")
