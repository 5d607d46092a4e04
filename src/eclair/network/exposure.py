"""Exposure: by which settings others can reach Éclair, and whether the key is set that keeps them out."""

from __future__ import annotations

from eclair.settings import Settings
from eclair.util.loopback import is_loopback


def find_exposure(settings: Settings) -> str | None:
    """Say in a sentence why a key is needed that is not set, and the ways out; None if none is needed."""
    if settings.api_key is not None:
        return None
    if not is_loopback(settings.host):
        return (
            f"{settings.host} can be reached from other machines, so a key is needed; "
            "set ECLAIR_API_KEY, or keep to 127.0.0.1."
        )
    public = next((name for name in settings.allowed_hosts if not is_loopback(name)), None)
    if public is not None:
        return (
            f"`allowed_hosts` opens Éclair to whoever reaches {public}, so a key is needed; "
            "set ECLAIR_API_KEY, or take the name out."
        )
    return None
