"""The speed of a model on an accelerator, from bytes and operations, where nobody has measured it.

Weights, keys and values are read at 60 % of the memory's bandwidth, and operations take place at 40 % of the peak. A
step takes 4 ms more, and another millisecond for each further accelerator that has to be waited for.
"""

from __future__ import annotations

from dataclasses import dataclass

from eclair.capacity.capacity_facts import BYTES_PER_WEIGHT, Accelerator, CapacityFacts, Precision
from eclair.capacity.replica import ReplicaSpeed
from eclair.errors import InvalidInput
from eclair.models.catalog import CatalogEntry
from eclair.models.memory import kv_bytes_per_token

READ_SHARE = 0.6
COMPUTE_SHARE = 0.4
STEP_S = 0.004
PEER_S = 0.001

USABLE_MEMORY = 0.9
"""Share of the memory for weights, keys and values."""

SLOTS = 256
CHUNK_TOKENS = 2048
"""Answers at once, and tokens of prompts in a step, as servers for models have them by default."""

LEAST_KV_TOKENS = 65_536
"""Room that a replica needs beside the weights."""

REPLICA_SIZES = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True)
class ModelSize:
    """A model's parameters in billions, those used for a token, and bytes of keys and values for each token."""

    id: str
    name: str
    parameters: float
    active: float
    kv_bytes: float

    @classmethod
    def from_entry(cls, entry: CatalogEntry, facts: CapacityFacts) -> ModelSize:
        """Raise InvalidInput for a model whose size isn't known."""
        if entry.parameters is None:
            raise InvalidInput(f"The size of {entry.id} isn't known; choose another model.", param="model")
        known = facts.kv_bytes(entry.id)
        kv = kv_bytes_per_token(entry.parameters, 0, "F16") if known is None else known.likely
        return cls(entry.id, entry.name, entry.parameters, entry.active or entry.parameters, kv)


def default_precision(model: ModelSize, accelerator: Accelerator) -> Precision:
    """Return the usual precision: that of the published weights, FP8 where there is hardware for it, else FP4."""
    if model.id.startswith("gpt-oss"):
        return "fp4"
    return "fp8" if accelerator.tflops_fp8 is not None else "fp4"


def needed_accelerators(model: ModelSize, accelerator: Accelerator, precision: Precision) -> int:
    """Return how many hold the weights and some keys and values. Raises InvalidInput if none of a machine do."""
    weights = model.parameters * 1e9 * BYTES_PER_WEIGHT[precision]
    room = accelerator.memory_gb.likely * 1e9 * USABLE_MEMORY
    most_kv = LEAST_KV_TOKENS * model.kv_bytes
    least_kv = most_kv / 8 if accelerator.per_machine == 1 else most_kv
    for count in REPLICA_SIZES:
        if count <= accelerator.per_machine and weights + least_kv <= room * count:
            return count
    raise InvalidInput(
        f"{model.name} doesn't fit one machine with {accelerator.name} at {precision}; choose larger hardware or "
        "a smaller model.",
        param="accelerator",
    )


def derive_speed(model: ModelSize, accelerator: Accelerator, count: int, precision: Precision) -> ReplicaSpeed:
    """Return the speed of a replica on so many accelerators, before the correction by published figures."""
    per_weight = BYTES_PER_WEIGHT[precision]
    bandwidth = accelerator.bandwidth_gb_s.likely * 1e9 * READ_SHARE * count
    fast = accelerator.tflops_fp8 if precision == "fp8" and accelerator.tflops_fp8 is not None else accelerator.tflops
    operations = fast.likely * 1e12 * COMPUTE_SHARE * count
    weights = model.parameters * 1e9 * per_weight
    room = accelerator.memory_gb.likely * 1e9 * USABLE_MEMORY * count - weights
    return ReplicaSpeed(
        fixed_s=STEP_S + PEER_S * (count - 1),
        weights_s=weights / bandwidth,
        answer_s=2 * model.active * 1e9 / operations,
        kv_token_s=model.kv_bytes / bandwidth,
        prompt_tokens_per_s=operations / (2 * model.active * 1e9),
        slots=SLOTS,
        kv_tokens=max(1.0, room / model.kv_bytes),
        chunk_tokens=CHUNK_TOKENS,
        active_share=model.active / model.parameters,
    )
