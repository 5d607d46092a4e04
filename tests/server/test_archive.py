"""Everything a person has goes out in one file, and comes into an empty Éclair by the door."""

from __future__ import annotations

import hashlib
import io
import zipfile
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio
from PIL import Image

from eclair.schema.assistants import AssistantProfile
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.skills import MAX_SKILL_ZIP_BYTES
from eclair.settings import Settings
from eclair.skills.service import pack_skill
from eclair.transfer.archive import (
    ArchivedAssistant,
    ArchivedFile,
    ArchivedLibrary,
    ArchivedProject,
    ArchivedSkill,
    ArchiveRecord,
    dump_record,
    load_record,
)
from eclair.transfer.archive_importer import ImportChoices
from tests.server.test_accounts import member, set_up
from tests.server.test_transfer import carry_out, upload
from tests.support import JSON, Server, serving
from tests.transfer.support import zipped

pytestmark = pytest.mark.asyncio(loop_scope="module")

SKILL_FILES = {
    "SKILL.md": b"---\nname: greeting\ndescription: Greets people. Use it to greet.\n---\nSay assets/word.txt.\n",
    "assets/word.txt": b"Bonjour\n",
}
FEED = "https://feeds.example.org/news.xml"


@dataclass(frozen=True)
class Taken:
    """An archive, and all that there was when it was made."""

    archive: bytes
    size: JSON
    described: dict[str, Any]


@pytest_asyncio.fixture(loop_scope="module")
async def taken(settings: Settings, tmp_path: Path) -> Taken:
    """Everything of another Éclair."""
    async with serving(replace(settings, data_dir=tmp_path / "other")) as server:
        await filled(server)
        size = (await server.get("/api/export/size")).body
        return Taken((await server.get("/api/export")).raw, size, await described(server))


async def filled(server: Server) -> None:
    """Give a person some of everything."""
    library = (await server.post("/api/libraries", {"name": "handbook"})).body["id"]
    for place in (f"&library={library}", ""):
        reply = await server.call("POST", f"/api/files?name=rules.txt{place}", data=b"Bikes are allowed inside.")
        assert reply.status in (200, 201, 202), reply
    attached = reply.body["id"]
    id = await server.begin(title="Bikes")
    await server.say(id, "script: say=Inside.", files=[attached])
    await server.call("PATCH", f"/api/conversations/{id}", {"archived": True, "tags": ["town"]})
    project = (await server.post("/api/projects", {"name": "Town"})).body["id"]
    chosen = {
        "instructions": "Be brief.",
        "model": "scripted",
        "web": "off",
        "tools": ["run_python"],
        "libraries": [library],
        "memory": "both",
    }
    assert (await server.call("PATCH", f"/api/projects/{project}", chosen)).status == 200
    assert (await server.call("PATCH", f"/api/conversations/{id}", {"project_id": project})).status == 200
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(buffer, "PNG")
    picture = GeneratedImage(
        id="pic_" + "0" * 26, owner="", conversation=id, created=1_700_000_000_000, prompt="A bike", model="m",
        media="image/png", width=8, height=8, size=0, blob="", thumbnail="",
    )  # fmt: skip
    message = (await server.tree(id))["messages"][-1]["id"]
    await server.app.gallery.add(LOCAL_PRINCIPAL, picture, buffer.getvalue(), buffer.getvalue(), message)
    preferences = {"version": 0, "theme": "dark"}
    assert (await server.call("PUT", "/api/preferences", preferences)).status == 200
    profile = {"name": "Guide", "libraries": [library], "starters": ["How high is it?"]}
    assistant = (await server.post("/api/assistants", profile)).body["id"]
    own = (await server.call("PUT", f"/api/assistants/{assistant}/library")).body["library"]
    reply = await server.call("POST", f"/api/files?name=tower.txt&library={own}", data=b"The tower is high.")
    assert reply.status == 201, reply
    prompt = {"name": "polite", "text": "Be polite to {{who}}."}
    assert (await server.post("/api/prompts", prompt)).status == 201
    opml = f'<opml version="2.0"><body><outline type="rss" text="News" xmlUrl="{FEED}"/></body></opml>'
    assert (await server.call("POST", "/api/feeds/opml", data=opml.encode())).status in (200, 201)
    assert (await server.post("/api/memories", {"text": "I live in Gent"})).status == 201
    told = {"text": "Bikes are called velos", "project_id": project}
    assert (await server.post("/api/memories", told)).status == 201
    further = [{"url": "https://lab2.example.org/v1", "weight": 2}]
    skill = pack_skill("greeting", SKILL_FILES)
    assert (await server.post("/api/skills", data=skill, headers={"Content-Type": "application/zip"})).status == 201
    packaged = (await server.get("/api/skills")).body["skills"][-1]
    off = {"is_on": False, "changed": packaged["changed"]}
    assert not (await server.call("PUT", f"/api/skills/{packaged['id']}/switch", off)).body["is_on"]
    added = {"name": "lab", "url": "https://lab.example.org/v1", "key": "s3cret", "endpoints": further}
    assert (await server.post("/api/engines", added)).status == 201


