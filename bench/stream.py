"""Many streams at once: what Éclair passes on of what its engine gives, at what price, and whether all of it.

Each row has an Éclair of its own on a fresh folder, warmed by a few streams. The engines are `fast_upstream.py` as
an OpenAI-compatible server, in a process of its own, and the scripted engine. `native` is what the page does: a
first turn, which makes its conversation, with log and database; its reply is the stream. `/v1` is chat completions.
`direct` is the same client straight at the upstream. All streams of a round begin in the same instant. Client,
upstream and Éclair share the machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Literal

from client import CONTENT, DELTA, SSE, Reply, begin, call, native_message, openai_text
from fast_upstream import words
from harness import Goals, Others, Process, eclair, median, options, quantile, run, shown, table, upstream

from eclair.llm.scripted import prose
from eclair.schema.ids import new_id

PACE = 100
PACED_WORDS = 300
WORDS = {1: 2000, 10: 2000, 50: 2000, 200: 500, 1000: 200}
"""Words of an answer at full speed, by how many streams there are."""
WARM_UP = 10

Route = Literal["direct", "native", "/v1"]
Source = Literal["upstream", "scripted"]


@dataclass(frozen=True, slots=True)
class Series:
    route: Route
    source: Source
    paced: bool

    @property
    def name(self) -> str:
        pace = f"{PACE}/s" if self.paced else "full"
        return f"{self.route}, {self.source}, {pace}" if self.route != "direct" else f"direct, {pace}"

    @property
    def model(self) -> str:
        if self.source == "scripted":
            return "scripted"
        return f"paced-{PACE}" if self.paced else "full"

    def prompt(self, count: int) -> str:
        if self.source == "upstream":
            return "Go on."
        return f"script: words={count} rate={PACE if self.paced else 0}"

    def text(self, count: int) -> str:
        return words(count) if self.source == "upstream" else "".join(prose(count))


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer as the client had it; `wrong` says what was not as it must be."""

    began: float
    first: float
    ended: float
    wrong: str | None


@dataclass(slots=True)
class Row:
    """Rounds of one series with so many streams."""

    series: Series
    streams: int
    total: list[float] = field(default_factory=list[float])
    first: list[float] = field(default_factory=list[float])
    pace: list[float] = field(default_factory=list[float])
    cpu: float = 0.0
    said: int = 0
    growth: float = 0.0
    wrong: list[str] = field(default_factory=list[str])
    others: float = 0.0

    @property
    def each(self) -> float:
        """Words a second and stream, the wait for the first included."""
        return median(self.total) / self.streams

    @property
    def kept(self) -> float:
        """The share of the pace that arrived, the wait for the first word included."""
        return self.each / PACE

    @property
    def per_million(self) -> float:
        return self.cpu / max(1, self.said) * 1e6

    def cells(self, direct: float) -> list[str]:
        ours = self.series.route != "direct"
        return [
            self.series.name,
            str(self.streams),
            shown(median(self.total)),
            shown(self.each),
            f"{median(self.total) / direct:.2f}" if direct and ours else "",
            f"{self.kept:.2f}" if self.series.paced else "",
            f"{median(self.pace) / PACE:.2f}" if self.series.paced else "",
            shown(median(self.first) * 1000),
            shown(quantile(self.first, 0.95) * 1000),
            f"{self.per_million:.1f}" if ours else "",
            f"{self.growth / 1024:.0f}" if ours else "",
            str(len(self.wrong)),
            f"{self.others:.2f}",
        ]


HEAD = (
    "route, engine, pace",
    "streams",
    "words/s",
    "each",
    "of direct",
    "kept",
    "once begun",
    "first p50 ms",
    "p95",
    "CPU s/1M",
    "KB/stream",
    "wrong",
    "others' cores",
)


async def measure(series: Series, streams: int, count: int, rounds: int, engine: Process) -> Row:
    row = Row(series, streams)
    async with AsyncExitStack() as stack:
        server = None
        if series.route != "direct":
            scripted = series.source == "scripted"
            server = await stack.enter_async_context(eclair(engine=None if scripted else engine, scripted=scripted))
        port = (server or engine).port
        quick = Series(series.route, series.source, paced=False)
        await asyncio.gather(*(_ask(quick, port, 100) for _ in range(WARM_UP)))
        others = Others()
        for _ in range(rounds):
            await _round(row, port, count, server)
        row.others = others.cores()
    return row


