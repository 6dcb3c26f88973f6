"""Records of what guards decided: audit files in the gateway's form, spans, and `Denied` for the host's own middleware."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from clients import SDK
from conftest import PROJECT
from inside import GUARDS, HANDSHAKE, MODERN, client, guarded

POLICY = """
version: "1"
default: deny
hide: [wipe]
tools:
  pay:
    rules:
      - {name: cap, conditions: [{path: args.amount, op: lte, value: 100}]}
      - {name: large, action: require_approval, conditions: [{path: args.amount, op: gt, value: 50}]}
    limits: [{counter: spend, window: 7d, max: 200, increment_from: args.amount}]
"""
guards = pytest.mark.parametrize("guard", GUARDS)


def pay(amount: int) -> str:
    """Pays."""
    if amount == 13:
        raise ValueError("unlucky")
    return f"paid {amount}"


def wipe() -> str:
    """Is hidden."""
    return "wiped"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


def valid(record: dict[str, Any]) -> None:
    """Judged by the schema of the gateway's records."""
    jsonschema: Any = import_module("jsonschema")
    schema = json.loads((PROJECT / "spec" / "audit.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator(schema).validate(record)


@guards
def test_each_call_has_a_record_as_the_gateway_writes_it(guard: str) -> None:
    records: list[dict[str, Any]] = []

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(
            guard, engine, pay, wipe, audit=records.append, server_name="bank",
            identity=lambda context: {"id": "ann", "grant": "g", "secret": "no record"}, on_approval=lambda request: True,
        )
        async with client(guard, made, MODERN if SDK > 1 else HANDSHAKE) as agent:
            await agent.tools()
            await agent.call("pay", amount=5)
            await agent.call("pay", amount=101)
            await agent.call("pay", amount=60)
            await agent.call("pay", amount=13)
            await agent.call("pay", amount=7, other="x" * 10)
            await agent.call("pay", amount="seven")

    run(test)
    for record in records:
        valid(record)
    assert [record["seq"] for record in records] == list(range(1, len(records) + 1))
    assert "no record" not in json.dumps(records)
    kinds = [record["kind"] for record in records]
    assert kinds[0] == "list_filtered" and records[0]["hidden"] == 1
    assert [kind for kind in kinds if kind != "list_filtered"][:4] == ["call", "call", "approval", "approval"]
    assert [record["outcome"] for record in records if record["kind"] == "approval"] == ["asked", "approved", "used"]
    calls = [record for record in records if record["kind"] == "call"]
    assert [(record["decision"]["code"], record["upstream"]["outcome"], record["charge"]) for record in calls] == [
        ("allowed", "done", "kept"),
        ("condition_failed", "not_run", "none"),
        ("allowed", "done", "kept"),
        ("allowed", "tool_error", "kept"),
        # `fastmcp` refuses arguments that its tool does not have.
        ("allowed", "not_run", "released") if guard == "fastmcp" else ("allowed", "done", "kept"),
        ("invalid_args", "not_run", "none"),
    ]
    first = calls[0]
    assert (first["server"], first["name"], first["args"]) == ("bank", "pay", {"keys": ["amount"], "hash": None})
    assert first["principal"] == {"id": "ann", "grant": "g"}
    assert (first["transport"], first["protocol"]) == ("stdio", None if SDK == 1 else MODERN)
    assert first["upstream"]["latency_us"] > 0 and calls[1]["upstream"]["latency_us"] is None


@guards
def test_records_go_to_a_file_of_their_own(guard: str, tmp_path: Path) -> None:
    path = tmp_path / "bank.jsonl"

    async def call(made: Any) -> None:
        async with client(guard, made) as agent:
            await agent.call("pay", amount=5)

    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        await call(guarded(guard, engine, pay, audit=path))
        # Another writer at the same time takes the next name, as gateways do.
        await call(guarded(guard, engine, pay, audit=str(path)))

    run(test)
    for name in ("bank.jsonl", "bank.2.jsonl"):
        (line,) = (tmp_path / name).read_text("utf-8").splitlines()
        valid(json.loads(line))
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_numbers_of_records_go_on(tmp_path: Path) -> None:
    from callgate._audit import Audit

    path = tmp_path / "a.jsonl"
    path.write_text('{"seq": 41}\nno record\n', "utf-8")
    Audit(path, None).reload("sha256:" + "0" * 64, "sha256:" + "1" * 64)
    last = json.loads(path.read_text("utf-8").splitlines()[-1])
    valid(last)
    assert last["seq"] == 42
    with pytest.raises(TypeError, match="audit must be"):
        guarded(GUARDS[0], callgate.Engine.from_str(POLICY), pay, audit=5)


@guards
def test_what_is_raised_by_an_audit_callable_changes_nothing(guard: str, caplog: pytest.LogCaptureFixture) -> None:
    def write(record: dict[str, Any]) -> None:
        raise OSError("full")

    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(POLICY), pay, audit=write)
        async with client(guard, made) as agent:
            assert (await agent.call("pay", amount=5)).text == "paid 5"

    run(test)
    assert "an audit record could not be written" in caplog.text


@guards
def test_what_cannot_be_decided_has_a_record(guard: str) -> None:
    records: list[dict[str, Any]] = []

    def identity(context: Any) -> Any:
        raise RuntimeError("nobody knows")

    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(POLICY), pay, audit=records.append, identity=identity)
        async with client(guard, made) as agent:
            assert (await agent.call("pay", amount=5)).is_error

    run(test)
    valid(records[0])
    assert (records[0]["refusal"], records[0]["decision"]) == ("undecided", None)


