from __future__ import annotations

import gc
import platform
import signal
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import aiohttp
import hypothesis
import pytest

from eclair.models.catalog import starter_entry
from eclair.models.installed import verify
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from tests.s3_server import S3Server, serving_s3
from tests.support import ENDLESS, Server, serving

hypothesis.settings.register_profile("untimed", deadline=None, max_examples=60)
hypothesis.settings.load_profile("untimed")

collect_ignore: list[str] = []
if platform.machine() not in ("x86_64", "AMD64"):
    collect_ignore.append("llm/test_strips.py")  # kernels for another kind of processor
if (sys.platform, platform.machine()) != ("linux", "x86_64"):
    collect_ignore.append("test_helm.py")  # Helm's library is built for no other


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A data folder of its own and the scripted engine alone."""
    return Settings(data_dir=tmp_path / "data", embedded=False, scripted=True, port=0, max_tokens=ENDLESS)


@pytest.fixture
async def server(settings: Settings) -> AsyncGenerator[Server]:
    """The HTTP door, served in this process."""
    async with serving(settings) as server:
        yield server


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncGenerator[Storage]:
    storage = open_storage(tmp_path / "store")
    yield storage
    await storage.close()


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The embedded model, which `make test` fetches before the tests begin."""
    return verify(starter_entry(), Settings().data_dir)


def pytest_collection_finish() -> None:
    """What is there by now stays: later collections need not look at it again."""
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Let what the tests start be stopped, even when they run in the background, where shells ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def s3() -> Generator[S3Server]:
    """A real S3 server."""
    with serving_s3() as server:
        yield server
