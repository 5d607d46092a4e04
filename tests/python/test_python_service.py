"""Code in the sandbox, as it is run through the API; Monty is the interpreter."""

from __future__ import annotations

import asyncio
import os
import signal

import psutil
import pytest

from eclair.errors import StoreError
from eclair.python.python_protocol import MAX_OUTPUT_CHARS
from eclair.storage.sql.workspaces import SQLWorkspaceStore
from tests.support import JSON, Server, live_children


async def conversation(server: Server) -> str:
    return await server.begin(title="Sums")


async def run(server: Server, id: str, code: str) -> JSON:
    reply = await server.post(f"/api/conversations/{id}/python", {"code": code})
    assert reply.status == 200, reply.raw
    result: JSON = reply.body
    return result


async def read(server: Server, file: JSON) -> bytes:
    reply = await server.get(file["url"])
    assert reply.status == 200, reply.raw
    return reply.raw


async def attach(server: Server, id: str, name: str, data: bytes) -> None:
    """Upload a file and ask about it in the conversation."""
    headers = {"Content-Type": "application/octet-stream"}
    reply = await server.post(f"/api/files?name={name}", data=data, headers=headers)
    await server.say(id, "What is in this?", files=[reply.body["id"]])


async def test_a_sum_is_computed_and_its_variables_stay(server: Server) -> None:
    id = await conversation(server)
    first = await run(server, id, "total = 19 * 4\nprint('so far')\ntotal")
    assert first["output"] == "so far\n76\n"
    assert (first["interpreter"], first["error"], first["files"], first["lost"]) == ("monty", None, [], False)
    assert (await run(server, id, "total + 1"))["output"] == "77\n"
    other = await conversation(server)
    assert "NameError" in (await run(server, other, "total"))["error"]


async def test_an_error_has_its_line(server: Server) -> None:
    found = await run(server, await conversation(server), "x = 1\ny = 0\nx / y")
    assert found["line"] == 3
    assert found["error"].splitlines()[-1] == "ZeroDivisionError: division by zero"
    wrong = await run(server, await conversation(server), "x = 1\ndef (")
    assert "SyntaxError" in wrong["error"]


async def test_charts_are_drawn_without_matplotlib(server: Server) -> None:
    id = await conversation(server)
    code = "sold = {'North': 270, 'A & B': -60}\nbar_chart(sold.keys(), sold.values(), title='Revenue by <region>')"
    found = await run(server, id, code)
    (chart,) = found["files"]
    assert found["output"] == ""
    assert (chart["name"], chart["media"], chart["alt"]) == ("chart.svg", "image/svg+xml", "Revenue by <region>")
    svg = (await read(server, chart)).decode()
    assert svg.count("<title>") == 3
    assert "A &amp; B: -60" in svg
    more = await run(server, id, "line_chart(['a', 'b'], [1, 2.5])\npie_chart(sold, title='no')")
    assert more["line"] == 2
    assert "a pie chart needs values that are not negative" in more["error"]
    assert [file["name"] for file in more["files"]] == ["chart-2.svg"]
    own = "def bar_chart(x, y, title):\n    import matplotlib as plt\n    plt.bar(x, y)\nbar_chart('a', [1], 'Own')"
    assert (await run(server, id, own))["files"][0]["alt"] == "Own"
    wrong = await run(server, id, "bar_chart(['a'], ['x'])")
    assert wrong["error"].splitlines()[-1] == "ValueError: the values of a chart are numbers"
    for kind in ("bar", "pie"):
        twice = await run(server, id, f"{kind}_chart(['North', 'South', 'North'], [120, 80, 150])")
        assert "the label 'North' comes more than once: add up the values" in twice["error"]
        listed = await run(server, id, f"{kind}_chart({{'North': [120, 150]}})")
        assert "these are lists: add up each list with sum first" in listed["error"]
    rows = await run(server, id, "line_chart(['Mon', 'Mon'], [1, 2])")
    assert rows["error"] is None


