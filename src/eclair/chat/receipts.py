"""Issues the receipt of an answer from what was recorded while it was made; nothing is stored for it."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import eclair
from eclair.chat.receipt_signing import sign_receipt
from eclair.errors import Conflict, EclairError, NotFound
from eclair.live_settings import LiveSettings
from eclair.llm.registry import Registry
from eclair.models.catalog import CatalogEntry, load_entries
from eclair.models.installed import model_path
from eclair.network.egress_log import DAY_MS, EgressLog
from eclair.provenance.provenance_report import PRODUCT
from eclair.provenance.text_marks import DISCLOSURE_HEADER, MADE_BY_AI
from eclair.schema.ids import Clock
from eclair.schema.messages import Message, Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.schema.receipts import (
    Receipt,
    ReceiptAnswer,
    ReceiptCall,
    ReceiptCalls,
    ReceiptImage,
    ReceiptIssuer,
    ReceiptMarks,
    ReceiptModel,
    ReceiptSource,
    ReceiptUsage,
    SignedReceipt,
)
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.egress import CallFilter, CallRecord
from eclair.storage.signing_key import SigningKey, encode_key

MAX_CALLS = 1000

Place = Literal["machine", "network", "country", "unknown"]


class ReceiptService:
    """Issues receipts of stored answers, signed with the installation's key."""

    def __init__(
        self,
        storage: Storage,
        registry: Registry,
        egress_log: EgressLog,
        settings: LiveSettings,
        clock: Clock = time.time,
    ) -> None:
        self._storage = storage
        self._registry = registry
        self._egress_log = egress_log
        self._settings = settings
        self._clock = clock

    @property
    def key(self) -> SigningKey:
        """The key that receipts are signed with."""
        return SigningKey.configured(self._settings.current)

    async def issue(self, principal: Principal, conversation: str, message: str) -> SignedReceipt:
        """Issue the receipt of an answer.

        Raises NotFound, also for what no run made here, Conflict while it is written, and SettingsError without a key.
        """
        _, messages = await self._storage.conversations.get_tree(principal, conversation)
        known = {each.id: each for each in messages}
        answer = known.get(message)
        if answer is None:
            raise NotFound("There is no such message; open the conversation again.")
        if answer.role != "assistant" or answer.run is None:
            raise NotFound("Only answers that were made here have a receipt; choose one of those.")
        if answer.is_open:
            raise Conflict("The answer is still being written; ask for its receipt when it has ended.")
        settings = self._settings.current
        receipt = Receipt(
            type="eclair.receipt",
            version=1,
            issued=_moment(int(self._clock() * 1000)),
            issuer=ReceiptIssuer(PRODUCT, eclair.__version__, settings.public_url, encode_key(self.key.public())),
            answer=_describe_answer(answer, answer.run, known.get(answer.parent or "")),
            model=await self._describe_model(answer.model or "", settings),
            outside=await self._list_calls(principal, answer, answer.run, settings.egress_days),
            sources=tuple(await self._list_sources(principal, answer)),
            usage=_describe_usage(answer.usage),
            marks=await self._describe_marks(principal, answer),
        )
        return sign_receipt(receipt, self.key)

    async def _describe_model(self, id: str, settings: Settings) -> ReceiptModel:
        try:
            _, model = await self._registry.resolve(id)
        except EclairError:
            entry = load_entries(settings.catalog).get(id)
            return ReceiptModel(
                id=id,
                name=None if entry is None else entry.name,
                maker=None if entry is None else entry.maker,
                maker_country=None if entry is None else entry.country,
                license=None if entry is None else entry.license,
                engine=None,
                place="unknown",
                country=None,
                file_sha256=None,
            )
        place, country = _place(model, settings)
        return ReceiptModel(
            id=id,
            name=model.name,
            maker=model.maker,
            maker_country=model.country,
            license=model.license,
            engine=model.engine,
            place=place,
            country=country,
            file_sha256=_find_file_hash(id, settings) if place == "machine" else None,
        )

    async def _list_calls(self, principal: Principal, answer: Message, run: str, days: int) -> ReceiptCalls:
        await self._egress_log.settle()
        calls = await self._storage.egress.list_calls(principal, CallFilter(run=run), MAX_CALLS + 1)
        is_kept = not days or answer.created > self._clock() * 1000 - days * DAY_MS
        listed = tuple(_describe_call(call) for call in reversed(calls[:MAX_CALLS]))
        return ReceiptCalls(is_kept and len(calls) <= MAX_CALLS, listed)

    async def _list_sources(self, principal: Principal, answer: Message) -> Sequence[ReceiptSource]:
        cited = Counter(citation.passage for citation in answer.citations)
        hashes: Mapping[str, str | None] = {
            file: await self._hash_source(principal, file, is_page=is_page)
            for file, is_page in {passage.file: passage.url is not None for passage in answer.passages}.items()
        }
        return [
            ReceiptSource(
                number=passage.number,
                kind="file" if passage.url is None else "web",
                name=passage.name,
                url=passage.url,
                published=passage.published,
                page=passage.page,
                cited=cited[passage.number],
                passage_sha256=_hash(passage.text),
                file_sha256=hashes[passage.file],
            )
            for passage in answer.passages
        ]

    async def _hash_source(self, principal: Principal, file: str, *, is_page: bool) -> str | None:
        """Return the hash of a file's bytes, or of a page's text; None where it isn't here any more."""
        try:
            if is_page:
                return _hash((await self._storage.web.get_page(principal, file)).text)
            return (await self._storage.files.get_file(principal, file)).file.sha256
        except NotFound:
            return None

    async def _describe_marks(self, principal: Principal, answer: Message) -> ReceiptMarks:
        images: list[ReceiptImage] = []
        for id in (part.id for part in answer.parts if part.kind == "picture" and part.id is not None):
            try:
                image = await self._storage.images.get_image(principal, id)
            except NotFound:
                continue
            images.append(ReceiptImage(image.id, image.model, image.blob))
        header = b": ".join(DISCLOSURE_HEADER).decode()
        marked = None if answer.usage is None else answer.usage.watermarked_tokens
        return ReceiptMarks(MADE_BY_AI, header, tuple(images), marked)


