"""Everything an answer is made from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from eclair.generation.answer_checks import MakeChecker
from eclair.generation.call_permissions import CallPermissions, DefaultPermissions
from eclair.generation.demanded_calls import ToolDemand
from eclair.generation.meter import Meter
from eclair.generation.prompt import PromptBuilder
from eclair.generation.route import Route
from eclair.generation.sources import PassageNumbers, Retriever
from eclair.generation.tool_loop import USUAL_BUDGET, LoopBudget
from eclair.generation.tools import Tool
from eclair.schema.elicitations import CallInput
from eclair.schema.messages import CallDecision, Message
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class TakenUpAnswer:
    """An answer that waited for a person, as it stands, with decisions on its calls, and input for them, by call."""

    message: Message
    decisions: Mapping[str, CallDecision]
    inputs: Mapping[str, CallInput]


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Everything an answer is made from.

    `accepted` is when the question arrived, on `time.perf_counter`. `resumes` is an unfinished answer to continue,
    without retrieving again. With `reviews_doubts` the model itself looks again at what no passage supports by its
    words, if it can. It is made for `principal`, to whom the usage counts; with `is_carried` something else, such as
    the stored message, carries it. Without `allows_lead` the answer begins with the model's own words, in whatever
    format the request demands. Without `shows_steps` no loading step is reported. A `meter` measures several answers
    as one. What `tools` find is checked by `checker` if there is no retriever, and numbered by `numbers`.
    `permissions` judge their calls: foreign text in the conversation makes it tainted, and `asked_words` are the
    person's own. If it `can_wait`, it ends with calls undecided, and `takes_up` goes on with such an answer.
    `memories` are the ids of those in the prompt, and `skill` says which skill is in it. The `budget` limits its
    calls of tools. A model that calls tools only on demand is held to `demand`.
    """

    route: Route
    prompt: PromptBuilder
    accepted: float
    principal: Principal
    retriever: Retriever | None = None
    tools: tuple[Tool, ...] = ()
    checker: MakeChecker | None = None
    numbers: PassageNumbers | None = None
    permissions: CallPermissions = field(default_factory=DefaultPermissions)
    is_tainted: bool = False
    asked_words: str = ""
    can_wait: bool = False
    resumes: Message | None = None
    takes_up: TakenUpAnswer | None = None
    is_carried: bool = False
    allows_lead: bool = True
    shows_steps: bool = True
    reviews_doubts: bool = False
    meter: Meter | None = None
    memories: tuple[str, ...] = ()
    skill: str | None = None
    budget: LoopBudget = USUAL_BUDGET
    demand: ToolDemand | None = None
