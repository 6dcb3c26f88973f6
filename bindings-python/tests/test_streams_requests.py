"""The guard of a pair of streams: calls in several rounds, requests of other methods, and lists."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import callgate
import callgate.mcp
from line import MARK, POLICY, Line, Raw, call, error, result, run
from mcp.shared.message import ServerMessageMetadata

LIMITED = "Rate limit of 1 per 7d reached. Try again in S seconds."
CHANGED: Raw = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
ROUNDS = """
version: "1"
default: deny
tools:
  once: {limits: [{counter: n, window: 7d, max: 1}]}
  pay: {rules: [{name: all, action: require_approval}], limits: [{counter: p, window: 7d, max: 1}]}
  slow: {limits: [{in_flight: 1, lease: 10m}]}
"""
REQUESTS = """
version: "1"
default: allow
requests:
  default: deny
  methods:
    resources/read:
      require: [{path: args.uri, op: starts_with, value: "file:///notes/"}]
      limits: [{counter: reads, window: 7d, max: 2}]
    prompts/get: {require: [{path: args.name, op: eq, value: review}]}
    elicitation/create: {require: [{path: identity.id, op: eq, value: alice}]}
"""


def needs_input(number: Any, state: str, **requests: Raw) -> Raw:
    return result(number, resultType="input_required", requestState=state, inputRequests=requests)


def request(number: Any, method: str, **params: Any) -> Raw:
    return {"jsonrpc": "2.0", "id": number, "method": method, "params": params}


async def shown(ends: Line, message: Raw) -> Raw:
    await ends.answer(message)
    return await ends.answered()


async def refused(ends: Line, message: Raw) -> Raw:
    """The error that answers a request which no server sees."""
    await ends.ask(message)
    answer = await ends.answered()
    await ends.nothing_served()
    found: Raw = answer["error"]
    return found


def test_a_call_in_several_rounds_is_charged_and_approved_once() -> None:
    asked: list[callgate.mcp.ApprovalRequest] = []

    async def on_approval(asking: callgate.mcp.ApprovalRequest) -> bool:
        asked.append(asking)
        return True

    async def test(ends: Line) -> None:
        for tool, number in (("once", 1), ("pay", 10)):
            arguments = {"amount": 5.0, "to": ["a", None]}
            await ends.passes(call(number, tool, arguments=arguments))
            for leg in range(1, 4):
                state = f"{tool}-{leg}"
                needed = needs_input(number, state, who={"method": "roots/list"})
                assert await shown(ends, needed) == needed
                number += 1
                await ends.passes(call(number, tool, arguments=arguments, requestState=state, inputResponses={"who": {"roots": []}}))
            await ends.answer(result(number, content=[]))
            await ends.answered()
            # What was spent is spent, and the same state goes on with nothing.
            assert await ends.refused(call(number + 1, tool, arguments=arguments, requestState=f"{tool}-3")) == LIMITED
        # A denial by the counter asks nobody.
        assert [asking.tool for asking in asked] == ["pay"]

    run(test, ROUNDS, on_approval=on_approval)


@pytest.mark.parametrize(
    "again",
    [
        call(2, "once", arguments={"a": 1}, requestState="made-up"),
        call(2, "once", arguments={"a": 2}, requestState="s"),
        call(2, "once", requestState="s"),
        call(2, "once", arguments={"a": 1}),
    ],
)
def test_what_does_not_go_on_is_a_call_of_its_own(again: Raw) -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "once", arguments={"a": 1}))
        await shown(ends, needs_input(1, "s"))
        assert await ends.refused(again) == LIMITED
        # The state was not used up by that.
        await ends.passes(call(3, "once", arguments={"a": 1}, requestState="s"))

    run(test, ROUNDS)


def test_a_round_belongs_to_its_caller() -> None:
    async def test(ends: Line) -> None:
        def sent_by(name: str) -> ServerMessageMetadata:
            return ServerMessageMetadata(request_context=name)

        await ends.ask(call(1, "once"), metadata=sent_by("alice"))
        await ends.served()
        await shown(ends, needs_input(1, "s"))
        await ends.ask(call(2, "once", requestState="s"), metadata=sent_by("mallory"))
        assert (await ends.answered())["result"]["isError"]
        await ends.ask(call(3, "once", requestState="s"), metadata=sent_by("alice"))
        assert (await ends.served())["id"] == 3

    run(test, ROUNDS, identity=lambda sent: {"id": sent.metadata.request_context, "roles": ("a", "b")})


def test_a_call_between_two_rounds_is_in_flight() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "slow"))
        await shown(ends, needs_input(1, "s"))
        assert "1 call is in flight" in await ends.refused(call(2, "slow"))
        await ends.passes(call(3, "slow", requestState="s"))
        await shown(ends, result(3, content=[]))
        await ends.passes(call(4, "slow"))

    run(test, ROUNDS)


def test_requests_of_the_client_are_decided() -> None:
    async def test(ends: Line) -> None:
        for number in (1, 2):
            await ends.passes(request(number, "resources/read", uri="file:///notes/a"))
            await shown(ends, result(number, contents=[]))
        limited = await refused(ends, request(3, "resources/read", uri="file:///notes/a"))
        assert (limited["code"], limited["data"]["callgate/code"]) == (callgate.MCP_DENIED, "limit_exceeded")
        denied = await refused(ends, request(4, "resources/read", uri="file:///keys"))
        assert (denied["code"], denied["data"]["callgate/code"]) == (callgate.MCP_DENIED, "condition_failed")
        assert denied["message"] == 'Denied by rule "/requests/methods/resources~1read/require/0"'
        await ends.passes(request(5, "prompts/get", name="review"))
        assert (await refused(ends, request(6, "prompts/get", name="deploy")))["code"] == callgate.MCP_DENIED
        assert (await refused(ends, request(7, "logs/dump")))["data"]["callgate/code"] == "not_listed"
        # A server may do what a notification asks for.
        await ends.ask({"jsonrpc": "2.0", "method": "resources/read", "params": {"uri": "file:///notes/a"}})
        await ends.nothing_served()
        # Tools are decided by their own rules.
        await ends.passes(call(8, "any"))

    run(test, REQUESTS)


def test_requests_of_the_server_are_decided() -> None:
    """By who made the call that they belong to, where they say it."""

    async def test(ends: Line) -> None:
        for number, name in enumerate(("alice", "bob"), 1):
            await ends.ask(call(number, "any"), metadata=ServerMessageMetadata(request_context=name))
            await ends.served()
        asks = request("q", "elicitation/create", message="Who?")
        await ends.answer(asks, related=1)
        assert await ends.answered() == asks
        await ends.passes(result("q", action="decline"))
        await ends.answer({**asks, "id": "r"}, related=2)
        denied = await ends.served()
        assert (denied["id"], denied["error"]["code"]) == ("r", callgate.MCP_DENIED)
        await ends.answer(request("s", "sampling/createMessage", messages=[]), related=1)
        assert (await ends.served())["error"]["data"]["callgate/code"] == "not_listed"
        await ends.answer(MARK)
        assert await ends.answered() == MARK, "the client saw none of these"

    run(test, REQUESTS, identity=lambda sent: sent.metadata and sent.metadata.request_context)


def test_what_an_answer_asks_for_is_decided() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(call(1, "any"))
        denied = await shown(ends, needs_input(1, "s", it={"method": "sampling/createMessage", "params": {"messages": []}}))
        assert denied["error"]["code"] == callgate.MCP_DENIED
        await ends.passes(call(2, "any"))
        asks = needs_input(2, "s", it={"method": "elicitation/create", "params": {"message": "Who?"}})
        assert await shown(ends, asks) == asks

    run(test, REQUESTS, identity=lambda _: "alice")


def test_without_rules_for_them_requests_pass() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(request(1, "resources/read", uri="file:///keys"))
        asks = request(1, "sampling/createMessage", messages=[])
        assert await shown(ends, asks) == asks

    run(test, POLICY)


def test_lists_of_resources_and_prompts_leave_out_what_can_never_be_got() -> None:
    listed: list[tuple[str, str, list[Raw], list[int]]] = [
        ("resources/list", "resources", [{"uri": "file:///notes/a", "name": "a"}, {"uri": "file:///keys"}], [0]),
        ("prompts/list", "prompts", [{"name": "deploy"}, {"name": "review", "title": None}], [1]),
        ("resources/templates/list", "resourceTemplates", [{"uriTemplate": "file:///{x}"}], [0]),
    ]

    async def test(ends: Line) -> None:
        for number, (method, member, items, left) in enumerate(listed):
            await ends.passes(request(number, method))
            answer = await shown(ends, result(number, **{member: items}, nextCursor="2", ttlMs=5))
            kept = [items[index] for index in left]
            assert answer == result(number, **{member: kept}, nextCursor="2", ttlMs=5, cacheScope="private")

    run(test, REQUESTS)


def test_hidden_tools_and_tasks_that_are_refused() -> None:
    async def test(ends: Line) -> None:
        await ends.passes(request(1, "tools/list"))
        assert await shown(ends, result(1, tools=[{"name": "secret"}])) == result(1, tools=[])
        denied = await refused(ends, call(2, "secret", task={"ttl": 1000}))
        message = 'Tool "secret" is hidden by policy'
        assert denied == {"code": callgate.MCP_DENIED, "message": message, "data": {"callgate/code": "hidden"}}

    run(test)


def test_a_reload_that_changes_what_is_seen_is_told() -> None:
    with_secret, without = POLICY, POLICY.replace("hide: [secret]", "hide: []")

    async def test(ends: Line) -> None:
        server = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {"listChanged": True}}}
        await ends.passes(request(0, "initialize"))
        await shown(ends, result(0, **server))
        await ends.passes({"jsonrpc": "2.0", "method": "notifications/initialized"})
        await ends.passes(request(1, "tools/list"))
        assert await shown(ends, result(1, tools=[{"name": "secret"}])) == result(1, tools=[])
        ends.engine.replace(callgate.Policy.from_str(without))
        assert await ends.answered() == CHANGED
        await ends.passes(request(2, "tools/list"))
        assert await shown(ends, result(2, tools=[{"name": "secret"}])) == result(2, tools=[{"name": "secret"}])
        # Nothing is told of a policy that shows the same.
        ends.engine.replace(callgate.Policy.from_str(without.replace("Not that", "Not this")))
        assert await ends.refused(call(3, "read", arguments={"path": "/etc"})) == "Not this"
        ends.engine.replace(callgate.Policy.from_str(with_secret))
        assert await ends.answered() == CHANGED

    run(test, tools=[{"name": "secret"}, {"name": "read"}])


@pytest.mark.parametrize("scope", [{}, {"cacheScope": "public"}, {"cacheScope": "private"}])
def test_a_list_that_was_filtered_is_for_no_cache_that_others_share(scope: Raw) -> None:
    async def test(ends: Line) -> None:
        await ends.passes(request(1, "tools/list"))
        answer = await shown(ends, result(1, tools=[{"name": "secret"}, {"name": "read"}], ttlMs=3_600_000, **scope))
        assert answer == result(1, tools=[{"name": "read"}], ttlMs=60_000, cacheScope="private")

    run(test)


def test_an_identity_that_is_none_refuses_the_request() -> None:
    async def test(ends: Line) -> None:
        assert await ends.refused(call(1, "read")) == "The call could not be checked against the policy"
        await ends.ask(request(2, "tools/list"))
        answer = await ends.answered()
        assert "result" not in answer or answer["result"].get("tools", []) == []
        await ends.nothing_served()

    run(test, identity=lambda _: {1: 2, "id": "alice"})


def test_what_the_relay_cannot_read_does_not_pass() -> None:
    async def test(ends: Line) -> None:
        await ends.ask(call(1, "read", arguments={"path": "\ud800"}))
        await ends.ask(call(2, "read", Arguments={}))
        answer = await ends.answered()
        if answer["id"] is None:
            # 1.x has no message for an answer without an id.
            assert answer["error"]["code"] == -32700
            answer = await ends.answered()
        assert answer == error(2, -32600, "a member's name in `params` reads like another in some parsers")
        await ends.nothing_served()

    run(test)
