"""Blobs in the bucket of an object store that speaks the S3 API, through `obstore`, which is an extra.

Objects are read in ranges of a few megabytes, so that no call lasts long and a slow reader holds none open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from eclair.errors import SettingsError, StoreError
from eclair.settings import Settings
from eclair.storage.blob_stores.blob_store import HEAD_BYTES, StoredObject

if TYPE_CHECKING:
    from obstore.store import S3Config, S3Store

RANGE_BYTES = 8 << 20
"""Objects are read in ranges, and written in parts, of this size."""
MAX_PARTS_AT_ONCE = 4
DEFAULT_REGION = "us-east-1"
"""Most stores of one's own go by this name."""
_CREDENTIALS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
"""Without one of these variables the credentials would be asked of a machine that most networks don't have."""


@dataclass(slots=True)
class CallBytes:
    """The bytes that a call has received so far."""

    received: int = 0


class BucketCalls(Protocol):
    """Decides whether calls to the store may leave, and records them."""

    def call(self, method: str, url: str, sent: int) -> AbstractAsyncContextManager[CallBytes]:
        """Surround one call. Raises Refused where it may not leave."""
        ...


class UnrecordedCalls:
    """Implements `BucketCalls`: lets all calls out."""

    @contextlib.asynccontextmanager
    async def call(self, method: str, url: str, sent: int) -> AsyncGenerator[CallBytes]:
        yield CallBytes()


