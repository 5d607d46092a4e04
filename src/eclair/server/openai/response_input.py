"""The input of a response: its own items, after those of what it continues, with references resolved."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from eclair.app import App
from eclair.errors import DataDamaged, InvalidInput, NotFound
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.openai.responses_items import ITEMS, Item, ItemReference
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.storage.responses import StoredItem

ID_PREFIXES = {
    "message": "msg",
    "function_call": "fc",
    "function_call_output": "fc",
    "reasoning": "rs",
    "code_interpreter_call": "ci",
    "file_search_call": "fs",
    "web_search_call": "ws",
}
NOTHING_KEPT = (
    "This Éclair keeps no responses (response_days is 0); leave {name!r} out and send the whole conversation as "
    "`input`."
)


async def resolve_input(
    app: App, principal: Principal, body: ResponsesRequest
) -> tuple[ResponsesRequest, list[StoredItem]]:
    """Return a request with all its input, after resolving what it continues and refers to, and its own items.

    Raises InvalidInput, NotFound for what isn't there, and Conflict while the earlier response is at work.
    """
    if body.previous_response_id is not None and body.conversation is not None:
        raise InvalidInput(
            "Send either `previous_response_id` or `conversation`: each says what comes before.", param="conversation"
        )
    earlier = await _list_earlier(app, principal, body)
    given = await resolve_references(app, principal, body.input)
    items = [*parse_items([item.body for item in earlier if not _is_broken_call(item.body)]), *given]
    return body.model_copy(update={"input": items}), stored_items(given)


async def resolve_references(app: App, principal: Principal, items: Sequence[Item]) -> list[Item]:
    """Replace each reference by the item that it names. Raises NotFound and InvalidInput."""
    ids = [item.id for item in items if isinstance(item, ItemReference)]
    if not ids:
        return list(items)
    require_keeping(app, "item_reference")
    found = await app.storage.responses.find_items(principal, ids, app.responses.since)
    for id in ids:
        if id not in found:
            raise NotFound(
                f"There is no item {id!r}: its response was not stored, was deleted or has expired; send the item "
                "itself.",
                param="input",
            )
    return [parse_items([found[item.id].body])[0] if isinstance(item, ItemReference) else item for item in items]


def require_keeping(app: App, name: str) -> None:
    """Raise InvalidInput for a field or item that rests on what is stored, where nothing is."""
    if not app.responses.days:
        raise InvalidInput(NOTHING_KEPT.format(name=name), param=name)


def parse_items(bodies: Sequence[JSON]) -> list[Item]:
    """Parse items that were stored. Raises DataDamaged."""
    try:
        return ITEMS.validate_python(list(bodies))
    except ValidationError as error:
        raise DataDamaged("An item that was stored is damaged; send the whole conversation as `input`.") from error


def stored_items(items: Sequence[Item]) -> list[StoredItem]:
    """Return items as they are stored and shown; one without an id is given one."""
    found: list[StoredItem] = []
    for item in items:
        body = item.model_dump(exclude_none=True, by_alias=True)
        id = str(body.get("id") or new_id(ID_PREFIXES[body["type"]]))
        shown: JSON = {"id": id, "status": "completed", **body}
        if body["type"] == "reasoning":
            shown.setdefault("summary", [])
        if body.get("role") == "assistant":
            shown["content"] = [_output_part(part) for part in body["content"]]
        found.append(StoredItem(id, shown))
    return found


def _output_part(part: JSON) -> JSON:
    """Return a part of what an assistant said, as the API shows it."""
    if part["type"] not in ("input_text", "output_text", "text"):
        return part
    return {"annotations": [], "logprobs": [], **part, "type": "output_text"}


def _is_broken_call(body: JSON) -> bool:
    """Tell whether an item is a call whose arguments were cut off, which no engine could read."""
    return body.get("type") == "function_call" and body.get("status") == "incomplete"


async def _list_earlier(app: App, principal: Principal, body: ResponsesRequest) -> list[StoredItem]:
    """List the items before those of the request, oldest first."""
    since = app.responses.since
    if body.previous_response_id is not None:
        require_keeping(app, "previous_response_id")
        try:
            return await app.storage.responses.list_context(principal, body.previous_response_id, since)
        except NotFound as error:
            raise NotFound(error.message, param="previous_response_id") from None
    if body.conversation_id is not None:
        require_keeping(app, "conversation")
        page = await app.storage.api_conversations.list_items(principal, body.conversation_id, since, None)
        return page.items
    return []