async def test_files_of_the_conversation_are_read_and_made_files_are_kept(server: Server) -> None:
    id = await conversation(server)
    await attach(server, id, "sales.csv", b"region,revenue\nNord,120\nWest,45\n")
    code = """
import csv
with open("sales.csv") as file:
    rows = list(csv.DictReader(file))
total = sum(int(row["revenue"]) for row in rows)
with open("total.txt", "w") as file:
    file.write(str(total))
total
"""
    found = await run(server, id, code)
    assert found["output"] == "165\n"
    (made,) = found["files"]
    assert (made["name"], made["version"], made["size"], made["media"]) == ("total.txt", 1, 3, "text/plain")
    assert await read(server, made) == b"165"
    again = await run(server, id, "open('total.txt', 'w').write('166')\nopen('total.txt').read()")
    assert [file["version"] for file in again["files"]] == [2]
    assert await read(server, made) == b"165", "an earlier answer shows what it made"
    listed = (await server.get(f"/api/conversations/{id}/workspace")).body["files"]
    assert [(file["name"], file["version"]) for file in listed] == [("total.txt", 2)]


async def test_a_file_that_code_removes_stays_in_earlier_answers(server: Server) -> None:
    id = await conversation(server)
    (made,) = (await run(server, id, "open('a.txt', 'w').write('kept')"))["files"]
    found = await run(server, id, "from pathlib import Path\nPath('a.txt').unlink()")
    assert found["removed"] == ["a.txt"]
    assert (await server.get(f"/api/conversations/{id}/workspace")).body["files"] == []
    assert await read(server, made) == b"kept"


async def test_a_person_deletes_a_file_in_all_versions(server: Server) -> None:
    id = await conversation(server)
    (made,) = (await run(server, id, "open('a b.txt', 'w').write('1')"))["files"]
    await run(server, id, "open('a b.txt', 'w').write('2')")
    assert (await server.call("DELETE", f"/api/conversations/{id}/workspace/a%20b.txt")).status == 204
    assert (await server.get(made["url"])).status == 404
    assert (await server.call("DELETE", f"/api/conversations/{id}/workspace/a%20b.txt")).status == 404
    found = await run(server, id, "from pathlib import Path\nlist(Path('.').iterdir())")
    assert found["output"] == "[]\n", "the live session has lost it too"


async def test_what_is_served_runs_nowhere(server: Server) -> None:
    id = await conversation(server)
    page = "<script>alert(1)</script>"
    (made,) = (await run(server, id, f"open('page.html', 'w').write({page!r})"))["files"]
    reply = await server.get(made["url"])
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"].startswith("sandbox;")


@pytest.mark.parametrize(
    "code",
    [
        "open('/etc/passwd').read()",
        "open('../../etc/passwd').read()",
        "open('/proc/self/environ').read()",
        "open('/work/../etc/passwd').read()",
        "open('/etc/eclair-test', 'w').write('x')",
        "from pathlib import Path\nPath('/etc/passwd').rename('x')",
        "import socket\nsocket.create_connection(('127.0.0.1', 80))",
        "import subprocess\nsubprocess.run(['ls'])",
        "import os\nos.system('ls')",
        "import ctypes",
        "import urllib.request\nurllib.request.urlopen('http://127.0.0.1')",
        "__import__('os').fork()",
        "().__class__.__base__.__subclasses__()",
    ],
)
async def test_nothing_outside_is_reached(server: Server, code: str) -> None:
    found = await run(server, await conversation(server), code)
    assert found["error"], found["output"]
    assert found["files"] == []


async def test_what_takes_too_much_is_stopped_and_the_variables_before_stay(server: Server) -> None:
    id = await conversation(server)
    await run(server, id, "x = 41")
    for code, error in (
        ("x = 0\nwhile True: pass", "TimeoutError"),
        ("x = 0\nhoard = []\nwhile True: hoard.append('a' * 100000)", "MemoryError"),
    ):
        assert error in (await run(server, id, code))["error"]
        found = await run(server, id, "x + 1")
        assert (found["output"], found["lost"]) == ("42\n", False)


async def test_a_flood_of_output_is_cut(server: Server) -> None:
    found = await run(server, await conversation(server), "print('x' * 500000)\nprint('the end')")
    assert len(found["output"]) < MAX_OUTPUT_CHARS + 100
    assert found["output"].endswith("the end\n")
    assert "characters left out" in found["output"]