@dataclass(frozen=True, slots=True)
class CallLimits:
    """Time limits of calls, in seconds. A failed call is made again after `backoff_s`, then twice that, and so on."""

    connect_s: float = 5.0
    silent_s: float = 20.0
    whole_s: float = 120.0
    retries: int = 4
    backoff_s: float = 0.2


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """Bucket, prefix in it, and where the store is. Keys that aren't given are those of the environment."""

    bucket: str
    prefix: str
    endpoint: str | None
    region: str
    access_key: str | None = None
    secret_key: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings, environ: Mapping[str, str], url: str | None = None) -> BucketPlace:
        """Read the place from the settings, or from `url` in place of theirs. Raises SettingsError."""
        url = url or settings.blobs_url or ""
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname or "@" in parts.netloc:
            raise SettingsError(f"{parts._replace(netloc='…').geturl()!r} names no bucket; write s3://bucket/prefix.")
        if (settings.blobs_access_key is None) != (settings.blobs_secret_key is None):
            raise SettingsError("`blobs_access_key` and `blobs_secret_key` belong together; set both, or neither.")
        if settings.blobs_access_key is None and not any(environ.get(name) for name in _CREDENTIALS):
            raise SettingsError(
                f"There are no credentials for {url}; set `blobs_access_key` and `blobs_secret_key`, or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        endpoint = settings.blobs_endpoint or environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
        region = settings.blobs_region or environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        return cls(
            parts.netloc,
            parts.path.strip("/"),
            endpoint or None,
            region or DEFAULT_REGION,
            settings.blobs_access_key,
            settings.blobs_secret_key,
        )

    @property
    def url(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    @property
    def server(self) -> str:
        """The base URL of the store."""
        return self.endpoint or f"https://s3.{self.region}.amazonaws.com"


class _Unanswered(StoreError):
    """A call got no answer, or one that makes no sense; whether it was done isn't known."""


class BlobBucket:
    """Implements `SharedBlobStore`. Raises SettingsError where the extra is missing."""

    def __init__(
        self,
        place: BucketPlace,
        calls: BucketCalls | None = None,
        limits: CallLimits = CallLimits(),
    ) -> None:
        if find_spec("obstore") is None:
            raise SettingsError("Blobs in a bucket need a package that is missing; install `eclair[s3]`.")
        self.place = place
        self._calls = calls or UnrecordedCalls()
        self._limits = limits
        self._opened: S3Store | None = None

    @property
    def description(self) -> str:
        return f"{self.place.url} at {urlsplit(self.place.server).netloc.rpartition('@')[2]}"

    async def write(self, key: str, source: Path, *, replace: bool = False) -> None:
        size = (await asyncio.to_thread(source.stat)).st_size
        if size <= RANGE_BYTES:
            data = await asyncio.to_thread(source.read_bytes)
            await (self._put(key, data, "overwrite") if replace else self._create(key, data))
            return
        if not replace:
            with contextlib.suppress(FileNotFoundError):
                await self.open(key)
                return
        async with self._calling("PUT", key, size):
            await self._store.put_async(
                key, source, use_multipart=True, chunk_size=RANGE_BYTES, max_concurrency=MAX_PARTS_AT_ONCE
            )

    async def mark(self, key: str, data: bytes) -> None:
        await self._put(key, data, "overwrite")

    async def swap(self, found: StoredObject, data: bytes) -> bool:
        return await self._put(found.key, data, {"e_tag": found.version})

    async def open(self, key: str) -> StoredObject:
        from obstore.exceptions import BaseError

        async with self._calling("GET", key) as counted:
            try:
                result = await self._store.get_async(key, options={"range": (0, HEAD_BYTES)})
                meta, head = result.meta, bytes(await result.bytes_async())
            except BaseError as error:
                if "416" not in str(error):
                    raise
                meta, head = await self._store.head_async(key), b""  # an empty object has no first byte
            counted.received = len(head)
        return StoredObject(key, meta["size"], meta["last_modified"].timestamp(), meta["e_tag"] or "", head)

    async def read(self, found: StoredObject, start: int, end: int) -> AsyncGenerator[bytes, None]:
        if end <= len(found.head):
            if start < end:
                yield found.head[start:end]
            return
        while start < end:
            stop = min(end, start + RANGE_BYTES)
            async with self._calling("GET", found.key) as counted:
                options: Any = {"range": (start, stop), **({"if_match": found.version} if found.version else {})}
                data = bytes(await (await self._store.get_async(found.key, options=options)).bytes_async())
                counted.received = len(data)
            if len(data) != stop - start:
                raise StoreError(f"{self.description} sent less of a file than it has; try again.")
            start = stop
            yield data

    async def list_objects(self, prefix: str) -> AsyncGenerator[StoredObject, None]:
        async with self._calling("GET", prefix):
            async for batch in self._store.list(prefix):
                for each in batch:
                    yield StoredObject(each["path"], each["size"], each["last_modified"].timestamp())

    async def delete(self, keys: Sequence[str]) -> None:
        if keys:
            async with self._calling("DELETE", keys[0]):
                await self._store.delete_async(list(keys))

    async def move(self, key: str, target: str) -> None:
        async with self._calling("PUT", target):
            await self._store.copy_async(key, target)
        await self.delete([key])

    async def check(self) -> None:
        async with self._calling("GET", ""):
            async for _ in self._store.list(None, chunk_size=1):
                return

    @property
    def _store(self) -> S3Store:
        if self._opened is None:
            from obstore.store import S3Store

            limits, place = self._limits, self.place
            config: S3Config = {"region": place.region}
            if place.endpoint is not None:
                config["endpoint"] = place.endpoint
            if place.access_key is not None and place.secret_key is not None:
                config.update(access_key_id=place.access_key, secret_access_key=place.secret_key)
            self._opened = S3Store(
                place.bucket,
                prefix=place.prefix or None,
                config=config,
                client_options={
                    "allow_http": place.server.startswith("http://"),
                    "connect_timeout": timedelta(seconds=limits.connect_s),
                    "read_timeout": timedelta(seconds=limits.silent_s),
                    "timeout": timedelta(seconds=limits.whole_s),
                },
                retry_config={
                    "max_retries": limits.retries,
                    "retry_timeout": timedelta(seconds=limits.whole_s),
                    "backoff": {
                        "init_backoff": timedelta(seconds=limits.backoff_s),
                        "max_backoff": timedelta(seconds=limits.backoff_s * 2**limits.retries),
                        "base": 2,
                    },
                },
            )
        return self._opened

    async def _create(self, key: str, data: bytes) -> None:
        """Store a small object unless it is there.

        A call that broke off is made once more, as `obstore` doesn't: it can't know that the same bytes do no harm.
        """
        try:
            await self._put(key, data, "create")
        except _Unanswered:
            await asyncio.sleep(self._limits.backoff_s)
            await self._put(key, data, "create")

    async def _put(self, key: str, data: bytes, mode: Any) -> bool:
        """Store a small object; False where the condition of `mode` doesn't hold."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        async with self._calling("PUT", key, len(data)):
            try:
                await self._store.put_async(key, data, mode=mode, use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    @contextlib.asynccontextmanager
    async def _calling(self, method: str, key: str, sent: int = 0) -> AsyncGenerator[CallBytes]:
        """Surround a call. Raises FileNotFoundError for a missing object, StoreError and Refused."""
        from obstore.exceptions import BaseError

        url = "/".join(part for part in (self.place.server, self.place.bucket, self.place.prefix, key) if part)
        async with self._calls.call(method, url, sent) as counted:
            try:
                yield counted
            except FileNotFoundError as error:
                if "NoSuchBucket" in str(error):
                    raise StoreError(
                        f"There is no bucket {self.place.bucket} at {self.place.server}; create it, or correct "
                        "`blobs_url`."
                    ) from None
                raise FileNotFoundError(key) from None
            except BaseError as error:
                raise self._explain(error) from None  # its text may hold what the store echoes of a request

    def _explain(self, error: Exception) -> StoreError:
        from obstore.exceptions import PermissionDeniedError, PreconditionError, UnauthenticatedError

        text = str(error)
        if isinstance(error, PreconditionError):
            return StoreError(f"A file in {self.description} was replaced while it was read; try again.")
        if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or "403 Forbidden" in text:
            return StoreError(
                f"{self.description} refuses access; check `blobs_access_key`, `blobs_secret_key` and what they may do."
            )
        if "NoSuchBucket" in text:
            return StoreError(f"There is no bucket {self.place.bucket}; create it, or correct `blobs_url`.")
        return _Unanswered(f"{self.description} does not answer as it should; try again, or see that the store runs.")
