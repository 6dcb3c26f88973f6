"""Approvals by the guards that get objects: servers of each SDK, asked by its own client, in both eras of the protocol."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the adapters' tests run where an SDK is installed")

import anyio
import callgate
from callgate import _approving, _command
from inside import EVERY, MODERN, PAIRS, client, guarded

POLICY = """
version: "1"
default: deny
tools:
  pay:
    rules: [{name: large, action: require_approval}]
    limits: [{counter: spend, window: 7d, max: 100, increment_from: args.amount}]
"""
pairs = pytest.mark.parametrize(("guard", "era"), EVERY)


class Ledger:
    def __init__(self) -> None:
        self.paid: list[int] = []

    def pay(self, amount: int) -> str:
        """Pays."""
        self.paid.append(amount)
        return f"paid {amount}"


def used(engine: callgate.Engine) -> str:
    return str(sum((counter.used for counter in engine.counters()), 0))


def with_timeout(main: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        with anyio.fail_after(30):
            await main()

    anyio.run(limited)


class Person:
    """Sits at a client, and accepts the form or not."""

    def __init__(self, accepts: bool = True, **content: Any) -> None:
        self.answer = content if accepts else None
        self.questions: list[str] = []

    async def __call__(self, message: str) -> Any:
        self.questions.append(message)
        return self.answer


@pairs
def test_only_the_calling_client_is_asked(guard: str, era: str) -> None:
    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_elicitation("Please look."))
        caller, other = Person(), Person()
        async with client(guard, made, era, other), client(guard, made, era, caller) as agent:
            answer = await agent.call("pay", amount=60)
            assert (answer.text, answer.is_error) == ("paid 60", False)
        assert caller.questions == ['Please look.\nRule "large" needs approval\nTool: pay\nArguments: {\n  "amount": 60\n}']
        assert other.questions == []
        # One call, however many rounds it took.
        assert (ledger.paid, used(engine)) == ([60], "60")

    with_timeout(main)


@pairs
def test_what_is_not_approved_does_not_run(guard: str, era: str) -> None:
    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_elicitation())
        async with client(guard, made, era, Person(accepts=False)) as agent:
            refused = await agent.call("pay", amount=60)
        assert refused.is_error and "Approval key: " in refused.text
        assert refused.meta["callgate/code"] == "approval_required"
        assert (ledger.paid, used(engine)) == ([], "0")

    with_timeout(main)


@pairs
def test_a_client_that_answers_no_questions_is_told_so(guard: str, era: str) -> None:
    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_elicitation())
        async with client(guard, made, era) as agent:
            refused = await agent.call("pay", amount=60)
        assert refused.is_error and "Approval key: " in refused.text
        assert ledger.paid == []

    with_timeout(main)


@pairs
def test_a_person_sees_the_whole_call(guard: str, era: str) -> None:
    policy = '{version: "1", default: deny, tools: {write: {rules: [{action: require_approval}]}}}'
    wrote: list[str] = []

    def write(text: str) -> str:
        """Writes."""
        wrote.append(text)
        return "wrote"

    async def main() -> None:
        engine = callgate.Engine.from_str(policy)
        made = guarded(guard, engine, write, on_approval=callgate.approve_by_elicitation())
        person = Person()
        async with client(guard, made, era, person) as agent:
            assert not (await agent.call("write", text="a\u202eb\x1b[2J")).is_error
            assert "Arguments: {\n  \"text\": \"a\\u{202e}b\\u001b[2J\"\n}" in person.questions[0]
            # What is too long to be shown is not asked about.
            assert (await agent.call("write", text="x" * 20_000)).is_error
        assert len(person.questions) == 1 and len(wrote) == 1

    with_timeout(main)


@pairs
def test_a_callback_may_ask_more_than_once(guard: str, era: str) -> None:
    schema = {"type": "object", "properties": {"approve": {"type": "boolean"}}, "required": ["approve"]}

    async def twice(request: Any) -> bool:
        assert request.context is not None and request.server == "bank"
        first = await request.elicit("first", schema)
        second = await request.elicit("second", schema)
        return bool(first.content == second.content == {"approve": True})

    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, ledger.pay, on_approval=twice, server_name="bank")
        person = Person(approve=True)
        async with client(guard, made, era, person) as agent:
            assert (await agent.call("pay", amount=60)).text == "paid 60"
        assert person.questions == ["first", "second"]
        assert (ledger.paid, used(engine)) == ([60], "60")

    with_timeout(main)


@pairs
@pytest.mark.parametrize("is_async", [True, False])
def test_a_waiting_call_tells_its_progress(guard: str, era: str, is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callgate._asking._PROGRESS", 0.05)
    enough = anyio.Event()

    async def wait(_request: Any) -> bool:
        await enough.wait()
        return True

    async def main() -> None:
        told: list[float] = []

        async def progress(elapsed: float, _total: Any, message: str | None) -> None:
            assert message == "pay waits for approval"
            told.append(elapsed)
            if elapsed >= 3:
                enough.set()

        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        # One that is not async may hand over something to await.
        made = guarded(guard, engine, ledger.pay, on_approval=wait if is_async else lambda request: wait(request))
        async with client(guard, made, era) as agent:
            assert (await agent.call("pay", progress=progress, amount=60)).text == "paid 60"
        assert told[:3] == [1, 2, 3]

    with_timeout(main)


@pytest.mark.parametrize(("guard", "era"), PAIRS)
def test_calls_of_one_caller_that_wait_have_a_ceiling(guard: str, era: str, caplog: pytest.LogCaptureFixture) -> None:
    policy = '{version: "1", default: deny, tools: {pay: {rules: [{action: require_approval}]}}}'

    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(policy)
        asked, go_on = anyio.Event(), anyio.Event()
        callers = iter(["ann", "ann", "bob", "ann"])

        async def wait(request: Any) -> bool:
            if request.identity == "ann" and request.args["amount"] == 1:
                asked.set()
                await go_on.wait()
            return True

        made = guarded(
            guard, engine, ledger.pay, on_approval=wait, max_waiting=1, identity=lambda context: next(callers)
        )
        async with client(guard, made, era) as agent, anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: agent.call("pay", amount=1))
            await asked.wait()
            refused = await agent.call("pay", amount=2)
            assert refused.is_error and "Approval key: " in refused.text
            # Another caller is not held up.
            assert (await agent.call("pay", amount=3)).text == "paid 3"
            go_on.set()
        async with client(guard, made, era) as agent:
            assert (await agent.call("pay", amount=4)).text == "paid 4"
        assert sorted(ledger.paid) == [1, 3, 4]

    with_timeout(main)
    assert "1 calls of one caller wait for approval already" in caplog.text


@pairs
def test_one_yes_lets_as_many_calls_through_as_the_rule_says(guard: str, era: str) -> None:
    policy = '{version: "1", default: deny, tools: {pay: {rules: [{action: require_approval, approval: {uses: 2}}]}}}'

    async def main() -> None:
        clock = callgate.ManualClock(1_795_255_200.0)
        ledger, engine = Ledger(), callgate.Engine.from_str(policy, clock=clock)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_elicitation(valid_for=60))
        person = Person()
        async with client(guard, made, era, person) as agent:
            for asked in (1, 1, 2):
                assert (await agent.call("pay", amount=5)).text == "paid 5"
                assert len(person.questions) == asked
            clock.advance(60)
            assert (await agent.call("pay", amount=5)).text == "paid 5"
            assert len(person.questions) == 3

    with_timeout(main)


@pytest.mark.parametrize(("guard", "era"), [pair for pair in EVERY if pair[1] == MODERN] or [("mcp2", MODERN)])
def test_a_round_is_for_one_call_of_one_caller_once(guard: str, era: str) -> None:
    if (guard, era) not in EVERY:
        pytest.skip("this SDK has no rounds")
    yes = {"callgate": {"action": "accept", "content": {}}}

    async def main() -> None:
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        seen: list[Any] = []
        who = ["ann"]

        def pay(amount: int) -> str:
            """Pays."""
            seen.append(amount)
            return ledger.pay(amount)

        made = guarded(
            guard, engine, pay, on_approval=callgate.approve_by_elicitation(), identity=lambda context: who[0]
        )
        async with client(guard, made, era, Person()) as agent:
            session = getattr(agent.session, "session", agent.session)

            async def call(amount: int, state: str | None = None) -> Any:
                given = {} if state is None else {"input_responses": answers, "request_state": state}
                return await session.call_tool("pay", {"amount": amount}, allow_input_required=True, **given)

            types: Any = import_module("mcp_types")
            answers = {"callgate": types.ElicitResult(action="accept", content=yes["callgate"]["content"])}
            first = await call(10)
            assert first.result_type == "input_required" and list(first.input_requests) == ["callgate"]
            state = first.request_state
            who[0] = "bob"
            # Another caller, or no caller at all, is asked anew. The SDK itself refuses other arguments with a sealed state.
            other = await call(10, state)
            assert other.result_type == "input_required" and seen == []
            who[0] = "ann"
            assert (await call(10, state)).content[0].text == "paid 10"
            # A state is used once.
            again = await call(10, state)
            assert again.result_type == "input_required" and seen == [10]
            # An answer is for the rules that were asked about.
            before = (await call(11)).request_state
            engine.replace(callgate.Policy.from_str(POLICY.replace("large", "others")))
            assert (await call(11, before)).result_type == "input_required" and seen == [10]
        assert used(engine) == "10"

    with_timeout(main)


def test_a_filed_call_passes_once_it_was_approved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = _command.find()
    assert command is not None, "the wheel has the command"
    guard, era = PAIRS[-1]
    store = f"sqlite://{tmp_path}/counters.db"

    def answered(what: str, name: str) -> None:
        subprocess.run([str(command), "approvals", what, name, "--by", "ann", "--store", store], check=True, capture_output=True)

    async def main() -> None:
        monkeypatch.setattr(_approving, "_LOOK", 0.05)
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY, store=store)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_store(), server_name="bank")
        async with client(guard, made, era) as agent:
            waits = await agent.call("pay", amount=5)
            name = waits.meta["callgate/approval_id"]
            assert waits.text == (
                'Rule "large" needs approval\n'
                f"It waits for a person's approval as {name}. Once it is approved, make the same call again."
            )
            await anyio.to_thread.run_sync(answered, "approve", name)
            assert (await agent.call("pay", amount=5)).text == "paid 5"
            again = await agent.call("pay", amount=5)
            assert again.is_error and again.meta["callgate/approval_id"] != name
            await anyio.to_thread.run_sync(answered, "deny", again.meta["callgate/approval_id"])
            denied = await agent.call("pay", amount=5)
            assert "A person has denied it" in denied.text
        assert (ledger.paid, used(engine)) == ([5], "5")
        engine.close()

        # One that waits passes as soon as somebody says yes.
        engine = callgate.Engine.from_str(POLICY, store=store)
        filed = anyio.Event()
        by_store = callgate.approve_by_store(wait=20)

        async def ask(request: Any) -> Any:
            filed.set()
            return await by_store(request)

        made = guarded(guard, engine, ledger.pay, on_approval=ask, server_name="bank")
        async with client(guard, made, era) as agent, anyio.create_task_group() as tasks:

            async def approve() -> None:
                await filed.wait()
                while True:
                    await anyio.sleep(0.05)
                    listed = [str(command), "approvals", "list", "--format", "json", "--store", store]
                    found = await anyio.run_process(listed)
                    waiting = [line for line in found.stdout.decode().splitlines() if '"pending"' in line]
                    if waiting:
                        name = json.loads(waiting[0])["id"]
                        await anyio.to_thread.run_sync(answered, "approve", name)
                        return

            tasks.start_soon(approve)
            assert (await agent.call("pay", amount=6)).text == "paid 6"
        engine.close()

    with_timeout(main)


def test_a_call_that_is_filed_in_memory_is_answered_by_its_own_process() -> None:
    async def main() -> None:
        guard, era = PAIRS[0]
        ledger, engine = Ledger(), callgate.Engine.from_str(POLICY)
        made = guarded(guard, engine, ledger.pay, on_approval=callgate.approve_by_store())
        async with client(guard, made, era) as agent:
            name = (await agent.call("pay", amount=5)).meta["callgate/approval_id"]
            assert engine.answer_approval("00000000", True, by="ann") == "unknown"
            assert engine.answer_approval(name, False, by="ann") == "denied"
            assert "A person has denied it" in (await agent.call("pay", amount=5)).text
            assert engine.answer_approval(name, True, by="ann", valid_for=60) == "granted"
            assert (await agent.call("pay", amount=5)).text == "paid 5"
            assert engine.answer_approval(name, True, by="ann") == "used"
        with pytest.raises(ValueError, match="valid_for"):
            engine.answer_approval(name, True, by="ann", valid_for=0)

    with_timeout(main)


def test_options_of_approvals_are_checked() -> None:
    engine = callgate.Engine.from_str(POLICY)
    guard = PAIRS[0][0]
    for options, error in (
        ({"on_approval": 5}, TypeError), ({"max_waiting": "5"}, TypeError), ({"max_waiting": 0}, ValueError)
    ):
        with pytest.raises(error):
            guarded(guard, engine, Ledger().pay, **options)
    wrongs: list[Any] = [{"wait": -1}, {"args": "all"}]
    for wrong in wrongs:
        with pytest.raises(ValueError):
            callgate.approve_by_store(**wrong)
