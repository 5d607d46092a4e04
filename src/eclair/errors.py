"""The tree of errors a person may see; messages name the fault and the remedy.

    EclairError
    ├── UserError                 the request is at fault: change it and try again
    │   ├── InvalidInput          400  malformed, empty, of the wrong type
    │   │   ├── NoClipArt         400  clip art of that doesn't exist
    │   │   └── UnsupportedEncoding  415  a body that is compressed in an unknown way
    │   ├── Unauthorized          401  no key, or a wrong one
    │   │   ├── WrongCredentials  401  a wrong name or password
    │   │   ├── PasskeyRefused    401  a passkey that isn't known, or whose signature is wrong
    │   │   └── SecondFactorNeeded   401  a code of the authenticator is missing, or wrong
    │   ├── Forbidden             403  a foreign Host or Origin; a model whose terms nobody here has accepted
    │   │   ├── RoleMissing       403  only an administrator may do it
    │   │   ├── RightMissing      403  an administrator has closed it to the person
    │   │   ├── AccountLocked     403  an administrator has locked the account
    │   │   ├── NotInvited        403  an identity provider knows the person, and nobody here does
    │   │   ├── SignInDenied      403  an identity provider, or the person there, said no
    │   │   ├── NotAdmitted       403  an identity provider knows the person, and the settings don't let them in
    │   │   ├── TemporaryOnly     403  a rule allows temporary chats alone
    │   │   └── Refused           403  an outgoing call that the policy or the SSRF guard blocks
    │   ├── NotFound              404  no such conversation, run, model
    │   │   └── NoModel           404  nothing is there to answer
    │   ├── SignInExpired         400  a sign-in that took too long, or was begun in another browser
    │   ├── MethodNotAllowed      405  a path that exists, with a method it doesn't support
    │   ├── Conflict              409  the conversation is still answering
    │   │   └── EmailShared       409  two accounts have the address by which one is looked for
    │   │   └── HeldBack          409  what a legal hold keeps from being deleted
    │   ├── LicenseNotAccepted           409  a license with restrictions has not been accepted
    │   ├── Gone                  410  an expired link
    │   ├── TooLarge              413  over a limit, which the message names
    │   ├── UnreadableFile        422  a file that is locked, damaged or of an unsupported type
    │   ├── TooBusy               429  too many requests at the same time
    │   └── BudgetExceeded        429  a budget is used up, or what is left of it isn't enough
    ├── SetupError                the machine or its configuration is at fault: exit code 3
    │   ├── SettingsError              an unknown key, a value of the wrong type
    │   ├── IdentityMisconfigured      an identity provider doesn't know Éclair, or tells too little
    │   ├── PortInUse                  another process holds the address
    │   ├── AbilityMissing        501  no model that is here or on a server can do it
    │   ├── EngineMissing              no engine for this platform, or its package is absent
    │   ├── ModelMissing               the model file is absent, broken or cannot be stored
    │   │   ├── ImageModelMissing      no image model is here, or not this one
    │   │   ├── DownloadInterrupted    what has come is kept
    │   │   └── DownloadWrong          another file came than the one that was asked for
    │   └── StoreError            503  the database is locked, read-only, full or newer than this program
    │       └── DataDamaged       503  the database, or a row of it, is damaged
    └── UpstreamError             an engine or a server we call is at fault
        ├── EngineRefused         400  the engine rejects the request
        │   ├── KeyRefused        400  it wants a key, or another one
        │   ├── ContextExceeded   400  the conversation is too long for the model
        │   └── ModelTooLarge     400  the model needs more memory than there is
        ├── EngineBusy            429  it asks us to retry later
        ├── EngineUnavailable     503  it can't be reached, is loading, or has died
        ├── EngineBroken          502  its answer breaks off or can't be parsed
        ├── IdentityUnavailable   503  an identity provider can't be reached
        └── IdentityUnverified    502  what comes from an identity provider is forged, old, or not for us

A bug in Éclair is not among these: it propagates, is logged with its traceback, and the client sees
"internal error".
"""

from __future__ import annotations

from typing import ClassVar

INTERNAL_ERROR = "Internal error in Éclair; see its log."
"""The message for a bug, whose details only the log has."""


