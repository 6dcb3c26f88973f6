"""The messages of the installed SDK, 1.x or 2.x, and their text.

In: a message of the SDK. Out: its text, as the SDK's own transports write it, and a message of a text, as they read it. Must not change a
member: the guard judges the text, and the SDK gets what was judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any


class Wire:
    """How the installed SDK writes and reads."""

    def __init__(self) -> None:
        types: Any = import_module("mcp.types")
        message: Any = import_module("mcp.shared.message")
        # 1.x wraps messages in a model; in 2.x the name stands for a union.
        wrapper: Any = types.JSONRPCMessage
        self._read: Callable[[str], Any]
        if hasattr(wrapper, "model_validate_json"):
            self._read = wrapper.model_validate_json
        else:
            self._read = partial(types.jsonrpc_message_adapter.validate_json, by_name=False)
        self._session_message = message.SessionMessage
        self._server_metadata = message.ServerMessageMetadata

    def text(self, message: Any) -> str:
        """The text of a message. Raises what pydantic raises where it has none."""
        try:
            text: str = message.model_dump_json(by_alias=True, exclude_unset=True)
        except ValueError:
            # Half a surrogate pair: the relay says what is wrong with it.
            text = json.dumps(message.model_dump(by_alias=True, exclude_unset=True))
        return text

    def message(self, text: str, metadata: Any = None) -> Any:
        """A `SessionMessage`. Raises what pydantic raises where the text is no message to the SDK."""
        return self._session_message(self._read(text), metadata)

    def belongs_to(self, request: Any) -> Any:
        """What tells a transport which request a message belongs to."""
        return self._server_metadata(related_request_id=request)

    def asking_for(self, metadata: Any) -> Any:
        """What goes along with a question of the guard's own that a message gave rise to: the HTTP request, and nothing that ends it."""
        request = getattr(metadata, "request_context", None)
        return None if request is None else self._server_metadata(request_context=request)


def root(item: Any) -> Any:
    """The message of a `SessionMessage`, which 1.x wraps in a model."""
    return member(item.message, "root", item.message)


def member(message: Any, name: str, default: Any = None) -> Any:
    """A member that a message may have. Models look for what they do not have in many places."""
    return message.__dict__.get(name, default)
