"""A guarded server behind HTTP, in this process, and raw clients of it: what `guarded` is for a pair of streams.

In: an ASGI application. Out: connections with the same methods. Each request is a response stream of its own, which the
client can close.
"""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.abc
import uvicorn
from line import Raw
from mcp.shared._httpx_utils import create_mcp_http_client

VERSION = "2025-11-25"


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The URL of the application, as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve, [listener])
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
            finally:
                server.should_exit = True


class HttpConnection:
    """A raw client, and the answers that it got, by id."""

    def __init__(self, url: str, happened: Callable[[], None]) -> None:
        self.answers: dict[int, Raw] = {}
        self.asked = 0
        self._url, self._happened = url, happened
        self._http = create_mcp_http_client()
        self._headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": VERSION}
        self._open: dict[int, anyio.CancelScope] = {}

    async def open(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        info = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
        await self.answer_to(await self.request("initialize", info))
        await self.notify("notifications/initialized", {})

    async def request(self, method: str, params: Raw) -> int:
        self.asked += 1
        number = self.asked
        scope = self._open[number] = anyio.CancelScope()
        self._tasks.start_soon(self._read, number, {"id": number, "method": method, "params": params}, scope)
        return number

    async def notify(self, method: str, params: Raw) -> None:
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        (await self._http.post(self._url, json=message, headers=self._headers)).raise_for_status()

    async def answer_to(self, number: int) -> Raw:
        while number not in self.answers:
            await anyio.sleep(0.01)
        return self.answers[number]

    def hang_up(self, number: int) -> None:
        self._open[number].cancel()

    async def close(self) -> None:
        for scope in self._open.values():
            scope.cancel()
        await self._http.aclose()

    async def _read(self, number: int, message: Raw, scope: anyio.CancelScope) -> None:
        with scope:
            message = {"jsonrpc": "2.0", **message}
            async with self._http.stream("POST", self._url, json=message, headers=self._headers) as response:
                if (session := response.headers.get("mcp-session-id")) is not None:
                    self._headers["mcp-session-id"] = session
                async for line in response.aiter_lines():
                    text = line.removeprefix("data:").strip() if line.startswith("data:") else ""
                    if text and "method" not in (found := json.loads(text)):
                        assert found["id"] == number
                        self.answers[number] = found
                        self._happened()
