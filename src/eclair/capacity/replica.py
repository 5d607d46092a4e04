"""A replica of a model as a simulation sees it: how long a step takes, and what room there is.

In each step every answer under way gets a token (more with speculative decoding), and a chunk of a waiting prompt is
read. A step takes a fixed time, reads the weights that its answers use, computes for each answer, and reads the keys
and values of all tokens so far, each answer its own; in a cache that all share (llama.cpp's), each answer all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSpeed:
    """Times in seconds. Without `active_share` of 1, more of the weights are read the more answers there are.

    `slots` are answers at once, `kv_tokens` the tokens whose keys and values fit, `chunk_tokens` those of prompts that
    one step reads. `tokens_per_step` is what an answer gets of a step, and `drafted` how many more are computed for it.
    """

    fixed_s: float
    weights_s: float
    answer_s: float
    kv_token_s: float
    prompt_tokens_per_s: float
    slots: int
    kv_tokens: float
    chunk_tokens: int
    active_share: float = 1.0
    tokens_per_step: float = 1.0
    drafted: float = 0.0
    shares_cache: bool = False

    def step_s(self, answers: int, kv_tokens: float) -> float:
        """Return how long a step takes with so many answers, which hold so many tokens together."""
        read = 1.0 if self.active_share >= 1 else 1 - (1 - self.active_share) ** max(1, answers)
        computed = self.answer_s * answers * (1 + self.drafted)
        return self.fixed_s + self.weights_s * read + computed + self.kv_s(answers) * kv_tokens

    def kv_s(self, answers: int) -> float:
        """Return what a token in the cache adds to a step with so many answers."""
        return self.kv_token_s * (answers if self.shares_cache else 1)

    def slowed(self, correction: float) -> ReplicaSpeed:
        """Return this replica at `correction` of its speed."""
        return replace(
            self,
            fixed_s=self.fixed_s / correction,
            weights_s=self.weights_s / correction,
            answer_s=self.answer_s / correction,
            kv_token_s=self.kv_token_s / correction,
            prompt_tokens_per_s=self.prompt_tokens_per_s * correction,
        )

    def with_speculation(self, tokens_per_step: float) -> ReplicaSpeed:
        """Return this replica with drafts, twice as many as are accepted."""
        return replace(self, tokens_per_step=tokens_per_step, drafted=2 * (tokens_per_step - 1))

    def alone_tokens_per_s(self, held_tokens: float) -> float:
        """Return the speed of an answer that has the replica for itself and holds so many tokens."""
        return self.tokens_per_step / self.step_s(1, held_tokens)