async def _round(row: Row, port: int, count: int, server: Process | None) -> None:
    before = (server.cpu(), server.rss()) if server is not None else (0.0, 0)
    began = time.perf_counter()
    asking = asyncio.gather(*(_ask(row.series, port, count) for _ in range(row.streams)))
    peak = before[1]
    while not asking.done():
        await asyncio.wait([asking], timeout=0.1)
        if server is not None:
            peak = max(peak, server.rss())
    replies = asking.result()
    if server is not None:
        row.cpu += server.cpu() - before[0]
        row.growth = max(row.growth, (peak - before[1]) / row.streams)
    answers = [await _looked_at(row.series, port, count, kept) for kept in replies]
    sound = [answer for answer in answers if answer.wrong is None]
    row.wrong += [answer.wrong for answer in answers if answer.wrong is not None]
    row.said += count * len(sound)
    row.first += [answer.first - answer.began for answer in sound]
    row.pace += [(count - 1) / max(1e-9, answer.ended - answer.first) for answer in sound]
    row.total.append(count * len(sound) / (max([answer.ended for answer in answers], default=began + 1) - began))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A reply and, on the native route, where Éclair keeps it. `began` is when the first call was made."""

    reply: Reply
    began: float
    conversation: str | None = None


async def _ask(series: Series, port: int, count: int) -> _Kept:
    """One stream; nothing is looked at yet."""
    began = time.perf_counter()
    if series.route == "native":
        conversation = new_id("conv")
        turn = {"text": series.prompt(count), "model": series.model, "max_tokens": count}
        body = {"id": conversation, "turn": turn}
        exchange = await begin(port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
        return _Kept(await exchange.reply(), began, conversation)
    asked = {
        "model": series.model,
        "stream": True,
        "max_tokens": count,
        "messages": [{"role": "user", "content": series.prompt(count)}],
    }
    exchange = await begin(port, "POST", "/v1/chat/completions", asked, accept=SSE, first=CONTENT)
    return _Kept(await exchange.reply(), began)


async def _looked_at(series: Series, port: int, count: int, kept: _Kept) -> Stream:
    """Whether every word is there, in order, once, and stored as it was streamed."""
    reply = kept.reply
    wrong = None
    expected = series.text(count)
    try:
        if reply.status not in (200, 202):
            wrong = f"status {reply.status}: {reply.body[:120]!r}"
        elif kept.conversation is None:
            wrong = None if openai_text(reply.body) == expected else "the text is not what was said"
        else:
            message = native_message(reply.body)
            tree = await call(port, "GET", f"/api/conversations/{kept.conversation}")
            stored = tree["messages"][-1]
            if message.text != expected or message.status != "finished":
                wrong = f"the text is not what was said ({message.status}, {message.fault})"
            elif "".join(part["text"] for part in stored["parts"]) != expected or stored["status"] != "finished":
                wrong = "what is stored is not what was said"
    except (ValueError, KeyError, RuntimeError) as error:
        wrong = str(error)
    return Stream(kept.began, reply.first or reply.ended, reply.ended, wrong)


SERIES = (
    Series("direct", "upstream", paced=False),
    Series("native", "upstream", paced=False),
    Series("/v1", "upstream", paced=False),
    Series("native", "scripted", paced=False),
    Series("/v1", "scripted", paced=False),
    Series("direct", "upstream", paced=True),
    Series("native", "upstream", paced=True),
    Series("/v1", "upstream", paced=True),
    Series("native", "scripted", paced=True),
)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--streams", default="", help="how many at once, such as 1,10,50")
    parser.add_argument("--only", default="", help="only the series whose name holds this")
    given = parser.parse_args()
    quick: bool = given.quick
    counts = [int(count) for count in given.streams.split(",") if count] or ([10] if quick else list(WORDS))
    series = [one for one in SERIES if given.only in one.name]
    rows: list[Row] = []
    cells: list[list[str]] = []
    async with upstream() as engine:
        for streams in counts:
            direct: dict[bool, float] = {}
            for one in series:
                rounds = 1 if quick or one.paced or streams == 1000 else 7 if streams == 1 else 3
                count = PACED_WORDS // (3 if quick else 1) if one.paced else WORDS[streams]
                row = await measure(one, streams, count, rounds, engine)
                rows.append(row)
                if one.route == "direct":
                    direct[one.paced] = median(row.total)
                print(f"  {one.name}: {streams} streams, {shown(row.each)} words/s each", flush=True)
                for wrong in sorted(set(row.wrong))[:3]:
                    print(f"    wrong: {wrong}")
            for row in rows[-len(series) :]:
                cells.append(row.cells(direct.get(row.series.paced, 0.0)))
    print()
    table(HEAD, cells)
    _judge(rows)


def _judge(rows: Sequence[Row]) -> None:
    goals = Goals()

    def each(wanted: Callable[[Row], bool], judge: Callable[[Row, str], None]) -> None:
        for row in rows:
            if row.series.route != "direct" and wanted(row):
                judge(row, f"{row.streams} × {row.series.name}")

    full = [row for row in rows if not row.series.paced and row.series.route != "direct"]
    each(
        lambda row: row.streams == 10 and not row.series.paced,
        lambda row, name: goals.at_least(f"{name}: words/s each", row.each, 2000),
    )
    each(
        lambda row: row in full and row.streams >= 10,
        lambda row, name: goals.at_most(f"{name}: CPU s per 1M tokens", row.per_million, 20),
    )
    each(
        lambda row: row in full and row.streams == 50,
        lambda row, name: goals.at_most(f"{name}: first word, p50", median(row.first) * 1000, 150, " ms"),
    )
    each(
        lambda row: row.series.paced and row.streams <= 200,
        lambda row, name: goals.at_least(f"{name}: share of the pace kept", row.kept, 0.9),
    )
    each(
        lambda row: row.series.route == "native" and row.streams >= 200,
        lambda row, name: goals.at_most(f"{name}: memory a stream", row.growth / 1024, 100, " KB"),
    )
    goals.at_most("streams that failed or lost something", sum(len(row.wrong) for row in rows), 0)
    goals.print()


if __name__ == "__main__":
    run(main())
