"""`read_page`: a model reads a page of the web at an address that it was given."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from eclair.generation.passage_results import fit_passages, passage_result
from eclair.generation.tools import CALL_TIMEOUT_S, ToolContext, ToolResult, define_function, failed_result
from eclair.llm.base import JSON, PromptMessage
from eclair.network.ssrf import MAX_URL_CHARS
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.web.public_words import PublicWords
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService
from eclair.web.session import WebSession

READ_PAGE_TOOL_NAME = "read_page"
MAX_PASSAGES = 40
"""Of a page; as many as a result has room for are shown."""

_DESCRIPTION = (
    "Reads a web page at an address that the person or a search gave, and returns its passages; of a long page the "
    "ones that tell about `about`. PDFs can be read too."
)
_SCHEMES = ("http", "https")


class PageToRead(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str = Field(min_length=4, max_length=MAX_URL_CHARS, description="The whole address.")
    about: str = Field("", max_length=300, description="What to look for, if the page may be long.")

    @field_validator("url")
    @classmethod
    def _complete(cls, url: str) -> str:
        """Add the scheme that people leave out; refuse others and what has no host."""
        url = url.strip()
        url = url if "://" in url else f"https://{url}"
        parts = urlsplit(url)
        if parts.scheme not in _SCHEMES or not parts.hostname:
            raise ValueError("it must be the address of a web page, such as https://example.org/page")
        return url


class ReadPageTool:
    """Implements `Tool`: reads pages for one question. `demands_skill` is as in `SearchWebTool`."""

    name = READ_PAGE_TOOL_NAME
    access: CallAccess = "outbound"
    arguments: type[BaseModel] = PageToRead

    def __init__(
        self, web: WebService, question: WebQuestion, public: PublicWords, *, demands_skill: bool = True
    ) -> None:
        self._web = web
        self._question = question
        self._public = public
        self._demands_skill = demands_skill
        self.timeout_s = max(CALL_TIMEOUT_S, web.timeout_s + 10)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that isn't known to call it where it should."""
        if not (model.can_look_up if self._demands_skill else model.can_call_tools):
            return None
        return define_function(self.name, _DESCRIPTION, PageToRead)

    def summary(self, arguments: PageToRead) -> str:
        """See `Tool.summary`."""
        return f"Read {arguments.url}"

    def scope(self, arguments: PageToRead) -> str:
        """Return the host, for which a permission counts."""
        return urlsplit(arguments.url).hostname or ""

    def sends(self, arguments: PageToRead) -> str:
        """Return the address, which can hold anything, unless a search gave it."""
        return "" if self._public.knows_address(arguments.url) else arguments.url

    def asks_if_tainted(self, arguments: PageToRead) -> bool:
        """See `Tool.asks_if_tainted`."""
        return False

    async def run(self, arguments: PageToRead, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Read the page. Raises RightMissing and InvalidInput."""
        web = self._web
        web.require_open(context.principal)
        question = replace(self._question, text=arguments.about or self._question.text, before=())
        session = WebSession(
            web.access,
            question,
            context.engine,
            context.model,
            web.timeout_s,
            f"{context.call}.",
            urls=(arguments.url,),
        )
        async with aclosing(session.findings()) as steps:
            async for step in steps:
                yield step
        found = await web.choose_passages(question, session, MAX_PASSAGES)
        passages = sorted(fit_passages(found, context), key=lambda passage: passage.start)
        self._public.add_passages(passages)
        if not passages:
            said = f"{arguments.url} could not be read"
            yield failed_result(f"{said}; try another page.", "page_unread", f"{said}.")
            return
        left = len(session.chunks) - len(passages)
        yield passage_result(passages, f"{left} more passages of the page are not shown." if left > 0 else "")
