from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from eclair.python.data_tools import DataTools
from eclair.settings import Settings
from tests.support import ENDLESS, Server, serving


def installed_tools() -> Path:
    """The data tools, which `make test` installs before the tests begin."""
    tools = DataTools(Settings().data_dir)
    assert tools.is_ready, "install the data tools: `make data-tools`"
    return tools.folder


def lend_tools(settings: Settings) -> None:
    """Give a data folder the data tools that are installed on this machine."""
    target = DataTools(settings.data_dir).folder
    target.parent.mkdir(parents=True)
    target.symlink_to(installed_tools())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wasi(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    """One server with the data tools for a module; each test has a conversation of its own."""
    folder = tmp_path_factory.mktemp("module")
    settings = Settings(data_dir=folder / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS)
    lend_tools(settings)
    async with serving(settings) as server:
        yield server
