"""What a client of `servers/everything.py` offers it, and what it hears."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import anyio
from clients import SDK

types: Any = import_module("mcp.types" if SDK == 1 else "mcp_types")


class Callbacks:
    """What a client offers a server, and what it heard."""

    def __init__(self) -> None:
        self.logged: list[Any] = []
        self.heard: list[tuple[str, str]] = []
        self.hears = anyio.Event()

    async def sample(self, context: Any, params: Any) -> Any:
        message = params.messages[0]
        found = {"role": "assistant", "content": {"type": "text", "text": f"{message.content.text} 4"}, "model": "m"}
        return types.CreateMessageResult.model_validate(found)

    async def elicit(self, context: Any, params: Any) -> Any:
        return types.ElicitResult(action="accept", content={"name": f"{params.message} Ada"})

    async def roots(self, context: Any) -> Any:
        return types.ListRootsResult.model_validate({"roots": [{"uri": "file:///srv/a"}]})

    async def log(self, params: Any) -> None:
        self.logged.append((params.level, params.logger, params.data))

    async def hear(self, message: Any) -> None:
        message = getattr(message, "root", message)
        name = type(message).__name__
        if name in ("ResourceUpdatedNotification", "ToolListChangedNotification"):
            self.heard.append((name, str(getattr(message.params, "uri", ""))))
            self.hears.set()

    async def heard_of(self) -> tuple[str, str]:
        await self.hears.wait()
        self.hears = anyio.Event()
        return self.heard.pop()

    @property
    def options(self) -> dict[str, Any]:
        return {
            "sampling_callback": self.sample,
            "elicitation_callback": self.elicit,
            "list_roots_callback": self.roots,
            "logging_callback": self.log,
            "message_handler": self.hear,
            **({} if SDK == 1 else {"log_level": "info"}),
        }
