"""Port of sign-ins under way: what has to be remembered between two requests, whichever process gets the second.

A state is known by the SHA-256 of its secret, and goes when it has expired.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

SignInStateKind = Literal["second step", "challenge", "ticket", "device", "mcp", "assertion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInState:
    """A state. `state` is JSON, `expires` in milliseconds; `person` is whom it is about, as far as that is known.

    `code` is one that a person types, of which no two states of a kind have the same.
    """

    kind: SignInStateKind
    state: str
    expires: int
    person: str | None = None
    code: str | None = None
    address: str = ""


class SignInStateStore(Protocol):
    async def add_sign_in_state(self, digest: bytes, state: SignInState, now: int, most: int) -> None:
        """Add a state, and delete those of its kind that have expired; of `most`, the one that expires first goes.

        Raises Conflict where the digest or the code is taken.
        """
        ...

    async def find_sign_in_state(self, digest: bytes) -> SignInState | None:
        """Return a state, which may have expired."""
        ...

    async def find_sign_in_code(self, kind: SignInStateKind, code: str) -> tuple[bytes, SignInState] | None:
        """Return the state with a code, and its digest; it may have expired."""
        ...

    async def count_sign_in_states(self, kind: SignInStateKind, now: int, address: str) -> tuple[int, int]:
        """Count the states of a kind that last: all, and those of an address."""
        ...

    async def replace_sign_in_state(self, digest: bytes, before: SignInState, after: SignInState) -> bool:
        """Replace a state that is as before; False where it isn't any more."""
        ...

    async def take_sign_in_state(self, digest: bytes) -> SignInState | None:
        """Take a state away, which one caller can; it may have expired."""
        ...
