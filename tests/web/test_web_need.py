"""A capable model decides whether to look where the rule sees no need; nobody waits long for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date

import pytest

from eclair.errors import EngineUnavailable
from eclair.generation.sources import PassageNumbers
from eclair.llm.base import Delta, Engine, Request, Text
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.events import Notice
from eclair.schema.messages import Web
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebHit
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService
from eclair.web.session import WebAccess
from eclair.web.web_need import NeedDecider, is_worth_asking
from tests.web.test_nothing_found import Pages
from tests.web.test_search import Scripted, made
from tests.web.test_session import Queries

TODAY = date(2026, 11, 28)
QUESTION = "Which ship lies at the quay of Port Ellery?"


class Asked:
    """A model that gives a reply, and keeps what it was asked."""

    def __init__(self, reply: str | None, *, hangs: bool = False) -> None:
        self.reply = reply
        self.hangs = hangs
        self.requests: list[Request] = []

    async def __call__(
        self, principal: Principal, engine: Engine, model: Model, request: Request
    ) -> AsyncGenerator[Delta, None]:
        self.requests.append(request)
        if self.hangs:
            await asyncio.sleep(60)
        if self.reply is None:
            raise EngineUnavailable("It is down.")
        yield Text(self.reply)


async def notices(
    asked: Asked, model: Model, text: str = QUESTION, setting: Web = "auto", *, is_shut: bool = False
) -> list[str]:
    finder = Scripted("finder", [WebHit("https://e.org/1", "E")])
    access = WebAccess(made(finder), Pages("read", "The ship Anna lies at the quay of Port Ellery."), Queries())
    access = WebAccess(access.search, access.reader, access.queries, lambda: TODAY, NeedDecider(asked, 0.2))
    web = WebService(access, None, None, 5.0, is_shut=is_shut)
    question = WebQuestion(LOCAL_PRINCIPAL, "run_1", text)
    retriever = web.make_retriever(question, PassageNumbers([]), setting=setting)
    if retriever is None:
        return ["none"]
    async with aclosing(retriever.retrieve(ScriptedEngine(), model)) as findings:
        return [finding.code async for finding in findings if isinstance(finding, Notice)]


@pytest.mark.parametrize(
    ("reply", "codes"),
    [
        ('{"search": true}', ["web_auto"]),
        ('Sure: {"search": true}', ["web_auto"]),
        ('{"search": false}', []),
        ("I think so", []),
        (None, []),
    ],
)
async def test_a_capable_model_decides(reply: str | None, codes: list[str]) -> None:
    asked = Asked(reply)
    assert await notices(asked, Model("large", "Large", "one", parameters=24.0)) == codes
    (request,) = asked.requests
    assert request.response_format is not None
    assert QUESTION in str(request.messages[0].content)


async def test_a_slow_model_decides_nothing() -> None:
    assert await notices(Asked('{"search": true}', hangs=True), Model("large", "Large", "one", parameters=24.0)) == []


@pytest.mark.parametrize("model", [Model("small", "Small", "one", parameters=1.5), Model("other", "Other", "one")])
async def test_other_models_are_not_asked(model: Model) -> None:
    asked = Asked('{"search": true}')
    assert (await notices(asked, model), asked.requests) == ([], [])


async def test_where_the_rule_sees_the_need_nobody_is_asked() -> None:
    asked = Asked('{"search": false}')
    large = Model("large", "Large", "one", parameters=24.0)
    assert (await notices(asked, large, "Is the quay of Port Ellery open?"))[0] == "web_auto"
    assert asked.requests == []
    assert await notices(asked, large, "Write a poem about the sea, would you?") == ["none"]


@pytest.mark.parametrize("setting", ["on", "auto", "off"])
@pytest.mark.parametrize(("text", "said"), [("Is the quay of Port Ellery open?", ["web_shut"]), (QUESTION, ["none"])])
async def test_offline_what_may_be_out_of_date_is_said(setting: Web, text: str, said: list[str]) -> None:
    asked = Asked('{"search": true}')
    large = Model("large", "Large", "one", parameters=24.0)
    assert (await notices(asked, large, text, setting, is_shut=True), asked.requests) == (said, [])


def test_what_is_worth_asking() -> None:
    assert is_worth_asking(QUESTION)
    assert is_worth_asking("the ships at the quay of Port Ellery")
    assert not is_worth_asking("Thank you!")
    assert not is_worth_asking("Translate this: where is the station?")
    assert not is_worth_asking("word " * 100 + "?")
