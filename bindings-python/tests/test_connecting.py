"""`callgate.testing.connect`: an author's tests of a guarded server, in memory, with each SDK's own servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from callgate import testing
from conftest import PROJECT
from inside import MODERN, PAIRS, guarded

POLICY = """
version: "1"
default: deny
hide: [wipe]
tools:
  pay:
    require: [{path: args.amount, op: lte, value: 100}]
    rules: [{name: large, action: require_approval, conditions: [{path: args.amount, op: gt, value: 50}]}]
    limits: [{counter: n, window: 7d, max: 2, scope: identity}]
  mine: {require: [{path: identity.team, op: eq, value: red}]}
"""
pairs = pytest.mark.parametrize(("guard", "era"), PAIRS)


def pay(amount: int) -> str:
    """Pays."""
    return f"paid {amount}"


def mine() -> str:
    """Is for one team."""
    return "mine"


def wipe() -> str:
    """Is hidden."""
    return "wiped"


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


@pairs
def test_an_author_tests_a_guarded_server(guard: str, era: str) -> None:
    async def test() -> None:
        engine = callgate.Engine.from_str(POLICY)
        server = guarded(guard, engine, pay, mine, wipe, on_approval=callgate.approve_by_elicitation())
        protocol = era if era == MODERN else None
        async with testing.connect(server, caller="ann", answers=lambda message: True, protocol=protocol) as client:
            assert await client.tools() == ["mine", "pay"]
            allowed = await client.call("pay", amount=5)
            assert (allowed.text, allowed.code, allowed.is_error) == ("paid 5", None, False)
            assert (await client.call("pay", amount=101)).code == "condition_failed"
            assert (await client.call("pay", amount=60)).text == "paid 60"
            limited = await client.call("pay", amount=5)
            assert limited.code == "limit_exceeded" and limited.retry_after is not None
            assert (await client.call("mine")).code == "condition_failed"
        # Another caller has counters and claims of its own. One who declines is told the key.
        async with testing.connect(server, caller={"id": "bob", "team": "red"}, answers=lambda message: None, protocol=protocol) as client:
            assert (await client.call("mine")).text == "mine"
            declined = await client.call("pay", amount=60)
            assert declined.code == "approval_required" and declined.approval_key is not None
        # Nobody is known.
        async with testing.connect(server, protocol=protocol) as client:
            assert (await client.call("pay", amount=5)).code == "identity_required"

    run(test)


@pairs
def test_errors_are_answers(guard: str, era: str) -> None:
    async def test() -> None:
        server = guarded(guard, callgate.Engine.from_str(POLICY), pay, denied="raise")
        async with testing.connect(server, protocol=era if era == MODERN else None) as client:
            denied: Any = await client.call("pay", amount=101)
            assert (denied.code, denied.is_error, denied.result) == ("condition_failed", True, None)

    run(test)


def test_the_page_shows_what_runs() -> None:
    blocks = (PROJECT / "bindings-python" / "README.md").read_text("utf-8").split("```python\n")
    (block,) = [block.split("```")[0] for block in blocks if "testing.connect" in block]
    names: dict[str, Any] = {}
    exec(block, names)

    async def test() -> None:
        await names["test_pay"](guarded(PAIRS[0][0], callgate.Engine.from_str(POLICY), pay))

    run(test)
