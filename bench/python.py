"""The cost of Python in the sandbox: a warm call, a sum over a table, and a chart, against plain CPython.

Calls go through the HTTP door, so that starting, walls, files and storage are in them. The same code runs in this
process for comparison. With the data tools on this machine, a chart of matplotlib is timed as well.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
from harness import ROOT, Goals, eclair, median, options, run, table
from tools import upload

from eclair.python.data_tools import DataTools
from eclair.python.plain_charts import draw_bars
from eclair.settings import Settings

sys.path.append(str(ROOT))

from tests.support import Door

ROWS = 5000
TABLE = "region,revenue\n" + "".join(f"{'NSWE'[at % 4]},{at % 97}\n" for at in range(ROWS))
SUM = """
import csv
with open("sales.csv") as file:
    sums = {}
    for row in csv.DictReader(file):
        sums[row["region"]] = sums.get(row["region"], 0) + int(row["revenue"])
sums
"""
PLOT = """
import matplotlib.pyplot as plt
plt.bar(["N", "S", "W", "E"], [1, 2, 3, 4])
plt.title("Revenue by region")
plt.show()
"""


async def time_calls(door: Door, id: str, code: str, count: int) -> float:
    """Return the median milliseconds of a call, the first one left out."""
    took: list[float] = []
    for _ in range(count + 1):
        began = time.perf_counter()
        reply = await door.post(f"/api/conversations/{id}/python", {"code": code})
        took.append(1000 * (time.perf_counter() - began))
        assert reply.body["error"] is None, reply.body["error"]
    return median(took[1:])


def time_here(work: Callable[[], object], count: int) -> float:
    """Return the median milliseconds of work in this process."""
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        work()
        took.append(1000 * (time.perf_counter() - began))
    return median(took)


def sum_here() -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(TABLE)):
        sums[row["region"]] = sums.get(row["region"], 0) + int(row["revenue"])
    return sums


async def attached(door: Door) -> str:
    """Return a conversation in which the table is attached."""
    id = await door.begin()
    file = await upload(door, "sales.csv", TABLE)
    begun = await door.ask(id, "Here it is.", files=[file], model="scripted")
    await door.stream(str(begun["run"]))
    return id


async def main() -> None:
    arguments = options(__doc__ or "").parse_args()
    count = 5 if arguments.quick else 20
    has_tools = DataTools(Settings().data_dir).is_ready
    rows: list[tuple[str, float, float]] = []
    async with eclair(scripted=True) as server, aiohttp.ClientSession() as http:
        door = Door(server.url, http)
        id = await attached(door)
        warm = await time_calls(door, id, "19 * 4", count)
        rows.append(("a warm call", warm, time_here(lambda: eval("19 * 4"), 1000)))
        rows.append((f"sums over {ROWS:,} rows", await time_calls(door, id, SUM, count), time_here(sum_here, count)))
        chart = await time_calls(door, id, "bar_chart('NSWE', [1, 2, 3, 4], 'Revenue', name='chart')", count)
        rows.append(("a chart", chart, time_here(lambda: draw_bars("NSWE", [1, 2, 3, 4], "Revenue"), count)))
    if has_tools:
        chart = max(chart, await time_plot(count))
    table(
        ("with Monty", "ms", "CPython ms", "ratio"),
        [(what, f"{ours:.1f}", f"{plain:.3f}", f"{ours / plain:,.1f}") for what, ours, plain in rows],
    )
    goals = Goals()
    goals.at_most("a warm call", warm, 100, " ms")
    goals.at_most("a chart", chart / 1000, 2, " s")
    goals.print()


async def time_plot(count: int) -> float:
    """Return the median milliseconds of a chart of matplotlib, once that is imported."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        target = DataTools(Path(folder)).folder
        target.parent.mkdir(parents=True)
        target.symlink_to(DataTools(Settings().data_dir).folder)
        async with eclair(Path(folder), scripted=True) as server, aiohttp.ClientSession() as http:
            door = Door(server.url, http)
            took = await time_calls(door, await door.begin(), PLOT, min(count, 5))
    print(f"A chart of matplotlib takes {took:.0f} ms once that is imported.\n")
    return took


if __name__ == "__main__":
    run(main())
