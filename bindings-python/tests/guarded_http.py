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
from guarded import HANDSHAKE, Client
from line import Raw
from mcp.shared._httpx_utils import create_mcp_http_client


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


class HttpConnection(Client):
    """A raw client: with a session, but in 2026-07-28."""

    def __init__(self, url: str, happened: Callable[[], None], era: str | None = None) -> None:
        super().__init__(happened, era)
        self._url = url
        self._http = create_mcp_http_client()
        version = era or str(HANDSHAKE["protocolVersion"])
        self._headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": version}
        self._open: dict[int, anyio.CancelScope] = {}

    async def open(self, tasks: anyio.abc.TaskGroup) -> None:
        self._tasks = tasks
        if self._era is not None:
            return
        await self.answer_to(await self.request("initialize", HANDSHAKE))
        await self.notify("notifications/initialized", {})
        tasks.start_soon(self._listen)

    async def request(self, method: str, params: Raw) -> int:
        self.asked += 1
        number = self.asked
        scope = self._open[number] = anyio.CancelScope()
        message = {"id": number, "method": method, "params": self.params(params)}
        self._tasks.start_soon(self._read, message, scope)
        return number

    async def notify(self, method: str, params: Raw) -> None:
        await self.write({"method": method, "params": params})

    async def write(self, message: Raw) -> None:
        message = {"jsonrpc": "2.0", **message}
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

    async def _read(self, message: Raw, scope: anyio.CancelScope) -> None:
        headers = {**self._headers, "mcp-method": message["method"]}
        if (name := message["params"].get("name") or message["params"].get("uri")) is not None:
            headers["mcp-name"] = name
        with scope:
            message = {"jsonrpc": "2.0", **message}
            async with self._http.stream("POST", self._url, json=message, headers=headers) as response:
                if (session := response.headers.get("mcp-session-id")) is not None:
                    self._headers["mcp-session-id"] = session
                await self._take(response)

    async def _listen(self) -> None:
        """What the server sends on no request's stream."""
        async with self._http.stream("GET", self._url, headers=self._headers) as response:
            await self._take(response)

    async def _take(self, response: Any) -> None:
        is_stream = "text/event-stream" in response.headers.get("content-type", "")
        async for line in response.aiter_lines():
            text = line.removeprefix("data:").strip() if line.startswith("data:") or not is_stream else ""
            if text and (reply := self.got(json.loads(text))) is not None:
                await self.write(reply)
