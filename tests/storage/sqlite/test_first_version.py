"""Data, settings and exports written by the first version open unchanged.

`first_version/README.md` describes the archive. API replies may gain fields; they may not lose or change one.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
import sqlite3
import time
import zipfile
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
import pytest_asyncio

from eclair.documents import ingest
from eclair.sandbox.pool import SandboxPool
from eclair.schema.events import fold
from eclair.settings import Settings, load
from eclair.transfer import staging
from eclair.transfer.import_protocol import PROTOCOL
from tests.cli.test_cli import Eclair
from tests.llm.servers import Speaking
from tests.llm.standin import standing_in
from tests.support import JSON, Reply, Server, parse, serving, text_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

ARCHIVE = Path(__file__).with_name("first_version") / "archive.zip"
AREAS = (
    *("conversations", "tags", "count", "search", "runs", "shares", "shared", "preferences", "files", "libraries"),
    *("pictures", "web", "feeds", "engines", "usage", "egress"),
)
DEAD_PROXY = "http://127.0.0.1:9"
"""Refuses connections, so that opening the data looks up no names."""
TEN_YEARS_S = 3650 * 86_400
MOVED = {"/api/tags": "/api/conversations/tags", "/api/tags?archived=true": "/api/conversations/tags?archived=true"}
"""Paths that have changed since: Ollama's clients ask for models at `/api/tags`."""
KEY = "sk-of-the-first-version"
CRASHED = "Cut off by a crash"
"""Title of the conversation the killed server was answering. The next start marks it and touches its `updated`."""
FORMATS = {".json": "json", ".md": "markdown", ".html": "html"}
BINARY = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True)
class FirstVersion:
    """An unpacked copy of the archive."""

    folder: Path

    @property
    def environ(self) -> dict[str, str]:
        config = self.folder / "settings" / "eclair.toml"
        return {"ECLAIR_CONFIG": str(config), "ECLAIR_DATA_DIR": str(self.folder / "data"), "ECLAIR_PORT": "0"}

    @property
    def settings(self) -> Settings:
        """Without the public name, which needs a key by now, and with logs, entries and calls of any age."""
        kept = {"run_log_days": 0, "feed_days": 3650, "egress_days": 0}
        return replace(load(self.environ).settings, allowed_hosts=(), **kept)

    @cached_property
    def recorded(self) -> JSON:
        return dict(orjson.loads((self.folder / "replies.json").read_bytes()))

    def replies(self, area: str) -> dict[str, Any]:
        return {path: reply for path, reply in self.recorded["replies"].items() if area_of(path) == area}

    @property
    def exports(self) -> list[Path]:
        """Export files of single conversations."""
        return sorted((self.folder / "exports").glob("conv_*"))

    @property
    def trees(self) -> list[JSON]:
        return [reply for path, reply in self.replies("conversations").items() if "conv_" in path]

    def conversation(self, title: str) -> JSON:
        return next(tree["conversation"] for tree in self.trees if tree["conversation"]["title"] == title)

    async def run_command(self, *arguments: str) -> str:
        """Run `eclair` on the copy and return its output. The command must succeed."""
        done = await asyncio.to_thread(Eclair(self.folder / "data"), *arguments, **self.environ)
        assert done.returncode == 0, done
        return done.stdout


def unpack(folder: Path) -> FirstVersion:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return FirstVersion(folder)


def area_of(path: str) -> str:
    return path.partition("?")[0].split("/")[2]


def differences(then: Any, now: Any, place: str) -> Iterator[str]:
    """Describe what `now` has lost or changed since `then`."""
    if isinstance(then, dict) and isinstance(now, dict):
        before, after = cast("JSON", then), cast("JSON", now)
        for key in before:
            if key in after:
                yield from differences(before[key], after[key], f"{place} › {key}")
            else:
                yield f"{place} › {key} is gone"
    elif isinstance(then, list) and isinstance(now, list):
        old, new = cast("list[Any]", then), cast("list[Any]", now)
        if len(old) != len(new):
            yield f"{place} has {len(new)} entries, not {len(old)}"
        for at, pair in enumerate(zip(old, new, strict=False)):
            yield from differences(*pair, f"{place} › {at}")
    elif then != now:
        yield f"{place} is {now!r}, not {then!r}"


