"""The receipt of an answer, under `/api/conversations`, and the public key that receipts are checked with."""

from __future__ import annotations

import asyncio
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from eclair.app import App
from eclair.chat.receipt_signing import CONTEXT, write_receipt
from eclair.chat.receipts import ReceiptService
from eclair.provenance.provenance_report import PRODUCT
from eclair.schema.receipts import SignedReceipt
from eclair.server.api.exports import attachment_disposition
from eclair.server.principal import Caller
from eclair.storage.signing_key import encode_key, key_fingerprint


class PublishedKey(BaseModel):
    """A public key in base64url, and what it signs."""

    algorithm: Literal["Ed25519"]
    public_key: str
    fingerprint: str
    context: str


class PublishedKeys(BaseModel):
    """The keys that this installation signs with."""

    issuer: str
    organisation: str | None
    keys: list[PublishedKey]


def router(app: App) -> APIRouter:
    api = APIRouter(tags=["receipts"])
    receipts = ReceiptService(app.storage, app.registry, app.egress_log, app.live_settings)

    @api.get("/api/conversations/{id}/messages/{message}/receipt", response_model=SignedReceipt)
    async def read_receipt(principal: Caller, id: str, message: str) -> Response:
        data = write_receipt(await receipts.issue(principal, id, message))
        headers = {"Content-Disposition": attachment_disposition(f"eclair-receipt-{message}.json")}
        return Response(data, media_type="application/json", headers=headers)

    @api.get("/.well-known/eclair-receipts.json")
    async def list_receipt_keys() -> PublishedKeys:
        public = await asyncio.to_thread(receipts.key.public)
        key = PublishedKey(
            algorithm="Ed25519",
            public_key=encode_key(public),
            fingerprint=key_fingerprint(public),
            context=CONTEXT,
        )
        return PublishedKeys(issuer=PRODUCT, organisation=app.settings.organisation, keys=[key])

    return api
