"""Log lines and request ids, through HTTP."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Generator
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio

from eclair.cli._logging import JsonFormatter, TextFormatter, log_to_stderr
from eclair.settings import Settings
from eclair.util.log_context import ACCESS_LOGGER, ADMIN_LOGGER
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")
KEY = {"Authorization": "Bearer s3crêt"}


class Written(logging.Handler):
    """The lines that were written, as JSON and as text."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[JSON] = []
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(orjson.loads(JsonFormatter().format(record)))
        self.texts.append(TextFormatter().format(record))

    def by(self, logger: str) -> list[JSON]:
        return [line for line in self.lines if line["logger"] == logger]


@pytest.fixture
def written() -> Generator[Written]:
    handler = Written()
    loggers = [logging.getLogger(name) for name in ("eclair", ACCESS_LOGGER, ADMIN_LOGGER)]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.INFO)
    yield handler
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest_asyncio.fixture(loop_scope="module")
async def logging_all(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, access_log=True)) as server:
        yield server


async def test_each_request_is_one_line_without_its_words(logging_all: Server, written: Written) -> None:
    id = await logging_all.begin()
    await logging_all.say(id, "script: say=My private words")
    await logging_all.get("/api/search?q=private")
    await logging_all.get("/private-page")
    lines = written.by(ACCESS_LOGGER)
    found = {(line["method"], line["route"], line["status"]) for line in lines}
    assert ("POST", "/api/conversations/{id}/turns", 202) in found
    assert ("GET", "/api/search", 200) in found
    assert all(line["milliseconds"] >= 0 and line["request_id"] for line in lines)
    assert "private" not in str(written.lines) + str(written.texts)
    assert id not in str(lines)


async def test_the_request_id_is_taken_over_if_it_is_sane_and_returned(logging_all: Server, written: Written) -> None:
    reply = await logging_all.get("/api/models", {"X-Request-Id": "proxy-17.a:b"})
    assert reply.headers["X-Request-Id"] == "proxy-17.a:b"
    assert written.by(ACCESS_LOGGER)[-1]["request_id"] == "proxy-17.a:b"
    assert written.texts[-1].endswith("[proxy-17.a:b]")
    for insane in ("a b", "x" * 129, "é", "<script>"):
        given = (await logging_all.get("/api/models", {"X-Request-Id": insane})).headers["X-Request-Id"]
        assert len(given) == 16
        assert given != insane


async def test_lines_of_an_answer_have_the_id_of_its_request(fresh: Server, written: Written) -> None:
    path = f"/api/conversations/{await fresh.begin()}/turns"
    reply = await fresh.post(path, {"text": "script: fail=1"}, headers={"X-Request-Id": "turn-1"})
    await fresh.answered(reply.body["run"])
    logging.getLogger("eclair.test").info("outside of any request")
    assert "request_id" not in written.lines[-1]


async def test_only_refusals_are_logged_by_default_and_not_without_end(keyed: Server, written: Written) -> None:
    assert (await keyed.get("/api/models", KEY)).status == 200
    for _ in range(60):
        assert (await keyed.get("/api/models")).status == 401
    assert (await keyed.get("/api/models", {**KEY, "Host": "elsewhere.example"})).status == 403
    lines = written.by(ACCESS_LOGGER)
    assert {(line["status"], line["level"]) for line in lines} <= {(401, "warning"), (403, "warning")}
    assert 20 <= len(lines) <= 61


async def test_administrative_acts_are_logged(fresh: Server, written: Written) -> None:
    body = {"name": "rack", "url": "http://127.0.0.1:9/v1", "key": "very-secret"}
    assert (await fresh.post("/api/engines", body)).status == 201
    assert (await fresh.call("PATCH", "/api/engines/rack", {"context": 4096})).status == 200
    assert (await fresh.call("DELETE", "/api/engines/rack")).status == 204
    assert (await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
    acts = written.by(ADMIN_LOGGER)
    expected = ["engine.added", "engine.changed", "engine.removed", "conversations.deleted"]
    assert [line["act"] for line in acts] == expected
    assert all(line["request_id"] for line in acts)
    assert "very-secret" not in str(written.lines)


async def test_the_format_is_as_set_and_refusals_are_written_at_any_level(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    try:
        log_to_stderr(replace(settings, log_format="json", log_level="error"))
        logging.getLogger(ACCESS_LOGGER).warning("GET - 401")
        logging.getLogger("eclair.other").warning("not shown")
        try:
            raise ValueError("a bug")
        except ValueError:
            logging.getLogger("eclair.other").exception("It failed.")
        log_to_stderr(replace(settings, log_format="text"))
        logging.getLogger("eclair.other").info("for people")
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    first, second, third = capsys.readouterr().err.splitlines()
    assert orjson.loads(first)["message"] == "GET - 401"
    assert "ValueError: a bug" in orjson.loads(second)["traceback"]
    assert third.endswith("INFO eclair.other: for people")
