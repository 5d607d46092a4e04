"""The embedded engine sees: llama.cpp with a model and a projector of random weights, in a real process."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.llm.base import Delta, PromptImage, PromptMessage, Request, Text, TokenUsage
from eclair.llm.local.local_engine import LocalEngine
from eclair.models.download_plan import plan_download
from eclair.models.huggingface import Hub
from eclair.models.install import install_model
from eclair.network.client import CLOSED_GATE, DownloadClient
from eclair.schema.messages import Sampling
from eclair.settings import Settings
from tests.documents import photos
from tests.models.gguf_files import seeing, talking


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    """A data folder into which a model was pulled from a folder where its projector stands beside it."""
    shop, home = tmp_path / "shop", tmp_path / "home"
    shop.mkdir()
    (shop / "babbler-Q4_1.gguf").write_bytes(talking())
    (shop / "babbler-mmproj-F16.gguf").write_bytes(seeing())
    settings = Settings(data_dir=home, embedded_parallel=2, embedded_context=1024)
    downloads = DownloadClient(CLOSED_GATE)
    await install_model(await plan_download(str(shop), settings, Hub(), downloads), home)
    await downloads.close()
    return settings


def picture(data: bytes) -> PromptImage:
    return PromptImage("image/jpeg", data, 128, 128)


async def ask(engine: LocalEngine, *said: PromptMessage) -> tuple[str, TokenUsage]:
    request = Request("babbler-q4_1", said, sampling=Sampling(temperature=0, max_tokens=12))
    pieces: list[Delta] = [piece async for piece in engine.stream(request)]
    text = "".join(piece.text for piece in pieces if isinstance(piece, Text))
    return text, next(piece for piece in pieces if isinstance(piece, TokenUsage))


async def test_it_sees(settings: Settings) -> None:
    assert {path.name for path in (settings.data_dir / "models").glob("*.gguf")} == {
        "babbler-Q4_1.gguf",
        "mmproj-babbler-Q4_1.gguf",
    }
    engine = LocalEngine.start(settings)
    try:
        models = {model.id: model for model in await engine.models()}
        assert models["babbler-q4_1"].vision_pixels == 1540
        assert "mmproj-babbler-q4_1" not in models
        quarters = photos.encoded(photos.quarters(), "JPEG", quality=95)
        turned = photos.encoded(photos.quarters().rotate(90), "JPEG", quality=95)
        question = PromptMessage("user", "What is this?", images=(picture(quarters),))
        told, counted = await ask(engine, question)
        blind, plain = await ask(engine, PromptMessage("user", "What is this?"))
        assert counted.prompt_tokens == plain.prompt_tokens + 16  # squares of 14 pixels of 56
        other, _ = await ask(engine, PromptMessage("user", "What is this?", images=(picture(turned),)))
        assert len({told, blind, other}) > 1
        both = PromptMessage("user", "Which differs?", images=(picture(quarters), picture(turned)))
        _, two = await ask(engine, both)
        assert two.prompt_tokens > counted.prompt_tokens
        _, again = await ask(engine, both, PromptMessage("assistant", "The second."), PromptMessage("user", "And why?"))
        assert (again.cached_tokens or 0) >= two.prompt_tokens - 8  # it reads no picture twice
    finally:
        await engine.close()
