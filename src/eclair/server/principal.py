"""The caller of a request: a route dependency that gives the `Principal`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from eclair.schema.principal import Principal
from eclair.server.auth import principal_of


async def _caller(request: Request) -> Principal:
    return principal_of(request.scope)


Caller = Annotated[Principal, Depends(_caller)]
