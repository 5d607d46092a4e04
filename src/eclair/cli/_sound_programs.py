"""Programs of the system that record and play sound: their variables, and the faults that they report."""

from __future__ import annotations

SOUND_VARIABLES = ("PULSE_", "PIPEWIRE_", "ALSA_", "AUDIODEV")
"""Prefixes of variables that name devices and servers of sound."""


def program_fault(program: str, stderr: bytes, code: int | None) -> str:
    """Return the last line that a program wrote when it failed, as in `aplay: no sound card`."""
    last = (stderr.decode(errors="replace").strip().splitlines() or [f"it ended with {code}"])[-1]
    return f"{program}: {last.strip().rstrip('.')}"
