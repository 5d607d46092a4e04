"""`calculate` and `calculate_dates`: a model that answers has numbers, units, dates and times worked out exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from eclair.calculation.calendar_dates import MAX_ADDED_DAYS, Calendar, DateSpan
from eclair.calculation.expressions import MAX_EXPRESSION_CHARS, calculate
from eclair.generation.demanded_calls import ToolDemand
from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.text.intent.calculation import DateOperation
from eclair.util.humanize import shorten_words

MAX_SUMMARY_CHARS = 120
MAX_DEMANDED_CHARS = 300
"""Of an expression: a small model would go on without end."""


_CALL_WORDS = (
    "To work this out, first call calculate(expression). It calculates one expression exactly: numbers with + - * / ^ "
    "and brackets, percentages such as `30% of 90`, functions such as sqrt(…), mean(…) and median(…), and units, such "
    "as `3 ft to cm`. Put the whole calculation into the one expression."
)
_DATE_CALL_WORDS = "To work this out, first call calculate_dates. Today is {today}. {operation}"
_OPERATION_WORDS: dict[DateOperation, str] = {
    "describe": "`date` is the day of which the weekday is told.",
    "between": "`date` and `until` are the days between which time is counted.",
    "add": "`years`, `months`, `weeks` and `days` are added to `date`; what is subtracted is negative.",
    "convert_time": "`date` is the day and the time that are known, `time_zone` where they are known, and "
    "`to_time_zone` where the time is asked for. Zones are written as in the tz database, such as Asia/Tokyo.",
}
_CALL_AGAIN = "Write another call, without that mistake."


class CalculateArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    expression: str = Field(
        min_length=1,
        max_length=MAX_EXPRESSION_CHARS,
        description="Such as `0.93 * 81 EUR`, `30% of 90`, `sqrt(2) * 5 cm` or `(42 km) / (3 h)`. Decimals have a "
        "point; thousands have nothing between them.",
    )
    to: str | None = Field(None, max_length=60, description="The unit of the result, such as `km/h` or `°F`.")
    decimals: int | None = Field(None, ge=0, le=30, description="Round the result to so many decimals.")


class CalculateTool(LocalTool):
    """Implements `Tool`: calculates an expression."""

    name = "calculate"
    access: CallAccess = "compute"
    arguments: type[BaseModel] = CalculateArguments
    timeout_s = CALL_TIMEOUT_S

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools."""
        if not model.can_call_tools:
            return None
        return define_function(
            self.name,
            "Calculates exactly, with units and currencies, and converts units. Use it rather than your head.",
            CalculateArguments,
        )

    def summary(self, arguments: CalculateArguments) -> str:
        """See `Tool.summary`."""
        shown = shorten_words(arguments.expression, MAX_SUMMARY_CHARS)
        return f"Calculate {shown}{f' in {arguments.to}' if arguments.to else ''}"

    async def run(
        self, arguments: CalculateArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Calculate. Raises InvalidInput."""
        found = await asyncio.to_thread(calculate, arguments.expression, arguments.to, arguments.decimals)
        sign = "=" if found.is_exact else "≈"
        exactly = f" (exactly {found.fraction})" if found.fraction is not None else ""
        yield ToolResult(f"{' '.join(arguments.expression.split())} {sign} {found.text}{exactly}")


def demand_calculation() -> ToolDemand:
    """Demand a call of `calculate` with all that is asked for in one expression."""
    return ToolDemand(CalculateTool(), _CALL_WORDS, _CALL_AGAIN, _object(expression=_text(MAX_DEMANDED_CHARS)))


class CalculateDatesArguments(BaseModel):
    model_config = ConfigDict(extra="forbid")

    operation: Literal["describe", "between", "add", "convert_time"] = Field(
        description="`describe`: weekday, ISO week and more. `between`: days, working days, or an age. `add`: a date "
        "so much later. `convert_time`: the time in another time zone."
    )
    date: str = Field(max_length=40, description="`2026-03-31` or `today`; to convert, `2026-03-31 14:30` or `now`.")
    until: str | None = Field(None, max_length=40, description="For `between`: the other date.")
    years: int = Field(0, ge=-9999, le=9999, description="For `add`; negative is earlier.")
    months: int = Field(0, ge=-99_999, le=99_999)
    weeks: int = Field(0, ge=-MAX_ADDED_DAYS, le=MAX_ADDED_DAYS)
    days: int = Field(0, ge=-MAX_ADDED_DAYS, le=MAX_ADDED_DAYS)
    working_days: int = Field(0, ge=-MAX_ADDED_DAYS, le=MAX_ADDED_DAYS, description="Mondays to Fridays.")
    time_zone: str | None = Field(None, max_length=60, description="Of `date`, such as `Europe/Paris`.")
    to_time_zone: str | None = Field(None, max_length=60, description="For `convert_time`.")

    @model_validator(mode="after")
    def _require_other(self) -> CalculateDatesArguments:
        if self.operation == "between" and self.until is None:
            raise ValueError("`between` needs `until`, the other date")
        if self.operation == "convert_time" and self.to_time_zone is None:
            raise ValueError("`convert_time` needs `to_time_zone`")
        return self


class CalculateDatesTool(LocalTool):
    """Implements `Tool`: calculates with dates and times. `now` is the time with its zone."""

    name = "calculate_dates"
    access: CallAccess = "compute"
    arguments: type[BaseModel] = CalculateDatesArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now().astimezone()) -> None:
        self._calendar = Calendar(now)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools."""
        if not model.can_call_tools:
            return None
        return define_function(
            self.name,
            "Calculates with dates and times, and knows today's date. Use it rather than your head.",
            CalculateDatesArguments,
        )

    def summary(self, arguments: CalculateDatesArguments) -> str:
        """See `Tool.summary`."""
        match arguments.operation:
            case "describe":
                return f"Look {arguments.date} up in the calendar"
            case "between":
                return f"Count the days from {arguments.date} to {arguments.until}"
            case "add":
                return f"Add {_written_span(arguments)} to {arguments.date}"
            case "convert_time":
                return f"Convert {arguments.date} to the time of {arguments.to_time_zone}"

    async def run(
        self, arguments: CalculateDatesArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Calculate. Raises InvalidInput."""
        yield ToolResult(await asyncio.to_thread(self._calculate, arguments))

    def _calculate(self, asked: CalculateDatesArguments) -> str:
        calendar = self._calendar
        match asked.operation:
            case "describe":
                return calendar.describe(calendar.read_date(asked.date))
            case "between":
                return calendar.between(calendar.read_date(asked.date), calendar.read_date(asked.until or ""))
            case "add":
                span = DateSpan(asked.years, asked.months, asked.weeks, asked.days, asked.working_days)
                return calendar.add(calendar.read_date(asked.date), span)
            case "convert_time":
                return calendar.convert(asked.date, asked.time_zone, asked.to_time_zone or "")


def demand_date_calculation(
    operation: DateOperation,
    days: Sequence[date],
    now: Callable[[], datetime] = lambda: datetime.now().astimezone(),
) -> ToolDemand:
    """Demand a call of `calculate_dates` for that operation, on these days or today."""
    count: JSON = {"type": "integer", "minimum": -9999, "maximum": 9999}
    named, today = [f"{each:%Y-%m-%d}" for each in days], f"{now():%Y-%m-%d}"
    is_pair = operation == "between" and len(set(named)) < 2
    day: JSON = {"enum": [*dict.fromkeys([*named, *([today] if is_pair or not named else [])])]}
    which = "|".join(day["enum"])
    time: JSON = {"type": "string", "pattern": f"^({which}) [0-9]{{2}}:[0-9]{{2}}$"}
    rest: dict[DateOperation, JSON] = {
        "describe": {"date": day},
        "between": {"date": day, "until": day},
        "add": {"date": day, "years": count, "months": count, "weeks": count, "days": count},
        "convert_time": {"date": time, "time_zone": _text(60), "to_time_zone": _text(60)},
    }
    words = _DATE_CALL_WORDS.format(today=f"{now():%A, %Y-%m-%d}", operation=_OPERATION_WORDS[operation])
    schema = _object(operation={"const": operation}, **rest[operation])
    return ToolDemand(CalculateDatesTool(now), words, _CALL_AGAIN, schema)


def _object(**properties: JSON) -> JSON:
    return {"type": "object", "properties": properties, "required": [*properties], "additionalProperties": False}


def _text(length: int) -> JSON:
    return {"type": "string", "minLength": 1, "maxLength": length}


def _written_span(asked: CalculateDatesArguments) -> str:
    named = {
        "years": asked.years,
        "months": asked.months,
        "weeks": asked.weeks,
        "days": asked.days,
        "working days": asked.working_days,
    }
    return ", ".join(f"{count} {name}" for name, count in named.items() if count) or "nothing"
