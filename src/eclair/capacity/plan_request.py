"""Requests for plans, with the limits of each number."""

from __future__ import annotations

from dataclasses import dataclass, fields

from eclair.capacity.arrivals import Lengths
from eclair.capacity.capacity_facts import Precision
from eclair.capacity.workload import QuestionDemand, Targets, Workload
from eclair.errors import InvalidInput
from eclair.storage.usage import UsageTotal

DEFAULT_LENGTHS = Lengths(3000, 400, 0.6)
"""Tokens of a question with its history and sources, and of its answer, where no answers of one's own are counted."""

LEAST_ANSWERS = 50
"""From so many answers on, lengths are taken from usage."""

LIMITS: dict[str, tuple[float, float]] = {
    "people": (1, 10_000_000_000),
    "busy_share": (0.0001, 1),
    "questions_per_busy_hour": (0.1, 1000),
    "questions_per_day": (0.01, 10_000),
    "prompt_tokens": (1, 200_000),
    "answer_tokens": (8, 100_000),
    "cached_share": (0, 0.99),
    "burst": (0, 3),
    "first_word_s": (0.01, 600),
    "words_per_s": (0.1, 100_000),
    "tokens_per_step": (1, 8),
    "spare": (0, 1000),
}


@dataclass(frozen=True, kw_only=True)  # without slots, so that a default is an attribute of the class
class CapacityRequest:
    """A question to the planner. Without `precision` and `accelerators` (of a replica) the usual ones are taken.

    `busy_share` of the people ask `questions_per_busy_hour` in the busiest hour; everyone asks `questions_per_day` on
    average. `burst` is how unevenly the minutes of an hour are filled. `tokens_per_step` is what speculative decoding
    brings, 1 without.
    """

    model: str
    accelerator: str
    country: str = "DE"
    people: int = 100
    busy_share: float = 0.1
    questions_per_busy_hour: float = 4
    questions_per_day: float = 5
    prompt_tokens: float = DEFAULT_LENGTHS.prompt_tokens
    answer_tokens: float = DEFAULT_LENGTHS.answer_tokens
    cached_share: float = DEFAULT_LENGTHS.cached_share
    burst: float = 0.3
    first_word_s: float = 2.5
    words_per_s: float = 5.5
    tokens_per_step: float = 1
    spare: int = 1
    precision: Precision | None = None
    accelerators: int | None = None

    def check(self) -> None:
        """Raise InvalidInput, which names a number that is out of its limits."""
        for spec in fields(self):
            if spec.name in LIMITS:
                least, most = LIMITS[spec.name]
                if not least <= getattr(self, spec.name) <= most:
                    raise InvalidInput(f"`{spec.name}` must be from {least:,g} to {most:,g}.", param=spec.name)

    @property
    def demand(self) -> QuestionDemand:
        return QuestionDemand.of_people(
            self.people, self.questions_per_day, self.busy_share, self.questions_per_busy_hour
        )

    @property
    def workload(self) -> Workload:
        return Workload(Lengths(self.prompt_tokens, self.answer_tokens, self.cached_share), self.burst)

    @property
    def targets(self) -> Targets:
        return Targets(self.first_word_s, self.words_per_s)


def lengths_of_usage(total: UsageTotal) -> Lengths | None:
    """Return the mean lengths of answers that were counted; None if there are too few."""
    if total.answers < LEAST_ANSWERS or total.prompt_tokens <= 0 or total.completion_tokens <= 0:
        return None
    cached = min(0.99, max(0.0, total.cached_tokens / total.prompt_tokens))
    prompt, answer = total.prompt_tokens / total.answers, total.completion_tokens / total.answers
    return Lengths(max(1.0, prompt), max(1.0, answer), cached)
