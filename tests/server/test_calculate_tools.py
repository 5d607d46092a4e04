"""A model has numbers and dates worked out by its tools, and reads what is wrong with a call."""

from __future__ import annotations

import orjson
import pytest

from eclair.schema.messages import CallAccess
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def result(server: Server, tool: str, **arguments: object) -> tuple[JSON, str]:
    """The call of an answer that made one, and its result."""
    written = orjson.dumps(arguments).decode().replace(" ", "\\u0020")
    answer = await server.say(await server.begin(), f"script: tool={tool}{written}")
    (made,) = answer["calls"]
    (text,) = (part["text"] for part in answer["parts"] if part["kind"] == "tool_result")
    return made, text


async def test_a_model_calculates(server: Server) -> None:
    made, text = await result(server, "calculate", expression="240 EUR * 1.19", decimals=2)
    access: CallAccess = "compute"
    assert (made["access"], made["outcome"]) == (access, "done")
    assert made["summary"] == "Calculate 240 EUR * 1.19"
    assert text == "240 EUR * 1.19 = 285.60 EUR"
    _, text = await result(server, "calculate", expression="1/3")
    assert text == "1/3 ≈ 0.333333333333333 (exactly 1/3)"
    made, text = await result(server, "calculate", expression="3 km", to="kg")
    assert (made["outcome"], made["summary"]) == ("failed", "Calculate 3 km in kg")
    assert text.startswith("Error: kg measures masses")


async def test_a_model_calculates_with_dates(server: Server) -> None:
    asked = {"operation": "between", "date": "2026-11-29", "until": "2026-12-24"}
    made, text = await result(server, "calculate_dates", **asked)
    assert (made["outcome"], made["summary"]) == ("done", "Count the days from 2026-11-29 to 2026-12-24")
    assert "25 days" in text
    made, text = await result(server, "calculate_dates", operation="add", date="2026-11-29", working_days=10, weeks=1)
    assert made["summary"] == "Add 1 weeks, 10 working days to 2026-11-29"
    assert text.startswith("Friday, 18 December 2026 (2026-12-18)")
    made, text = await result(server, "calculate_dates", operation="between", date="today")
    assert made["outcome"] == "failed"
    assert "`between` needs `until`" in text
    _, text = await result(server, "calculate_dates", operation="describe", date="today", color="red")
    assert "color: Extra inputs are not permitted" in text
