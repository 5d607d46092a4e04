"""The public Python API: what `eclair` exports, and that it answers as docs/python.md says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import eclair
from eclair import Settings, open_app
from eclair.errors import NotFound
from eclair.schema.events import PartDelta, RunFinished
from eclair.schema.principal import LOCAL_PRINCIPAL

PAGE = Path(__file__).parents[1] / "docs" / "python.md"


def test_everything_in_all_exists() -> None:
    assert all(hasattr(eclair, name) for name in eclair.__all__)
    with pytest.raises(AttributeError, match="no attribute 'close_app'"):
        getattr(eclair, "close_app")  # noqa: B009


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, eclair; print([name for name in sys.modules if name.startswith('eclair.')])"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_it_answers_and_stores_nothing(settings: Settings) -> None:
    async with open_app(settings) as app:
        message = await app.answer("script: words=5", model="scripted")
        assert len(message.text.split()) == 5
        assert message.status == "finished"
        assert message.usage is not None
        assert await app.storage.conversations.count_conversations(LOCAL_PRINCIPAL) == 0


async def test_it_streams_events(settings: Settings) -> None:
    async with open_app(settings) as app:
        events = [event async for event in app.stream("script: words=3", model="scripted")]
    assert "".join(event.text for event in events if isinstance(event, PartDelta)).split()
    assert isinstance(events[-1], RunFinished)


async def test_a_model_that_is_not_there_is_named(settings: Settings) -> None:
    async with open_app(settings) as app:
        with pytest.raises(NotFound, match="nonesuch"):
            await app.answer("Hello?", model="nonesuch")


def test_the_program_of_the_docs_runs(tmp_path: Path, model_file: Path) -> None:
    program = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[0]
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).symlink_to(model_file)
    home = f"Settings(data_dir=__import__('pathlib').Path({str(tmp_path)!r}), tune=False)"
    command = [sys.executable, "-P", "-c", program.replace("Settings()", home)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
