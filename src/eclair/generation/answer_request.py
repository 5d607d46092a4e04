"""Everything an answer is made from."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.generation.answer_checks import MakeChecker
from eclair.generation.meter import Meter
from eclair.generation.prompt import PromptBuilder
from eclair.generation.route import Route
from eclair.generation.sources import PassageNumbers, Retriever
from eclair.generation.tools import Tool
from eclair.schema.messages import Message
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Everything an answer is made from.

    `accepted` is when the question arrived, on `time.perf_counter`. `resumes` is an unfinished answer to continue,
    without retrieving again. With `reviews_doubts` the model itself looks again at what no passage supports by its
    words, if it can. It is made for `principal`, to whom the usage counts; with `is_carried` something else, such as
    the stored message, carries it. Without `allows_lead` the answer begins with the model's own words, in whatever
    format the request demands. Without `shows_steps` no loading step is reported. A `meter` measures several answers
    as one. What `tools` find is checked by `checker` if there is no retriever, and numbered by `numbers`.
    `memories` are the ids of those in the prompt.
    """

    route: Route
    prompt: PromptBuilder
    accepted: float
    principal: Principal
    retriever: Retriever | None = None
    tools: tuple[Tool, ...] = ()
    checker: MakeChecker | None = None
    numbers: PassageNumbers | None = None
    resumes: Message | None = None
    is_carried: bool = False
    allows_lead: bool = True
    shows_steps: bool = True
    reviews_doubts: bool = False
    meter: Meter | None = None
    memories: tuple[str, ...] = ()