class EclairError(Exception):
    """Base of all errors shown to a person: `message` is one sentence, `code` is for programs."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """The request field at fault, if any."""


class UserError(EclairError):
    code = "invalid_request"
    status = 400
    exit_code = 2


class InvalidInput(UserError):
    code = "invalid_input"


class NoClipArt(InvalidInput):
    code = "no_clip_art"


class UnsupportedEncoding(InvalidInput):
    status = 415


class Unauthorized(UserError):
    code = "unauthorized"
    status = 401


class WrongCredentials(Unauthorized):
    code = "wrong_credentials"

    def __init__(self, message: str = "The name or the password is wrong; try again.") -> None:
        super().__init__(message)


class PasskeyRefused(Unauthorized):
    code = "passkey_refused"

    def __init__(self, message: str = "This passkey was not recognized; try again, or sign in another way.") -> None:
        super().__init__(message)


class SecondFactorNeeded(Unauthorized):
    code = "second_factor_needed"

    def __init__(self, message: str = "This account asks for a second step; enter your authenticator's code.") -> None:
        super().__init__(message)


class Forbidden(UserError):
    code = "forbidden"
    status = 403


class ProhibitedUse(Forbidden):
    code = "prohibited_use"


class RoleMissing(Forbidden):
    code = "role_missing"

    def __init__(self, message: str = "Only an administrator may do this; ask one of yours.") -> None:
        super().__init__(message)


class RightMissing(Forbidden):
    code = "right_missing"


class AccountLocked(Forbidden):
    code = "account_locked"

    def __init__(self, message: str = "This account is locked; ask an administrator to unlock it.") -> None:
        super().__init__(message)


class NotInvited(Forbidden):
    code = "not_invited"

    def __init__(self, message: str = "Nobody has made an account for you here; ask an administrator.") -> None:
        super().__init__(message)


class SignInDenied(Forbidden):
    code = "sign_in_denied"


class NotAdmitted(Forbidden):
    code = "not_admitted"


class TemporaryOnly(Forbidden):
    """A rule of retention allows temporary chats alone, so nothing is stored."""

    code = "temporary_only"


class Refused(Forbidden):
    code = "refused"


class NotFound(UserError):
    code = "not_found"
    status = 404


class NoModel(NotFound):
    code = "no_model"


class SignInExpired(UserError):
    code = "sign_in_expired"


class MethodNotAllowed(UserError):
    code = "method_not_allowed"
    status = 405


class Conflict(UserError):
    """The resource is in use; `run` is the id of the run that holds it, if any."""

    code = "conflict"
    status = 409

    def __init__(self, message: str, *, run: str | None = None) -> None:
        super().__init__(message)
        self.run = run


class BackupRunning(Conflict):
    """Another process is making a backup into the same folder."""


class EmailShared(Conflict):
    code = "email_shared"


class HeldBack(Conflict):
    """A legal hold keeps what was to be deleted."""

    code = "legal_hold"


class LicenseNotAccepted(UserError):
    """The message says what the license forbids or requires."""

    code = "license_not_accepted"
    status = 409


class Gone(UserError):
    code = "gone"
    status = 410


class TooLarge(UserError):
    code = "too_large"
    status = 413


class UnreadableFile(UserError):
    code = "unreadable_file"
    status = 422


class TooBusy(UserError):
    """Too much is asked at the same time; `retry_after` says for how many seconds."""

    code = "too_busy"
    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class BudgetExceeded(UserError):
    """A budget is used up, or too little is left; `retry_after` says for how many seconds."""

    code = "budget_exceeded"
    status = 429

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class SetupError(EclairError):
    code = "setup"
    status = 503
    exit_code = 3


class SettingsError(SetupError):
    code = "settings"


class IdentityMisconfigured(SetupError):
    code = "identity_setup"


class PortInUse(SetupError):
    code = "port_in_use"


class AbilityMissing(SetupError):
    code = "ability_missing"
    status = 501


class EngineMissing(SetupError):
    code = "engine_missing"


class ModelMissing(SetupError):
    code = "model_missing"


class SpeechPartMissing(ModelMissing):
    code = "speech_part_missing"


class RecognizerMissing(SpeechPartMissing):
    code = "recognizer_missing"


class ImageModelMissing(ModelMissing):
    code = "image_model_missing"


class DownloadInterrupted(ModelMissing):
    code = "download_interrupted"


class DownloadWrong(ModelMissing):
    code = "download_wrong"


class StoreError(SetupError):
    code = "store"


class StoreFull(StoreError):
    """The disk of the database is full; what is stored can still be read."""


class DataDamaged(StoreError):
    code = "damaged"


class UpstreamError(EclairError):
    code = "upstream"
    status = 502
    exit_code = 4


class EngineRefused(UpstreamError):
    """`upstream_code` is the engine's own word for why, if it has one; programs may know it."""

    code = "engine_refused"
    status = 400

    def __init__(self, message: str, *, param: str | None = None, upstream_code: str | None = None) -> None:
        super().__init__(message, param=param)
        self.upstream_code = upstream_code


class ContextExceeded(EngineRefused):
    """The prompt is longer than the model's window; both are in tokens, None if the engine doesn't say."""

    code = "context_length_exceeded"

    def __init__(self, message: str, *, prompt_tokens: int | None = None, context: int | None = None) -> None:
        super().__init__(message, param="messages")
        self.prompt_tokens = prompt_tokens
        self.context = context


class KeyRefused(EngineRefused):
    code = "key_refused"


class ModelTooLarge(EngineRefused):
    code = "model_too_large"


class EngineBusy(UpstreamError):
    """The engine asks us to retry after `retry_after` seconds."""

    code = "engine_busy"
    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RemoteRefusal(UserError):
    """Another Éclair's refusal, in its own sentence; `reason` is its code."""

    code = "refused"

    def __init__(self, message: str, status: int, reason: str) -> None:
        super().__init__(message)
        self.reply_status = status
        self.reason = reason


class RemoteFailure(UpstreamError):
    """Another Éclair can't be reached, or replies with what no Éclair does."""


class EngineUnavailable(UpstreamError):
    code = "engine_unavailable"
    status = 503


class EmbeddingRefused(EngineUnavailable):
    """A budget of the person for whom texts would be embedded is used up."""


class EngineBroken(UpstreamError):
    code = "engine_broken"


class Draining(EclairError):
    """Éclair is about to end, and begins no further answers; in `retry_after` seconds this or another one does."""

    code = "draining"
    status = 503
    retry_after = 5.0

    def __init__(self) -> None:
        super().__init__("Éclair is about to end; ask again in a moment.")


class IdentityUnavailable(UpstreamError):
    code = "identity_unavailable"
    status = 503


class IdentityUnverified(UpstreamError):
    code = "identity_unverified"
