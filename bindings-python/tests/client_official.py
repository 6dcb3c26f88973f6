"""What `scenario_client.py` does by the official SDK's client, 1.x and 2.x."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import Any

from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared import exceptions
from scenario_play import LISTS, Play, Raw, Refused

SDK = int(version("mcp").split(".")[0])
types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")
Failed: Any = getattr(exceptions, "McpError" if SDK == 1 else "MCPError")


def dumped(result: Any) -> Raw:
    raw: Raw = result.model_dump(by_alias=True, mode="json", exclude_none=True)
    return raw


class Client:
    def __init__(self, job: Raw, play: Play) -> None:
        self._job, self._play = job, play

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        job = self._job
        callbacks: Any = {"elicitation_callback": self._elicited, "sampling_callback": self._sampled, "message_handler": self._got}
        command = job.get("command")
        server = None if command is None else StdioServerParameters(command=command[0], args=command[1:])
        async with AsyncExitStack() as stack:
            if SDK > 1:
                sdk: Any = import_module("mcp")
                mode = job["scenario"].get("era", "legacy")
                self._client = await stack.enter_async_context(sdk.Client(server or job["url"], mode=mode, **callbacks))
            else:
                http: Any = import_module("mcp.client.streamable_http")
                transport = stdio_client(server) if server is not None else http.streamable_http_client(job["url"])
                read, write, *_ = await stack.enter_async_context(transport)
                self._client = await stack.enter_async_context(ClientSession(read, write, **callbacks))
                await self._client.initialize()
            yield

    async def call(self, tool: str, arguments: Any, told: Callable[[float], None] | None, task: Any) -> Raw:
        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            assert told is not None
            told(progress)

        if task is not None:
            params = types.CallToolRequestParams(name=tool, arguments=arguments, task=types.TaskMetadata(**task))
            request = types.ClientRequest(types.CallToolRequest(params=params))
            return await self._result(self._client.send_request(request, types.CreateTaskResult))
        return await self._result(self._client.call_tool(tool, arguments, progress_callback=told and progressed))

    async def request(self, method: str, params: Raw) -> Raw:
        client = self._client
        if method == "ping":
            return await self._result(client.send_ping())
        if method == "resources/read":
            uri: Any = import_module("pydantic").AnyUrl(params["uri"]) if SDK == 1 else params["uri"]
            return await self._result(client.read_resource(uri))
        assert method == "prompts/get"
        return await self._result(client.get_prompt(params["name"]))

    async def pages(self, method: str) -> list[Raw]:
        listing = getattr(self._client, f"list_{method.split('/')[0]}")
        found: list[Raw] = []
        while not found or "nextCursor" in found[-1]:
            cursor = found[-1]["nextCursor"] if found else None
            about = {"params": types.PaginatedRequestParams(cursor=cursor)} if SDK == 1 else {"cursor": cursor}
            found.append(await self._result(listing(**about)))
            assert LISTS[method][0] in found[-1]
        return found

    async def ping(self) -> None:
        # 2026-07-28 has none.
        await (self.pages("tools/list") if "era" in self._job["scenario"] else self._client.send_ping())

    async def _result(self, made: Any) -> Raw:
        try:
            return dumped(await made)
        except Failed as failed:
            raise Refused(failed.error.code, failed.error.message, failed.error.data) from failed

    async def _elicited(self, context: Any, params: Any) -> Any:
        raw = dumped(params)
        return types.ElicitResult(**await self._play.asked(raw["requestedSchema"]))

    async def _sampled(self, context: Any, params: Any) -> Any:
        content = types.TextContent(type="text", text=self._play.sampled())
        return types.CreateMessageResult(role="assistant", content=content, model="none")

    async def _got(self, message: Any) -> None:
        message = getattr(message, "root", message)
        if isinstance(method := getattr(message, "method", None), str):
            self._play.notified(method)
