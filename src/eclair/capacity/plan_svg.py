"""A plan as a picture: the first word over the load of a replica, and the replicas of a day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from eclair.capacity.capacity_plan import HEADROOM, CapacityPlan
from eclair.capacity.load_search import LoadBand
from eclair.capacity.plan_text import format_number

WIDTH, HEIGHT = 640, 250
LEFT, TOP, INNER_WIDTH, INNER_HEIGHT = 70, 46, 540, 150

STYLE = (
    "text{font:13px sans-serif;fill:#222}.quiet{fill:#555}.axis{stroke:#777}.band{fill:#b9cdf0}"
    ".line{fill:none;stroke:#1f4fa3;stroke-width:2}.wanted{stroke:#9a3412;stroke-dasharray:5 4}.bar{fill:#1f4fa3}"
)


def plan_svg(plan: CapacityPlan) -> str:
    """Return the picture. Its description holds the same figures in words."""
    panels = list(_panels(plan))
    height = HEIGHT * max(1, len(panels)) + 20
    title = escape(f"{plan.model_name} on {plan.accelerator_name}: capacity plan")
    body = "".join(f'<g transform="translate(0 {HEIGHT * at})">{panel}</g>' for at, panel in enumerate(panels))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="title description"><title id="title">{title}</title>'
        f'<desc id="description">{escape(_description(plan))}</desc><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>{body}</svg>\n'
    )


def _panels(plan: CapacityPlan) -> Iterator[str]:
    if plan.curve:
        yield _curve(plan.curve, plan.knee_rate, plan.request.first_word_s)
    if plan.day is not None:
        yield _bars(plan.day.ready_by_hour)
    if not plan.curve:
        yield _text(LEFT, TOP, "The targets can't be met with this hardware.")


def _curve(curve: Sequence[LoadBand], knee: float, wanted: float) -> str:
    last = curve[-1].rate
    top = min(max(each.first_p95_s.high for each in curve), 4 * wanted)

    def x(rate: float) -> float:
        return round(LEFT + rate / last * INNER_WIDTH, 1)

    def y(seconds: float) -> float:
        return round(TOP + INNER_HEIGHT * (1 - min(seconds, top) / top), 1)

    low = [f"{x(each.rate)},{y(each.first_p95_s.low)}" for each in curve]
    high = [f"{x(each.rate)},{y(each.first_p95_s.high)}" for each in curve]
    middle = " ".join(f"{x(each.rate)},{y(each.first_p95_s.likely)}" for each in curve)
    planned = x(knee * HEADROOM)
    lines = [
        _text(LEFT, 24, "First word, 95 of 100 within: seconds over questions/s of a replica"),
        f'<polygon class="band" points="{" ".join([*low, *reversed(high)])}"/>',
        f'<polyline class="line" points="{middle}"/>',
        f'<line class="axis" x1="{planned}" x2="{planned}" y1="{TOP}" y2="{TOP + INNER_HEIGHT}"/>',
        _text(planned + 4, TOP + 12, "planned", quiet=True),
        *_axes(format_number(top), "0", format_number(last)),
    ]
    if wanted <= top:
        lines.append(f'<line class="wanted" x1="{LEFT}" x2="{LEFT + INNER_WIDTH}" y1="{y(wanted)}" y2="{y(wanted)}"/>')
        lines.append(_text(LEFT + 4, y(wanted) - 4, "wanted", quiet=True))
    return "".join(lines)


def _bars(ready: Sequence[float]) -> str:
    most, step = max(ready), INNER_WIDTH / len(ready)
    bars = [
        f'<rect class="bar" x="{LEFT + at * step + 2:.1f}" y="{TOP + INNER_HEIGHT * (1 - count / most):.1f}" '
        f'width="{step - 4:.1f}" height="{INNER_HEIGHT * count / most:.1f}"/>'
        for at, count in enumerate(ready)
    ]
    title = _text(LEFT, 24, "Replicas ready in each hour of a day, if they start and stop with the load")
    return "".join([title, *bars, *_axes(format_number(most), "0 h", "24 h")])


def _axes(top: str, first: str, last: str) -> tuple[str, ...]:
    foot, right = TOP + INNER_HEIGHT, LEFT + INNER_WIDTH
    return (
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{foot}" y2="{foot}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{foot}"/>',
        _text(LEFT - 8, TOP + 10, top, anchor="end", quiet=True),
        _text(LEFT - 8, foot, "0", anchor="end", quiet=True),
        _text(LEFT, foot + 20, first, quiet=True),
        _text(right, foot + 20, last, anchor="end", quiet=True),
    )


def _text(x: float, y: float, text: str, anchor: str = "start", *, quiet: bool = False) -> str:
    mark = ' class="quiet"' if quiet else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{mark}>{escape(text)}</text>'


def _description(plan: CapacityPlan) -> str:
    points = [
        f"at {format_number(each.rate)} questions/s {format_number(each.first_p95_s.likely)} s" for each in plan.curve
    ]
    hours = [f"{hour} h: {count:.1f}" for hour, count in enumerate(plan.day.ready_by_hour)] if plan.day else []
    first = f"First word for 95 of 100 answers: {'; '.join(points)}." if points else "The targets can't be met."
    return f"{first} Replicas by hour: {'; '.join(hours)}." if hours else first