async def wait_until_read(server: Server) -> None:
    """Wait until the file uploaded just before the kill has been read."""
    async with asyncio.timeout(60):
        while True:
            files = (await server.get("/api/files?limit=100")).body["files"]
            if all(file["state"] in ("ready", "failed") and file["embedded"] == file["chunks"] for file in files):
                return
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> FirstVersion:
    """The copy behind `server`; tests don't change it."""
    return unpack(tmp_path_factory.mktemp("first"))


@pytest.fixture
def copy(tmp_path: Path) -> FirstVersion:
    return unpack(tmp_path)


@pytest.fixture(autouse=True)
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD_PROXY)
    monkeypatch.setenv("no_proxy", "")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(first: FirstVersion) -> AsyncGenerator[Server]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("http_proxy", DEAD_PROXY)
        patch.setenv("no_proxy", "")
        patch.setattr(ingest, "UNATTACHED_TTL_S", TEN_YEARS_S)  # one file of the archive is on no message
        async with serving(first.settings) as server:
            await wait_until_read(server)
            yield server


@pytest_asyncio.fixture(loop_scope="module")
async def empty(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(settings) as server:
        yield server


async def get(server: Server, path: str) -> Reply:
    reply = await server.get(path)
    assert reply.status == 200, (path, reply)
    return reply


@pytest.mark.parametrize("area", AREAS)
async def test_api_replies_are_unchanged(server: Server, first: FirstVersion, area: str) -> None:
    then = first.replies(area)
    assert then
    now = {path: (await get(server, MOVED.get(path, path))).body for path in then}
    for path in then:
        if area == "egress":  # opening the data calls the added servers again
            known = {call["id"] for call in then[path]["calls"]}
            now[path]["calls"] = [call for call in now[path]["calls"] if call["id"] in known]
        if path == "/api/usage?by=day":  # the answer that was interrupted counts for the day on which it is found
            now[path]["groups"] = [merge_days(now[path]["groups"])]
        if area == "shared":  # whoever has the link was sent more than the page shows
            then[path], now[path] = shown_on_page(then[path]), shown_on_page(now[path])
    assert [*differences(then, now, area)] == []


def shown_on_page(share: JSON) -> JSON:
    """Return what the page of a share shows."""
    messages = [
        {
            "role": message["role"],
            "parts": [part for part in message["parts"] if part["kind"] in ("text", "picture")],
            "files": [file["name"] for file in message["files"]],
            "quotes": [(each["passage"], each["quote"], each["start"], each["end"]) for each in message["citations"]],
            "doubts": [(each["start"], each["end"], each["about"]) for each in message["doubts"]],
            "sources": [
                (each["number"], each["name"], each["heading"], each["page"])
                for each in message["passages"]
                if each["number"] in {citation["passage"] for citation in message["citations"]}
            ],
        }
        for message in share["messages"]
    ]
    return {**share, "messages": messages}


def merge_days(days: list[JSON]) -> JSON:
    """Add up days of usage under the name of the first; only it has costs."""
    first = min(days, key=lambda day: day["name"])
    assert all(day is first or day["costs"] == [] for day in days)
    counted = {name for name, value in first.items() if isinstance(value, int | float)}
    return {**first, **{name: sum(day[name] for day in days) for name in counted}}


async def test_every_recorded_area_is_compared(first: FirstVersion) -> None:
    assert {area_of(path) for path in first.recorded["replies"]} == set(AREAS)


async def test_file_image_and_log_bytes_are_unchanged(server: Server, first: FirstVersion) -> None:
    then = first.recorded["hashes"]
    assert {area_of(path) for path in then} == {"runs", "files", "pictures", "shared"}
    now = {path: hashlib.sha256((await get(server, path)).raw).hexdigest() for path in then}
    assert [*differences(then, now, "bytes")] == []


async def test_each_run_log_folds_to_its_message(server: Server, first: FirstVersion) -> None:
    runs = first.replies("runs")
    assert {reply["status"] for reply in runs.values()} == {"finished", "stopped", "failed", "interrupted"}
    for path, reply in runs.items():
        events = [event for _, event in parse((await get(server, f"{path}/events")).raw)]
        assert len(events) == reply["seq"]
        folded = orjson.loads(orjson.dumps(fold(events)))
        assert [*differences(reply["message"], folded, path)] == []


async def test_documents_are_found_and_cited(copy: FirstVersion) -> None:
    async with standing_in() as standin:
        house = Speaking(standin, lists=["reader"], has=["reader"])
        engines = {"house": replace(copy.settings.engines["house"], url=house.url)}
        async with serving(replace(copy.settings, engines=engines, fallbacks={})) as server:
            conversation = await server.begin(model="reader")
            for question, answer, name in (
                ("Has the lighthouse on the rock 198 steps?", "The lighthouse has 198 steps.", "talk.pptx"),
                (
                    "Is the wage of the keeper 2,450 euros a month?",
                    "The keeper's wage is 2,450 euros a month.",
                    "letter.docx",
                ),
                ("How long is the pier?", "The pier is 212 metres long.", "coast.pdf"),
            ):
                house.says = answer
                message = await server.say(conversation, question, libraries=["coast"])
                cited = {citation["passage"] for citation in message["citations"]}
                assert name in {passage["name"] for passage in message["passages"] if passage["number"] in cited}


async def test_feed_entries_are_found(server: Server) -> None:
    hits = (await server.post("/api/web/search", {"q": "Turm gestrichen", "language": "de"})).body["hits"]
    assert [hit["title"] for hit in hits] == ["Turm"]
    listed = (await get(server, "/api/feeds/opml")).raw.decode()
    assert all(feed["url"] in listed for feed in (await get(server, "/api/feeds")).body)


async def test_images_verify_with_the_stored_certificate(server: Server, first: FirstVersion) -> None:
    for picture in first.replies("pictures")["/api/pictures?limit=100"]["pictures"]:
        data = (await get(server, f"/api/pictures/{picture['id']}/content")).raw
        found = (await server.post("/api/marks/check?name=picture.png", data=data, headers=BINARY)).body
        assert (found["credentials"]["state"], found["credentials"]["trust"]) == ("found", "own"), found


async def test_custom_model_is_in_the_catalog(server: Server) -> None:
    models = (await get(server, "/api/catalog")).body["models"]
    (mine,) = [model for model in models if model["id"] == "mine"]
    assert (mine["maker"], mine["installed"], mine["languages"]) == ("Me", True, ["en", "fr"])
    assert "MIT" in (mine.get("license"), mine.get("license"))


async def test_expired_deletion_is_erased(server: Server, first: FirstVersion) -> None:
    with zipfile.ZipFile(ARCHIVE) as archive:
        assert b"Bring_me_back" in archive.read("data/eclair.db")
    until = time.monotonic() + 30
    while b"Bring_me_back" in b"".join(path.read_bytes() for path in first.folder.glob("data/eclair.db*")):
        assert time.monotonic() < until
        await asyncio.sleep(0.1)
    titles = {tree["conversation"]["title"] for tree in first.trees}
    assert "Deleted and recoverable" not in titles


async def test_recent_deletion_can_be_restored(copy: FirstVersion) -> None:
    database = sqlite3.connect(copy.folder / "data" / "eclair.db")
    (id,) = database.execute("SELECT id FROM conversation WHERE deleted IS NOT NULL").fetchone()
    database.execute("UPDATE conversation SET deleted = ? WHERE id = ?", (int(time.time() * 1000), id))
    database.commit()
    database.close()
    async with serving(copy.settings) as server:
        assert (await server.get(f"/api/conversations/{id}")).status == 404
        restored = await server.post(f"/api/conversations/{id}/restore")
        assert (restored.status, restored.body["title"]) == (200, "Deleted and recoverable")
        assert text_of((await server.tree(id))["messages"][-1]) == "Bring_me_back."


async def test_stored_server_key_decrypts(copy: FirstVersion, monkeypatch: pytest.MonkeyPatch) -> None:
    async with standing_in() as proxy:
        rack = Speaking(proxy, key=KEY)
        proxy.routes |= {f"http://rack.example{path}": answer for path, answer in proxy.routes.items()}
        monkeypatch.setenv("http_proxy", proxy.url)
        async with serving(copy.settings) as server:
            message = await server.say(copy.conversation("By the rack")["id"], "Again?", model="muse")
            assert (text_of(message), message["model"]) == (rack.says, "muse")
            assert (await get(server, "/api/engines/rack")).body["state"] == "ready"


async def test_conversations_continue(copy: FirstVersion) -> None:
    async with serving(copy.settings) as server:
        cut_off = copy.conversation(CRASHED)["id"]
        before = (await server.tree(cut_off))["messages"][-1]
        assert (before["status"], bool(text_of(before))) == ("interrupted", True)
        begun = await server.turn(cut_off, **{"continue": before["id"]}, max_tokens=20)
        after = await server.answered(begun["run"])
        assert text_of(after).startswith(text_of(before))
        way = copy.conversation("The way to the harbour")["id"]
        question = next(m for m in (await server.tree(way))["messages"] if m["role"] == "user")
        again = await server.turn(way, retry=question["id"])
        assert (await server.answered(again["run"]))["parent"] == question["id"]
        assert (await server.call("DELETE", f"/api/conversations/{way}?forever=true")).status == 204
        kept = (await get(server, "/api/preferences")).body
        changed = await server.call("PUT", "/api/preferences", {**kept, "theme": "light"})
        assert (changed.status, changed.body["instructions"]) == (200, kept["instructions"])


def without_times(data: bytes) -> bytes:
    """Drop the time of the export, that of the crash, the mark of AI, which the first version did not write, and how
    Markdown numbers sources: by their first citation now.
    """
    data = re.sub(rb"\A---\n(?:[a-z_]+: [^\n]*\n)+---\n\n", b"", data)
    data = re.sub(rb' *"(?:digital_source_type|generator)": ?"[^"]*",\n?', b"", data)
    lines = re.sub(rb"\[\^(\d+)-\d+\]", rb"[^\1]", data).split(b"\n")
    data = b"\n".join(sorted(lines) if data.startswith(b"# ") else lines)
    if CRASHED.encode() in data:
        data = re.sub(rb'"updated": \d+', b'"updated": 0', data)
    data = re.sub(rb'"exported": \d+', b'"exported": 0', data)
    return re.sub(rb"(Exported from \S+ on ).{1,80}? UTC", rb"\1a day", data)


def comparable(suffix: str, data: bytes) -> object:
    """Reduce an export to what must stay: for HTML its words, links and images, otherwise every byte.

    HTML numbers sources as Markdown does, and addresses in its text are links now.
    """
    data = without_times(data)
    if suffix != ".html":
        return data
    plain = data.decode().partition("<main")[2].partition("</main>")[0]
    exported, *sources = re.findall(r'(?:datetime|href|src|id)="([^"]*)"', plain)
    assert exported.startswith("20")
    text = re.sub(r"<[^>]*>", "", plain)
    words = [word for word in re.sub(r"<[^>]*>", " ", plain).split() if not word.isdigit()]
    kept = [re.sub(r"^(#?s\d+)-\d+$", r"\1", source) for source in sources if source not in text]
    return sorted(words), sorted(kept)


async def test_exports_are_unchanged(server: Server, first: FirstVersion) -> None:
    assert len(first.exports) == 3 * len(first.trees)
    for then in first.exports:
        now = await get(server, f"/api/conversations/{then.stem}/export?format={FORMATS[then.suffix]}")
        assert comparable(then.suffix, now.raw) == comparable(then.suffix, then.read_bytes()), then.name


async def test_zip_export_is_unchanged(server: Server, first: FirstVersion) -> None:
    data = io.BytesIO((await get(server, "/api/export")).raw)
    for path in ("all.zip", "cli/all.zip"):
        with zipfile.ZipFile(data) as now, zipfile.ZipFile(first.folder / "exports" / path) as then:
            assert set(then.namelist()) <= set(now.namelist())
            assert [n for n in then.namelist() if without_times(then.read(n)) != without_times(now.read(n))] == []


async def import_file(server: Server, file: Path) -> JSON:
    """Import a file and return the final counts."""
    read = await server.call("POST", f"/api/imports?name={file.name}", data=await asyncio.to_thread(file.read_bytes))
    assert read.status == 201, read
    assert read.body["kind"] == "eclair"
    done = await server.post(f"/api/imports/{read.body['id']}")
    return dict(orjson.loads(done.raw.decode().split("\n\n")[-2].removeprefix("data: "))["finished"])


@pytest_asyncio.fixture(loop_scope="module")
async def sandboxes(empty: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """Have all imports fork their sandboxes from one host, whose start takes most of the time of a small one."""
    pool = SandboxPool(PROTOCOL, linger=True, scratch=True, reuse=False)

    async def stay() -> None: ...

    def lend(*_: object, **__: object) -> SandboxPool[Any, Any]:
        return pool

    monkeypatch.setattr(staging, "SandboxPool", lend)
    with monkeypatch.context() as staying:
        staying.setattr(pool, "close", stay)
        yield
    await pool.close()


def as_imported(data: bytes) -> bytes:
    """Drop what an import has never kept: the conversation's web setting and the order of siblings."""
    whole = orjson.loads(without_times(data))
    whole["conversation"]["web"] = None
    whole["messages"].sort(key=itemgetter("id"))
    return orjson.dumps(whole)


@pytest.mark.parametrize("path", ["all.zip", "cli/all.zip", None], ids=["zip", "command zip", "one by one"])
@pytest.mark.usefixtures("sandboxes")
async def test_exports_import_again(empty: Server, first: FirstVersion, path: str | None) -> None:
    files = [each for each in first.exports if each.suffix == ".json"]
    sent = files if path is None else [first.folder / "exports" / path]
    finished = [await import_file(empty, each) for each in sent]
    assert sum(each["conversations"] for each in finished) == len(files)
    for each in files:
        now = (await get(empty, f"/api/conversations/{each.stem}/export?format=json")).raw
        assert as_imported(now) == as_imported(each.read_bytes()), each.name


async def test_settings_file_loads(copy: FirstVersion) -> None:
    rows = orjson.loads(await copy.run_command("config", "--json"))["settings"]
    now = {row["name"]: row["value"] for row in rows if row["origin"] == "file"}
    assert [*differences(copy.recorded["settings"], now, "settings")] == []
    house = copy.settings.engines["house"]
    assert (house.key, house.prices["*"].currency, str(house.prices["*"].output)) == ("sk-house", "EUR", "1.5")


async def test_commands_open_the_data(copy: FirstVersion, tmp_path: Path) -> None:
    recorded = copy.recorded["replies"]
    target = tmp_path / "all.zip"
    await copy.run_command("export", "-o", str(target))
    crashed = f"-{copy.conversation(CRASHED)['id'][-8:]}."
    with zipfile.ZipFile(target) as now, zipfile.ZipFile(copy.folder / "exports" / "cli" / "all.zip") as then:
        names = [name for name in then.namelist() if crashed not in name]  # only a server marks the crashed answer
        assert len(names) == len(then.namelist()) - 2
        assert [name for name in names if without_times(then.read(name)) != without_times(now.read(name))] == []
    for then in (copy.folder / "exports" / "cli").glob("conv_*"):
        await copy.run_command("export", then.stem, "--format", FORMATS[then.suffix], "-o", str(tmp_path / then.name))
        assert comparable(then.suffix, (tmp_path / then.name).read_bytes()) == comparable(
            then.suffix, then.read_bytes()
        )
    usage = orjson.loads(await copy.run_command("usage", "--json"))
    spent = {group["name"]: (group["answers"], group["words"], group["costs"]) for group in usage["groups"]}
    for group in recorded["/api/usage?by=model"]["groups"]:
        is_crashed = group["name"] == "scripted"  # whose unfinished answer isn't counted yet
        assert is_crashed or spent[group["name"]] == (group["answers"], group["words"], group["costs"])
    calls = orjson.loads(await copy.run_command("egress", "--json"))
    assert {call["host"] for call in calls} >= {call["host"] for call in recorded["/api/egress?limit=200"]["calls"]}
    listed = await copy.run_command("libraries")
    assert all(library["name"] in listed for library in recorded["/api/libraries"])
    files = await copy.run_command("files")
    assert all(file["id"] in files for file in recorded["/api/files?limit=100"]["files"])
    feeds = await copy.run_command("feeds")
    assert all(feed["title"] in feeds for feed in recorded["/api/feeds"])
    assert "rack" in await copy.run_command("engines")
