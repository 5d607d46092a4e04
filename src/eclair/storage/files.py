"""Port of files: in libraries and attached to messages; bytes are blobs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.storage.documents import DocumentState

PAGE_FILES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file of an owner. Without a `library` it is only attached to messages.

    `size` is in bytes, `created` in milliseconds; `path` and `mtime_ns` are those of a file in a watched folder.
    """

    id: str
    owner: str
    name: str
    size: int
    sha256: str
    media: str
    created: int
    library: str | None = None
    path: str | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True)
class FileState:
    """A file and the state of its document."""

    file: StoredFile
    document: DocumentState


@dataclass(frozen=True, slots=True)
class FilePage:
    """A page of a list. `next` is the cursor of the page after it, if any."""

    files: list[FileState]
    next: str | None


@dataclass(frozen=True, slots=True)
class Upload:
    """Notes of a program on a file that it uploaded: its purpose, and the millisecond after which it is deleted."""

    purpose: str
    expires: int | None = None


class FileStore(Protocol):
    async def add_file(
        self, principal: Principal, file: StoredFile, reader: int, *, is_urgent: bool = False
    ) -> DocumentState:
        """Add a file, and queue its document for that version of the reader unless it is known already.

        Documents of urgent files, and of those outside of libraries, come before others.
        Raises NotFound for a library that is not the principal's, Conflict where the id, or the path in the library, is
        taken.
        """
        ...

    async def replace_file(
        self, principal: Principal, id: str, file: StoredFile, reader: int, *, is_urgent: bool = False
    ) -> tuple[DocumentState, str | None]:
        """Add a file and delete the one of that id in one transaction, as `add_file` and `delete_file` do."""
        ...

    async def get_file(self, principal: Principal, id: str) -> FileState:
        """Return a file and the state of its document. Raises NotFound."""
        ...

    async def get_name(self, sha256: str) -> str:
        """Return the name of the file with these bytes and the lowest id, whoever owns it. Raises NotFound."""
        ...

    async def list_files(
        self, principal: Principal, limit: int, *, library: str | None = None, before: str | None = None
    ) -> FilePage:
        """List the files of a library, or all, newest first. `before` is the `next` of the previous page.

        Raises NotFound for the library.
        """
        ...

    async def list_watched_files(self, principal: Principal, library: str) -> list[StoredFile]:
        """List the files of a library that have a path. Raises NotFound."""
        ...

    async def edit_file(
        self,
        principal: Principal,
        id: str,
        *,
        name: str | None = None,
        library: str | None = None,
        mtime_ns: int | None = None,
    ) -> FileState:
        """Change the fields that are not None.

        Raises NotFound for file or library, Conflict where the path is taken in the library.
        """
        ...

    async def delete_file(self, principal: Principal, id: str) -> str | None:
        """Erase a file; the text, index and vectors of a document go with its last file.

        Returns the name of the blob to delete if no file has it any more. Raises NotFound.
        """
        ...

    async def attach_files(self, principal: Principal, message: str, ids: Sequence[str]) -> None:
        """Attach files to a message, once each; they are unattached again once the message is erased.

        Raises NotFound for a file or message that is not the principal's.
        """
        ...

    async def list_attached_files(self, principal: Principal, conversation: str) -> dict[str, list[StoredFile]]:
        """List the files of each message of a conversation that has some, in the order they were attached."""
        ...

    async def note_upload(self, principal: Principal, id: str, upload: Upload) -> None:
        """Note what a program said of a file. Raises NotFound."""
        ...

    async def list_uploads(self, principal: Principal, ids: Sequence[str]) -> dict[str, Upload]:
        """Return the notes on those of the files that have some."""
        ...

    async def list_uploaded_files(self, principal: Principal) -> list[StoredFile]:
        """List the principal's files that programs uploaded."""
        ...

    async def list_expired_files(self, now: int) -> list[StoredFile]:
        """List everyone's files that a program wanted deleted by millisecond `now`."""
        ...

    async def list_unattached_files(self, before: int) -> list[StoredFile]:
        """List everyone's files in no library and on no message that were created before millisecond `before`."""
        ...


async def iterate_files(
    store: FileStore, principal: Principal, library: str | None = None
) -> AsyncGenerator[FileState, None]:
    """Yield the files of a library, or all, newest first, page by page. Raises NotFound for the library."""
    before: str | None = None
    while True:
        page = await store.list_files(principal, PAGE_FILES, library=library, before=before)
        for each in page.files:
            yield each
        if (before := page.next) is None:
            return


async def list_own_files(files: FileStore, principal: Principal, library: str | None) -> list[FileState]:
    """List the files of what has a library of its own, newest first; none before the library is made."""
    return [] if library is None else [each async for each in iterate_files(files, principal, library)]
