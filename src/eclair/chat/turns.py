"""Turns: a question becomes a message in the tree and a run that answers it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from eclair.accounts.budgets import Budgets
from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.call_decisions import TURN_OPTIONS, FailedAnswer
from eclair.chat.chat_question import ChatQuestion
from eclair.chat.comparisons import TurnTaking, order_models
from eclair.chat.live_run import Batch
from eclair.chat.message_text import check_message, title_from
from eclair.chat.prefill import Prefill, PrefillRequest
from eclair.chat.remembering_run import RememberingRun
from eclair.chat.runs import EventProducer, NewRun, Runs
from eclair.chat.titles import TitleGenerator
from eclair.chat.tree import (
    NewMessage,
    Regenerate,
    Resume,
    TurnAction,
    TurnPosition,
    has_answer,
    last_question,
    locate_turn,
)
from eclair.chat.turn_options import NO_CHOICES, TurnOptions
from eclair.errors import EngineUnavailable, InvalidInput
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.use_warning import check_use
from eclair.images.run import ImageRun
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.research.earlier_research import list_tasks
from eclair.research.plan import ResearchPlan
from eclair.schema.events import RunStarted
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import AnswerComparison, Conversation, Message, Part, Role
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, NewAnswer, NewTurn, RunRecord
from eclair.tools.draw_picture import AnswerRef

MIN_DRAFT_WORDS = 3
"""The beginning of a question says too little of what it will ask if it is shorter."""


@dataclass(frozen=True, slots=True)
class OpenedTurn:
    """A turn that was started. `question` is the user message that is being answered.

    Of several answers side by side, it is the first; the others are `beside` it.
    """

    run: RunRecord
    question: str | None
    model: str
    beside: tuple[OpenedTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class _Turn:
    """A turn being made: its principal, its conversation and its position in the tree.

    `messages` are those of the tree; with `is_new` the conversation is stored with this turn.
    """

    principal: Principal
    conversation: Conversation
    is_new: bool
    messages: Sequence[Message]
    position: TurnPosition
    run: str
    answer: str


class Turns:
    """Starts turns. Without `titles`, the first message gives a conversation its title."""

    def __init__(
        self,
        storage: Storage,
        runs: Runs,
        pipeline: AnswerPipeline,
        requests: AnswerRequests,
        images: ImageService,
        prefill: Prefill,
        titles: TitleGenerator | None,
        settings: LiveSettings,
        budgets: Budgets,
        *,
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
        self._settings = settings
        self._budgets = budgets
        self._clock = clock
        self._ids = ids

    def new_conversation(
        self,
        principal: Principal,
        id: str | None = None,
        title: str = "",
        choices: TurnOptions = NO_CHOICES,
        project: str | None = None,
        assistant_id: str | None = None,
    ) -> Conversation:
        """Make a conversation that isn't stored yet, with `choices` for all its answers, in a project if any."""
        now = self._now()
        return Conversation(
            id or self._ids("conv"),
            principal.id,
            title,
            now,
            now,
            model=choices.model,
            mode=choices.mode,
            web=choices.web,
            temperature=choices.sampling.temperature,
            max_tokens=choices.sampling.max_tokens,
            system=choices.system,
            memory=choices.memory,
            project_id=project,
            assistant_id=assistant_id,
        )

    async def ask(
        self,
        principal: Principal,
        conversation: str | Conversation,
        action: TurnAction,
        options: TurnOptions,
        accepted: float,
    ) -> OpenedTurn:
        """Store the turn and start the answer.

        `accepted` is when the question arrived, on `time.perf_counter`. A `conversation` from `new_conversation` is
        stored with its first turn, or not at all.

        Raises NotFound (conversation, message, model), InvalidInput, TooLarge, BudgetExceeded, and Conflict while the
        conversation is still answering; then nothing is stored.
        """
        if isinstance(action, NewMessage):
            check_message(action.text, self._settings.current.max_message_kb)
            check_use(action.text, self._settings.current)
        with self._pipeline.busy():
            turn = await self._locate(principal, conversation, action)
            self._prefill.drop((principal.id, turn.conversation.id), *([] if turn.messages else [(principal.id, "")]))
            if turn.position.image_request is not None:
                return await self._generate_images(turn, _image_models(action, options, turn.messages))
            await self._budgets.check(principal)
            if isinstance(action, NewMessage) and action.models:
                return await self._compare(turn, action, options, accepted)
            question = _chat_question(turn, options, accepted)
            plan, earlier = _research_plan(turn, action)
            if earlier is not None:  # the report takes it up, not the prompt
                question = replace(question, history=question.asked)
            request = await self._requests.make(question)
            producer: EventProducer = (
                await self._requests.report(self._pipeline, request, question, plan, earlier)
                if plan
                else self._pipeline.run(request)
            )
            if isinstance(action, NewMessage):
                producer = await self._remembering(question, turn, producer)
            stated = TURN_OPTIONS.dump_json(options).decode()
            model = request.route.model
            return await self._start(turn, model.id, producer, self._finish_callback(turn, options, model), stated)

    async def _compare(self, turn: _Turn, action: NewMessage, options: TurnOptions, accepted: float) -> OpenedTurn:
        """Have several models answer the question, each in a run of its own.

        Those of the embedded engine take turns, since it has the memory for one at a time. The answer of a model whose
        server can't be reached fails, and the others are written; raises EngineUnavailable if that is so for all.
        """
        turns = [turn, *(replace(turn, run=self._ids("run"), answer=self._ids("msg")) for _ in action.models[1:])]
        order = TurnTaking()
        runs: list[NewRun] = []
        faults: list[EngineUnavailable] = []
        for each, model in zip(turns, order_models(action), strict=True):
            question = _chat_question(each, replace(options, model=model), accepted)
            producer: EventProducer
            try:
                request = await self._requests.make(question)
            except EngineUnavailable as error:
                faults.append(error)
                producer, answering = FailedAnswer(error), model
            else:
                producer = order.arrange(self._pipeline, request, self._requests.is_embedded(request))
                answering = request.route.model.id
            if not runs:
                producer = await self._remembering(question, each, producer)
            runs.append(NewRun(self._started(each, answering), producer, None if runs else self._title_callback(turn)))
        if len(faults) == len(runs):
            raise faults[0]
        asked = turn.position.question
        assert asked is not None
        compared = AnswerComparison(tuple(each.answer for each in turns), action.blind)
        position = replace(turn.position, question=replace(asked, comparison=compared))
        stated = TURN_OPTIONS.dump_json(options).decode()
        return await self._open(replace(turn, position=position), runs, stated)

    async def plan(self, principal: Principal, request: str, options: TurnOptions) -> ResearchPlan:
        """Plan the questions of a report, which a turn then asks for. Raises NotFound and EngineUnavailable."""
        with self._pipeline.busy():
            return await self._requests.plan(principal, request, options)

    async def ask_temporary(
        self,
        principal: Principal,
        messages: Sequence[tuple[Role, str]],
        options: TurnOptions,
        accepted: float,
        *,
        files: Sequence[str] = (),
        libraries: Sequence[str] = (),
        assistant_id: str | None = None,
    ) -> AsyncGenerator[Batch, None]:
        """Answer `messages` and store nothing. Closing the returned generator stops the engine.

        The last message may have files and libraries; if it is an answer, it is resumed. Raises what `ask` raises for
        a new message.
        """
        for _, text in messages:
            check_message(text, self._settings.current.max_message_kb)
        check_use(next((text for role, text in reversed(messages) if role == "user"), ""), self._settings.current)
        if not any(role == "user" for role, _ in messages):
            raise InvalidInput("No message is the user's; send one to be answered.", param="messages")
        conversation, now = self._ids("conv"), self._now()
        history = [
            Message(self._ids("msg"), conversation, None, role, (Part("text", text),), now) for role, text in messages
        ]
        history[-1] = await self._requests.attach(principal, history[-1], files, libraries)
        run = self._ids("run")
        with self._pipeline.busy():
            await self._budgets.check(principal)
            asked = ChatQuestion(principal, run, history, options, accepted, assistant_id=assistant_id)
            request = await self._requests.make(asked)
        started = RunStarted(run, self._ids("msg"), conversation, None, request.route.model.id, now)
        return self._runs.stream_unstored(started, self._pipeline.run(request))

    async def prefill(
        self,
        principal: Principal,
        conversation: str | None,
        options: TurnOptions,
        text: str = "",
        files: tuple[str, ...] = (),
        assistant_id: str | None = None,
    ) -> bool:
        """Have the engine read the known part of a prompt while the question is being written.

        That is the history, the beginning of the question, and those of its `files` that will be shown in full. A slow
        model reads what fits the `text` so far; returns whether it would, so that each draft is worth sending. The
        web is prepared too if it will be searched. Without a conversation, a new one is assumed, with the assistant
        that is named. Nothing is stored.
        Raises NotFound and TooLarge as `ask` does.
        """
        key = (principal.id, conversation or "")
        with self._prefill.expect(key) as ticket:
            if conversation is None:
                stored, messages = self.new_conversation(principal, assistant_id=assistant_id), list[Message]()
            else:
                stored, messages = await self._storage.conversations.get_tree(principal, conversation)
            if (options.web or stored.web) == "on":
                self._requests.expect_web()
            if any(message.is_open for message in messages):
                return False  # what comes before the next question is not known yet
            action = NewMessage(text.strip() or ".", files=files)
            turn = await self._locate_in_tree(principal, stored, messages, action, is_new=False)
            question = _chat_question(turn, options, 0.0)
            follows_drafts = await self._requests.check_draft(question)
            if not ticket.is_asked:
                has_draft = len(text.split()) >= MIN_DRAFT_WORDS
                build = partial(self._requests.prefill, question, has_draft=has_draft)
                self._prefill.begin(key, build, partial(self._requests.wait_for_files, question))
            return follows_drafts

    def _read_on(self, turn: _Turn, options: TurnOptions, answer: Message) -> None:
        """Have the engine read what the next question will follow, so that it waits for less: the rest of the files."""
        has_files = any(message.files for message in turn.position.history)
        if answer.status != "finished" or not has_files or options.is_unattended:
            return
        principal, conversation = turn.principal, turn.conversation.id

        async def build() -> PrefillRequest:
            next_turn = await self._locate(principal, conversation, NewMessage("."))
            return await self._requests.prefill(_chat_question(next_turn, options, 0.0))

        wait = partial(self._requests.wait_for_files, _chat_question(turn, options, 0.0))
        self._prefill.begin((principal.id, conversation), build, wait, is_unasked=True)

    async def _locate(self, principal: Principal, conversation: str | Conversation, action: TurnAction) -> _Turn:
        if isinstance(conversation, Conversation):
            return await self._locate_in_tree(principal, conversation, [], action, is_new=True)
        stored, messages = await self._storage.conversations.get_tree(principal, conversation)
        return await self._locate_in_tree(principal, stored, messages, action, is_new=False)

    async def _locate_in_tree(
        self,
        principal: Principal,
        stored: Conversation,
        messages: Sequence[Message],
        action: TurnAction,
        *,
        is_new: bool,
    ) -> _Turn:
        """Locate the turn in the tree, and attach files and libraries to its question."""
        tree = {message.id: message for message in messages}
        position = locate_turn(stored, tree, action, self._ids("msg"), self._now())
        if position.question is not None and isinstance(action, NewMessage):
            question = await self._requests.attach(principal, position.question, action.files, action.libraries, stored)
            position = replace(position, history=[*position.history[:-1], question], question=question)
        return _Turn(principal, stored, is_new, messages, position, self._ids("run"), self._ids("msg"))

    async def _generate_images(self, turn: _Turn, models: Sequence[str | None]) -> OpenedTurn:
        """Answer with images, by the first of `models` that is available."""
        question = turn.position.history[-1]
        assert question.wish is not None
        files = [file.id for file in question.files]
        image_request = replace(question.wish, sources=tuple(dict.fromkeys((*question.wish.sources, *files))))
        named, *preferred = models
        if named is None and preferred:
            there = {model.id for model in await self._images.models() if model.state == "ready"}
            named = next((model for model in preferred if model in there), None)
        job = await self._images.prepare(turn.principal, question.text, image_request, named)
        job = job.with_answer(turn.run, turn.conversation.id, turn.answer)
        return await self._start(turn, job.model.id, ImageRun(self._images, job))

    async def _remembering(self, asked: ChatQuestion, turn: _Turn, producer: EventProducer) -> EventProducer:
        """Have the run keep first what its question asks to remember."""
        memory = await self._requests.memory.open_to(asked)
        question = turn.position.question
        if memory is None or question is None or memory.find_wish(turn.principal, question.text) is None:
            return producer
        keep = partial(memory.keep_asked, turn.principal, question.text, turn.conversation.id, question.id)
        return RememberingRun(keep, producer)

    async def _start(
        self,
        turn: _Turn,
        model: str,
        producer: EventProducer,
        on_finish: Callable[[Message], None] | None = None,
        options: str | None = None,
    ) -> OpenedTurn:
        """Store the turn and start its run; `options` are stated again if it waits."""
        return await self._open(turn, [NewRun(self._started(turn, model), producer, on_finish)], options)

    def _started(self, turn: _Turn, model: str) -> RunStarted:
        position = turn.position
        resumes = position.resumes.id if position.resumes else None
        return RunStarted(turn.run, turn.answer, turn.conversation.id, position.parent, model, self._now(), resumes)

    async def _open(self, turn: _Turn, runs: Sequence[NewRun], options: str | None) -> OpenedTurn:
        """Store the turn with all its answers and start their runs."""
        position = turn.position
        title = title_from(position.question.text) if position.question else ""
        begins = turn.conversation if turn.is_new else None
        first, *beside = [self._new_answer(each.started) for each in runs]
        new = NewTurn(
            turn.principal,
            position.question,
            first.answer,
            first.run,
            first.first,
            title,
            begins,
            options,
            tuple(beside),
        )
        started = runs[0]
        record = await self._runs.open(new, started.started, started.producer, started.on_finish, runs[1:])
        if beside and record.id != first.run.id:
            return await self._opened_before(turn.principal, record)
        others = tuple(OpenedTurn(each.run, position.parent, each.answer.model or "") for each in beside)
        return OpenedTurn(record, position.parent, started.started.model, others)

    def _new_answer(self, started: RunStarted) -> NewAnswer:
        answer = Message(
            id=started.message,
            conversation=started.conversation,
            parent=started.parent,
            role="assistant",
            parts=(),
            created=started.created,
            status="running",
            run=started.run,
            model=started.model,
        )
        process = self._storage.processes.current
        record = RunRecord(started.run, started.conversation, started.message, process, "running")
        return NewAnswer(answer, record, EventChunk(started.run, 0, b""))

    async def _opened_before(self, principal: Principal, record: RunRecord) -> OpenedTurn:
        """Return the comparison that was begun when the same question was sent before."""
        _, messages = await self._storage.conversations.get_tree(principal, record.conversation)
        question = next(each.parent for each in messages if each.id == record.message)
        opened = [
            OpenedTurn(await self._storage.runs.get_run(principal, each.run), question, each.model or "")
            for each in messages
            if each.parent == question and each.run is not None
        ]
        return replace(opened[0], beside=tuple(opened[1:]))

    def _finish_callback(self, turn: _Turn, options: TurnOptions, model: Model) -> Callable[[Message], None]:
        """Return what follows an answer: reading for the next question if that is slow, and naming the conversation."""
        name = self._title_callback(turn)

        def finish(answer: Message) -> None:
            if model.reading_rate is not None:
                self._read_on(turn, options, answer)
            if name is not None:
                name(answer)

        return finish

    def _title_callback(self, turn: _Turn) -> Callable[[Message], None] | None:
        """Return what names the conversation after its first answer; None if it has a title."""
        if self._titles is None or has_answer(turn.messages) or (turn.is_new and turn.conversation.title):
            return None
        return partial(
            self._titles.request_title, turn.principal, turn.conversation.id, last_question(turn.position.history)
        )

    def _now(self) -> int:
        """The time in milliseconds since 1970."""
        return int(self._clock() * 1000)


def _chat_question(turn: _Turn, options: TurnOptions, accepted: float) -> ChatQuestion:
    answer = AnswerRef(turn.run, turn.conversation.id, turn.answer)
    return ChatQuestion(turn.principal, turn.run, turn.position.history, options, accepted, turn.conversation, answer)


def _research_plan(turn: _Turn, action: TurnAction) -> tuple[tuple[str, ...], Message | None]:
    """Return the questions of the research that is asked for, and the one to go on with; none for other answers."""
    if isinstance(action, NewMessage):
        return action.research, None
    resumed = turn.position.resumes
    tasks = list_tasks(resumed) if resumed is not None else []
    return (tuple(task.question for task in tasks), resumed) if tasks else ((), None)


def _image_models(action: TurnAction, options: TurnOptions, messages: Sequence[Message]) -> list[str | None]:
    """The image model that is named, or None, and then preferred ones if they are available."""
    match action:
        case NewMessage():
            return [action.draw.model if action.draw is not None else None]
        case Regenerate():
            before = [each.model for each in reversed(messages) if each.parent == action.message]
            return [options.model, *before]
        case Resume():
            return [None]