async def described(server: Server) -> dict[str, Any]:
    """Everything that the API shows of a person's own, without what belongs to the installation."""
    listed: list[JSON] = []
    for query in ("", "?archived=true"):
        page = (await server.get(f"/api/conversations{query}")).body
        listed += [*page["pinned"], *page["conversations"]]
    trees = [await server.tree(each["id"]) for each in listed]
    for tree in trees:
        for message in tree["messages"]:
            message["run"] = None
    files = (await server.get("/api/files")).body["files"]
    preferences = (await server.get("/api/preferences")).body
    engines = (await server.get("/api/engines")).body["engines"]
    every = (await server.get("/api/skills")).body["skills"]
    skills = [each for each in every if not each["is_packaged"]]
    return {
        "conversations": trees,
        "files": [
            {name: file[name] for name in ("id", "name", "size", "media", "created", "library")} for file in files
        ],
        "bytes": [(await server.get(f"/api/files/{file['id']}/content")).raw for file in files],
        "libraries": [(each["id"], each["name"]) for each in (await server.get("/api/libraries")).body],
        "pictures": (await server.get("/api/pictures")).body["pictures"],
        "projects": (await server.get("/api/projects")).body,
        "assistants": (await server.get("/api/assistants")).body,
        "prompts": (await server.get("/api/prompts")).body,
        "preferences": {**preferences, "version": 1},
        "feeds": [(feed["url"], feed["title"]) for feed in (await server.get("/api/feeds")).body],
        "memories": (await server.get("/api/memories")).body["memories"],
        "skills": [(each["name"], each["is_on"]) for each in every],
        "folders": [(await server.get(f"/api/skills/{each['id']}/export")).raw for each in skills],
        "engines": [(each["name"], each["url"]) for each in engines if each["origin"] == "added"],
    }


async def test_folders_of_older_exports_are_read_as_projects() -> None:
    id = "fold_" + "0" * 26
    older = {"id": id, "name": "Town", "created": 1, "conversations": ["conv_a"]}
    assert load_record({"eclair_record": "folder", "value": older}) == ArchivedProject(id, "Town", 1, ("conv_a",))


async def test_everything_goes_out_and_into_an_empty_eclair_and_only_once(taken: Taken, fresh: Server) -> None:
    assert (taken.size["conversations"], taken.size["files"], taken.size["images"]) == (1, 3, 1)
    assert b"s3cret" not in taken.archive
    read = await upload(fresh, taken.archive, "eclair.zip")
    assert read.status == 201, read
    assert read.body["problems"] == []
    items = {each["kind"]: (each["count"], each["here"]) for each in read.body["items"]}
    assert items == {
        "conversations": (1, 0),
        "libraries": (2, 0),
        "files": (3, 0),
        "images": (1, 0),
        "prompts": (1, 0),
        "assistants": (1, 0),
        "settings": (2, 0),
        "feeds": (1, 0),
        "memories": (2, 0),
        "servers": (1, 0),
        "skills": (1, 0),
    }
    finished = (await carry_out(fresh, read.body["id"]))[-1]["finished"]
    assert finished["problems"] == []
    assert [each for each in finished["items"] if each["here"]] == []
    there = await described(fresh)
    assert there == taken.described
    engine = next(each for each in (await fresh.get("/api/engines")).body["engines"] if each["name"] == "lab")
    assert not engine["keyed"]
    assert [(each["url"], each["weight"]) for each in engine["endpoints"][1:]] == [("https://lab2.example.org/v1", 2)]
    again = await upload(fresh, taken.archive, "eclair.zip")
    assert all(each["count"] == each["here"] for each in again.body["items"])
    finished = (await carry_out(fresh, again.body["id"]))[-1]["finished"]
    assert all(each["count"] == each["here"] for each in finished["items"])
    assert finished["problems"] == []
    assert await described(fresh) == there


