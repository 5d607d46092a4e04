"""Turns: a question becomes a message in the tree and a run at work. How it is answered is the pipeline's affair."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from eclair.chat.answer_requests import AnswerRequests, ChatQuestion
from eclair.chat.message_text import check_message, title_from
from eclair.chat.prefill import Prefill
from eclair.chat.runs import Batch, Runs, Work
from eclair.chat.titles import Titles
from eclair.chat.tree import Continue, New, Place, Retry, has_answer, last_question, placed
from eclair.chat.turn_options import TurnOptions
from eclair.errors import InvalidInput
from eclair.generation.pipeline import AnswerPipeline
from eclair.images.run import ImageRun
from eclair.images.service import ImageService
from eclair.images.tool import AnswerRef
from eclair.schema.events import RunStarted
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Conversation, Message, Mode, Part, Role, Web
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, NewTurn, RunRecord


@dataclass(frozen=True, slots=True)
class Asked:
    """What a turn has begun. `question` is the user's message that is being answered."""

    run: RunRecord
    question: str | None
    model: str


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn being made: of which principal, in which conversation, and where in its tree.

    `messages` are those of the tree; `is_new` says that the conversation is stored with this turn.
    """

    principal: Principal
    conversation: Conversation
    is_new: bool
    messages: Sequence[Message]
    place: Place
    run: str
    answer: str


class Turns:
    """Without `titles`, conversations keep the title that their first message gives them."""

    def __init__(
        self,
        storage: Storage,
        runs: Runs,
        pipeline: AnswerPipeline,
        requests: AnswerRequests,
        images: ImageService,
        prefill: Prefill,
        titles: Titles | None,
        *,
        max_message_kb: int,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._storage = storage
        self._runs = runs
        self._pipeline = pipeline
        self._requests = requests
        self._images = images
        self._prefill = prefill
        self._titles = titles
        self._max_message_kb = max_message_kb
        self._clock = clock
        self._ids = ids

    def begin(
        self,
        principal: Principal,
        id: str | None = None,
        title: str = "",
        model: str | None = None,
        mode: Mode | None = None,
        web: Web | None = None,
    ) -> Conversation:
        """Make a conversation that is stored nowhere yet."""
        now = self._now()
        return Conversation(id or self._ids("conv"), principal.id, title, now, now, model=model, mode=mode, web=web)

    async def ask(
        self,
        principal: Principal,
        conversation: str | Conversation,
        action: New | Retry | Continue,
        options: TurnOptions,
        accepted: float,
    ) -> Asked:
        """Store the turn and set the answer going. `accepted` is when the person asked, on `time.perf_counter`.

        A `conversation` from `begin` is stored with its first turn, or not at all.

        Raises NotFound (conversation, message, model), InvalidInput, TooLarge, and Conflict while the
        conversation is still answering; nothing is stored then.
        """
        if isinstance(action, New):
            check_message(action.text, self._max_message_kb)
        with self._pipeline.busy():
            turn = await self._locate(principal, conversation, action)
            if turn.place.wish is not None:
                return await self._draw(turn, _image_models(action, options, turn.messages))
            answer = AnswerRef(turn.run, turn.conversation.id, turn.answer)
            question = ChatQuestion(
                principal, turn.run, turn.place.history, options, accepted, turn.conversation, answer
            )
            request = await self._requests.make(question)
            if isinstance(action, New) and action.research:
                work: Work = self._requests.report(self._pipeline, request, question, action.research)
            else:
                work = self._pipeline.run(request)
            return await self._open(turn, request.route.model.id, work, self._naming(turn))

    async def ask_unkept(
        self, principal: Principal, said: Sequence[tuple[Role, str]], options: TurnOptions, accepted: float
    ) -> AsyncGenerator[Batch, None]:
        """Answer what was `said`, and store nothing. Closing what comes back stops the engine.

        Where an answer was said last it is resumed. Raises what `ask` raises for a new message.
        """
        for _, text in said:
            check_message(text, self._max_message_kb)
        if not any(role == "user" for role, _ in said):
            raise InvalidInput("None of the messages is the person's; send what is to be answered.", param="messages")
        conversation, now = self._ids("conv"), self._now()
        history = [
            Message(self._ids("msg"), conversation, None, role, (Part("text", text),), now) for role, text in said
        ]
        run = self._ids("run")
        with self._pipeline.busy():
            request = await self._requests.make(ChatQuestion(principal, run, history, options, accepted))
        started = RunStarted(run, self._ids("msg"), conversation, None, request.route.model.id, now)
        return self._runs.pass_on(started, self._pipeline.run(request))

    async def prefill(
        self,
        principal: Principal,
        conversation: str | None,
        options: TurnOptions,
        text: str = "",
        files: tuple[str, ...] = (),
    ) -> None:
        """Have the engine read, while the question is being written, what stands before it and how it begins.

        Of the `files` that will go along it reads those that it will be shown whole. Where the web will be asked, that
        is got ready too. Without a conversation it is one that will be made. Nothing is stored. Raises NotFound and
        TooLarge as `ask` does.
        """
        if conversation is None:
            kept, messages = self.begin(principal), list[Message]()
        else:
            kept, messages = await self._storage.conversations.get_tree(principal, conversation)
        if (options.web or kept.web) == "on":
            self._requests.expect_web()
        if any(message.status == "running" for message in messages):
            return  # what comes before the next question is not known yet
        turn = await self._place(principal, kept, messages, New(text.strip() or ".", files=files), is_new=False)
        answer = AnswerRef(turn.run, kept.id, turn.answer)
        question = ChatQuestion(principal, turn.run, turn.place.history, options, 0.0, kept, answer)
        self._prefill.begin(conversation or "", *await self._requests.prefill(question))

    async def _locate(
        self, principal: Principal, conversation: str | Conversation, action: New | Retry | Continue
    ) -> _Turn:
        if isinstance(conversation, Conversation):
            return await self._place(principal, conversation, [], action, is_new=True)
        kept, messages = await self._storage.conversations.get_tree(principal, conversation)
        return await self._place(principal, kept, messages, action, is_new=False)

    async def _place(
        self,
        principal: Principal,
        kept: Conversation,
        messages: Sequence[Message],
        action: New | Retry | Continue,
        *,
        is_new: bool,
    ) -> _Turn:
        """Find the turn's place in the tree, with what goes along with its question."""
        tree = {message.id: message for message in messages}
        place = placed(kept, tree, action, self._ids("msg"), self._now())
        if place.question is not None and isinstance(action, New):
            question = await self._requests.attach(principal, place.question, action.files, action.libraries)
            place = replace(place, history=[*place.history[:-1], question], question=question)
        return _Turn(principal, kept, is_new, messages, place, self._ids("run"), self._ids("msg"))

    async def _draw(self, turn: _Turn, models: Sequence[str | None]) -> Asked:
        """Answer with pictures, made by the first of `models` that is there."""
        question = turn.place.history[-1]
        assert question.wish is not None
        files = [file.id for file in question.files]
        wish = replace(question.wish, sources=tuple(dict.fromkeys((*question.wish.sources, *files))))
        named, *preferred = models
        if named is None and preferred:
            there = {model.id for model in await self._images.models() if model.state == "ready"}
            named = next((model for model in preferred if model in there), None)
        job = await self._images.prepare(turn.principal, question.text, wish, named)
        job = job.with_answer(turn.run, turn.conversation.id, turn.answer)
        return await self._open(turn, job.model.id, ImageRun(self._images, job))

    async def _open(self, turn: _Turn, model: str, work: Work, then: Callable[[Message], None] | None = None) -> Asked:
        """Store the turn and set its work going."""
        place, conversation = turn.place, turn.conversation.id
        resumes = place.continues.id if place.continues else None
        started = RunStarted(turn.run, turn.answer, conversation, place.parent, model, self._now(), resumes)
        answer = Message(
            id=turn.answer,
            conversation=conversation,
            parent=place.parent,
            role="assistant",
            parts=(),
            created=started.created,
            status="running",
            run=turn.run,
            model=model,
        )
        record = RunRecord(turn.run, conversation, turn.answer, self._storage.processes.current, "running")
        title = title_from(place.question.text) if place.question else ""
        begins = turn.conversation if turn.is_new else None
        new = NewTurn(turn.principal, place.question, answer, record, EventChunk(turn.run, 0, b""), title, begins)
        return Asked(await self._runs.open(new, started, work, then), place.parent, model)

    def _naming(self, turn: _Turn) -> Callable[[Message], None] | None:
        """Have the conversation named after its first answer, unless it has a title."""
        if self._titles is None or has_answer(turn.messages) or (turn.is_new and turn.conversation.title):
            return None
        return partial(self._titles.name, turn.principal, turn.conversation.id, last_question(turn.place.history))

    def _now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._clock() * 1000)


def _image_models(
    action: New | Retry | Continue, options: TurnOptions, messages: Sequence[Message]
) -> list[str | None]:
    """Who is to draw: the model that is named, or None, and then those that are preferred, if they are there."""
    match action:
        case New():
            return [action.draw.model if action.draw is not None else None]
        case Retry():
            before = [each.model for each in reversed(messages) if each.parent == action.message]
            return [options.model, *before]
        case Continue():
            return [None]
