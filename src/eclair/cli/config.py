"""`eclair config`: shows every setting with its value, origin and meaning.

`eclair config --markdown` writes docs/configuration.md.
"""

from __future__ import annotations

import argparse
import textwrap
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._terminal import Terminal
from eclair.live_settings import RELOADABLE
from eclair.settings import LoadedSettings, SettingDescription, Settings, default_file, describe

HEAD = """\
# Configuration

Written by `eclair config --markdown` from the settings themselves; do not edit it by hand.

Settings are in one TOML file, `eclair.toml`.
It is in `~/.config/eclair` on Linux, in `~/Library/Application Support/eclair` on macOS, or where
`ECLAIR_CONFIG` says.
Environment variables override the file, and the command line overrides both.
An unknown name is an error that names the nearest known one; an empty variable counts as unset.
`eclair config` shows each value in force and where it comes from.

| setting | variable | default | means |
|---|---|---|---|
"""

TAIL = """
## Without a restart

`systemctl reload eclair`, or SIGHUP, has a running Éclair read the file and the secrets in files
again.
These take effect at once, and whatever has begun goes on:
@RELOADABLE@
Others wait for a restart, and the log names them.
Settings that can't work change nothing, and the log says what is wrong.
Environment variables are those of the start.

## An example

```toml
port = 9000
model = "mistral-small"
max_tokens = 2048
allowed_hosts = ["ai.example.org"]

[engines.rack]
url = "http://10.0.0.5:8000/v1"
key = "secret"
models = ["mistral-small"]      # where the server does not list its own
context = 32768                 # where it does not say how much its models can read

[fallbacks]
"mistral-large" = ["mistral-small", "smollm2-135m-instruct"]
```

In environment variables, lists are separated by commas.
`ECLAIR_ENGINES` and `ECLAIR_FALLBACKS` are JSON:
`{"rack": {"url": "http://10.0.0.5:8000/v1"}}`.

## Secrets from files

`ECLAIR_API_KEY_FILE`, `ECLAIR_ENGINES_FILE`, `ECLAIR_OTLP_KEY_FILE` and `ECLAIR_SEARCH_KEYS_FILE`
name files that hold what the variable without `_FILE` would,
so that no secret is in the environment.
With systemd:

```ini
LoadCredential=api_key:/etc/eclair/api_key
Environment=ECLAIR_API_KEY_FILE=%d/api_key
```

In containers, name the mounted secret: `ECLAIR_API_KEY_FILE=/run/secrets/api_key`.
"""


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.markdown:
        terminal.write(markdown())
        return 0
    loaded = load_settings(arguments)
    if arguments.json:
        settings = [asdict(row) for row in describe(loaded)]
        terminal.write_bytes(_dump({"file": loaded.file, "settings": settings}, orjson.OPT_INDENT_2) + b"\n")
    else:
        _show(loaded, terminal)
    return 0


def markdown() -> str:
    """Write docs/configuration.md, the same on every machine."""
    rows = [
        f"| `{row.name}` | `{row.variable}` | {_default(row)} | {row.sentence}{_choices(row.name)} |"
        for row in describe(LoadedSettings(Settings(), {}, default_file()))
    ]
    names = [f"`{name}`" for name in sorted(RELOADABLE)]
    reloadable = "\n".join(textwrap.wrap(f"{', '.join(names)}.", 100))
    return HEAD + "\n".join(rows) + "\n" + TAIL.replace("@RELOADABLE@", reloadable)


def _show(loaded: LoadedSettings, terminal: Terminal) -> None:
    terminal.line(f"{loaded.file}{'' if loaded.file.exists() else ' (not there)'}")
    rows = describe(loaded)
    margin = max(len(row.name) for row in rows) + 2
    for row in rows:
        terminal.line()
        for number, line in enumerate(terminal.wrap(_format_value(row.value), margin)):
            terminal.line(f"{row.name if number == 0 else '':<{margin}}{line}")
        for line in terminal.wrap(f"{row.origin} · {row.sentence}{_choices(row.name)}", margin):
            terminal.dim_line(f"{'':<{margin}}{line}")


def _default(row: SettingDescription) -> str:
    match row.name:
        case "data_dir":
            return "`~/.local/share/eclair`; on macOS `~/Library/Application Support/eclair`"
        case "catalog":
            return "`models.toml` beside the settings file"
        case _ if row.default is None or row.default in ({}, ()):
            return "none"
        case _:
            return f"`{_format_value(row.default)}`"


@cache
def _hints() -> dict[str, Any]:
    return get_type_hints(Settings)  # takes 10 ms


def _choices(name: str) -> str:
    hint = _hints()[name]
    return f" One of {', '.join(get_args(hint))}." if get_origin(hint) is Literal else ""


def _format_value(value: Any) -> str:
    """Format a value as in the settings file; `none` if it is not set."""
    if isinstance(value, Path):
        return str(value)
    if value is None or value in ({}, ()):
        return "none"
    return _dump(value).decode()


def _dump(value: Any, option: int = 0) -> bytes:
    return orjson.dumps(value, default=str, option=option)
