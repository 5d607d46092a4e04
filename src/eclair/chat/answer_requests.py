"""Makes the request of a chat's answer: who answers, what the model is shown, what it can rest on, what it may call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from eclair.chat.preferences import Preferred
from eclair.chat.routing import ModelRouter
from eclair.chat.turn_options import TurnOptions
from eclair.documents.retriever import DocumentService
from eclair.documents.vision import VisionService
from eclair.errors import InvalidInput
from eclair.generation.conversation_prompt import ConversationPrompt
from eclair.generation.pipeline import AnswerPipeline, AnswerRequest, Tool, offer
from eclair.generation.route import Route
from eclair.generation.sources import PassageNumbers, Retriever, combine
from eclair.images.service import ImageService
from eclair.images.tool import AnswerRef, ImageTool
from eclair.llm.base import Engine, Request
from eclair.llm.registry import Registry
from eclair.schema.messages import Conversation, Message, Web
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.web.question import WebQuestion
from eclair.web.research.report import ResearchReport
from eclair.web.retriever import WebService


@dataclass(frozen=True, slots=True)
class ChatQuestion:
    """A question of an principal, or an answer to be resumed: the last of `history`.

    `run` is that of the answer. Without a `conversation` nothing of it is kept. `answer` is where pictures may be
    drawn, None where they may not. `accepted` is when the person asked, on `time.perf_counter`.
    """

    principal: Principal
    run: str
    history: Sequence[Message]
    options: TurnOptions
    accepted: float
    conversation: Conversation | None = None
    answer: AnswerRef | None = None

    @property
    def asked(self) -> Sequence[Message]:
        """The history up to the question, without the answer that is resumed."""
        return self.history[:-1] if self.resumes is not None else self.history

    @property
    def resumes(self) -> Message | None:
        return self.history[-1] if self.history[-1].role == "assistant" else None

    @property
    def web(self) -> Web:
        kept = self.conversation.web if self.conversation is not None else None
        return self.options.web or kept or "off"


class AnswerRequests:
    """Makes answer requests from what is at hand: `documents`, `photos`, `web` and `images` may be missing."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        router: ModelRouter,
        preferences: Preferred | None = None,
        documents: DocumentService | None = None,
        photos: VisionService | None = None,
        web: WebService | None = None,
        images: ImageService | None = None,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._router = router
        self._preferences = preferences
        self._documents = documents
        self._photos = photos
        self._web = web
        self._images = images

    async def make(self, question: ChatQuestion) -> AnswerRequest:
        """Raise NotFound, EngineUnavailable, and TooLarge where the question alone does not fit the model's window."""
        route, prompt = await self._routed(question)
        await prompt.check(route.engine, route.model)
        conversation = question.conversation.id if question.conversation is not None else None
        retriever = self.retriever(question.principal, question.run, conversation, question.asked, question.web)
        return AnswerRequest(
            route,
            prompt,
            question.accepted,
            retriever,
            await self._tools(question),
            question.resumes,
            principal=question.principal if question.conversation is None else None,
        )

    async def prefill(self, question: ChatQuestion) -> tuple[Engine, Request]:
        """Return the engine that will be asked, and what of the prompt is known while the question is being written.

        Raises what `make` raises.
        """
        route, prompt = await self._routed(question)
        documents = self._documents.make_retriever(question.principal, question.history) if self._documents else None
        passages = await documents.certain_passages(route.model) if documents is not None else ()
        turn = await prompt.build(route.engine, route.model, passages)
        tools = tuple(definition for _, definition in offer(await self._tools(question), turn, passages))
        return route.engine, replace(turn.request, tools=tools, purpose="prefill")

    def report(
        self, pipeline: AnswerPipeline, request: AnswerRequest, question: ChatQuestion, plan: Sequence[str]
    ) -> ResearchReport:
        """A report on the questions of a plan, in place of one answer. Raises InvalidInput where no call may leave."""
        if self._web is None:
            raise InvalidInput("There is no way to the web here, so that nothing can be looked up.")
        self._web.require_open()
        conversation = question.conversation.id if question.conversation is not None else None
        asked = WebQuestion.last_in(question.asked, question.principal, question.run, conversation)
        return ResearchReport(self._web, pipeline, request, asked, plan, question.asked)

    async def attach(
        self, principal: Principal, question: Message, files: Sequence[str], libraries: Sequence[str]
    ) -> Message:
        """Return the question with the files and libraries that go along. Raises NotFound."""
        if self._documents is None or not (files or libraries):
            return question
        return replace(
            question,
            files=await self._documents.get_attachments(principal, files),
            libraries=await self._documents.get_libraries(principal, libraries),
        )

    def expect_web(self) -> None:
        """Get ready for a question to the web, which is being written."""
        if self._web is not None:
            self._web.prewarm()

    def retriever(
        self, principal: Principal, run: str, conversation: str | None, history: Sequence[Message], web: Web | None
    ) -> Retriever | None:
        """What an answer to the last question can rest on, if on anything; without `web` not even a word on the web."""
        numbers = PassageNumbers(history)
        documents = self._documents.make_retriever(principal, history, numbers) if self._documents is not None else None
        if self._web is None or web is None:
            return documents
        question = WebQuestion.last_in(history, principal, run, conversation)
        has_documents = documents is not None
        return combine(documents, self._web.make_retriever(question, numbers, setting=web, has_documents=has_documents))

    async def _routed(self, question: ChatQuestion) -> tuple[Route, ConversationPrompt]:
        principal, options, history = question.principal, question.options, question.history
        route = await self._router.route(principal, options, question.conversation, history)
        preferences = await self._preferences.of(principal) if self._preferences is not None else None
        return route, ConversationPrompt(
            self._settings,
            self._registry,
            route,
            history,
            principal,
            options.sampling,
            options.system,
            preferences.instructions if preferences is not None else "",
            self._photos,
        )

    async def _tools(self, question: ChatQuestion) -> tuple[Tool, ...]:
        if self._images is None or question.answer is None:
            return ()
        draws = question.options.draws
        if draws is None:
            draws = self._preferences is not None and (await self._preferences.of(question.principal)).draws
        return (ImageTool(self._images, question.principal, question.answer),) if draws else ()
