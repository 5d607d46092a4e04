"""A question in a language that the model does not list is told so, once, with what helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eclair.generation.language_notice import advise, language_notice
from eclair.models import memory, throughput
from eclair.schema.messages import AnswerNotice, Message, Part
from eclair.schema.models import Model
from eclair.settings import Settings
from tests.models.gguf_files import gguf
from tests.support import Server, serving

GERMAN = "Warum ist der Himmel blau?"
ENGLISH = Model("small", "Small", "embedded", languages=("en",))


def asked(text: str, **more: Any) -> Message:
    return Message("msg_1", "conv", None, "user", (Part("text", text),), 0, **more)


def answered(*remarks: AnswerNotice, model: str | None = "small") -> Message:
    return Message("msg_2", "conv", "msg_1", "assistant", (Part("text", "Yes."),), 0, model=model, remarks=remarks)


NOTIFIED = answered(AnswerNotice("language", "x", "de"))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(memory, "physical", lambda: 32_000_000_000)
    return monkeypatch


async def test_the_best_european_model_is_named_with_its_size_and_time(
    machine: pytest.MonkeyPatch, settings: Settings
) -> None:
    (settings.data_dir / "models").mkdir(parents=True)
    throughput.save_line_rate(settings.data_dir, 20_000_000)
    remark = await language_notice([asked(GERMAN)], ENGLISH, [ENGLISH], settings)
    assert remark is not None
    assert (remark.code, remark.language) == ("language", "de")
    assert remark.message.startswith(
        "Small does not list German among its languages, so this answer may be poor; `eclair"
    )
    advice = await advise("de", [ENGLISH], settings)
    assert advice.offer is not None
    assert advice.offer.entry.is_european
    assert "de" in advice.offer.entry.languages
    assert f"`eclair pull {advice.offer.entry.id}` fetches one that does" in remark.message
    assert advice.seconds == pytest.approx((advice.offer.size or 0) / 20_000_000)
    assert "min on your line" in remark.message


async def test_what_fits_is_named_and_where_nothing_does_the_list(
    machine: pytest.MonkeyPatch, settings: Settings
) -> None:
    machine.setattr(memory, "physical", lambda: 8_000_000_000)
    offer = (await advise("de", [], settings)).offer
    assert offer is not None
    assert memory.fits(offer.memory or 0)
    machine.setattr(memory, "physical", lambda: 1_000_000_000)
    remark = await language_notice([asked(GERMAN)], ENGLISH, [ENGLISH], settings)
    assert remark is not None
    assert remark.message.endswith("so this answer may be poor; `eclair models --all` shows others.")


@pytest.mark.parametrize(("cores", "id"), [(1, "ministral-3-3b"), (2, "ministral-3-3b"), (4, "ministral-3-8b")])
async def test_the_model_named_is_as_large_as_the_cores_carry(
    machine: pytest.MonkeyPatch, settings: Settings, cores: int, id: str
) -> None:
    (settings.data_dir / "models").mkdir(parents=True)
    offer = (await advise("de", [], replace(settings, embedded_threads=cores))).offer
    assert offer is not None
    assert offer.entry.id == id


async def test_a_model_that_is_here_is_named_first(machine: pytest.MonkeyPatch, settings: Settings) -> None:
    other = replace(ENGLISH, id="other", name="Other", languages=("de-AT",))
    unknown = replace(ENGLISH, id="unknown", languages=())
    remark = await language_notice([asked(GERMAN)], ENGLISH, [ENGLISH, unknown, other], settings)
    assert remark is not None
    assert remark.message.endswith("; Other, which is here, does: choose the model other.")


@pytest.mark.parametrize(
    ("history", "model"),
    [
        ([asked("Why is the sky blue?")], ENGLISH),
        ([asked("Angela Merkel")], ENGLISH),
        ([asked(GERMAN)], replace(ENGLISH, languages=())),
        ([asked(GERMAN)], replace(ENGLISH, languages=("en", "de"))),
        (
            [asked(GERMAN), NOTIFIED, asked("Und warum ist er abends rot?")],
            ENGLISH,
        ),
        ([asked(GERMAN), answered(model=None), asked("Und warum ist er abends rot?")], ENGLISH),
    ],
)
async def test_nothing_is_said_where_it_is_not_sure_or_was_said(
    settings: Settings, history: list[Message], model: Model
) -> None:
    assert await language_notice(history, model, [model], settings) is None


async def test_a_faulty_catalog_of_the_owners_fails_no_answer(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text("[[model]]")
    faulty = replace(settings, catalog=tmp_path / "models.toml")
    assert await language_notice([asked(GERMAN)], ENGLISH, [], faulty) is None


async def test_it_is_said_again_of_another_language_and_of_another_model(settings: Settings) -> None:
    said = [asked(GERMAN), NOTIFIED]
    remark = await language_notice([*said, asked("Pourquoi le ciel est-il bleu ?")], ENGLISH, [], settings)
    assert remark is not None
    assert remark.language == "fr"
    assert await language_notice([*said, asked(GERMAN)], replace(ENGLISH, id="other"), [], settings) is not None


async def test_the_api_says_it_in_the_run_and_who_speaks(settings: Settings, model_file: Path) -> None:
    folder = settings.data_dir / "models"
    folder.mkdir(parents=True)
    (folder / "Tiny.gguf").write_bytes(gguf())
    (folder / model_file.name).symlink_to(model_file)
    async with serving(replace(settings, embedded=True, max_tokens=4)) as server:
        await _speaks(server)


async def _speaks(server: Server) -> None:
    conversation = await server.begin()
    begun = await server.ask(conversation, GERMAN, model="smollm2-135m-instruct")
    body = (await server.stream(begun["run"])).decode()
    assert '"code":"language"' in body
    assert "does not list German" in body
    found = (await server.get("/api/catalog/speakers?language=fr")).body
    assert found["here"] == ["tiny"]
    assert (await server.get("/api/catalog/speakers?language=french")).status == 400
    assert (await server.get("/api/catalog/speakers")).status == 400


def test_a_rate_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    assert throughput.saved_line_rate(tmp_path) is None
    (tmp_path / "models").mkdir()
    throughput.save_line_rate(tmp_path, 1234.5)
    assert throughput.saved_line_rate(tmp_path) == 1234
    (tmp_path / "models" / ".rate").write_text("fast")
    assert throughput.saved_line_rate(tmp_path) is None
