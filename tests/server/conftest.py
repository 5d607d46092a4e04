"""One server for a module: each test begins conversations of its own. Where that is not enough there is `fresh`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest
import pytest_asyncio

from eclair.settings import Settings
from tests.support import ENDLESS, Server, serving


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("module")
    async with serving(
        Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS)
    ) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def fresh(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(settings) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def keyed(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """A server that wants a key."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("keyed") / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS
    )
    async with serving(replace(settings, api_key="s3crêt")) as server:
        yield server
