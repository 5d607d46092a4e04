"""`eclair schedules`: added, listed, changed, switched, run and removed at the terminal; the doctor counts them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.libraries import Library
from eclair.storage.open import open_storage
from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")


def test_a_schedule_is_added_listed_run_and_removed(run: Eclair) -> None:
    assert run("schedules").stdout.startswith("Nothing is scheduled; `eclair schedules add QUESTION")
    assert run("assistants", "add", "Cook", "--instructions", "Answer with a recipe.").returncode == 0
    options = ("--every", "weekday", "--at", "7:30", "--zone", "Europe/Berlin", "--name", "News", "--web", "--same")
    added = run("schedules", "add", "What", "is", "new?", *options, "--assistant", "cook", "--allow", "forget")
    assert added.stdout.startswith("Added as sched_")
    assert "next 20" in added.stdout
    (listed,) = orjson.loads(run("schedules", "--json").stdout)
    assert (listed["name"], listed["cron"], listed["zone"]) == ("News", "30 7 * * 1-5", "Europe/Berlin")
    asks = listed["asks"]
    assert (asks["text"], asks["web"], asks["tools"], listed["keeps"]) == ("What is new?", "on", ["forget"], "same")
    assert asks["assistant"].startswith("asst_")
    table = run("schedules", "list").stdout.splitlines()
    assert table[0].split() == ["ID", "STATE", "NEXT", "CRON", "ZONE", "NAME"]
    assert table[1].startswith(f"{listed['id']}  on")
    assert run("schedules", "run", listed["id"]).stdout.startswith("Éclair answers in conversation conv_")
    again = run("schedules", "run", listed["id"])
    assert (again.returncode, "is being answered right now" in again.stderr) == (2, True)
    checks = {each["name"]: each for each in orjson.loads(run("doctor", "--json").stdout)["checks"]}
    assert (checks["Schedules"]["state"], checks["Schedules"]["detail"]) == ("ok", "1 on; no mail is sent")
    named = {"ECLAIR_SMTP_HOST": "mail.example.org"}
    checks = {each["name"]: each for each in orjson.loads(run("doctor", "--json", **named).stdout)["checks"]}
    assert (checks["Schedules"]["state"], "from nobody" in checks["Schedules"]["detail"]) == ("broken", True)
    assert run("schedules", "remove", listed["id"]).stdout == "Erased.\n"
    assert orjson.loads(run("schedules", "--json").stdout) == []
    assert "Schedules" not in run("doctor").stdout


FEEDS = ("https://example.org/news.xml", "https://example.org/science.xml")


def the_schedule(run: Eclair) -> dict[str, Any]:
    (listed,) = orjson.loads(run("schedules", "--json").stdout)
    return dict(listed)


async def test_feeds_are_summarised_every_weekday_and_all_of_that_is_changed(run: Eclair, tmp_path: Path) -> None:
    outlines = "".join(f'<outline type="rss" text="Feed" xmlUrl="{url}"/>' for url in FEEDS)
    (tmp_path / "feeds.opml").write_text(f'<opml version="2.0"><body>{outlines}</body></opml>')
    assert run("feeds", "import", str(tmp_path / "feeds.opml")).returncode == 0
    feeds = {each["url"]: each["id"] for each in orjson.loads(run("feeds", "--json").stdout)}
    assert run("projects", "add", "Press").returncode == 0
    storage = open_storage(run.folder)
    await storage.libraries.add_library(LOCAL_PRINCIPAL, Library("lib_a", LOCAL_PRINCIPAL.id, "Background", 1))
    await storage.close()
    asked = ("add", "Summarise these feeds.", "--every", "weekday", "--zone", "UTC", "--mail", "answer")
    named = ("--feed", FEEDS[0], "--feed", feeds[FEEDS[1]], "--library", "Background", "--project", "Press")
    added = run("schedules", *asked, *named)
    assert (added.returncode, added.stderr) == (
        0,
        "No mail is sent yet: set smtp_host, smtp_from and smtp_to (`eclair config`).\n",
    )
    first = the_schedule(run)
    id, asks = first["id"], first["asks"]
    assert (first["cron"], first["mail"], first["keeps"]) == ("0 7 * * 1-5", "answer", "new")
    assert (asks["feeds"], asks["libraries"]) == ([feeds[url] for url in FEEDS], ["lib_a"])
    assert asks["project"].startswith("proj_")

    edited = run(
        "schedules", "edit", id, "--at", "6:30", "--feed", FEEDS[1], "--mail", "off", "--same", "--name", "News"
    )
    assert edited.stdout.startswith("Changed. News is on: next 20")
    changed = the_schedule(run)
    assert (changed["cron"], changed["mail"], changed["keeps"]) == ("30 6 * * 1-5", "off", "same")
    assert changed["asks"] == {**asks, "feeds": [feeds[FEEDS[1]]]}
    emptied = ("--feed", "", "--library", "", "--project", "", "--model", "scripted", "--web", "auto", "--new")
    assert run("schedules", "edit", id, "--question", "What is new?", "--every", "month", *emptied).returncode == 0
    changed = the_schedule(run)
    asks |= {"text": "What is new?", "feeds": [], "libraries": [], "project": None, "model": "scripted", "web": "auto"}
    assert (changed["asks"], changed["cron"], changed["keeps"]) == (asks, "30 6 1 * *", "new")
    assert run("schedules", "edit", id, "--web", "default", "--model", "", "--cron", "0 8 * * *").returncode == 0
    assert the_schedule(run)["asks"] == {**asks, "model": None, "web": None}
    unknown = run("schedules", "edit", id, "--model", "nobody")
    assert (unknown.returncode, "There is no model 'nobody'" in unknown.stderr) == (2, True)
    assert the_schedule(run)["asks"] == {**asks, "model": None, "web": None}
    unchanged = run("schedules", "edit", id)
    assert (unchanged.returncode, unchanged.stderr.startswith("Nothing is to be changed")) == (2, True)


async def test_a_paused_schedule_says_why_and_is_switched_on_again(run: Eclair) -> None:
    assert run("schedules", "add", "What is new?", "--name", "News").returncode == 0
    id = the_schedule(run)["id"]
    assert run("schedules", "off", id).stdout == "News is off.\n"
    assert (the_schedule(run)["state"], the_schedule(run)["next_due"]) == ("off", None)
    storage = open_storage(run.folder)
    (stored,) = await storage.schedules.list_schedules(LOCAL_PRINCIPAL)
    paused = replace(stored, state="paused", failures=3, reason="failures")
    await storage.schedules.edit_schedule(LOCAL_PRINCIPAL, paused)
    await storage.close()
    assert f"{id}  paused (after three failures)" in run("schedules").stdout
    assert run("schedules", "edit", id, "--at", "09:00").stdout == "Changed. News is paused (after three failures).\n"
    assert run("schedules", "on", id).stdout.startswith("News is on: next 20")
    listed = the_schedule(run)
    assert (listed["state"], listed["failures"], listed["reason"]) == ("on", 0, None)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["add", "x", "--at", "25:00"], "is no time of day"),
        (["add", "x", "--cron", "* * *"], "five fields"),
        (["add", "x", "--zone", "Mars/Olympus"], "zone"),
        (["add", "x", "--assistant", "nobody"], "There is no assistant 'nobody'"),
        (["add", "x", "--model", "nobody"], "There is no model 'nobody'; `eclair models` lists them."),
        (["add", "x", "--project", "nothing"], "There is no project 'nothing'"),
        (["add", "x", "--library", "nothing"], "There is no library 'nothing'"),
        (["add", "x", "--feed", "https://example.org/gone"], "`eclair feeds` lists them"),
        (["add", "x", "--cron", "0 8 * * *", "--at", "07:00"], "Give either --cron, or --every and --at."),
        (["edit", "sched_gone", "--at", "07:00"], "There is no schedule 'sched_gone'"),
        (["on", "sched_gone"], "There is no schedule 'sched_gone'"),
        (["remove", "sched_gone"], "There is no schedule 'sched_gone'"),
        (["run", "sched_gone"], "no such schedule"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_do(run: Eclair, given: list[str], said: str) -> None:
    done = run("schedules", *given)
    assert done.returncode == 2
    assert said in done.stderr
