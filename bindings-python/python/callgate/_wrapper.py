"""Whether an SDK refused arguments before it called a handler (clause 8.13: such a call was not run).

In: a tool as its SDK has it, the arguments of a call, and what the call failed with. Out: whether the SDK's own model refused them. Must not call
the tool's function, and must not say so of arguments that may have reached it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

# By the function of a tool: making one takes longer than a call.
_validators: WeakKeyDictionary[Any, Any] = WeakKeyDictionary()

Refuses = Callable[[Any], bool]
"""Whether the arguments of one call were refused, by what it failed with: a result, or an exception."""


def refusing(tool: Any, arguments: Any, strict: bool = False) -> Refuses | None:
    """Asked before the call and after it failed. Only what is refused both times was refused between: a model may look at the clock. And it
    was this model that refused only where the call failed with its words: what stands between may have made other arguments of these.

    `None` where the model is not known, or admits the arguments.
    """
    try:
        validate = _validator(tool, strict)
    except Exception:
        return None
    if validate is None:
        return None
    refused = import_module("pydantic").ValidationError
    given = dict(arguments) if isinstance(arguments, Mapping) else {}

    def refusal() -> str | None:
        try:
            validate(given)
        except refused as error:
            return _details(str(error)) or None
        except Exception:
            return None
        return None

    def refuses(failed: Any) -> bool:
        said = refusal()
        return said is not None and _details(_said(failed)) == said

    return None if refusal() is None else refuses


def refusing_by_schema(handler: Any, schema: Callable[[], Any], arguments: Any) -> Refuses | None:
    """The same of the low-level server of 1.x, which checks arguments by the tool's schema, unless its author says that it does not."""
    if not _checks_schema(handler):
        return None
    jsonschema: Any = import_module("jsonschema")

    def refusal() -> str | None:
        try:
            jsonschema.validate(instance=arguments or {}, schema=schema())
        except jsonschema.ValidationError as error:
            return f"Input validation error: {error.message}"
        except Exception:
            return None
        return None

    def refuses(failed: Any) -> bool:
        said = refusal()
        return said is not None and _said(failed) == said

    return None if refusal() is None else refuses


def _checks_schema(handler: Any) -> bool:
    """Whether it is the SDK's own handler of calls, made by `call_tool(validate_input=True)`: any other may have run when it says such."""
    if not inspect.isfunction(handler) or handler.__module__ != "mcp.server.lowlevel.server":
        return False
    return inspect.getclosurevars(handler).nonlocals.get("validate_input") is True


def _said(failed: Any) -> str:
    """The text of what a call failed with; empty where it is not one text."""
    if isinstance(failed, Exception):
        return str(failed)
    found = getattr(failed, "root", failed)
    content = found.get("content") if isinstance(found, Mapping) else getattr(found, "content", None)
    if not isinstance(content, list) or len(content) != 1:
        return ""
    (part,) = content
    return str(part.get("text") if isinstance(part, Mapping) else getattr(part, "text", ""))


def _details(text: str) -> str:
    """What a model says of the arguments: SDKs have a first line of their own."""
    return text.partition("\n")[2]


def _validator(tool: Any, strict: bool) -> Callable[[Any], Any] | None:
    if (metadata := getattr(tool, "fn_metadata", None)) is not None:
        # `FastMCP` of 1.x, and `MCPServer`.
        return lambda given: metadata.arg_model.model_validate(metadata.pre_parse_json(given))
    if type(tool).__name__ != "FunctionTool" or not type(tool).__module__.startswith("fastmcp.tools."):
        return None
    if (known := _validators.get(tool.fn)) is None:
        known = _validators[tool.fn] = _of_function(tool.fn)
    if known is None:
        return None
    validator, core = known
    if strict:
        return lambda given: validator.validate_json(core.to_json(given), strict=True)
    return lambda given: validator.validate_python(given)


def _of_function(function: Any) -> tuple[Any, Any] | None:
    """The package `fastmcp`. Its model calls the function, so what stands before that is taken out."""
    dependencies: Any = import_module("fastmcp.server.dependencies")
    core: Any = import_module("pydantic_core")
    schema = import_module("pydantic").TypeAdapter(dependencies.without_injected_parameters(function)).core_schema
    around = schema if schema["type"] == "definitions" else {"schema": schema}
    if around["schema"]["type"] != "call":
        return None
    arguments = around["schema"]["arguments_schema"]
    return core.SchemaValidator({**around, "schema": arguments} if around is schema else arguments), core


