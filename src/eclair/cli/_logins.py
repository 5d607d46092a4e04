"""The login of this account at an Éclair elsewhere: a file beside the settings, which nobody else may read."""

from __future__ import annotations

import argparse
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.cli._arguments import load_settings
from eclair.errors import SettingsError
from eclair.settings import LoadedSettings

LOGIN_FILE = "login.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLogin:
    """A key of somebody at the Éclair at `url`. `name` is the key's; `expires` is in milliseconds."""

    url: str
    key: str
    name: str
    expires: int | None = None


_LOGIN = TypeAdapter(ServerLogin)


def login_file(loaded: LoadedSettings) -> Path:
    return loaded.file.absolute().parent / LOGIN_FILE


def read_login(file: Path) -> ServerLogin | None:
    """Return the login; None where there is none. Raises SettingsError for a damaged file."""
    try:
        return _LOGIN.validate_json(file.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}; check its rights.") from error
    except ValidationError as error:
        raise SettingsError(f"{file} is damaged; delete it, and sign in again with `eclair login`.") from error


def write_login(file: Path, login: ServerLogin) -> None:
    """Keep a login, for this account's eyes only. Raises SettingsError."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".login-")  # with mode 0600
        with os.fdopen(handle, "wb") as temporary:
            temporary.write(orjson.dumps(asdict(login), option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(name, file)
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}; check who may write there.") from error


def find_login(arguments: argparse.Namespace) -> ServerLogin | None:
    """Return the login that a command acts with; None where it acts on this machine. Raises SettingsError."""
    return None if arguments.local else read_login(login_file(load_settings(arguments)))
