"""Figures of the person for whom commands act: the first administrator, whoever sits at this machine."""

from __future__ import annotations

from eclair.settings import Settings


def hides_own_figures(settings: Settings) -> bool:
    """Tell whether works-council mode hides them: with accounts, they may be somebody else's."""
    return settings.works_council and settings.accounts == "on"
