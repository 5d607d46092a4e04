"""Names of models as Ollama's clients write them: with a tag, which is `latest` unless stated."""

from __future__ import annotations

from eclair.app import App
from eclair.schema.messages import MODES
from eclair.schema.models import Model

LATEST = ":latest"
HUBS = ("hf.co/", "huggingface.co/")


async def list_named(app: App) -> list[Model]:
    """List what clients can name: the engines' models, the modes, and the embedder of documents."""
    models, own = await app.registry.models(), app.embeddings.own_model
    ids = {model.id for model in models}
    modes = [Model(mode, mode.capitalize(), "eclair") for mode in MODES if models and mode not in ids]
    return [*models, *modes, *([] if own is None or own.id in ids else [own])]


async def find_id(app: App, name: str) -> str:
    """Return the id of the model that a client names; without the tag `latest` if nothing has that name."""
    known = {model.id for model in await list_named(app)}
    return next(
        (id for id in (name, name.removesuffix(LATEST), name + LATEST) if id in known), name.removesuffix(LATEST)
    )


def tagged_name(id: str) -> str:
    """Return a model's id with a tag."""
    return id if ":" in id else id + LATEST


def download_name(name: str) -> str:
    """Return the name by which `eclair pull` knows a model that Ollama's clients name, perhaps on the hub."""
    name = name.removesuffix(LATEST).removeprefix("https://")
    hub = next((hub for hub in HUBS if name.startswith(hub)), None)
    return name if hub is None else f"hf:{name.removeprefix(hub)}"