async def test_a_library_in_place_of_an_assistants_own_stays_apart(taken: Taken, fresh: Server) -> None:
    other = (await fresh.post("/api/libraries", {"name": "Guide"})).body["id"]
    read = await upload(fresh, taken.archive, "eclair.zip")
    assert (await carry_out(fresh, read.body["id"]))[-1]["finished"]["problems"] == []
    (guide,) = (await fresh.get("/api/assistants")).body["assistants"]
    assert guide["library"] is None, "deleting the assistant must not delete what was here before"
    assert [each["name"] for each in guide["libraries"]] == ["handbook", "Guide"]
    assert (await fresh.call("DELETE", f"/api/assistants/{guide['id']}")).status == 204
    assert other in [each["id"] for each in (await fresh.get("/api/libraries")).body]


def crafted(*records: ArchiveRecord, **members: bytes) -> bytes:
    """A zip with these records and nothing else, but for the bytes of files, by their hashes."""
    index = orjson.dumps([orjson.loads(dump_record(record)) for record in records])
    return zipped({"everything.json": index, **{f"files/{name}": data for name, data in members.items()}})


async def test_an_archive_takes_no_library_from_what_is_here(fresh: Server) -> None:
    project = (await fresh.post("/api/projects", {"name": "Town"})).body["id"]
    town = (await fresh.call("PUT", f"/api/projects/{project}/library")).body["library"]
    mine = (await fresh.post("/api/libraries", {"name": "mine"})).body["id"]
    new = ArchivedLibrary("lib_" + "3" * 26, "New", 1)
    archive = crafted(
        ArchivedLibrary(town, "Town", 1),
        ArchivedLibrary(mine, "mine", 1),
        new,
        ArchivedProject("proj_" + "1" * 26, "Trap", 1, (), library=mine),
        *(
            ArchivedAssistant(f"asst_{n}" + "1" * 25, 1, 1, AssistantProfile(name=f"Trap {n}"), library)
            for n, library in enumerate((town, mine, new.id, new.id))
        ),
    )
    read = await upload(fresh, archive, "eclair.zip")
    assert (await carry_out(fresh, read.body["id"]))[-1]["finished"]["problems"] == []
    trap = next(each for each in (await fresh.get("/api/projects")).body if each["name"] == "Trap")
    assert (trap["library"], trap["libraries"]) == (None, [mine])
    traps = (await fresh.get("/api/assistants")).body["assistants"]
    found = [(each["library"], [library["id"] for library in each["libraries"]]) for each in traps]
    assert found == [(None, [town]), (None, [mine]), (new.id, []), (None, [new.id])]
    for each in traps:
        assert (await fresh.call("DELETE", f"/api/assistants/{each['id']}")).status == 204
    assert {each["id"] for each in (await fresh.get("/api/libraries")).body} == {town, mine}
    assert (await fresh.get(f"/api/projects/{project}")).body["library"] == town


async def test_a_library_that_an_import_has_made_is_noted_before_it_goes_on(fresh: Server) -> None:
    """An import whose server is killed is gone on with at another: none of it ends in order."""
    library = ArchivedLibrary("lib_" + "5" * 26, "Cellar", 1)
    assistant = ArchivedAssistant("asst_" + "5" * 26, 1, 1, AssistantProfile(name="Cook"), library.id)
    id = (await upload(fresh, crafted(library, assistant), "eclair.zip")).body["id"]
    noted: list[list[str]] = []
    async with aclosing(fresh.app.imports.run(LOCAL_PRINCIPAL, id, ImportChoices())) as steps:
        async for step in steps:
            if not step.is_finished:
                waiting = await fresh.app.storage.imports.get_import(LOCAL_PRINCIPAL, id)
                noted.append([*waiting.libraries])
    assert noted == [[library.id], []], "made, then the assistant's own"


