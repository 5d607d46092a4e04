"""`eclair retention`: says for how long conversations are kept, and what a limit would erase now."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import datetime

from eclair.chat.conversations import DAY_S
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._terminal import Terminal
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.conversations import InactiveConversations
from eclair.storage.open import open_storage


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if settings.keep_days:
        terminal.line(f"Conversations are erased {_days(settings.keep_days)} after their last message (keep_days).")
    else:
        terminal.line("Conversations are kept until they are deleted; keep_days sets a limit.")
    days: int = arguments.days or settings.keep_days
    if days:
        found = asyncio.run(_count(settings, days))
        terminal.line(_describe(found, days))
    return 0


async def _count(settings: Settings, days: int) -> InactiveConversations:
    storage = await asyncio.to_thread(open_storage, settings.data_dir)
    try:
        return await storage.conversations.count_inactive(LOCAL_PRINCIPAL, int((time.time() - days * DAY_S) * 1000))
    finally:
        await storage.close()


def _describe(found: InactiveConversations, days: int) -> str:
    if found.oldest is None or found.newest is None:
        text = f"With {_days(days)}, nothing would be erased now."
    else:
        text = (
            f"With {_days(days)}, {_conversations(found.conversations)} would be erased now, "
            f"with last messages from {_date(found.oldest)} to {_date(found.newest)}."
        )
    return f"{text} {_conversations(found.pinned)} as old would stay, pinned." if found.pinned else text


def _days(days: int) -> str:
    return f"{days:,} day{'' if days == 1 else 's'}"


def _conversations(count: int) -> str:
    return f"{count:,} conversation{'' if count == 1 else 's'}"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000).date().isoformat()
