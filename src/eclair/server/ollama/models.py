"""Ollama's routes about models: which there are, which are loaded, what they can, and the version."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import suppress
from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel

from eclair.app import App
from eclair.errors import ModelMissing
from eclair.llm.infill import can_fill_in
from eclair.llm.openai.model_names import is_embedding_model
from eclair.models import catalog, installed
from eclair.models.gguf.header import read_header
from eclair.models.installed import InstalledModel
from eclair.schema.models import Model
from eclair.server.ollama.model_names import find_id, list_named, tagged_name
from eclair.server.ollama.renderer import written_time
from eclair.server.ollama.schema import OllamaBody
from eclair.settings import Settings

OLLAMA_VERSION = "0.13.0"
"""The version of Ollama whose API this is; some clients refuse older ones."""

INSERTING_TEMPLATE = "{{ .Prompt }}{{ .Suffix }}"
"""The template of a model that fills in the middle: some editors look for the suffix in it."""

KEPT_UNTIL = "2300-01-01T00:00:00Z"
"""When a loaded model is unloaded: not by time, but when another needs its memory."""


class OllamaVersion(BaseModel):
    version: str


class OllamaDetails(BaseModel):
    parent_model: str
    format: str
    family: str
    families: list[str]
    parameter_size: str
    quantization_level: str


class OllamaModel(BaseModel):
    """A model; `size` is bytes, 0 for one that another server has."""

    name: str
    model: str
    modified_at: str
    size: int
    digest: str
    details: OllamaDetails


class OllamaModels(BaseModel):
    models: list[OllamaModel]


class LoadedOllamaModel(OllamaModel):
    expires_at: str
    size_vram: int
    context_length: int


class LoadedOllamaModels(BaseModel):
    models: list[LoadedOllamaModel]


class ShownOllamaModel(BaseModel):
    modelfile: str
    parameters: str
    template: str
    license: str
    modified_at: str
    details: OllamaDetails
    model_info: dict[str, str | int]
    capabilities: list[str]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["Ollama"])

    @api.get("/version")
    async def read_version() -> OllamaVersion:
        return OllamaVersion(version=OLLAMA_VERSION)

    @api.get("/tags")
    async def list_models() -> OllamaModels:
        files = await asyncio.to_thread(_read_files, app.settings)
        return OllamaModels(models=[_describe(model, files.get(model.id)) for model in await list_named(app)])

    @api.get("/ps")
    async def list_loaded() -> LoadedOllamaModels:
        loaded = [model for model in await app.registry.models() if model.id in app.registry.loaded]
        files = await asyncio.to_thread(_read_files, app.settings)
        return LoadedOllamaModels(models=[_describe_loaded(model, files.get(model.id)) for model in loaded])

    @api.post("/show")
    async def show_model(body: OllamaBody) -> ShownOllamaModel:
        id = await find_id(app, body.model)
        found = next((model for model in await list_named(app) if model.id == id), None)
        model = found or (await app.registry.resolve(id))[1]
        files = await asyncio.to_thread(_read_files, app.settings)
        engine = app.registry.engines.get(model.engine)
        can_insert = engine is not None and await can_fill_in(engine, model)
        return _show(model, files.get(model.id), can_insert=can_insert)

    return api


@dataclass(frozen=True, slots=True)
class _File:
    """A model's file on this machine."""

    architecture: str
    quantization: str
    sha256: str | None


def _read_files(settings: Settings) -> dict[str, _File]:
    """Return the files of the installed models by their ids."""
    found = installed.installed_models(catalog.load_entries(settings.catalog), settings.data_dir)
    return {id: _read_file(model) for id, model in found.items()}


def _read_file(model: InstalledModel) -> _File:
    path = model.path
    hashes = [file.sha256 for file in model.entry.files if file.name == path.name]
    architecture = ""
    with suppress(ModelMissing):  # it is damaged or gone
        architecture = read_header(path).architecture
    return _File(architecture, installed.quantization_of(path.name), hashes[0] if hashes else None)


def _describe(model: Model, file: _File | None) -> OllamaModel:
    name = tagged_name(model.id)
    return OllamaModel(
        name=name,
        model=name,
        modified_at=written_time(model.created or 0),
        size=model.size or 0,
        digest=_digest(model, file),
        details=_details(model, file),
    )


def _describe_loaded(model: Model, file: _File | None) -> LoadedOllamaModel:
    described = dict(_describe(model, file))
    return LoadedOllamaModel(**described, expires_at=KEPT_UNTIL, size_vram=0, context_length=model.context or 0)


def _details(model: Model, file: _File | None) -> OllamaDetails:
    family = _family(model, file)
    return OllamaDetails(
        parent_model="",
        format="" if file is None else "gguf",
        family=family,
        families=[family],
        parameter_size=_parameter_size(model.parameters),
        quantization_level="" if file is None else file.quantization,
    )


def _show(model: Model, file: _File | None, *, can_insert: bool) -> ShownOllamaModel:
    family, sampling = _family(model, file), model.sampling
    recommended = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "repeat_penalty": sampling.repeat_penalty,
    }
    info = {
        "general.architecture": family,
        "general.basename": model.name,
        "general.parameter_count": None if model.parameters is None else round(model.parameters * 1e9),
        f"{family}.context_length": model.context,
    }
    return ShownOllamaModel(
        modelfile=f"FROM {tagged_name(model.id)}\n",
        parameters="\n".join(f"{name} {value:g}" for name, value in recommended.items() if value is not None),
        template=INSERTING_TEMPLATE if can_insert else "",
        license=model.license or "",
        modified_at=written_time(model.created or 0),
        details=_details(model, file),
        model_info={name: value for name, value in info.items() if value is not None},
        capabilities=_capabilities(model, can_insert=can_insert),
    )


def _capabilities(model: Model, *, can_insert: bool) -> list[str]:
    """List what the model can do. One that isn't in the catalog is taken to call tools."""
    if is_embedding_model(model.id):
        return ["embedding"]
    found = ["completion"]
    if model.can_call_tools or model.maker is None:
        found.append("tools")
    if model.vision_pixels is not None:
        found.append("vision")
    if model.reasoning not in (None, "never"):
        found.append("thinking")
    if can_insert:
        found.append("insert")
    return found


def _family(model: Model, file: _File | None) -> str:
    return file.architecture if file is not None and file.architecture else model.engine


def _digest(model: Model, file: _File | None) -> str:
    """Return the hash of the model's file, or else one of its engine and name."""
    if file is not None and file.sha256 is not None:
        return file.sha256
    return hashlib.sha256(f"{model.engine}/{model.id}".encode()).hexdigest()


def _parameter_size(billions: float | None) -> str:
    if billions is None:
        return ""
    return f"{billions:g}B" if billions >= 1 else f"{round(billions * 1000)}M"