async def test_what_is_written_is_bounded(server: Server) -> None:
    id = await conversation(server)
    code = "for number in range(300):\n    open(f'{number}.bin', 'wb').write(b'x' * 1000000)"
    found = await run(server, id, code)
    assert "No space left on device (code may write 100 files of 32 MB each, 48 MB in all; " in found["error"]
    assert sum(file["size"] for file in found["files"]) <= 48 << 20
    deep = "from pathlib import Path\nfor number in range(1000): Path(f'd{number}').mkdir()"
    assert "No space left" in (await run(server, id, deep))["error"]


def interpreters() -> list[psutil.Process]:
    """Processes beneath this one that run code."""
    children = live_children(recursive=True)
    return [each for each in children if each.name() == "monty" or "monty_worker" in " ".join(each.cmdline())]


async def test_a_killed_session_goes_on_where_it_was(server: Server) -> None:
    id = await conversation(server)
    await run(server, id, "x = 41\nopen('kept.txt', 'w').write('here')")
    programs = interpreters()
    assert programs
    for process in programs:
        os.kill(process.pid, signal.SIGKILL)
    psutil.wait_procs(programs, timeout=10)
    first = await run(server, id, "x + 1")  # the death may be noticed by this call alone
    found = first if first["error"] is None else await run(server, id, "x + 1")
    assert (found["output"], found["lost"]) == ("42\n", False)
    assert (await run(server, id, "open('kept.txt').read()"))["output"] == "'here'\n"


async def test_nothing_stays_of_an_endless_loop(server: Server) -> None:
    id = await conversation(server)
    await run(server, id, "while True: pass")
    busy = [each for each in interpreters() if each.name() == "monty"]
    assert busy == []


async def test_a_conversation_takes_its_files_with_it(server: Server) -> None:
    id = await conversation(server)
    (made,) = (await run(server, id, "open('a.txt', 'w').write('x')"))["files"]
    assert (await server.call("DELETE", f"/api/conversations/{id}?forever=true")).status == 204
    assert (await server.get(made["url"])).status == 404
    assert (await server.post(f"/api/conversations/{id}/python", {"code": "1"})).status == 404


async def test_calls_of_one_conversation_run_one_after_another(server: Server) -> None:
    id = await conversation(server)
    await run(server, id, "n = 0")
    await asyncio.gather(*(run(server, id, "n = n + 1") for _ in range(8)))
    assert (await run(server, id, "n"))["output"] == "8\n"
    assert not server.app.python._locks  # pyright: ignore[reportPrivateUsage] # kept while somebody waits


async def test_more_conversations_than_sessions_lose_nothing(server: Server) -> None:
    ids = [await conversation(server) for _ in range(6)]
    for number, id in enumerate(ids):
        await run(server, id, f"x = {number}")
    for number, id in enumerate(ids):
        found = await run(server, id, "x")
        assert (found["output"], found["lost"]) == (f"{number}\n", False)


async def test_a_missing_data_tool_is_named(server: Server) -> None:
    found = await run(server, await conversation(server), "import pandas as pd")
    assert found["wants"] == "pandas"
    report = (await server.get("/api/python")).body
    assert (report["interpreter"], report["data_tools"]["state"]) == ("monty", "absent")
    assert "csv" in report["modules"]


async def test_what_is_no_code_is_refused_by_name(server: Server) -> None:
    id = await conversation(server)
    assert (await server.post(f"/api/conversations/{id}/python", {"code": ""})).status == 400
    assert (await server.post(f"/api/conversations/{id}/python", {"code": "1", "shell": "ls"})).status == 400
    assert (await server.post("/api/conversations/conv_none/python", {"code": "1"})).status == 404


async def test_a_full_disk_is_said_and_nothing_is_half_kept(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    id = await conversation(server)
    await run(server, id, "x = 1")

    async def refuse(*_: object) -> None:
        raise StoreError("The disk is full; make room, then try again.")

    with monkeypatch.context() as patched:
        patched.setattr(SQLWorkspaceStore, "update_workspace", refuse)
        reply = await server.post(f"/api/conversations/{id}/python", {"code": "x = 2\nopen('a', 'w').write('b')"})
    assert reply.status == 503 or reply.status == 500, reply.raw
    assert "disk is full" in reply.error["message"]
    assert (await run(server, id, "x"))["output"] == "1\n"
    assert (await server.get(f"/api/conversations/{id}/workspace")).body["files"] == []
