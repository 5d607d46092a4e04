"""One server for a module, whose pictures the scripted generator draws."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from eclair.settings import Settings
from tests.support import ENDLESS, Server, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("module")
    async with serving(
        Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS, embedder="off")
    ) as server:
        yield server
