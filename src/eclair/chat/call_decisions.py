"""People's decisions on calls of tools, their answers to questions of servers, and the runs that go on with them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import replace

from pydantic import TypeAdapter

from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.chat_question import ChatQuestion
from eclair.chat.runs import EventProducer, Runs
from eclair.chat.turn_options import TurnOptions
from eclair.errors import Conflict, EclairError, Forbidden, InvalidInput, NotFound
from eclair.generation.answer_request import TakenUpAnswer
from eclair.generation.pipeline import AnswerPipeline
from eclair.mcp_servers.elicitation_answers import check_answer
from eclair.schema.elicitations import Elicitation, ElicitationAction, FieldValue
from eclair.schema.events import Event, RunFinished, RunResumed
from eclair.schema.messages import Call, CallDecision, branch
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.runs import RunRecord, TakenUpRun
from eclair.tools.draw_picture import AnswerRef
from eclair.tools.permissions import ToolPermissions

TURN_OPTIONS = TypeAdapter(TurnOptions)

log = logging.getLogger(__name__)


class FailedAnswer:
    """Implements `EventProducer` for an answer that can't begin or go on: raises why."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def events(self) -> AsyncGenerator[Event, None]:
        raise self._error
        yield RunResumed()  # makes it a generator

    def closing_events(self, end: Event | None) -> list[Event]:
        return [end or RunFinished("stop")]


class CallDecisions:
    """Takes decisions and answers; the run goes on in this process.

    `find_person` returns who it acts for, with today's rights.
    """

    def __init__(
        self,
        storage: Storage,
        runs: Runs,
        pipeline: AnswerPipeline,
        requests: AnswerRequests,
        permissions: ToolPermissions,
        find_person: Callable[[str], Awaitable[Principal | None]],
    ) -> None:
        self._storage = storage
        self._runs = runs
        self._pipeline = pipeline
        self._requests = requests
        self._permissions = permissions
        self._find_person = find_person
        runs.on_decided = self.take_up

    async def decide(self, principal: Principal, run: RunRecord, call: str, decision: CallDecision) -> None:
        """Decide on a call that waits; one decision counts, and the answer goes on.

        Raises NotFound, InvalidInput for a permission beyond a call that can only be allowed once, and Conflict where
        it is decided on already or its answer has ended.
        """
        asked = await self._find_call(run, call)
        if asked.once_only and decision in ("conversation", "always"):
            raise InvalidInput(
                "Text that you didn't write may have led to this call, so it can only be allowed once; decide on it "
                "with once, declined or never.",
                param="decision",
            )
        if not await self._storage.runs.decide_call(principal, run.id, call, decision):
            raise Conflict("This call is decided on already; reload the page to see how.", run=run.id)
        if decision in ("conversation", "always", "never"):
            conversation = run.conversation if decision == "conversation" else None
            is_denied = decision == "never"
            await self._permissions.give(principal, asked.tool, asked.scope, conversation, is_denied=is_denied)
        await self.take_up(run)

    async def answer(
        self,
        principal: Principal,
        run: RunRecord,
        call: str,
        number: int,
        action: ElicitationAction,
        content: Mapping[str, FieldValue],
    ) -> None:
        """Answer question `number` of the server of a call; one answer counts, and the call goes on once all have one.

        Raises NotFound, InvalidInput for what the form doesn't take, and Conflict where it is answered already or its
        answer has ended.
        """
        asked = await self._find_question(run, call, number)
        given = check_answer(asked.fields, content) if action == "accept" and asked.url is None else None
        store = self._storage.elicitations
        if not await store.answer_question(principal, run.id, call, number, action, given):
            raise Conflict("This question is answered already; reload the page to see how.", run=run.id)
        if await store.is_answered(run.id, call):
            await self.take_up(run)

    async def take_up(self, run: RunRecord) -> None:
        """Go on with a run that waits; does nothing if another process was faster."""
        await asyncio.shield(asyncio.ensure_future(self._take_up(run)))

    async def _find_call(self, run: RunRecord, call: str) -> Call:
        message, _ = await self._runs.fold(run)
        asked = next((each for each in message.calls if each.call == call), None)
        if asked is None or not asked.needs_approval:
            raise NotFound(f"There is no call {call!r} to decide on in this answer.")
        if asked.decision is not None:
            raise Conflict("This call is decided on already; reload the page to see how.", run=run.id)
        if asked.outcome is not None or not message.is_open:
            raise Conflict("This answer has ended, so its calls are not made; ask again.", run=run.id)
        return asked

    async def _find_question(self, run: RunRecord, call: str, number: int) -> Elicitation:
        message, _ = await self._runs.fold(run)
        found = next((each for each in message.calls if each.call == call), None)
        asked = next((each for each in found.elicitations if each.number == number), None) if found else None
        if found is None or asked is None:
            raise NotFound(f"There is no question {number} of the call {call!r} in this answer.")
        if asked.action is not None:
            raise Conflict("This question is answered already; reload the page to see how.", run=run.id)
        if found.outcome is not None or not message.is_open:
            raise Conflict("This answer has ended, so nobody waits for yours; ask again.", run=run.id)
        return asked

    async def _take_up(self, run: RunRecord) -> None:
        taken = await self._storage.runs.take_up_run(run.id)
        if taken is None:
            return
        try:
            producer: EventProducer = await self._producer(taken)
        except EclairError as error:
            producer = FailedAnswer(error)
        except Exception as error:
            log.exception("run %s cannot go on", run.id)
            producer = FailedAnswer(error)
        await self._runs.reopen(taken, producer)

    async def _producer(self, taken: TakenUpRun) -> EventProducer:
        run = taken.run
        principal = await self._find_person(taken.owner.id)
        if principal is None:
            raise Forbidden("The account of this conversation is locked or gone, so its answer does not go on.")
        conversation, messages = await self._storage.conversations.get_tree(principal, run.conversation)
        message, _ = await self._runs.fold(run)
        options = TURN_OPTIONS.validate_json(taken.options or "{}")
        question = ChatQuestion(
            principal,
            run.id,
            branch({each.id: each for each in messages}, message.parent),
            replace(options, model=message.model),
            time.perf_counter(),
            conversation,
            AnswerRef(run.id, run.conversation, run.message),
        )
        inputs = await self._storage.elicitations.take_inputs(run.id)
        request = await self._requests.make(question)
        return self._pipeline.run(replace(request, takes_up=TakenUpAnswer(message, taken.decisions, inputs)))
