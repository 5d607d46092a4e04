"""Exposure: by which settings others can reach Éclair, and whether there is a key that keeps them out."""

from __future__ import annotations

from urllib.parse import urlsplit

from eclair.settings import Settings
from eclair.util.loopback import is_loopback

MIN_KEY_CHARS = 24
"""Too many to be guessed, even over years."""


def is_exposed(settings: Settings) -> bool:
    """Tell whether Éclair can be reached by others than the accounts of this machine."""
    return not is_loopback(settings.host) or _public_name(settings) is not None


def find_exposure(settings: Settings) -> str | None:
    """Say in a sentence why a key is needed that is not set, and the ways out; None if none is needed.

    The storage may have keys that will do.
    """
    if settings.api_key is not None or settings.accounts == "on":
        return None
    if not is_loopback(settings.host):
        return (
            f"{settings.host} can be reached from other machines, so a key is needed; "
            "make one with `eclair key new NAME`, set ECLAIR_API_KEY, or keep to 127.0.0.1."
        )
    public = _public_name(settings)
    if public is not None:
        setting = "allowed_hosts" if public in settings.allowed_hosts else "public_url"
        return (
            f"`{setting}` opens Éclair to whoever reaches {public}, so a key is needed; "
            "make one with `eclair key new NAME`, set ECLAIR_API_KEY, or take the name out."
        )
    return None


def find_weak_key(settings: Settings) -> str | None:
    """Say in a sentence that `api_key` could be guessed by those who can reach Éclair; None if it could not."""
    if settings.api_key is None or len(settings.api_key) >= MIN_KEY_CHARS or not is_exposed(settings):
        return None
    return (
        f"`api_key` has fewer than {MIN_KEY_CHARS} characters, which is too few where others can reach Éclair; "
        "set a longer one, or make one with `eclair key new NAME` and leave `api_key` out."
    )


def is_unencrypted(settings: Settings) -> bool:
    """Tell whether keys and conversations would cross a network unencrypted."""
    return not is_loopback(settings.host) and settings.tls_certificate is None


def _public_name(settings: Settings) -> str | None:
    own = () if settings.public_url is None else (urlsplit(settings.public_url).hostname or "",)
    return next((name for name in (*settings.allowed_hosts, *own) if not is_loopback(name)), None)
