"""Exposure: by which settings others can reach Éclair, and whether there is a key that keeps them out."""

from __future__ import annotations

from eclair.settings import Settings
from eclair.util.loopback import is_loopback


def is_exposed(settings: Settings) -> bool:
    """Tell whether Éclair can be reached by others than the accounts of this machine."""
    return not is_loopback(settings.host) or _public_name(settings) is not None


def find_exposure(settings: Settings) -> str | None:
    """Say in a sentence why a key is needed that is not set, and the ways out; None if none is needed.

    The storage may have keys that will do.
    """
    if settings.api_key is not None:
        return None
    if not is_loopback(settings.host):
        return (
            f"{settings.host} can be reached from other machines, so a key is needed; "
            "make one with `eclair key new NAME`, set ECLAIR_API_KEY, or keep to 127.0.0.1."
        )
    public = _public_name(settings)
    if public is not None:
        return (
            f"`allowed_hosts` opens Éclair to whoever reaches {public}, so a key is needed; "
            "make one with `eclair key new NAME`, set ECLAIR_API_KEY, or take the name out."
        )
    return None


def _public_name(settings: Settings) -> str | None:
    return next((name for name in settings.allowed_hosts if not is_loopback(name)), None)
