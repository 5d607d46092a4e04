"""Resources and prompts of MCP servers for people: listed, read, and kept as files that a message may have attached."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping

from eclair.documents.ingest import Ingestor, limit_size
from eclair.errors import InvalidInput
from eclair.live_settings import LiveSettings
from eclair.mcp_servers.service import McpService
from eclair.schema.mcp_servers import McpContent, McpPrompt, McpResource
from eclair.schema.principal import Principal
from eclair.storage.files import FileState

MAX_ARGUMENT_CHARS = 10_000


class McpContentService:
    """Resources and prompts of servers. All raise what `McpService.call` raises, NotFound and RightMissing."""

    def __init__(self, service: McpService) -> None:
        self._service = service

    async def resources(self, principal: Principal, id: str) -> list[McpResource]:
        """List the resources of a server, and the templates of resources."""
        server = await self._service.usable(principal, id)
        found, _ = await self._service.ask(principal, server, lambda connection: connection.list_resources())
        from eclair.mcp_servers.contents import check_resources  # slow to import, unless a server was asked before

        return check_resources(found)

    async def read(self, principal: Principal, id: str, uri: str) -> tuple[list[McpContent], int]:
        """Read a resource: its parts, and the bytes that left for it."""
        server = await self._service.usable(principal, id)
        result, sent_bytes = await self._service.ask(
            principal, server, lambda connection: connection.read_resource(uri)
        )
        from eclair.mcp_servers.contents import read_contents

        return read_contents(server.name, result), sent_bytes

    async def prompts(self, principal: Principal, id: str) -> list[McpPrompt]:
        """List the prompts of a server."""
        server = await self._service.usable(principal, id)
        found, _ = await self._service.ask(principal, server, lambda connection: connection.list_prompts())
        from eclair.mcp_servers.contents import check_prompts

        return check_prompts(found)

    async def prompt(self, principal: Principal, id: str, name: str, arguments: Mapping[str, str]) -> str:
        """Have a server write a prompt. Raises InvalidInput where an argument is missing or too long."""
        server = await self._service.usable(principal, id)
        known = {prompt.name: prompt for prompt in await self.prompts(principal, id)}
        if name not in known:
            raise InvalidInput(f"The MCP server {server.name!r} has no prompt {name!r}.", param="name")
        for argument in known[name].arguments:
            if argument.is_required and not arguments.get(argument.name, "").strip():
                raise InvalidInput(f"The prompt {name!r} needs the argument {argument.name!r}.", param="arguments")
        given = {key: value for key, value in arguments.items() if value}
        if any(len(value) > MAX_ARGUMENT_CHARS for value in given.values()):
            raise InvalidInput(f"An argument has at most {MAX_ARGUMENT_CHARS:,} characters.", param="arguments")
        result, _ = await self._service.ask(principal, server, lambda connection: connection.get_prompt(name, given))
        from eclair.mcp_servers.contents import prompt_text

        return prompt_text(server.name, result)


class ResourceKeeper:
    """Keeps resources as files, which are read and searched as any others."""

    def __init__(self, contents: McpContentService, ingestor: Ingestor, settings: LiveSettings) -> None:
        self.contents = contents
        self._ingestor = ingestor
        self._settings = settings

    async def read_as_files(self, principal: Principal, id: str, uri: str, title: str = "") -> list[FileState]:
        """Read a resource, and keep its parts as files, which are read as any other. Raises TooLarge, too."""
        contents, _ = await self.contents.read(principal, id, uri)
        return [await self.keep(principal, content, title) for content in contents]

    async def keep(self, principal: Principal, content: McpContent, title: str = "") -> FileState:
        """Keep a part of a resource as a file. Raises TooLarge, InvalidInput for an empty one, and StoreError."""
        from eclair.mcp_servers.contents import file_name

        name = file_name(title, content)
        data = content.data if content.text is None else content.text.encode()
        source = limit_size(_whole(data), name, self._settings.current.max_file_mb)
        media = content.media or ("text/plain" if content.text is not None else "application/octet-stream")
        return await self._ingestor.ingest(principal, name, media, source)


async def _whole(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data
