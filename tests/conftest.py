from __future__ import annotations

import gc
import platform
import signal
import sys
from collections import Counter, defaultdict
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
from tests.support import ENDLESS, Server, lay_database, serving

hypothesis.settings.register_profile("untimed", deadline=None, max_examples=60)
hypothesis.settings.load_profile("untimed")

collect_ignore: list[str] = []
if platform.machine() not in ("x86_64", "AMD64"):
    collect_ignore.append("llm/test_strips.py")  # kernels for another kind of processor
if (sys.platform, platform.machine()) != ("linux", "x86_64"):
    collect_ignore.append("test_helm.py")  # Helm's library is built for no other

LONG_FILES = (
    "server/test_isolation.py",
    "test_redos.py",
    "server/test_openapi.py",
    "test_ui_units.py",
    "test_wheel.py",
    "llm/test_watermarking.py",
    "llm/test_tuning.py",
    "server/test_stored_responses.py",
)
"""Files whose few tests take long: started last, one would leave every other process without work."""
SHOWN_FILES = 25


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
    lay_database(tmp_path / "store")
    storage = open_storage(tmp_path / "store")
    yield storage
    await storage.close()


@pytest.fixture(scope="session")
def model_file() -> Path:
    """The embedded model, which `make test` fetches before the tests begin."""
    return verify(starter_entry(), Settings().data_dir)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files that several processes share: long ones first, then those that share a browser, then by size."""
    if not hasattr(config, "workerinput"):
        return
    folder = Path(__file__).parent
    tests = Counter(item.path for item in items)

    def order(item: pytest.Item) -> tuple[int, int]:
        file = item.path.relative_to(folder).as_posix()
        if file in LONG_FILES:
            return 0, LONG_FILES.index(file)
        return (1, 0) if file.startswith("browser/") else (2, -tests[item.path])

    items.sort(key=order)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the files that took longest, where several processes shared them."""
    if not config.getoption("numprocesses", None):
        return
    seconds = defaultdict[str, float](float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.location[0]] += report.duration
    terminalreporter.section(f"slowest {SHOWN_FILES} files of {len(seconds)}, {sum(seconds.values()):,.0f} s in all")
    for file, took in sorted(seconds.items(), key=lambda each: -each[1])[:SHOWN_FILES]:
        terminalreporter.line(f"{took:7.1f}s {file}")


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