def _describe_answer(answer: Message, run: str, question: Message | None) -> ReceiptAnswer:
    return ReceiptAnswer(
        id=answer.id,
        conversation=answer.conversation,
        run=run,
        created=_moment(answer.created),
        status=answer.status,
        finish_reason=answer.finish_reason,
        characters=len(answer.text),
        text_sha256=_hash(answer.text),
        question_sha256=None if question is None else _hash(question.text),
    )


def _describe_call(call: CallRecord) -> ReceiptCall:
    return ReceiptCall(
        moment=_moment(call.moment),
        host=call.host,
        country=call.country,
        purpose=call.purpose,
        verdict=call.verdict,
        status=call.status,
        sent=call.sent,
        received=call.received,
        milliseconds=round(call.milliseconds),
    )


def _describe_usage(usage: Usage | None) -> ReceiptUsage:
    if usage is None:
        return ReceiptUsage(None, None, None, None, None, None, None, None)
    energy, cost = usage.energy, usage.cost
    return ReceiptUsage(
        prompt_tokens=usage.prompt_tokens,
        cached_tokens=usage.cached_tokens,
        completion_tokens=usage.completion_tokens,
        milliseconds=None if usage.seconds is None else round(usage.seconds * 1000),
        millijoules=None if energy is None else round(energy.joules * 1000),
        energy=None if energy is None else energy.kind,
        cost_micros=None if cost is None else cost.micros,
        currency=None if cost is None else cost.currency,
    )


def _place(model: Model, settings: Settings) -> tuple[Place, str | None]:
    """Return the kind of place where a model answers, and its country if that is known."""
    match model.location:
        case "machine" | "network" as place:
            return place, settings.organisation_country
        case "unknown":
            return "unknown", None
        case country:
            return "country", country


def _find_file_hash(id: str, settings: Settings) -> str | None:
    """Return the hash that the catalog has of the model's file on this machine."""
    entry: CatalogEntry | None = load_entries(settings.catalog).get(id)
    path = None if entry is None else model_path(entry, settings.data_dir)
    if entry is None or path is None:
        return None
    return next((file.sha256 for file in entry.files if file.name == path.name), None)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