@pytest.mark.skipif(SDK == 1, reason="a tracer is installed with 2.x")
@pytest.mark.parametrize("guard", ["mcp2", "fastmcp"])
def test_the_current_span_says_what_was_decided(guard: str) -> None:
    trace: Any = import_module("opentelemetry.trace")
    sdk: Any = import_module("opentelemetry.sdk.trace")
    export: Any = import_module("opentelemetry.sdk.trace.export")
    memory: Any = import_module("opentelemetry.sdk.trace.export.in_memory_span_exporter").InMemorySpanExporter()
    provider = trace.get_tracer_provider()
    if not isinstance(provider, sdk.TracerProvider):
        provider = sdk.TracerProvider()
        trace.set_tracer_provider(provider)
    provider.add_span_processor(export.SimpleSpanProcessor(memory))

    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(POLICY), pay)
        async with client(guard, made) as agent:
            await agent.call("pay", amount=5)
            await agent.call("pay", amount=101)

    run(test)
    marked = [dict(span.attributes) for span in memory.get_finished_spans() if "callgate.code" in span.attributes]
    names = ("callgate.effect", "callgate.code", "callgate.tool", "callgate.rule")
    assert [tuple(span.get(name) for name in names) for span in marked] == [
        ("allow", "allowed", "pay", None),
        ("deny", "condition_failed", "pay", "cap"),
    ]


@guards
def test_the_host_may_have_what_is_denied_raised(guard: str) -> None:
    raised: list[str] = []

    async def test() -> None:
        made = guarded(guard, callgate.Engine.from_str(POLICY), pay, denied="raise")
        async with client(guard, made) as agent:
            assert (await agent.call("pay", amount=5)).text == "paid 5"
            # Where nobody catches it, the client gets the error of 10.6.
            denied = await agent.call("pay", amount=101)
            assert (denied.code, denied.is_error) == (callgate.MCP_DENIED, True)

        around = guarded(guard, callgate.Engine.from_str(POLICY), pay, denied="raise")
        _catch(guard, around, raised)
        async with client(guard, around) as agent:
            assert (await agent.call("pay", amount=101)).text == "ask somebody else"

    run(test)
    assert raised == ["condition_failed"]
    with pytest.raises(ValueError, match="denied"):
        guarded(guard, callgate.Engine.from_str(POLICY), pay, denied="ignore")


def _catch(guard: str, made: Any, raised: list[str]) -> None:
    """Middleware of the host, around the guard."""
    if guard == "fastmcp":
        middleware: Any = import_module("fastmcp.server.middleware").Middleware
        result: Any = import_module("fastmcp.tools.base").ToolResult

        class Catch(middleware):  # type: ignore[misc]
            async def on_call_tool(self, context: Any, call_next: Any) -> Any:
                try:
                    return await call_next(context)
                except callgate.Denied as denied:
                    raised.append(denied.decision.code)
                    return result(content="ask somebody else", is_error=True)

        made.middleware.insert(0, Catch())
        return
    types: Any = import_module("mcp.types")
    answer = types.CallToolResult.model_validate({"content": [{"type": "text", "text": "ask somebody else"}], "isError": True})
    if guard == "mcp2":

        async def catch(context: Any, call_next: Any) -> Any:
            try:
                return await call_next(context)
            except callgate.Denied as denied:
                raised.append(denied.decision.code)
                return answer

        made.middleware.insert(0, catch)
        return
    handlers = made._mcp_server.request_handlers
    inner = handlers[types.CallToolRequest]

    async def called(request: Any) -> Any:
        try:
            return await inner(request)
        except callgate.Denied as denied:
            raised.append(denied.decision.code)
            return types.ServerResult(answer)

    # Not by the guard's table, which would guard it once more.
    handlers.data[types.CallToolRequest] = called


@pytest.mark.skipif(SDK == 1, reason="the example is for 2.x")
def test_the_example_of_metrics_counts_calls() -> None:
    metrics: Any = import_module("opentelemetry.metrics")
    sdk: Any = import_module("opentelemetry.sdk.metrics")
    reader: Any = import_module("opentelemetry.sdk.metrics.export").InMemoryMetricReader()
    metrics.set_meter_provider(sdk.MeterProvider([reader]))
    example = run_path(str(PROJECT / "examples" / "python" / "metrics.py"))

    async def test() -> None:
        async with client("mcp2", example["server"]) as agent:
            for _ in range(2):
                await agent.call("balance")
            await agent.call("no such tool")

    run(test)
    (counter,) = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    counted = {(point.attributes["tool"], point.attributes["code"], point.attributes["outcome"]): point.value for point in counter.data.data_points}
    assert counted == {("balance", "allowed", "done"): 2, ("", "not_listed", "not_run"): 1}
