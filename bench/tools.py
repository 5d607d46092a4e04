"""Twenty tasks for tools, and what a step of the loop costs.

A scripted model makes the calls that a perfect one would, so that every task must end right; `--model ID` has that
model of this machine answer in its own way instead, and counts how many of its answers have the right figure, or made
the right file. The web is the pages of `answers/tune`. A step's cost is the time of seven rounds less that of one, less
what the tool took, in the same server.
"""

from __future__ import annotations

import io
import json
import re
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import openpyxl
from harness import ROOT, Goals, link_models, median, options, run, running, settings, table

sys.path.append(str(ROOT))

from tests.support import Door

from eclair.util.port import listen

SALES = "region,quarter,revenue\nNorth,1,120\nSouth,1,80\nNorth,2,150\nSouth,2,95\nWest,2,60\n"
LETTER = "Dear Mrs Smith,\nthe offer of Smith Ltd is valid until May.\nKind regards, Ann\n"
PRICES = "item;price\nlamp;12.50\nchair;80.00\n"
MINUTES = "Minutes of 3 March\n\nClara Voss took the chair. The new bins come in May. Tom Reed wrote these minutes.\n"
STAFF = "Who sits where\n\nTom Reed: room 117, phone 41\nClara Voss: room 214, phone 65\nUte Lang: room 305, phone 12\n"
ORDERS = "item;count\nlamp;4\nchair;2\n"
ROUNDS = 7
REPEATS = 20
MAX_ANSWER_S = 900.0
NUMBER = re.compile(r"\d+(?:\.\d+)?")

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A question, the calls that answer it, one a round, and what the last result has to hold.

    The answer of a model may also have one of `or_right`. A file that it is to make, by the pattern of its name, is
    checked in place of its words. A task on the `web` is asked with it on.
    """

    question: str
    calls: tuple[Call, ...]
    right: str
    files: tuple[tuple[str, str], ...] = ()
    or_right: tuple[str, ...] = ()
    made: tuple[str, Callable[[bytes], bool]] | None = None
    web: bool = False


def python(*lines: str) -> Call:
    return "run_python", {"code": "\n".join(lines)}


def calculate(expression: str, **more: Any) -> Call:
    return "calculate", {"expression": expression, **more}


def dates(operation: str, date: str, **more: Any) -> Call:
    return "calculate_dates", {"operation": operation, "date": date, **more}


def has_sales(workbook: bytes) -> bool:
    """Return whether a workbook is the table of sales, whose numbers are numbers."""
    if not zipfile.is_zipfile(io.BytesIO(workbook)):
        return False
    rows = [*openpyxl.load_workbook(io.BytesIO(workbook)).worksheets[0].iter_rows(values_only=True)]
    told = [line.split(",") for line in SALES.split()]
    return rows == [tuple(told[0]), *((region, int(quarter), int(revenue)) for region, quarter, revenue in told[1:])]


ROWS = "rows = [line.split(',') for line in open('sales.csv').read().split()[1:]]"
SOLD = ("sales.csv", SALES)

TASKS = (
    Task("What is the total revenue?", (python(ROWS, "print(sum(int(row[2]) for row in rows))"),), "505", (SOLD,)),
    Task(
        "What did the region North make?",
        (python(ROWS, "print(sum(int(row[2]) for row in rows if row[0] == 'North'))"),),
        "270",
        (SOLD,),
    ),
    Task("Which is the best row?", (python(ROWS, "print(max(rows, key=lambda row: int(row[2])))"),), "150", (SOLD,)),
    Task(
        "Make a bar chart of revenue by region.",
        (
            python(
                ROWS,
                "sums = {}",
                "for row in rows:",
                "    sums[row[0]] = sums.get(row[0], 0) + int(row[2])",
                "bar_chart(sums, title='Revenue by region')",
            ),
        ),
        "Revenue by region",
        (SOLD,),
        made=("*.svg", lambda svg: all(told in svg for told in (b"North: 270<", b"South: 175<", b"West: 60<"))),
    ),
    Task(
        "Convert the table to XLSX.",
        (python("import csv", "write_workbook('sales.xlsx', csv.reader(open('sales.csv')))"),),
        "sales.xlsx",
        (SOLD,),
        made=("*.xlsx", has_sales),
    ),
    Task(
        "Convert the table to JSON, into sales.json.",
        (
            python(
                "import json",
                ROWS,
                "open('sales.json', 'w').write(json.dumps([[row[0], int(row[2])] for row in rows]))",
                "print(len(json.loads(open('sales.json').read())), 'rows')",
            ),
        ),
        "5 rows",
        (SOLD,),
        made=("sales.json", lambda data: len(json.loads(data)) == SALES.count("\n") - 1),
    ),
    Task(
        "Rename Smith to Miller in the letter. How often is Miller in it then?",
        (python("text = open('letter.txt').read().replace('Smith', 'Miller')", "print(text.count('Miller'))"),),
        "2",
        (("letter.txt", LETTER),),
    ),
    Task(
        "How many words has the letter?",
        (python("print(len(open('letter.txt').read().split()))"),),
        "15",
        (("letter.txt", LETTER),),
    ),
    Task(
        "What does the order cost at these prices?",
        (
            python(
                "def table(name):",
                "    return dict(line.split(';') for line in open(name).read().split()[1:])",
                "prices, orders = table('prices.csv'), table('orders.csv')",
                "print(sum(float(prices[item]) * int(count) for item, count in orders.items()))",
            ),
        ),
        "210",
        (("prices.csv", PRICES), ("orders.csv", ORDERS)),
    ),
    Task(
        "In which room does the person sit who took the chair on 3 March?",
        (
            ("search_documents", {"query": "who took the chair on 3 March"}),
            ("search_documents", {"query": "Clara Voss room"}),
        ),
        "214",
        (("minutes.txt", MINUTES), ("staff.txt", STAFF)),
    ),
    Task(
        "What fee does the Northgate Library in Pellham take for a lost book?",
        (
            ("search_web", {"query": "Northgate Library Pellham"}),
            ("read_page", {"url": "http://northgate-library.example:PAGES_PORT/hours"}),
        ),
        "3.50",
        web=True,
    ),
    Task("What is the median of 7, 1, 9, 4 and 5?", (python("print(sorted([7, 1, 9, 4, 5])[2])"),), "5"),
    Task("Take 6 times 7, then its square.", (python("x = 6 * 7", "print(x)"), python("print(x ** 2)")), "1764"),
    Task("What is 240 euros with 19 % on top?", (calculate("1.19 * 240 EUR"),), "285.6"),
    Task("How many kilometres are 5 miles?", (calculate("5 mi", to="km"),), "8.04672"),
    Task("Share 1000 euros among 8, and take 19 % off.", (calculate("1000 / 8"), calculate("125 * 0.81")), "101.25"),
    Task(
        "How many days is it from 1 March to 24 December 2026?",
        (dates("between", "2026-03-01", until="2026-12-24"),),
        "298",
    ),
    Task(
        "What day is 90 days after 15 January 2026?",
        (dates("add", "2026-01-15", days=90),),
        "2026-04-15",
        or_right=("15 April 2026", "April 15, 2026"),
    ),
    Task("What weekday is 9 May 2026?", (dates("describe", "2026-05-09"),), "Saturday"),
    Task(
        "When it is 09:00 in Paris on 1 July 2026, what time is it in New York?",
        (dates("convert_time", "2026-07-01T09:00", time_zone="Europe/Paris", to_time_zone="America/New_York"),),
        "03:00",
        or_right=("3:00 AM", "3:00 a.m.", "3 AM"),
    ),
)


def script(calls: tuple[Call, ...], port: int = 0) -> str:
    """Return the lines that have the scripted model make one call a round; a call has no spaces."""
    lines: list[str] = []
    for tool, arguments in calls:
        written = json.dumps(arguments, separators=(",", ":")).replace(" ", "\\u0020")
        written = written.replace("PAGES_PORT", str(port))
        lines.append(f"script: tool={tool}{written}")
    return "\n".join(lines)


async def upload(door: Door, name: str, text: str) -> str:
    headers = {"Content-Type": "application/octet-stream"}
    reply = await door.post(f"/api/files?name={quote(name)}", data=text.encode(), headers=headers)
    return str(reply.body["id"])


async def answer(door: Door, text: str, **more: Any) -> tuple[dict[str, Any], float]:
    """Return the answer to a question in a conversation of its own, and the seconds that it took."""
    began = time.perf_counter()
    begun = await door.ask(await door.begin(), text, **more)
    await door.stream(str(begun["run"]))
    return await door.message(str(begun["run"])), time.perf_counter() - began


async def is_right(door: Door, task: Task, model: str | None, port: int) -> tuple[bool, dict[str, Any]]:
    """Return whether a task ends right, and its answer."""
    files = [await upload(door, name, text) for name, text in task.files]
    if model is None:
        text = f"{task.question}\n{script(task.calls, port)}"
        message, _ = await answer(door, text, files=files, model="scripted", web="auto")
        texts = [part["text"] for part in message["parts"] if part["kind"] == "tool_result"][-1:]
        return any(task.right in text for text in texts) and await has_made(door, task, message), message
    message, _ = await answer(door, task.question, files=files, model=model, web="on" if task.web else "auto")
    if task.made is not None:
        return await has_made(door, task, message), message
    return any(says(texts_of(message), right, task.question) for right in (task.right, *task.or_right)), message


async def has_made(door: Door, task: Task, message: dict[str, Any]) -> bool:
    """Return whether the right file is there, if a task wants one."""
    if task.made is None:
        return True
    pattern, check = task.made
    files = (await door.get(f"/api/conversations/{message['conversation']}/workspace")).body["files"]
    found = [(await door.get(file["url"])).raw for file in files if fnmatch(file["name"], pattern)]
    return any(map(check, found))


def texts_of(message: dict[str, Any]) -> str:
    return " ".join(part["text"] for part in message["parts"] if part["kind"] == "text")


def says(text: str, right: str, question: str) -> bool:
    """Return whether an answer says a value: as its last number, if the question has it as well."""
    plain = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    if re.search(rf"\b{re.escape(right)}\b", question):
        numbers = NUMBER.findall(plain)
        return bool(numbers) and float(numbers[-1]) == float(right)
    return re.search(rf"(?<![\d.]){re.escape(right)}(?![1-9])", plain, re.IGNORECASE) is not None


async def measure_step(door: Door) -> float:
    """Return the milliseconds that the loop adds to a step, beside the tool itself."""
    call: Call = ("calculate", {"expression": "1+1"})
    costs: list[float] = []
    for number in range(REPEATS):
        calls = tuple((call[0], {"expression": f"{number}+{step}"}) for step in range(ROUNDS))
        _, one = await answer(door, script(calls[:1]), model="scripted")
        message, all_rounds = await answer(door, script(calls), model="scripted")
        spent = sum(each["milliseconds"] for each in message["calls"][1:])
        costs.append((1000 * (all_rounds - one) - spent) / (ROUNDS - 1))
    return median(costs)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--model", metavar="ID", help="a model of this machine, such as the embedded one")
    parser.add_argument("--threads", default="0", help="threads of the embedded engine; fewer on a busy machine")
    parser.add_argument("--only", default="", metavar="WORDS", help="only the tasks whose question has these words")
    arguments = parser.parse_args()
    model: str | None = arguments.model
    verdicts: list[tuple[str, str, str]] = []
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        if model is not None:
            link_models(data)
        embedded = str(model is not None).lower()
        with listen("127.0.0.1", 0) as free:
            port = int(free.getsockname()[1])
        threads, pages = arguments.threads, {"PAGES_PORT": str(port)}
        environ = settings(data, scripted=True, ECLAIR_EMBEDDED=embedded, ECLAIR_EMBEDDED_THREADS=threads)
        server = running([str(ROOT / "bench" / "answer_server.py"), "tune"], data, **environ, **pages)
        async with server as process, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(MAX_ANSWER_S)) as http:
            door = Door(process.url, http)
            for task in (task for task in TASKS if arguments.only in task.question):
                right, message = await is_right(door, task, model, port)
                said = " ".join(texts_of(message).split())[:80]
                verdicts.append((task.question, "yes" if right else "no", said))
                print(f"right: {task.question}" if right else f"WRONG: {task.question}\n       {said}", flush=True)
            step = await measure_step(door)
    print()
    table(("task", "right", "answer"), verdicts)
    right = sum(verdict == "yes" for _, verdict, _ in verdicts) / len(verdicts)
    goals = Goals()
    goals.at_least("tasks that end right", right, 1.0 if model is None else 0.6)
    goals.at_most("the loop's part of a step", step, 10, " ms")
    goals.print()


if __name__ == "__main__":
    run(main())
