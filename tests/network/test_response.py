"""Requests that get no reply say why."""

from __future__ import annotations

import aiohttp
import pytest

from eclair.network.response import Unreachable, send_request


async def test_a_session_that_was_closed_meanwhile_reaches_nobody() -> None:
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(Unreachable, match=r"^Session is closed$"):
        await send_request(session.get("http://127.0.0.1:9/"))
