"""What can go wrong, as one tree; each error names the fault and the remedy in one sentence.

    EclairError
    ├── UserError                 the request is at fault: change it and try again
    │   ├── InvalidInput          400  malformed, empty, of the wrong type
    │   ├── Unauthorized          401  no key, or a wrong one
    │   ├── Forbidden             403  a foreign Host or Origin; a model whose terms nobody here has accepted
    │   │   └── Refused           403  a call to elsewhere that policy or guard does not let out
    │   ├── NotFound              404  no such conversation, run, model
    │   ├── MethodNotAllowed      405  a path that is there, asked for what it does not do
    │   ├── Conflict              409  the conversation is still answering
    │   ├── LicenceAsks           409  a licence that restricts has not been accepted
    │   ├── Gone                  410  a link whose time is over
    │   ├── TooLarge              413  more than a limit, which the sentence names
    │   ├── UnreadableFile        422  a file that is locked, damaged or of a kind that is not read
    │   └── TooBusy               429  more at once than is served
    ├── SetupError                the machine or its configuration is at fault: exit code 3
    │   ├── SettingsError              an unknown key, a value of the wrong type
    │   ├── PortInUse                  another process holds the address
    │   ├── EngineMissing              no engine for this platform, or its package is absent
    │   ├── ModelMissing               the model file is absent, broken or cannot be stored
    │   └── StoreError            503  the database is locked, read-only, full or newer than this program
    └── UpstreamError             an engine or a server that we call is at fault
        ├── EngineRefused         400  the engine rejects the request
        ├── EngineBusy            429  it asks to be called later
        ├── EngineUnavailable     503  it cannot be reached, is loading, or has died
        └── EngineBroken          502  its answer breaks off or cannot be read

A bug of our own is none of these: it raises what it raises, is logged whole, and a client hears
"internal error".
"""

from __future__ import annotations

from typing import ClassVar


class EclairError(Exception):
    """A failure that a person is told of. `message` is one sentence; `code` is for programs."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        """The field of the request that is at fault, where one is."""


class UserError(EclairError):
    code = "invalid_request"
    status = 400
    exit_code = 2


class InvalidInput(UserError):
    code = "invalid_input"


class Unauthorized(UserError):
    code = "unauthorized"
    status = 401


class Forbidden(UserError):
    code = "forbidden"
    status = 403


class Refused(Forbidden):
    code = "refused"


class NotFound(UserError):
    code = "not_found"
    status = 404


class MethodNotAllowed(UserError):
    code = "method_not_allowed"
    status = 405


class Conflict(UserError):
    """The thing is in use; `run` names the run that holds it, where one does."""

    code = "conflict"
    status = 409

    def __init__(self, message: str, *, run: str | None = None) -> None:
        super().__init__(message)
        self.run = run


class LicenceAsks(UserError):
    """The message is what the licence forbids or asks."""

    code = "licence_asks"
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
    code = "too_busy"
    status = 429


class SetupError(EclairError):
    code = "setup"
    status = 503
    exit_code = 3


class SettingsError(SetupError):
    code = "settings"


class PortInUse(SetupError):
    code = "port_in_use"


class EngineMissing(SetupError):
    code = "engine_missing"


class ModelMissing(SetupError):
    code = "model_missing"


class StoreError(SetupError):
    code = "store"


class UpstreamError(EclairError):
    code = "upstream"
    status = 502
    exit_code = 4


class EngineRefused(UpstreamError):
    code = "engine_refused"
    status = 400


class EngineBusy(UpstreamError):
    """The engine asks to be called again after `retry_after` seconds."""

    code = "engine_busy"
    status = 429

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineUnavailable(UpstreamError):
    code = "engine_unavailable"
    status = 503


class EngineBroken(UpstreamError):
    code = "engine_broken"
