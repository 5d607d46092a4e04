from __future__ import annotations

from eclair.storage.base import Storage
from tests.storage.helpers import ME


async def test_the_last_choice_stays(storage: Storage) -> None:
    assert await storage.speech_settings.get_transcriber() is None
    for model in ("whisper-small", "auto"):
        await storage.speech_settings.put_transcriber(ME, model)
        assert await storage.speech_settings.get_transcriber() == model
    acts = await storage.audit.list_acts_after(0, 9)
    assert [(act.action, act.object, act.details) for act in acts] == [
        ("settings.changed", "speech", {"transcriber": "whisper-small"}),
        ("settings.changed", "speech", {"transcriber": "auto"}),
    ]
