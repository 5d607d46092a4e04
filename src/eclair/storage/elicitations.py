"""Port of questions that servers ask in the middle of calls: what the servers keep there, and the people's answers.

The words of a question are in the log of its run. Rows go once their answers are taken, or their run ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from eclair.schema.elicitations import CallInput, ElicitationAction, FieldValue
from eclair.schema.principal import Principal


class ElicitationStore(Protocol):
    """Questions of runs. Methods without a Principal serve the process that writes or takes up a run."""

    async def add_questions(self, run: str, call: str, keys: Mapping[int, str], state: str | None) -> None:
        """Store open questions of a call by their numbers, each with the server's key of it; they share the state."""
        ...

    async def answer_question(
        self,
        principal: Principal,
        run: str,
        call: str,
        number: int,
        action: ElicitationAction,
        content: Mapping[str, FieldValue] | None,
    ) -> bool:
        """Store an answer; False where there is one, or nobody waits for it. Raises NotFound for a missing run."""
        ...

    async def is_answered(self, run: str, call: str) -> bool:
        """Tell if all questions of a call have an answer."""
        ...

    async def take_input(self, run: str, call: str) -> CallInput | None:
        """Take the answers of a call away once all its questions have one; None before."""
        ...

    async def take_inputs(self, run: str) -> dict[str, CallInput]:
        """Take the answers of all such calls of a run away."""
        ...
