"""Keeps how models call tools, in a file in the data folder, which may be deleted.

Each model's row is that of one version of its file, or of one engine; what is too old is found out again.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from eclair.llm.call_probe import CallSkill
from eclair.schema.models import Model

SKILLS_FILE = "call-skills.json"
MAX_AGE_S = 90 * 86_400.0
"""A model behind an address may become another."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Row:
    """A skill, when it was found, and of how many bytes the model's file was."""

    skill: CallSkill
    at: float
    size: int | None


_ROWS = TypeAdapter(dict[str, _Row])


class CallSkills:
    """The skills that were found on this machine. Several processes may share the file; the last write counts."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / SKILLS_FILE
        self._rows = self._read()

    def apply(self, model: Model) -> Model:
        """Return the model with what is known of its calls.

        One that is trusted to plan and calls well is offered tools even if no list says that it can call them.
        """
        if model.call_way is not None or (row := self._find(model)) is None:
            return model
        skill = row.skill
        can_call = skill.way != "none" and (model.can_call_tools or (skill.is_good and model.can_plan))
        return replace(model, can_call_tools=can_call, call_way=skill.way, calls_well=skill.is_good)

    def knows(self, model: Model) -> bool:
        """Return whether nothing has to be found out of a model."""
        return model.call_way is not None or self._find(model) is not None

    def add(self, model: Model, skill: CallSkill) -> None:
        """Keep what was found; without a disk to write to, until this process ends."""
        self._rows = {**self._read(), **self._rows, _key(model): _Row(skill, time.time(), model.size)}
        fresh = self._path.with_suffix(f".{os.getpid()}")
        try:
            fresh.write_bytes(_ROWS.dump_json(self._rows, indent=2))
            fresh.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s; it is found out again after a restart", self._path, error.strerror)

    def _find(self, model: Model) -> _Row | None:
        row = self._rows.get(_key(model))
        is_current = row is not None and row.size == model.size and time.time() - row.at < MAX_AGE_S
        return row if is_current else None

    def _read(self) -> dict[str, _Row]:
        """Read the rows; none where there is no file, or one of another version."""
        try:
            return _ROWS.validate_json(self._path.read_bytes())
        except (OSError, ValidationError):
            return {}


def _key(model: Model) -> str:
    return f"{model.engine} {model.id}"
