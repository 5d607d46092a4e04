"""Settings: where each comes from, and what is said of one that is wrong."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from eclair.errors import SettingsError
from eclair.settings import EngineSettings, Settings, default_file, describe, load


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "eclair.toml"


def fault(file: Path, text: str | bytes = b"", **environ: str) -> str:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(SettingsError) as caught:
        load({"ECLAIR_CONFIG": str(file), **environ})
    message = caught.value.message
    assert message.endswith((".", "?"))
    return message.removeprefix(f"{file} ").replace(str(file), "FILE")


def test_later_layers_win(file: Path) -> None:
    file.write_text('port = 1\nhost = "::1"\nmax_tokens = 5\n')
    loaded = load({"ECLAIR_CONFIG": str(file), "ECLAIR_PORT": "2", "ECLAIR_HOST": "127.0.0.2"}, {"port": 3})
    assert loaded.file == file
    assert (loaded.settings.port, loaded.settings.host, loaded.settings.max_tokens) == (3, "127.0.0.2", 5)
    assert loaded.origins == {"port": "command line", "host": "environment", "max_tokens": "file"}


def test_nothing_set_is_the_defaults(tmp_path: Path) -> None:
    assert load({"ECLAIR_CONFIG": str(tmp_path / "none.toml"), "HOME": "/x"}).settings == Settings(
        catalog=tmp_path / "models.toml"
    )
    assert default_file().name == "eclair.toml"


def test_each_kind_of_value_is_read_from_the_environment(tmp_path: Path) -> None:
    settings = load(
        {
            "ECLAIR_CONFIG": str(tmp_path / "none.toml"),
            "ECLAIR_EMBEDDED": "false",
            "ECLAIR_ALLOWED_HOSTS": "a.example, b.example,",
            "ECLAIR_ENGINES": '{"rack": {"url": "http://rack:8000/v1", "models": ["m"]}}',
            "ECLAIR_DATA_DIR": "~/éclair",
            "ECLAIR_MODEL": "",
        }
    ).settings
    assert settings.embedded is False
    assert settings.allowed_hosts == ("a.example", "b.example")
    assert settings.engines == {"rack": EngineSettings("http://rack:8000/v1", models=("m",))}
    assert settings.data_dir == Path.home() / "éclair"
    assert settings.model is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prot = 1", "Unknown setting prot in FILE; did you mean port?"),
        ("port = 'x'", "sets port to 'x': input should be a valid integer"),
        ("port = 65536", "sets port to 65536: input should be less than or equal to 65535."),
        ("max_tokens = 0", "sets max_tokens to 0: input should be greater than or equal to 1."),
        ("log_level = 'loud'", "sets log_level to 'loud': input should be 'debug', 'info', 'warning' or 'error'."),
        ("api_key = ''", "sets api_key: string should have at least 1 character."),
        ("api_key = 424242", "sets api_key: input should be a valid string."),
        ("[engines.a]\nkey = 'secret'", "sets engines.a without url; add it."),
        (
            "[engines.a]\nurl = 'http://a/v1'\nkee = 'secret'",
            "Unknown setting engines.a.kee in FILE; did you mean key?",
        ),
        ("[engines.a]\nurl = 'rack:8000'", "sets engines.a.url to 'rack:8000', which is not an address"),
        ("[engines.a]\nurl = 'http://a/v1'\nkey = ['secret']", "sets engines.a.key: input should be a valid string."),
        ("[engines.a]\nurl = 'http://a/v1'\ncontext = 0", "sets engines.a.context to 0"),
        (
            "[engines.a]\nurl = 'http://a/v1'\n[engines.a.prices.m]\ncurrency = 'euro'\ninput = 1\noutput = 2",
            "sets engines.a.prices.m.currency to 'euro', which is not a currency code; write three letters",
        ),
        (
            "[engines.a]\nurl = 'http://a/v1'\n[engines.a.prices.m]\ncurrency = 'EUR'\ninput = 1\noutput = 2\ncach = 1",
            "Unknown setting engines.a.prices.m.cach in FILE; did you mean cached?",
        ),
        (
            "[engines.a]\nurl = 'http://a/v1'\n[engines.a.prices.m]\ncurrency = 'EUR'\ninput = 1",
            "sets engines.a.prices.m without output; add it.",
        ),
        ("[engines.a]\nurl = 'http://a/v1'\nwatts = 0", "sets engines.a.watts to 0: input should be greater than 0."),
        ("core_watts = 0", "sets core_watts to 0: input should be greater than 0."),
        ("core_watts = nan", "sets core_watts to nan: input should be"),
        ("grid_g_per_kwh = -1", "sets grid_g_per_kwh to -1: input should be greater than or equal to 0."),
        ("[engines", "is not TOML: "),
        (b"\xff", "is not TOML: "),
    ],
)
def test_what_is_wrong_in_the_file_is_named(file: Path, text: str | bytes, said: str) -> None:
    message = fault(file, text)
    assert message.startswith(said)
    assert "secret" not in message
    assert "424242" not in message


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ECLAIR_PROT", "1", "Unknown setting ECLAIR_PROT in the environment; did you mean ECLAIR_PORT?"),
        (
            "ECLAIR_EMBEDDED",
            "perhaps",
            "The environment sets ECLAIR_EMBEDDED to 'perhaps': input should be",
        ),
        ("ECLAIR_ENGINES", '{"a": {"key": "secret"', "The environment sets ECLAIR_ENGINES: invalid JSON"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(file: Path, name: str, value: str, said: str) -> None:
    message = fault(file, **{name: value})
    assert message.startswith(said)
    assert "secret" not in message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load({"ECLAIR_CONFIG": str(tmp_path)})


def test_every_setting_is_described_and_no_key_is_shown(file: Path) -> None:
    file.write_text("api_key = 'hushed'\n[engines.a]\nurl = 'http://a/v1'\nkey = 'hushed'\n")
    rows = describe(load({"ECLAIR_CONFIG": str(file)}))
    assert [row.name for row in rows] == [spec.name for spec in fields(Settings)]
    assert all(row.sentence.endswith((".", "default.")) for row in rows)
    assert all(row.variable == f"ECLAIR_{row.name.upper()}" for row in rows)
    assert "hushed" not in str(rows)


def test_keys_of_search_services_are_never_shown(file: Path) -> None:
    file.write_text('[search_keys]\nmojeek = "s3cret"\n')
    loaded = load({"ECLAIR_CONFIG": str(file)})
    (row,) = [row for row in describe(loaded) if row.name == "search_keys"]
    assert row.value == {"mojeek": "(set)"}
    assert "12345" not in fault(file, "[search_keys]\nmojeek = 12345\n")
    assert "s3cret" not in fault(file, ECLAIR_SEARCH_KEYS="s3cret")
    assert "12345" not in fault(file, ECLAIR_SEARCH_KEYS='{"mojeek": 12345}')


def test_search_services_are_read_from_the_environment(tmp_path: Path) -> None:
    settings = load(
        {
            "ECLAIR_CONFIG": str(tmp_path / "none.toml"),
            "ECLAIR_WEB_SEARCH": "searxng, wikipedia",
            "ECLAIR_SEARCH_KEYS": '{"mojeek": "k"}',
            "ECLAIR_OPENSEARCH": '{"library": "https://example.org/opensearch.xml"}',
        }
    ).settings
    assert settings.web_search == ("searxng", "wikipedia")
    assert settings.search_keys == {"mojeek": "k"}
    assert settings.opensearch == {"library": "https://example.org/opensearch.xml"}


def test_secrets_are_read_from_files(tmp_path: Path) -> None:
    values = {
        "ECLAIR_API_KEY": ("a-key-for-the-door\n", "a-key-for-the-door"),
        "ECLAIR_SEARCH_KEYS": ('{"mojeek": "k"}\n', {"mojeek": "k"}),
        "ECLAIR_ENGINES": ('{"a": {"url": "http://a/v1", "key": "k"}}', {"a": EngineSettings("http://a/v1", "k")}),
    }
    environ = {"ECLAIR_CONFIG": str(tmp_path / "none.toml")}
    for name, (text, _) in values.items():
        path = tmp_path / name
        path.write_text(text)
        environ[f"{name}_FILE"] = str(path)
    loaded = load(environ)
    for name, (_, value) in values.items():
        setting = name.removeprefix("ECLAIR_").lower()
        assert (getattr(loaded.settings, setting), loaded.origins[setting]) == (value, "environment")


def test_a_secret_file_that_will_not_do_is_named(tmp_path: Path, file: Path) -> None:
    secret = tmp_path / "secret"
    name = "ECLAIR_API_KEY_FILE"
    assert fault(file, **{name: str(secret)}).startswith(f"{secret} cannot be read: No such file or directory; check")
    secret.write_bytes(b"\xff")
    assert "isn't UTF-8 text" in fault(file, **{name: str(secret)})
    secret.write_text(" \n")
    assert fault(file, **{name: str(secret)}).startswith(f"{secret} is empty")
    secret.write_text("hushed")
    message = fault(file, **{name: str(secret), "ECLAIR_API_KEY": "also-hushed"})
    assert message == "ECLAIR_API_KEY and ECLAIR_API_KEY_FILE are both set; keep one of them."
    assert "hushed" not in fault(file, ECLAIR_ENGINES_FILE=str(secret))
    assert "did you mean" in fault(file, ECLAIR_MODEL_FILE=str(secret)), "which is no secret"