async def test_an_archive_puts_no_file_in_another_persons_library(settings: Settings) -> None:
    data = b"secret"
    sha256 = hashlib.sha256(data).hexdigest()
    async with serving(replace(settings, accounts="on")) as house:
        admin = await set_up(house)
        _, ben = await member(house, admin)
        for access in ("view", "edit"):
            made = await house.post("/api/libraries", {"name": f"team {access}"}, headers=admin)
            shared = f"/api/libraries/{made.body['id']}/shares/everyone"
            assert (await house.call("PUT", shared, {"access": access}, headers=admin)).status in (200, 204)
        libraries = [each["id"] for each in (await house.get("/api/libraries", ben)).body]
        records = [
            record
            for n, id in enumerate(("lib_" + "4" * 26, libraries[1]))
            for record in (
                ArchivedLibrary(id, ("team view", "team edit")[n], 1),
                ArchivedFile(f"file_{n}" + "4" * 25, f"{n}.txt", len(data), sha256, "text/plain", 1, id),
            )
        ]
        read = await upload(house, crafted(*records, **{sha256: data}), "eclair.zip", ben)
        assert (await carry_out(house, read.body["id"], ben))[-1]["finished"]["problems"] == []
        assert (await house.get("/api/files", admin)).body["files"] == []
        files = (await house.get("/api/files", ben)).body["files"]
        assert sorted(each["name"] for each in files) == ["0.txt", "1.txt"]
        assert not {each["library"] for each in files} & {None, *libraries}


@pytest.mark.parametrize("is_on", [True, False])
async def test_skills_come_back_as_they_were_only_if_that_is_asked_for(fresh: Server, is_on: bool) -> None:
    packed = {"headers": {"Content-Type": "application/zip"}, "data": pack_skill("greeting", SKILL_FILES)}
    skill = (await fresh.post("/api/skills", **packed)).body
    switch = {"is_on": is_on, "changed": skill["changed"]}
    assert (await fresh.call("PUT", f"/api/skills/{skill['id']}/switch", switch)).body["is_on"] == is_on
    archive = (await fresh.get("/api/export")).raw
    for query, expected in (("", False), ("?switch_skills_on=true", is_on)):
        assert (await fresh.call("DELETE", f"/api/skills/{skill['id']}")).status == 204
        id = (await upload(fresh, archive, "eclair.zip")).body["id"]
        assert (await fresh.post(f"/api/imports/{id}{query}")).status == 200
        (skill,) = [each for each in (await fresh.get("/api/skills")).body["skills"] if not each["is_packaged"]]
        assert (skill["name"], skill["is_on"]) == ("greeting", expected)


async def test_skills_of_the_package_are_switched_as_they_were_unless_they_were_switched_here(fresh: Server) -> None:
    async def switch(skill: JSON, is_on: bool) -> None:
        body = {"is_on": is_on, "changed": skill["changed"]}
        assert (await fresh.call("PUT", f"/api/skills/{skill['id']}/switch", body)).body["is_on"] == is_on

    async def states() -> list[bool]:
        return [each["is_on"] for each in (await fresh.get("/api/skills")).body["skills"]]

    first, second, *rest = (await fresh.get("/api/skills")).body["skills"]
    await switch(first, False)
    await switch(second, True)
    archive = (await fresh.get("/api/export")).raw
    await switch(first, True)
    for query, expected in (("", True), ("?replace_settings=true", False)):
        uploaded = (await upload(fresh, archive, "eclair.zip")).body
        (settings,) = [each for each in uploaded["items"] if each["kind"] == "settings"]
        assert (settings["count"], settings["here"]) == (1, 1)
        assert (await fresh.post(f"/api/imports/{uploaded['id']}{query}")).status == 200
        assert await states() == [expected, True, *(each["is_on"] for each in rest)]


async def test_newer_settings_stay_unless_they_are_to_be_replaced(taken: Taken, fresh: Server) -> None:
    await fresh.call("PUT", "/api/preferences", {"version": 0, "theme": "light"})
    await fresh.post("/api/prompts", {"name": "brief", "text": "Be brief."})
    await carry_out(fresh, (await upload(fresh, taken.archive, "eclair.zip")).body["id"])
    kept = (await fresh.get("/api/preferences")).body
    assert (kept["theme"], [prompt["name"] for prompt in kept["prompts"]]) == ("light", ["brief", "polite"])
    id = (await upload(fresh, taken.archive, "eclair.zip")).body["id"]
    assert (await fresh.post(f"/api/imports/{id}?replace_settings=true")).status == 200
    assert (await fresh.get("/api/preferences")).body["theme"] == "dark"


async def test_a_file_of_a_message_is_attached_to_it_and_not_swept(taken: Taken, fresh: Server) -> None:
    await carry_out(fresh, (await upload(fresh, taken.archive, "eclair.zip")).body["id"])
    (tree,) = taken.described["conversations"]
    attached = await fresh.app.storage.files.list_attached_files(LOCAL_PRINCIPAL, tree["conversation"]["id"])
    (file,) = tree["messages"][0]["files"]
    assert [each.id for each in attached[tree["messages"][0]["id"]]] == [file["id"]]
    assert await fresh.app.storage.files.list_unattached_files(1 << 53) == []


