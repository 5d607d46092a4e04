"""Makes pages of the speech in a recording: one a minute, with the time of each sentence."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field

from eclair.schema.documents import Block, Opened, Page, UnreadPart
from eclair.speech.recognition_protocol import RecognitionResult, SoundHeard, SoundOpened, SpokenSegment
from eclair.util.humanize import format_moment

PAGE_S = 60
"""Seconds of a page. What was read of a recording is kept by pages, so no more than this is heard twice."""


@dataclass(slots=True)
class _Minute:
    """A page that is being heard."""

    number: int
    text: str = ""
    blocks: list[Block] = field(default_factory=list[Block])

    def add(self, segment: SpokenSegment) -> None:
        start = len(self.text) + 1 if self.text else 0
        self.text += f"\n{segment.text}" if self.text else segment.text
        self.blocks.append(Block("speech", start, len(self.text), ref=_media_fragment(segment.start, segment.end)))

    def page(self) -> Page:
        label = format_moment((self.number - 1) * PAGE_S)
        return Page(self.number, self.text, tuple(self.blocks), label=label, read="speech")


def heard_until(page: Page) -> float:
    """Return the second of a recording up to which it has been heard, by the last page that was read."""
    ends = [block.seconds[1] for block in page.blocks if block.seconds is not None]
    return max(page.number * PAGE_S, *ends) if ends else page.number * PAGE_S


async def speech_pages(
    results: AsyncIterable[RecognitionResult], name: str, media: str, after: int = 0
) -> AsyncIterator[Opened | Page | UnreadPart]:
    """Yield the pages behind the first `after` of a recording that people call `name`, as it is heard.

    A sentence is on the page of the minute in which it begins. A page without speech is empty.
    """
    minute = _Minute(after + 1)
    has_speech = after > 0
    until_s = 0.0
    async for result in results:
        match result:
            case SoundOpened(duration_s=duration_s):
                yield Opened(media, math.ceil(duration_s / PAGE_S) or None)
            case SpokenSegment():
                while result.start >= minute.number * PAGE_S:
                    yield minute.page()
                    minute = _Minute(minute.number + 1)
                minute.add(result)
                has_speech = True
            case SoundHeard():
                until_s = result.until_s
                while until_s >= minute.number * PAGE_S:
                    yield minute.page()
                    minute = _Minute(minute.number + 1)
    if until_s > (minute.number - 1) * PAGE_S or minute.blocks:
        yield minute.page()
    if not has_speech:
        yield UnreadPart(f"Nobody was heard speaking in {name}.")


def _media_fragment(start_s: float, end_s: float) -> str:
    return f"t={start_s:.2f},{max(start_s, end_s):.2f}"
