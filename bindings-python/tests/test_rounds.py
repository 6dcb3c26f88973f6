"""Calls in several rounds (clause 8.16): a tool that asks back, called by each SDK's own client of the generation of 2026-07-28."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("mcp_types", reason="the generation of 2026-07-28 is in 2.x of the SDK")

import anyio
import callgate
import fastmcp
import mcp_types
from callgate import _rounds
from inside import MODERN, client, guarded
from mcp.server.mcpserver import Context
from mcp_types import InputRequiredResult

POLICY = """
version: "1"
default: deny
tools:
  book:
    rules: [{name: all, action: require_approval}]
    limits: [{counter: n, window: 7d, max: 2, scope: identity}]
"""
guards = pytest.mark.parametrize("guard", ["mcp2", "fastmcp"])
FORM: dict[str, Any] = {"type": "object", "properties": {"seat": {"type": "string"}}, "required": ["seat"]}
ASK: Any = {"seat": {"method": "elicitation/create", "params": {"mode": "form", "message": "Which seat?", "requestedSchema": FORM}}}
ran: list[str] = []


def answered(day: str, context: Any) -> str | InputRequiredResult:
    """The same state for every call: nothing but the guard tells them apart."""
    ran.append(f"{day} {context.request_state}")
    if context.input_responses is None:
        return InputRequiredResult.model_validate({"inputRequests": ASK, "requestState": "asked"})
    return f"booked {day} {context.input_responses['seat'].content['seat']}"


def for_mcp2(day: str, ctx: Context) -> str | InputRequiredResult:
    return answered(day, ctx)


def for_fastmcp(day: str, ctx: fastmcp.Context) -> str | InputRequiredResult:
    return answered(day, ctx)


class Booking:
    """A guarded server, and who calls it."""

    def __init__(self, guard: str, policy: str = POLICY, **options: Any) -> None:
        ran.clear()
        self.guard = guard
        self.who = "ann"
        self.asked: list[str] = []
        self.ends: list[tuple[str, str]] = []
        self.engine = callgate.Engine.from_str(policy)
        tool: Any = {"mcp2": for_mcp2, "fastmcp": for_fastmcp}[guard]
        tool.__name__ = "book"
        made = {"on_approval": self.approve, "on_result": self.ended, "identity": lambda context: self.who}
        self.server = guarded(guard, self.engine, tool, **{**made, **options})

    def approve(self, request: Any) -> bool:
        self.asked.append(request.args["day"])
        return True

    def ended(self, decision: callgate.Decision, result: Any) -> None:
        self.ends.append((decision.code, result.outcome))

    def used(self) -> int:
        return int(sum(counter.used for counter in self.engine.counters()))


async def round(agent: Any, day: str, state: str | None = None) -> Any:
    """One round, by hand."""
    session = getattr(agent.session, "session", agent.session)
    seat = mcp_types.ElicitResult(action="accept", content={"seat": "4a"})
    given: dict[str, Any] = {} if state is None else {"input_responses": {"seat": seat}, "request_state": state}
    return await session.call_tool("book", {"day": day}, allow_input_required=True, **given)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await test()

    anyio.run(limited)


@guards
def test_a_call_of_two_rounds_is_charged_and_approved_once(guard: str) -> None:
    async def test() -> None:
        booking = Booking(guard)

        async def seat(message: str) -> Any:
            assert message == "Which seat?"
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            for _ in range(2):
                assert (await agent.call("book", day="mon")).text == "booked mon 4a"
            assert (booking.used(), booking.asked) == (2, ["mon", "mon"])
            assert (await agent.call("book", day="mon")).meta["callgate/code"] == "limit_exceeded"
        assert ran == ["mon None", "mon asked"] * 2
        # One end for each call, with its last round.
        assert booking.ends == [("allowed", "done")] * 2 + [("limit_exceeded", "not_run")]

    run(test)


@guards
def test_the_guards_own_question_comes_before_those_of_the_server(guard: str) -> None:
    async def test() -> None:
        booking = Booking(guard, on_approval=callgate.approve_by_elicitation())
        messages: list[str] = []

        async def answer(message: str) -> Any:
            messages.append(message.partition("\n")[0])
            return {"seat": "4a"} if message == "Which seat?" else {}

        async with client(guard, booking.server, MODERN, answer) as agent:
            assert (await agent.call("book", day="mon")).text == "booked mon 4a"
        assert messages == ['Rule "all" needs approval', "Which seat?"]
        # The server saw nothing of the guard's round.
        assert ran == ["mon None", "mon asked"]
        assert booking.used() == 1

    run(test)


@guards
def test_whatever_else_comes_is_a_new_call(guard: str) -> None:
    async def test() -> None:
        booking = Booking(guard, POLICY.replace("max: 2", "max: 9"))

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            first = await round(agent, "mon")
            assert first.result_type == "input_required" and booking.used() == 1
            # Another caller.
            booking.who = "bob"
            await round(agent, "mon", first.request_state)
            assert booking.used() == 2
            booking.who = "ann"
            await round(agent, "mon", first.request_state)
            assert booking.used() == 2
            # Once more with a state that was used.
            await round(agent, "mon", first.request_state)
            assert (booking.used(), len(booking.asked)) == (3, 3)
            # Another policy.
            second = await round(agent, "mon")
            booking.engine.replace(callgate.Policy.from_str(POLICY.replace("max: 2", "max: 8")))
            await round(agent, "mon", second.request_state)
            assert booking.used() == 5

    run(test)


@guards
def test_a_call_of_an_earlier_policy_keeps_no_other_from_going_on(guard: str) -> None:
    async def test() -> None:
        booking = Booking(guard, POLICY.replace("max: 2", "max: 9"))

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            await round(agent, "mon")
            booking.engine.replace(callgate.Policy.from_str(POLICY.replace("max: 2", "max: 8")))
            second = await round(agent, "mon")
            assert booking.used() == 2
            # Both have one state, and only the second can go on.
            await round(agent, "mon", second.request_state)
            assert (booking.used(), booking.ends) == (2, [("allowed", "done")] * 2)

    run(test)


@guards
def test_a_call_goes_on_for_eight_rounds_and_no_longer(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def asks(day: str, context: Any) -> InputRequiredResult:
        return InputRequiredResult.model_validate({"inputRequests": ASK, "requestState": "asked"})

    monkeypatch.setitem(globals(), "answered", asks)

    async def test() -> None:
        booking = Booking(guard, POLICY.replace("max: 2", "max: 9"))

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            asked = await round(agent, "mon")
            for _ in range(7):
                asked = await round(agent, "mon", asked.request_state)
            assert booking.used() == 1
            await round(agent, "mon", asked.request_state)
            assert booking.used() == 2

    run(test)


@guards
def test_a_client_that_stays_away_comes_back_with_a_new_call(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "AWAY", 0.05)

    async def test() -> None:
        booking = Booking(guard, POLICY.replace("max: 2", "max: 9"))

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            first = await round(agent, "mon")
            await anyio.sleep(0.1)
            await round(agent, "mon", first.request_state)
        assert booking.used() == 2
        assert booking.ends == [("allowed", "timed_out"), ("allowed", "done")]

    run(test)


@guards
def test_a_call_with_which_nobody_comes_back_ends_by_itself(guard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_rounds, "AWAY", 0.05)

    async def test() -> None:
        booking = Booking(guard, POLICY.replace("{counter: n, window: 7d, max: 2, scope: identity}", "{in_flight: 1, lease: 10m}"))

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, booking.server, MODERN, seat) as agent:
            for number in (1, 2):
                assert (await round(agent, "mon")).result_type == "input_required"
                assert (booking.used(), len(booking.ends)) == (1, number - 1)
                with anyio.move_on_after(5):
                    while booking.used():
                        await anyio.sleep(0.01)
                assert booking.ends == [("allowed", "timed_out")] * number

    run(test)


@guards
def test_what_ran_in_an_earlier_round_is_charged_though_the_sdk_refuses_a_later_one(guard: str) -> None:
    from pydantic import AfterValidator
    from typing_extensions import Annotated

    admits = [True]

    def check(value: str) -> str:
        if not admits[0]:
            raise ValueError("too late")
        return value

    def book(day, ctx):  # type: ignore[no-untyped-def]
        return answered(day, ctx)

    book.__annotations__.update(day=Annotated[str, AfterValidator(check)], ctx=Context if guard == "mcp2" else fastmcp.Context)
    book.__annotations__["return"] = str | InputRequiredResult

    async def test() -> None:
        ran.clear()
        engine = callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, book, on_approval=lambda request: True, identity=lambda context: "ann")

        async def seat(_message: str) -> Any:
            return {"seat": "4a"}

        async with client(guard, made, MODERN, seat) as agent:
            first = await round(agent, "mon")
            admits[0] = False
            assert "too late" in str((await round(agent, "mon", first.request_state)).content)
        assert ran == ["mon None"]
        assert sum(counter.used for counter in engine.counters()) == 1

    run(test)


def test_what_is_kept_is_bounded_and_given_back_once() -> None:
    now = [0.0]
    rounds: _rounds.Rounds[str] = _rounds.Rounds(lambda: now[0], most=3)
    call, other = b"call", b"other"
    assert rounds.keep("s", call, "first") and rounds.keep("s", call, "second") and rounds.keep("t", other, "third")
    assert not rounds.keep("u", call, "one too many")
    assert rounds.take("t", call) is None and rounds.take("u", other) is None
    assert [rounds.take("s", call) for _ in range(3)] == ["first", "second", None]
    now[0] = _rounds.AWAY
    assert rounds.take("t", other) is None
    assert rounds.overdue() == ["third"] and rounds.overdue() == []
    assert rounds.keep("u", call, "room again")


def test_calls_are_told_apart() -> None:
    key = _rounds.call_key
    assert key("t", {"a": 1, "b": 2}, None) == key("t", {"b": 2, "a": 1}, None)
    assert len({key("t", {"a": 1}, None), key("t", {"a": True}, None), key("t", {"a": "1"}, None), key("u", {"a": 1}, None)}) == 4
    assert key("t", {"a": float("nan")}) is None and key("t", {"a": object()}) is None
