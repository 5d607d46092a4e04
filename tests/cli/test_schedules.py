"""`eclair schedules`: added, listed, run and removed at the terminal; the doctor counts them."""

from __future__ import annotations

import orjson
import pytest

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


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["add", "x", "--at", "25:00"], "is no time of day"),
        (["add", "x", "--cron", "* * *"], "five fields"),
        (["add", "x", "--zone", "Mars/Olympus"], "zone"),
        (["add", "x", "--assistant", "nobody"], "There is no assistant 'nobody'"),
        (["remove", "sched_gone"], "There is no schedule 'sched_gone'"),
        (["run", "sched_gone"], "no such schedule"),
    ],
)
def test_what_cannot_be_is_said_with_what_to_do(run: Eclair, given: list[str], said: str) -> None:
    done = run("schedules", *given)
    assert done.returncode == 2
    assert said in done.stderr
