"""The services of accounts, built together."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.accounts.one_time_codes import OneTimeCodes
from eclair.accounts.passkeys import Passkeys
from eclair.accounts.passwords import PasswordHasher
from eclair.accounts.pending_sign_ins import PendingSignIns
from eclair.accounts.people import People
from eclair.accounts.principals import Principals
from eclair.accounts.second_factor import SecondFactors
from eclair.accounts.sessions import Sessions
from eclair.accounts.sign_in import SignIn
from eclair.live_settings import LiveSettings
from eclair.storage.base import Storage
from eclair.storage.secrets import Vault


@dataclass(frozen=True, slots=True)
class Accounts:
    """People, and the ways in which they come in."""

    people: People
    principals: Principals
    sessions: Sessions
    codes: OneTimeCodes
    second_factors: SecondFactors
    passkeys: Passkeys
    sign_in: SignIn

    @classmethod
    def open(cls, settings: LiveSettings, storage: Storage, vault: Vault) -> Accounts:
        clock, hasher = storage.processes.clock, PasswordHasher()
        principals = Principals(storage.people, storage.sessions, settings, clock)
        people = People(storage.people, storage.sessions, principals, hasher, clock)
        sessions = Sessions(storage.sessions, principals, settings, clock)
        second_factors = SecondFactors(storage.people, vault, clock)
        passkeys = Passkeys(storage.passkeys, storage.sign_in_states, clock)
        parts = (people, sessions, principals, hasher, second_factors, passkeys, storage.audit)
        pending = PendingSignIns(storage.sign_in_states, clock)
        return cls(
            people=people,
            principals=principals,
            sessions=sessions,
            codes=OneTimeCodes(storage.people, people, storage.groups, clock),
            second_factors=second_factors,
            passkeys=passkeys,
            sign_in=SignIn(storage.people, storage.groups, *parts, pending, settings, clock),
        )
