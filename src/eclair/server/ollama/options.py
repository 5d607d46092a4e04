"""`options` of Ollama's requests: sampling parameters, and what its server loads a model with."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import ConfigDict, Field

from eclair.llm.base import JSON
from eclair.schema.messages import Sampling
from eclair.server.request_body import ForeignModel

MIROSTAT_OPTIONS = ("mirostat", "mirostat_tau", "mirostat_eta")

Fraction = Annotated[float | None, Field(ge=0, le=1)]


class OllamaOptions(ForeignModel):
    """The options that change an answer. Those for loading, such as `num_ctx`, are the settings' and ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    temperature: Annotated[float | None, Field(ge=0)] = None
    top_p: Fraction = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    min_p: Fraction = None
    typical_p: Fraction = None
    seed: int | None = None
    stop: str | list[str] | None = None
    num_predict: int | None = None
    repeat_last_n: Annotated[int | None, Field(ge=-1)] = None
    repeat_penalty: Annotated[float | None, Field(ge=0)] = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    mirostat: Annotated[int | None, Field(ge=0, le=2)] = None
    mirostat_tau: float | None = None
    mirostat_eta: float | None = None

    def sampling(self) -> Sampling:
        """Return what every engine takes; numbers below zero stand for no limit and a random seed."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        seed = self.seed if self.seed is None or self.seed >= 0 else None
        limit = self.num_predict if self.num_predict is not None and self.num_predict > 0 else None
        return Sampling(self.temperature, self.top_p, limit, seed, tuple(each for each in stop if each))

    def repeat(self, sampling: Sampling) -> Sampling:
        """Return the sampling with the repeat penalty that is asked for."""
        return sampling if self.repeat_penalty is None else replace(sampling, repeat_penalty=self.repeat_penalty)

    def engine_options(self) -> JSON:
        """Return what is passed to the engine as it is; values that change nothing are left out."""
        neutral: JSON = {"typical_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
        names = ("top_k", "min_p", "repeat_last_n", *neutral, *(MIROSTAT_OPTIONS if self.mirostat else ()))
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value not in (None, neutral.get(name))}