def archived(**changes: Any) -> bytes:
    """A zip whose index says one thing of a file."""
    data = b"words"
    file = ArchivedFile("file_" + "0" * 26, "a.txt", len(data), hashlib.sha256(data).hexdigest(), "text/plain", 1)
    record = orjson.loads(dump_record(file))
    record["value"] |= changes
    return zipped({"everything.json": orjson.dumps([record]), f"files/{file.sha256}": data})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"size": 4}, "not as long as the file says"),
        ({"size": 1 << 40}, "not as long as the file says"),
        ({"sha256": "0" * 64}, "is missing in"),
    ],
)
async def test_an_archive_that_lies_is_told_in_one_sentence(
    fresh: Server, changes: dict[str, Any], sentence: str
) -> None:
    read = await upload(fresh, archived(**changes), "eclair.zip")
    assert read.status == 201, read
    finished = (await carry_out(fresh, read.body["id"]))[-1]["finished"]
    (problem,) = finished["problems"]
    assert sentence in problem
    assert (await fresh.get("/api/files")).body["files"] == []


@pytest.mark.parametrize(
    "changes",
    [{"name": "../../etc/passwd"}, {"id": "../file"}, {"sha256": "../../x"}, {"created": "soon"}, {"size": -1}],
)
async def test_a_record_that_no_eclair_writes_is_left_out(fresh: Server, changes: dict[str, Any]) -> None:
    refused = await upload(fresh, archived(**changes), "eclair.zip")
    assert refused.status == 400
    assert "holds no conversations" in refused.error["message"]


async def test_a_damaged_file_is_left_out_and_the_rest_comes(fresh: Server) -> None:
    good, bad = b"good", b"bad"
    files = [
        ArchivedFile("file_" + str(n) * 26, f"{n}.txt", len(data), hashlib.sha256(data).hexdigest(), "text/plain", 1)
        for n, data in ((1, bad), (2, good))
    ]
    index = orjson.dumps([orjson.loads(dump_record(file)) for file in files])
    archive = zipped({"everything.json": index, files[0].member: b"dab", files[1].member: good})
    read = await upload(fresh, archive, "eclair.zip")
    finished = (await carry_out(fresh, read.body["id"]))[-1]["finished"]
    assert finished["problems"] == ["'1.txt' is damaged in the export and was left out."]
    assert [file["name"] for file in (await fresh.get("/api/files")).body["files"]] == ["2.txt"]
    with zipfile.ZipFile(io.BytesIO((await fresh.get("/api/export")).raw)) as whole:
        assert whole.read(files[1].member) == good


async def test_skills_that_lie_are_told_in_a_sentence_each_and_change_none(fresh: Server) -> None:
    own = b"---\nname: greeting\ndescription: Greets as I like it.\n---\nSay hello.\n"
    kept = await fresh.post("/api/skills", data=own, headers={"Content-Type": "text/markdown"})
    assert kept.status == 201, kept
    packed = pack_skill("greeting", SKILL_FILES)
    lies = [
        (b"PK no zip", 9, "The zip is damaged"),
        (packed, 4, "not as long as the file says"),
        (packed, MAX_SKILL_ZIP_BYTES + 1, "8 MB at most"),
        (packed, len(packed), "a skill 'greeting' already"),
    ]
    records = [ArchivedSkill("skill_" + str(n) * 26, f"lie-{n}", size) for n, (_, size, _) in enumerate(lies)]
    index = orjson.dumps([orjson.loads(dump_record(record)) for record in records])
    members = {record.member: data for record, (data, _, _) in zip(records, lies, strict=True)}
    read = await upload(fresh, zipped({"everything.json": index, **members}), "eclair.zip")
    finished = (await carry_out(fresh, read.body["id"]))[-1]["finished"]
    assert len(finished["problems"]) == len(lies)
    for n, (problem, (_, _, sentence)) in enumerate(zip(finished["problems"], lies, strict=True)):
        assert problem.startswith(f"The skill 'lie-{n}' was left out: ")
        assert sentence in problem
    skills = (await fresh.get("/api/skills")).body["skills"]
    assert [each["description"] for each in skills if not each["is_packaged"]] == ["Greets as I like it."]
