"""What `scenario_client.py` does by the client of the `fastmcp` package, 2, 3 and 4."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import fastmcp
from client_official import Failed, dumped
from fastmcp.client.elicitation import ElicitResult
from fastmcp.client.transports import StdioTransport
from scenario_play import LISTS, Play, Raw, Refused

MAJOR = int(version("fastmcp").split(".")[0])


class Client:
    def __init__(self, job: Raw, play: Play) -> None:
        self._job, self._play = job, play

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        job = self._job
        command = job.get("command")
        transport: Any = job["url"] if command is None else StdioTransport(command[0], command[1:], keep_alive=False)
        options: dict[str, Any] = {"mode": job["scenario"].get("era", "legacy")} if MAJOR > 3 else {}
        handlers: Any = {"elicitation_handler": self._elicited, "sampling_handler": self._sampled, "message_handler": self._got}
        async with fastmcp.Client(transport, **handlers, **options) as self._client:
            yield

    async def call(self, tool: str, arguments: Any, told: Callable[[float], None] | None, task: Any) -> Raw:
        assert task is None

        async def progressed(progress: float, total: float | None, message: str | None) -> None:
            if told is not None:
                told(progress)

        made = self._client.call_tool(tool, arguments, progress_handler=progressed if told else None, raise_on_error=False)
        result: Any = await self._answered(made)
        content = [dumped(block) for block in result.content]
        return {"content": content, "structuredContent": result.structured_content, "isError": result.is_error, "_meta": result.meta}

    async def request(self, method: str, params: Raw) -> Raw:
        client = self._client
        if method == "ping":
            assert await self._answered(client.ping())
            return {}
        if method == "resources/read":
            return {"contents": [dumped(one) for one in await self._answered(client.read_resource(params["uri"]))]}
        assert method == "prompts/get"
        return dumped(await self._answered(client.get_prompt(params["name"])))

    async def pages(self, method: str) -> list[Raw]:
        """All of them: its lists have no pages."""
        member = LISTS[method][0]
        return [{member: [dumped(item) for item in await self._answered(getattr(self._client, f"list_{member}")())]}]

    async def ping(self) -> None:
        await (self.pages("tools/list") if "era" in self._job["scenario"] else self._client.ping())

    async def _answered(self, made: Any) -> Any:
        try:
            return await made
        except Failed as failed:
            raise Refused(failed.error.code, failed.error.message, failed.error.data) from failed

    async def _elicited(self, message: str, response_type: Any, params: Any, context: Any) -> Any:
        reply = await self._play.asked(dumped(params)["requestedSchema"])
        return ElicitResult(action=reply["action"], content=reply.get("content"))

    async def _sampled(self, messages: Any, params: Any, context: Any) -> str:
        return self._play.sampled()

    async def _got(self, message: Any) -> None:
        message = getattr(message, "root", message)
        if isinstance(method := getattr(message, "method", None), str):
            self._play.notified(method)
