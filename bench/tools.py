"""Twenty tasks for tools, and what a step of the loop costs.

A scripted model makes the calls that a perfect one would, so that every task must end right; `--model ID` has that
model of this machine answer in its own way instead, and counts how many of its answers have the right figure, or made
the right file. A step's cost is the time of seven rounds less that of one, less what the tool took, in the same server.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from harness import ROOT, Goals, eclair, link_models, median, options, run, table

sys.path.append(str(ROOT))

from tests.support import Door

SALES = "region,quarter,revenue\nNorth,1,120\nSouth,1,80\nNorth,2,150\nSouth,2,95\nWest,2,60\n"
LETTER = "Dear Mrs Smith,\nthe offer of Smith Ltd is valid until May.\nKind regards, Ann\n"
PRICES = "item;price\nlamp;12.50\nchair;80.00\n"
REGION = re.compile(r"^[A-Z]\w+", re.MULTILINE)
ORDERS = "item;count\nlamp;4\nchair;2\n"
ROUNDS = 7
REPEATS = 20
MAX_ANSWER_S = 900.0
NUMBER = re.compile(r"\d+(?:\.\d+)?")

Call = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Task:
    """A question, the calls that answer it, one a round, and what the last result has to hold.

    The answer of a model may also have one of `or_right`; a file that it is to make is checked in place of its words.
    """

    question: str
    calls: tuple[Call, ...]
    right: str
    files: tuple[tuple[str, str], ...] = ()
    or_right: tuple[str, ...] = ()
    made: tuple[str, Callable[[str], bool]] | None = None


def python(*lines: str) -> Call:
    return "run_python", {"code": "\n".join(lines)}


def calculate(expression: str, **more: Any) -> Call:
    return "calculate", {"expression": expression, **more}


def dates(operation: str, date: str, **more: Any) -> Call:
    return "calculate_dates", {"operation": operation, "date": date, **more}


ROWS = "rows = [line.split(',') for line in open('sales.csv').read().split()[1:]]"
SOLD = ("sales.csv", SALES)

TASKS = (
    Task("What is the total revenue?", (python(ROWS, "print(sum(int(row[2]) for row in rows))"),), "505", (SOLD,)),
    Task(
        "What is the mean revenue?", (python(ROWS, "print(sum(int(r[2]) for r in rows) / len(rows))"),), "101", (SOLD,)
    ),
    Task(
        "What did the region North make?",
        (python(ROWS, "print(sum(int(row[2]) for row in rows if row[0] == 'North'))"),),
        "270",
        (SOLD,),
    ),
    Task("Which is the best row?", (python(ROWS, "print(max(rows, key=lambda row: int(row[2])))"),), "150", (SOLD,)),
    Task(
        "Draw the revenue as bars, into bars.svg.",
        (
            python(
                ROWS,
                "bars = ''",
                "for i, row in enumerate(rows):",
                "    bars += '<rect x=\"' + str(i * 20) + '\" width=\"15\" height=\"' + row[2] + '\"/>'",
                "open('bars.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\">' + bars + '</svg>')",
                "print('bars:', bars.count('<rect'))",
            ),
        ),
        "bars: 5",
        (SOLD,),
        made=("bars.svg", lambda text: "<svg" in text and text.count("<rect") >= len(set(REGION.findall(SALES)))),
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
        made=("sales.json", lambda text: len(json.loads(text)) == SALES.count("\n") - 1),
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
    Task("What is the median of 7, 1, 9, 4 and 5?", (python("print(sorted([7, 1, 9, 4, 5])[2])"),), "5"),
    Task("Take 6 times 7, then its square.", (python("x = 6 * 7", "print(x)"), python("print(x ** 2)")), "1764"),
    Task("What is 240 euros with 19 % on top?", (calculate("1.19 * 240 EUR"),), "285.6"),
    Task("What is 20 % of 35?", (calculate("20% of 35"),), "7"),
    Task("How many kilometres are 5 miles?", (calculate("5 mi", to="km"),), "8.04672"),
    Task("How fast is 30 km in 24 minutes, in km/h?", (calculate("(30 km) / (24 min)", to="km/h"),), "75"),
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


def script(calls: tuple[Call, ...]) -> str:
    """Return the lines that have the scripted model make one call a round; a call has no spaces."""
    lines: list[str] = []
    for tool, arguments in calls:
        written = json.dumps(arguments, separators=(",", ":")).replace(" ", "\\u0020")
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


async def is_right(door: Door, task: Task, model: str | None) -> tuple[bool, dict[str, Any]]:
    """Return whether a task ends right, and its answer."""
    files = [await upload(door, name, text) for name, text in task.files]
    if model is None:
        message, _ = await answer(door, f"{task.question}\n{script(task.calls)}", files=files, model="scripted")
        texts = [part["text"] for part in message["parts"] if part["kind"] == "tool_result"][-1:]
        return any(task.right in text for text in texts), message
    message, _ = await answer(door, task.question, files=files, model=model)
    if task.made is not None:
        name, check = task.made
        reply = await door.get(f"/api/conversations/{message['conversation']}/workspace/{name}")
        return reply.status == 200 and check(reply.raw.decode()), message
    return any(says(texts_of(message), right, task.question) for right in (task.right, *task.or_right)), message


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
        server = eclair(data, scripted=True, ECLAIR_EMBEDDED=embedded, ECLAIR_EMBEDDED_THREADS=arguments.threads)
        async with server as process, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(MAX_ANSWER_S)) as http:
            door = Door(process.url, http)
            for task in (task for task in TASKS if arguments.only in task.question):
                right, message = await is_right(door, task, model)
                verdicts.append((task.question, "yes" if right else "no", " ".join(texts_of(message).split())[:80]))
                print(f"{'right' if right else 'WRONG'}: {task.question}", flush=True)
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
