"""Live settings: those in force, of which some can change while Éclair runs."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from eclair.settings import Settings

RELOADABLE = frozenset(
    {
        "access_log",
        "allowed_hosts",
        "announcement",
        "answer_cost",
        "api_key",
        "budgets",
        "client_requests_per_minute",
        "cors_origins",
        "fallbacks",
        "grid_g_per_kwh",
        "house_name",
        "keep_days",
        "log_format",
        "log_level",
        "max_check_mb",
        "max_client_connections",
        "max_file_mb",
        "max_message_kb",
        "max_tokens",
        "person_answers_at_once",
        "person_requests_per_minute",
        "policy_file",
        "public_checks",
        "response_days",
        "run_log_days",
        "session_days",
        "session_idle_days",
        "sign_in_notice",
        "slow_after",
        "system_prompt",
        "tls_certificate",
        "tls_key",
        "trusted_proxies",
    }
)
"""Settings whose change needs no restart. Whatever uses one must read it from `LiveSettings`."""


@dataclass(frozen=True, slots=True)
class SettingsChange:
    """`settings` as they would be in force, and the names of those that changed or wait for a restart."""

    settings: Settings
    changed: tuple[str, ...]
    pending: tuple[str, ...]


class LiveSettings:
    """The settings in force. Who needs another one than the current value at each use follows them."""

    def __init__(self, settings: Settings) -> None:
        self._configured = settings
        self._overlays: dict[str, Mapping[str, Any]] = {}
        self._current = settings
        self._followers: list[Callable[[Settings], None]] = []

    @property
    def current(self) -> Settings:
        return self._current

    @property
    def configured(self) -> Settings:
        """The settings without what was chosen in the app."""
        return self._configured

    def follow(self, apply: Callable[[Settings], None]) -> None:
        """Call `apply` with the settings now, and again after each change."""
        apply(self._current)
        self._followers.append(apply)

    def plan_change(self, wanted: Settings) -> SettingsChange:
        """Return what taking over `wanted` would change, without doing it."""
        names = (spec.name for spec in fields(Settings))
        different = [name for name in names if getattr(wanted, name) != getattr(self._configured, name)]
        changed = tuple(name for name in different if name in RELOADABLE)
        pending = tuple(name for name in different if name not in RELOADABLE)
        return SettingsChange(
            replace(self._configured, **{name: getattr(wanted, name) for name in changed}), changed, pending
        )

    def apply(self, change: SettingsChange) -> None:
        """Put a change in force."""
        self._configured = change.settings
        self._publish()

    def overlay(self, values: Mapping[str, Any], layer: str = "web") -> None:
        """Put settings that were chosen in the app in force, in place of those chosen before in the same layer."""
        if values != self._overlays.get(layer, {}):
            self._overlays[layer] = values
            self._publish()

    def _publish(self) -> None:
        self._current = replace(self._configured, **ChainMap(*map(dict, self._overlays.values())))
        for follower in self._followers:
            follower(self._current)
