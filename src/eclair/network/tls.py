"""TLS: the certificate and key that the server shows to browsers and programs."""

from __future__ import annotations

import ssl
from pathlib import Path

from eclair.errors import SettingsError
from eclair.settings import Settings


def load_tls(settings: Settings) -> ssl.SSLContext | None:
    """Load the certificate and its key; None where none is set. Blocks. Raises SettingsError."""
    certificate, key = settings.tls_certificate, settings.tls_key
    if certificate is None:
        if key is not None:
            raise SettingsError("tls_key is set without tls_certificate; set both.")
        return None
    for path in (certificate, key or certificate):
        _require_readable(path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load_certificate(context, settings)
    return context


def load_certificate(context: ssl.SSLContext, settings: Settings) -> None:
    """Put certificate and key into a context that may be in use: connections made from now on show it.

    Blocks. Raises SettingsError.
    """
    certificate, key = settings.tls_certificate, settings.tls_key
    assert certificate is not None
    try:
        context.load_cert_chain(certificate, key, password=lambda: "")  # so that nobody is asked at the terminal
    except ssl.SSLError as error:
        where = f"{certificate} and {key}" if key is not None else str(certificate)
        raise SettingsError(
            f"{where} are no certificate with its key, both PEM and without a password ({error.reason or error}); "
            "set tls_certificate and tls_key to such files."
        ) from error


def _require_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check tls_certificate and tls_key.") from error
