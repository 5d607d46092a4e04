"""Ask a capable model on the person's own hardware to lay out clip art."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import aclosing

from pydantic import BaseModel, ValidationError

from eclair.errors import EclairError
from eclair.generation.usage import AskModel
from eclair.images.backends.clipart.book import Vocabulary, book
from eclair.images.backends.clipart.folding import fold_words
from eclair.images.backends.clipart.prompt_reader import SIZES
from eclair.images.backends.clipart.scene import MAX_PICTURES, ClipArtItem, ClipArtScene
from eclair.llm.base import JSON, Engine, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.llm.registry import Registry
from eclair.schema.messages import Sampling
from eclair.schema.models import OWN_LOCATIONS, Model
from eclair.schema.principal import Principal
from eclair.util.lru import LruCache

PLAN_TIMEOUT_S = 30.0
PLAN_TTL_S = 300.0
"""A prompt is checked, then drawn, several times if several pictures are wanted: it is planned once."""
MAX_PLANS = 50
MAX_PLAN_TOKENS = 800
MAX_PLAN_CHARS = 20_000
MAX_ITEMS = 12
MAX_ROWS = 2
"""Above and below the middle one."""
MAX_WORD_CHARS = 40

log = logging.getLogger(__name__)

_ASK = """\
Lay out the request below as clip art. Each item is one emoji picture: its plain English name (cat, red apple, \
sailboat), how often it is shown, its color only where the request names one, its size, and its row (0; a larger row \
is higher up). Use only things that the request asks for. Under "missing" list each thing of the request that no emoji \
shows, in the words of the request.

Request: {prompt}"""


class _Item(BaseModel):
    name: str
    count: int = 1
    color: str | None = None
    size: str = "medium"
    row: int = 0


class _Plan(BaseModel):
    items: list[_Item]
    missing: list[str] = []


def schema() -> JSON:
    """The JSON schema that a plan has."""
    item = {
        "name": {"type": "string", "maxLength": MAX_WORD_CHARS},
        "count": {"type": "integer", "minimum": 1, "maximum": MAX_PICTURES},
        "color": {"type": ["string", "null"], "enum": [*book().colors, None]},
        "size": {"type": "string", "enum": ["small", "medium", "large"]},
        "row": {"type": "integer", "minimum": -MAX_ROWS, "maximum": MAX_ROWS},
    }
    return _object(
        {
            "items": {"type": "array", "maxItems": MAX_ITEMS, "items": _object(item)},
            "missing": {"type": "array", "maxItems": MAX_ITEMS, "items": {"type": "string"}},
        }
    )


def _object(properties: JSON) -> JSON:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


class ScenePlanner:
    """Plans with the default model, where that is capable, loaded, and no one else's."""

    def __init__(self, registry: Registry, ask: AskModel) -> None:
        self._registry = registry
        self._ask = ask
        self._plans = LruCache[tuple[Principal, str], tuple[float, ClipArtScene | None]](MAX_PLANS)

    async def plan(self, prompt: str, principal: Principal) -> ClipArtScene | None:
        """The scene; None where no such model is at hand, it fails, or too little of its plan can be drawn."""
        held = self._plans.get((principal, prompt))
        if held is None or held[0] < time.monotonic():
            held = time.monotonic() + PLAN_TTL_S, await self._planned(prompt, principal)
            self._plans.put((principal, prompt), held)
        return held[1]

    async def _planned(self, prompt: str, principal: Principal) -> ClipArtScene | None:
        try:
            async with asyncio.timeout(PLAN_TIMEOUT_S):
                engine, model = await self._registry.resolve(None)
                if not self._is_at_hand(model):
                    return None
                scene = scene_of(await self._answer(engine, model, prompt, principal))
        except (TimeoutError, EclairError, ValidationError) as error:
            log.info("The scene is read by its words, as the model did not plan it: %s", error)
            return None
        return scene if scene.is_known else None

    def _is_at_hand(self, model: Model) -> bool:
        is_local = self._registry.local is not None and model.engine == self._registry.local.name
        is_loaded = not is_local or model.id in self._registry.loaded
        return model.can_plan and model.location in OWN_LOCATIONS and is_loaded

    async def _answer(self, engine: Engine, model: Model, prompt: str, principal: Principal) -> str:
        request = Request(
            model.id,
            (PromptMessage("user", _ASK.format(prompt=prompt)),),
            sampling=Sampling(temperature=0, max_tokens=MAX_PLAN_TOKENS),
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "scene", "strict": True, "schema": schema()},
            },
            extra={"reasoning_effort": FLASH_EFFORT},
            purpose="notes",
        )
        said = ""
        async with aclosing(self._ask(principal, engine, model, request)) as pieces:
            async for piece in pieces:
                said += piece.text if isinstance(piece, Text) else ""
                if len(said) > MAX_PLAN_CHARS:
                    break
        return said


def scene_of(said: str) -> ClipArtScene:
    """The scene of a plan as JSON, bounded to what can be drawn. Raises ValidationError otherwise."""
    plan, words = _Plan.model_validate_json(said), book().vocabulary("en")
    items: list[ClipArtItem] = []
    unknown = [_line(text) for text in plan.missing[:MAX_ITEMS]]
    for each in plan.items[:MAX_ITEMS]:
        count = max(1, min(each.count, MAX_PICTURES - sum(item.count for item in items)))
        item = _item(each, count, words)
        if item is None:
            unknown.append(_line(each.name))
        elif sum(other.count for other in items) < MAX_PICTURES:
            items.append(item)
    return ClipArtScene("en", tuple(items), tuple(filter(None, unknown)))


def _item(planned: _Item, count: int, words: Vocabulary) -> ClipArtItem | None:
    """None where the book has no picture of that name."""
    found = words.picture(fold_words(planned.name))
    if found is None:
        return None
    color = planned.color if planned.color in book().colors and planned.color not in found[1].split() else None
    size = planned.size if planned.size in SIZES else ""
    name = _line(planned.name)
    row = max(-MAX_ROWS, min(MAX_ROWS, planned.row))
    return ClipArtItem(found[0], " ".join(filter(None, (size, color, name))), count, color, SIZES.get(size, 1.0), row)


def _line(text: str) -> str:
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())[:MAX_WORD_CHARS]
