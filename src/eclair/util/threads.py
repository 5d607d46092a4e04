"""Work in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from eclair.util.tasks import finish

P = ParamSpec("P")
T = TypeVar("T")


async def run_to_end(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread to its end, even when cancelled, so that nothing goes on after the caller has."""
    return await finish(asyncio.to_thread(work, *args, **kwargs))
