"""What a host can get wrong with the adapters is an error when it is written, or at the first call; and the documented lines run."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from callgate._ending import Permitted
from callgate._enforcement import Enforcement
from clients import SDK
from mcp.server.lowlevel import Server

ENGINE = callgate.Engine.from_str('{version: "1", default: deny, tools: {t: {rules: [{rate_limit: 1/day}]}}}')
README = Path(__file__).resolve().parents[1] / "README.md"
GUARDED = "this server is guarded already"


def high_level() -> Any:
    if SDK == 1:
        return import_module("mcp.server.fastmcp").FastMCP("test")
    return import_module("mcp.server.mcpserver").MCPServer("test")


def low_level() -> Any:
    return Server("test")


@pytest.mark.parametrize("make", [low_level, high_level])
def test_a_server_is_guarded_once(make: Any) -> None:
    server = callgate.mcp.guard(make(), ENGINE)
    with pytest.raises(ValueError, match=GUARDED):
        callgate.mcp.guard(server, ENGINE)
    callgate.mcp.guard(make(), ENGINE)


def test_a_high_level_server_is_guarded_with_the_one_that_it_is_built_around() -> None:
    server = high_level()
    callgate.mcp.guard(server, ENGINE)
    inner = server._mcp_server if SDK == 1 else server._lowlevel_server
    with pytest.raises(ValueError, match=GUARDED):
        callgate.mcp.guard(inner, ENGINE)


def test_a_connection_is_guarded_once() -> None:
    import anyio

    async def main() -> None:
        _, read = anyio.create_memory_object_stream[Any](1)
        write, _ = anyio.create_memory_object_stream[Any](1)
        async with callgate.mcp.guard_streams(read, write, ENGINE) as (incoming, outgoing):
            for streams in ((incoming, write), (read, outgoing)):
                with pytest.raises(ValueError, match=GUARDED):
                    callgate.mcp.guard_streams(*streams, ENGINE)

    anyio.run(main)


@pytest.mark.skipif(SDK == 1, reason="fastmcp 4 needs 2.x")
@pytest.mark.parametrize("twice", ["two guards", "guard first", "guard last"])
def test_a_server_of_fastmcp_is_guarded_once(twice: str, caplog: pytest.LogCaptureFixture) -> None:
    from fastmcp import Client, FastMCP

    server: Any = FastMCP("test")

    ran: list[str] = []

    def t() -> str:
        ran.append("t")
        return "ran"

    server.tool(t)

    if twice == "guard first":
        callgate.mcp.guard(server, ENGINE)
    server.add_middleware(callgate.fastmcp.Guard(ENGINE))
    if twice == "guard last":
        with pytest.raises(ValueError, match=GUARDED):
            callgate.mcp.guard(server, ENGINE)
        return
    if twice == "two guards":
        server.add_middleware(callgate.fastmcp.Guard(ENGINE))

    async def main() -> None:
        async with Client(server) as client:
            with pytest.raises(Exception, match="error"):
                await client.list_tools()
            # What went wrong is for the host alone.
            assert GUARDED in caplog.text
            with pytest.raises(Exception, match="error|could not be checked"):
                await client.call_tool("t", {})

    asyncio.run(main())
    assert ran == []


ADAPTERS = ["mcp"] if SDK == 1 else ["mcp", "fastmcp"]


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({}, "engine"),
        ({"engine": None}, "engine must be a callgate.Engine"),
        ({"engine": "policy.yaml"}, "engine must be a callgate.Engine"),
        ({"engine": ENGINE, "on_aproval": print}, "on_aproval"),
        ({"engine": ENGINE, "onApproval": print}, "onApproval"),
        ({"engine": ENGINE, "identity": "alice"}, "identity must be callable"),
        ({"engine": ENGINE, "on_approval": True}, "on_approval must be callable"),
        ({"engine": ENGINE, "refund_on_error": True}, "refund_on_error must be callable"),
    ],
    ids=str,
)
def test_options_that_are_none(adapter: str, options: dict[str, Any], error: str) -> None:
    server = Server[Any]("test") if SDK > 1 else Server("test")
    with pytest.raises(TypeError, match=re.escape(error)):
        if adapter == "mcp":
            callgate.mcp.guard(server, **options)
        else:
            callgate.fastmcp.Guard(**options)
    callgate.mcp.guard(server, ENGINE)  # nothing was left behind


def test_the_documented_lines_run_as_written() -> None:
    """In a process of its own: another test may have imported what these lines have to import."""
    text = README.read_text("utf-8")
    table = re.search(r"## On a real server.*?\n\n((?:\|[^\n]*\n)+)", text, re.DOTALL)
    assert table is not None
    lines = {line.split("(")[0]: line for line in re.findall(r"\| `([^`]*)` \|\n", table[1])}
    make = "from mcp.server.lowlevel import Server; server = Server('x'); read = write = None"
    programs = {
        "callgate.mcp.guard": make,
        "callgate.mcp.guard_streams": make,
        "server.add_middleware": "from fastmcp import FastMCP; server = FastMCP('x')",
    }
    assert programs.keys() == lines.keys()
    for called, prepare in programs.items():
        if SDK == 1 and called == "server.add_middleware":
            continue
        engine = "engine = callgate.Engine.from_str('{version: \"1\", default: deny}')"
        program = f"import callgate\n{prepare}\n{engine}\n{lines[called]}\n"
        subprocess.run([sys.executable, "-P", "-W", "ignore", "-c", program], check=True)


def test_importing_the_package_imports_no_sdk() -> None:
    program = "import sys, callgate; assert not {'mcp', 'fastmcp', 'mcp_types', 'anyio'} & sys.modules.keys(), sys.modules.keys()"
    subprocess.run([sys.executable, "-P", "-c", program], check=True)
    with pytest.raises(AttributeError, match="no attribute 'fast_mcp'"):
        callgate.fast_mcp


@pytest.mark.skipif(SDK > 1, reason="fastmcp 4 is installed here")
def test_what_the_fastmcp_adapter_needs_is_said() -> None:
    with pytest.raises(ImportError, match=r"needs fastmcp 4 .*it is not installed; callgate\.mcp\.guard"):
        callgate.fastmcp


def test_version() -> None:
    assert callgate.__version__ == version("callgate")


def test_a_server_is_asked_for_a_schema_only_where_the_policy_reads_arguments() -> None:
    text = """{version: "1", default: deny, hide: [hidden], tools: {
        free: {limits: [{counter: n, window: day, max: 9}]}, pay: {require: [{path: args.n, op: lte, value: 5}]}}}"""
    engine = callgate.Engine.from_str(text)
    reads = callgate.Policy.from_str(text.replace("max: 9}]}", "max: 9}], require: [{path: args.n, op: exists, value: false}]}"))
    asked: list[str] = []

    def admitted(tool: str, args: dict[str, Any], *, check_args: bool = True, reload: bool = False) -> bool:
        async def schema() -> Any:
            asked.append(tool)
            return {"properties": {"n": {"type": "integer"}}}

        def identity(_: Any) -> str:
            return "alice"

        class Swapped:
            """The engine, whose policy is replaced between the question for the schema and the decision."""

            policy = engine.policy

            async def evaluate_async(self, *call: Any) -> callgate.Decision:
                self.policy = reads
                engine.replace(reads)
                return engine.evaluate(*call)

        enforcement = Enforcement(engine, identity, None, None, lambda context: None, check_args)
        if reload:

            async def swapped(_context: Any) -> Any:
                return Swapped()

            enforcement.engine_of = swapped  # type: ignore[assignment]
        return isinstance(anyio.run(enforcement.admit, tool, args, None, schema), Permitted)

    assert admitted("free", {"n": 1}) and not admitted("hidden", {}) and not admitted("other", {})
    assert asked == []
    assert admitted("pay", {"n": 5}) and not admitted("pay", {"n": "5"}) and not admitted("pay", {"n": 6})
    assert asked == ["pay"] * 3
    assert admitted("pay", {"n": 5}, check_args=False) and asked == ["pay"] * 3
    # A policy that comes into force meanwhile is not obeyed without the check that it needs, and nothing is charged twice.
    assert admitted("free", {}, reload=True) and asked == ["pay"] * 3 + ["free"]
    assert engine.explain("free").decision.counters[0].used == 2
