"""Skills through the HTTP door: imported, looked at, switched on, read by a model, and run in the sandbox."""

from __future__ import annotations

import io
import zipfile
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from eclair.llm.base import Request
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.models import Model
from eclair.schema.skills import MAX_SKILL_ZIP_BYTES
from eclair.settings import Settings
from eclair.skills.service import pack_skill
from tests.server.test_accounts import Headers, member, set_up
from tests.server.test_documents import add as upload
from tests.server.test_documents import ready
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

ZIP = {"Content-Type": "application/zip"}
SCRIPT = b"""import sys
with open("skills/greeting/assets/word.txt") as file:
    print(file.read().strip() + ", " + " and ".join(sys.argv[1:]) + "!")
with open("greeting.txt", "w") as file:
    file.write("written")
"""
FILES = {
    "SKILL.md": b"---\nname: greeting\ndescription: Greets people. Use it to greet.\n---\nRun scripts/greet.py.\n",
    "scripts/greet.py": SCRIPT,
    "assets/word.txt": b"Bonjour\n",
}


@pytest_asyncio.fixture(loop_scope="module")
async def house(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, accounts="on")) as server:
        yield server


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that the scripted engine got."""
    found: list[Request] = []
    stream = ScriptedEngine.stream

    def noting(self: ScriptedEngine, request: Request) -> Any:
        if request.purpose not in ("prefill", "title"):
            found.append(request)
        return stream(self, request)

    monkeypatch.setattr(ScriptedEngine, "stream", noting)
    return found


async def add(server: Server, files: Mapping[str, bytes] = FILES, headers: Headers | None = None) -> JSON:
    reply = await server.post("/api/skills", data=pack_skill("greeting", files), headers={**ZIP, **(headers or {})})
    assert reply.status == 201, reply
    return dict(reply.body)


async def switch(server: Server, skill: JSON, *, is_on: bool, headers: Headers | None = None) -> JSON:
    path = f"/api/skills/{skill['id']}/switch"
    reply = await server.call("PUT", path, {"is_on": is_on, "changed": skill["changed"]}, headers=headers)
    assert reply.status == 200, reply
    return dict(reply.body)


def definitions(request: Request) -> dict[str, str]:
    return {tool["function"]["name"]: tool["function"]["description"] for tool in request.tools}


async def test_a_skill_is_imported_looked_at_switched_on_exported_and_deleted(fresh: Server) -> None:
    skill = await add(fresh)
    assert (skill["name"], skill["is_on"], skill["is_packaged"]) == ("greeting", False, False)
    assert skill["scripts"] == ["scripts/greet.py"]
    path = f"/api/skills/{skill['id']}"
    assert (await fresh.get(path)).body == skill
    assert (await fresh.get(f"{path}/text")).body["text"] == FILES["SKILL.md"].decode()
    assert (await fresh.get(f"{path}/text?path=scripts/greet.py")).body["text"] == SCRIPT.decode()
    assert (await fresh.get(f"{path}/text?path=nothing")).status == 404
    assert (await switch(fresh, skill, is_on=True))["is_on"]
    newer = await add(fresh, {**FILES, "assets/logo.png": b"\x89PNG\xff"})
    assert (newer["id"], newer["is_on"]) == (skill["id"], False)
    late = await fresh.call("PUT", f"{path}/switch", {"is_on": True, "changed": skill["changed"]})
    assert (late.status, "look at it again" in late.error["message"]) == (409, True)
    assert "no text" in (await fresh.get(f"{path}/text?path=assets/logo.png")).error["message"]
    exported = await fresh.get(f"{path}/export")
    assert 'filename="greeting.zip"' in exported.headers["Content-Disposition"]
    with zipfile.ZipFile(io.BytesIO(exported.raw)) as archive:
        names = archive.namelist()
    assert names == [f"greeting/{name}" for name in sorted([*FILES, "assets/logo.png"])]
    assert (await fresh.call("DELETE", path)).status == 204
    assert (await fresh.call("DELETE", path)).status == 404
    packaged = (await fresh.get("/api/skills")).body["skills"]
    assert {each["name"]: each["is_on"] for each in packaged} == dict.fromkeys(
        ["data-check", "law-summary", "meeting-minutes", "plain-letter"], True
    )
    refused = await fresh.call("DELETE", f"/api/skills/{packaged[0]['id']}")
    assert (refused.status, "switch it off" in refused.error["message"]) == (403, True)


async def test_what_is_no_skill_is_refused_with_a_sentence(fresh: Server) -> None:
    for data, status, says in (
        (b"", 400, "no front matter"),
        (b"PK\3\4nothing", 400, "damaged"),
        (b"a" * (MAX_SKILL_ZIP_BYTES + 1), 413, "8 MB"),
    ):
        reply = await fresh.post("/api/skills", data=data, headers=ZIP)
        assert (reply.status, says in reply.error["message"]) == (status, True), reply


async def test_a_model_reads_a_skill_and_runs_its_script_in_the_sandbox(fresh: Server, asked: list[Request]) -> None:
    skill = await add(fresh)
    read = 'script: tool=read_skill{"skill":"greeting"}'
    run = 'script: tool=run_skill_script{"skill":"greeting","script":"scripts/greet.py","arguments":["Ada","Bo"]}'
    foreign = await fresh.ask(await fresh.begin(), f"{read}\nscript: say=Done")
    assert "greeting" not in definitions(asked[0])["read_skill"]
    refused = await fresh.answered(foreign["run"])
    assert (refused["calls"][0]["outcome"], "There is no skill" in str(refused["parts"])) == ("failed", True)
    await switch(fresh, skill, is_on=True)
    asked.clear()
    code = 'script: tool=run_python{"code":"open(\'skills/greeting/assets/word.txt\').read()"}'
    begun = await fresh.ask(await fresh.begin(), f"{read}\n{run}\n{code}\nscript: say=Done")
    answer = await fresh.answered(begun["run"])
    assert "- greeting: Greets people. Use it to greet." in definitions(asked[0])["read_skill"]
    assert [definitions(each) for each in asked] == [definitions(asked[0])] * 4
    assert [(call["tool"], call["outcome"], call["summary"]) for call in answer["calls"]] == [
        ("read_skill", "done", "Read the skill greeting"),
        ("run_skill_script", "done", "Run scripts/greet.py of the skill greeting"),
        ("run_python", "done", "Run 1 line of Python"),
    ]
    read_text, run_text, code_text = (part["text"] for part in answer["parts"] if part["kind"] == "tool_result")
    assert read_text.startswith("Run scripts/greet.py.\n\nFiles of the skill")
    assert "- scripts/greet.py" in read_text
    assert "Bonjour, Ada and Bo!" in run_text
    assert "- greeting.txt (text/plain, version 1, 7 bytes)" in run_text
    assert "'Bonjour\\n'" in code_text
    files = (await fresh.get(f"/api/conversations/{answer['conversation']}/files")).body
    assert "skills/" not in str(files)


async def test_the_packaged_check_of_data_counts_an_attached_table(fresh: Server) -> None:
    table = b"id;name;amount\n1;Ann;10\n2;Ben ;11\n2;Ben ;11\n4;;12,5\n"
    file = await ready(fresh, await upload(fresh, table, "sales.csv"))
    script = '"script":"scripts/count_table.py","arguments":["sales.csv"]'
    run = f'script: tool=run_skill_script{{"skill":"data-check",{script}}}'
    begun = await fresh.ask(await fresh.begin(), f"{run}\nscript: say=Done", files=[file["id"]])
    answer = await fresh.answered(begun["run"])
    (result,) = (part["text"] for part in answer["parts"] if part["kind"] == "tool_result")
    assert "3 columns, 4 rows below the header" in result
    assert "Duplicate rows: 1 (4 as 3)" in result
    assert "name: 4 values, 1 missing" in result


async def test_a_script_that_fails_says_why(fresh: Server) -> None:
    skill = await add(fresh, {**FILES, "scripts/greet.py": b"import argparse\n"})
    await switch(fresh, skill, is_on=True)
    run = 'script: tool=run_skill_script{"skill":"greeting","script":"scripts/greet.py"}'
    gone = 'script: tool=run_skill_script{"skill":"greeting","script":"scripts/other.py"}'
    lost = 'script: tool=run_skill_script{"skill":"data-check","script":"scripts/count_table.py","arguments":["a.csv"]}'
    made = """script: tool=run_python{"code":"open('b.csv','w').write('x')"}"""
    begun = await fresh.ask(await fresh.begin(), f"{run}\n{gone}\n{made}\n{lost}\nscript: say=Done")
    answer = await fresh.answered(begun["run"])
    failed, missing, _, unknown = (part["text"] for part in answer["parts"] if part["kind"] == "tool_result")
    assert answer["calls"][-1]["summary"] == "Run scripts/count_table.py of the packaged skill data-check"
    assert "installed the data tools" in failed
    assert "ModuleNotFoundError" in failed
    assert "these are: scripts/greet.py" in missing
    assert "The working directory has these files: b.csv." in unknown
    assert "data tools" not in unknown


@pytest_asyncio.fixture(loop_scope="module")
async def small(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    """A server whose model calls no tools."""
    models = ScriptedEngine.models

    async def without_tools(self: ScriptedEngine) -> list[Model]:
        return [replace(each, can_call_tools=False, calls_well=False) for each in await models(self)]

    monkeypatch.setattr(ScriptedEngine, "models", without_tools)
    async with serving(settings) as server:
        yield server


async def test_a_skill_is_read_for_a_model_that_calls_no_tools(small: Server, asked: list[Request]) -> None:
    conversation = await small.begin()
    answer = await small.say(conversation, "Please use /meeting-minutes for these notes.\nscript: say=Done")
    assert [(step["kind"], step["title"]) for step in answer["steps"] if step["kind"] == "skill"] == [
        ("skill", "Reading the packaged skill meeting-minutes")
    ]
    prompt = str(asked[-1].messages[-1].content)
    assert "do it by these instructions:\n# Minutes of a meeting" in prompt
    assert prompt.index("# Minutes") < prompt.index("Please use")
    listed = (await small.get("/api/skills")).body["skills"]
    minutes = next(each for each in listed if each["name"] == "meeting-minutes")
    await switch(small, minutes, is_on=False)
    answer = await small.say(conversation, "Please use /meeting-minutes again.\nscript: say=Done")
    assert not any(step["kind"] == "skill" for step in answer["steps"])
    assert "# Minutes" not in str(asked[-1].messages)
    own = await add(small, {"SKILL.md": b"---\nname: meeting-minutes\ndescription: Our minutes.\n---\nBe short.\n"})
    await switch(small, own, is_on=True)
    answer = await small.say(conversation, "Please use /meeting-minutes once more.\nscript: say=Done")
    assert [step["title"] for step in answer["steps"] if step["kind"] == "skill"] == [
        "Reading the skill meeting-minutes"
    ]


async def test_skills_belong_to_one_person_and_need_the_right(house: Server, asked: list[Request]) -> None:
    admin = await set_up(house)
    (_, eve), (_, bo) = await member(house, admin, "eve"), await member(house, admin, "bo")
    skill = await add(house, headers=eve)
    await switch(house, skill, is_on=True, headers=eve)
    packaged = (await house.get("/api/skills", headers=eve)).body["skills"][1]
    await switch(house, packaged, is_on=False, headers=eve)
    theirs = (await house.get("/api/skills", headers=bo)).body["skills"]
    assert (len(theirs), all(each["is_on"] for each in theirs)) == (4, True)
    assert (await house.get(f"/api/skills/{skill['id']}", headers=bo)).status == 404
    assert (await house.get(f"/api/skills/{skill['id']}/text", headers=bo)).status == 404
    answers = {"messages": [{"role": "user", "text": "script: say=Done"}]}
    assert (await house.post("/api/answers", answers, headers=eve)).status == 200
    assert "- greeting:" in definitions(asked[-1])["read_skill"]
    assert packaged["name"] not in definitions(asked[-1])["read_skill"]
    grant = {"subject": "everyone", "object": "tool:read_skill", "effect": "deny"}
    assert (await house.post("/api/grants", grant, headers=admin)).status == 201
    assert (await house.post("/api/answers", answers, headers=eve)).status == 200
    assert "read_skill" not in definitions(asked[-1])
