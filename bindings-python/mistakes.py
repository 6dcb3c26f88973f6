#!/usr/bin/env python3
"""Mistakes put into the Python guards one at a time: a test has to fail for each, and none without one.

In: the environments that `bindings-python/test.sh` makes, and names of mistakes, or none for all. Out: which test noticed each; exit status 1 where
none did. Each is made in a copy of the installed package, so that what is shipped has no trace of it.

    bindings-python/mistakes.py [NAME...]

What counts is an assertion of a test that fails: a package that can no longer be imported notices nothing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
WORK = HERE / ".test"
# Where a test that notices a mistake is written down; this file is the plugin of pytest that does.
NOTICED = "CALLGATE_NOTICED"
TESTS = [
    "lists", "locks", "results", "requests", "rounds", "misuse", "guards", "nested", "records", "arguments", "approvals",
    "streams", "streams_callers", "streams_requests", "fuzz", "adapters", "http",
]  # fmt: skip
# What is run first, by a word in the names of tests or in those of their files: the rest takes minutes.
FIRST = {
    "_mcp1.py": "mcp1",
    "_mcp2.py": "mcp2",
    "fastmcp.py": "fastmcp",
    "_streams.py": "test_streams",
    "_enforcement.py": "test_rounds or test_lists",
    "_rounds.py": "test_rounds",
    "_asking.py": "test_approvals",
    "_approving.py": "test_approvals",
    "_asks.py": "test_requests or requests",
    "_waiting.py": "test_streams",
    "_lists.py": "test_lists",
    "_locks.py": "locks",
    "_ending.py": "test_results or test_rounds",
    "_audit.py": "test_records",
    "_nested.py": "test_nested",
    "_wrapper.py": "test_results",
}


@dataclass(frozen=True)
class Mistake:
    name: str
    clause: str
    file: str
    old: str
    new: str
    first: str = ""
    """What is run first, as pytest's `-k` has it; else the tests of the file."""


MISTAKES = [
    # 1.x of the official SDK.
    Mistake("mcp1_hidden_tools_listed", "G4.1", "_mcp1.py", '{"tools": visible}', '{"tools": listed.tools}', first="changes_what_is_seen and mcp1"),
    Mistake("mcp1_list_shared", "G4.4", "_mcp1.py", "if for_one:", "if False:", first="says_of_caches"),
    Mistake("mcp1_task_gets_a_result", "G3.2", "_mcp1.py", "if call.task is not None:", "if False:", first="scenario and task and mcp1"),
    Mistake("mcp1_later_handlers_unguarded", "G1.1", "_mcp1.py", "server.request_handlers = guarded", "server.request_handlers = dict(guarded)", first="hidden_allowed_denied and lowlevel"),
    Mistake("mcp1_requests_undecided", "G10.1", "_mcp1.py", "            handler = self._requesting(handler)\n", "            pass\n", first="requests_are_decided and mcp1"),
    Mistake("mcp1_schema_unread", "G1.6", "_mcp1.py", "return None if self._lists is None else await listed_schema(tool, self._page)", "return None", first="JSON and mcp1"),
    Mistake("mcp1_error_is_a_result", "G7.3", "_mcp1.py", "self._types.ErrorData, refuses=refuses", "refuses=refuses", first="handler_answers"),
    Mistake("mcp1_reload_told_to_all", "G4.5", "_mcp1.py", 'if getattr(tools, "listChanged", None) is True else None', "", first="changes_what_is_seen and mcp1"),
    Mistake("mcp1_server_asks_undecided", "G5.4", "_mcp1.py", "            self._decide_asks(context)\n            refuses", "            refuses", first="requests and sees"),
    Mistake("mcp1_resources_unfiltered", "G4.7", "_mcp1.py", "if method in LISTS else result", "if False else result", first="requests_are_decided and mcp1"),
    # 2.x of it.
    Mistake("mcp2_hidden_tools_listed", "G4.1", "_mcp2.py", '"tools": visible,', '"tools": named,', first="changes_what_is_seen and mcp2"),
    Mistake("mcp2_list_shared", "G4.4", "_mcp2.py", "(kept_by_client(listed) if for_one else {})", "{}", first="for_others_or_for_long and mcp2"),
    Mistake("mcp2_task_gets_a_result", "G3.2", "_mcp2.py", 'if "task" in params:', "if False:", first="scenario and task and mcp2"),
    Mistake("mcp2_own_round_reaches_the_server", "G6.8", "_mcp2.py", "        context = replace(context, params=without_ours(params))\n        if", "        if", first="own_question_comes and mcp2"),
    Mistake("mcp2_reload_told_to_all", "G4.5", "_mcp2.py", 'if tools.get("listChanged") is True:', "if True:", first="changes_what_is_seen and mcp2"),
    Mistake("mcp2_subscribers_not_told", "G4.5", "_mcp2.py", 'return Lister("subscribers", lambda: bus.publish(changed()))', "return None", first="subscribers"),
    Mistake("mcp2_result_without_its_type", "G3.1", "_mcp2.py", '"resultType": "complete", **result', "**result", first="handshake and scenario and mcp2"),
    Mistake("mcp2_answers_undecided", "G5.4", "_mcp2.py", "refuses=refuses, judge=judge)", "refuses=refuses)", first="what_a_server_asks and mcp2 or (scenario and asks and mcp2)"),
    Mistake("mcp2_schema_unread", "G1.6", "_mcp2.py", "return await listed_schema(tool, self._pages(context))", "return None", first="scenario and arguments and mcp2"),
    Mistake("mcp2_requests_undecided", "G10.1", "_mcp2.py", "if context.request_id is None:", "if True:", first="requests_are_decided and mcp2"),
    Mistake("mcp2_resources_unfiltered", "G4.7", "_mcp2.py", "if context.method in LISTS else result", "if False else result", first="requests_are_decided and mcp2"),
    # The package fastmcp.
    Mistake("fastmcp_hidden_tools_listed", "G4.1", "fastmcp.py", "        return visible\n", "        return tools\n", first="changes_what_is_seen and fastmcp"),
    Mistake("fastmcp_list_shared", "G4.4", "fastmcp.py", "if server is not None and for_one:", "if False:", first="for_others_or_for_long and fastmcp"),
    Mistake("fastmcp_two_guards", "G1.8", "fastmcp.py", "self._check_alone(context)\n        call", "call", first="fastmcp_is_guarded_once"),
    Mistake("fastmcp_refusal_is_no_error", "G3.1", "fastmcp.py", "is_error=True,", "is_error=False,", first="scenario and refusals and fastmcp"),
    Mistake("fastmcp_refusal_without_its_code", "G3.1", "fastmcp.py", "meta=answer.meta)", "meta=None)", first="scenario and refusals and fastmcp"),
    Mistake("fastmcp_own_round_reaches_the_server", "G6.8", "fastmcp.py", "if request is None or not is_ours(round.state):", "if True:", first="own_question_comes and fastmcp"),
    Mistake("fastmcp_called_by_an_address", "G9.3", "fastmcp.py", "(tool.name, tool)", "(name, tool)", first="test_nested"),
    Mistake("fastmcp_tool_error_is_an_error", "G7.1", "fastmcp.py", "answered=FastMCPError, ", "", first="test_results and fastmcp"),
    Mistake("fastmcp_answers_undecided", "G5.4", "fastmcp.py", "refuses=refuses, judge=self._judging(context)", "refuses=refuses", first="scenario and asks and fastmcp"),
    Mistake("fastmcp_requests_undecided", "G10.1", "fastmcp.py", "        if method in _HOOKS:", "        if True:", first="every_method and fastmcp"),
    Mistake("fastmcp_names_of_one_caller", "G4.6", "fastmcp.py", "        return [tool.name for tool in tools]", "        return [tool.name for tool in await server.list_tools()]", first="test_lists and fastmcp or test_nested"),
    # Streams.
    Mistake("streams_withdrawn_calls_pass", "G6.4", "_streams.py", "if not item.withdrawn:", "if True:"),
    Mistake("streams_client_is_not_held_up", "G2.5", "_streams.py", "while self._waiting > _WAITING:", "while False:"),
    Mistake(
        "streams_answer_before_its_end",
        "G7.1",
        "_streams.py",
        """                if step[0] == "finish":
                    await self._ended(step[1], step[2], answer)
                elif step[0] == "accepted":
                    self._forget(step[1])
            for step in now:
                if step[0] == "client":
""",
        """                if step[0] == "accepted":
                    self._forget(step[1])
            for step in sorted(now, key=lambda step: step[0] != "client"):
                if step[0] == "finish":
                    await self._ended(step[1], step[2], answer)
                elif step[0] == "client":
""",
        first="has_ended_when",
    ),
    Mistake("streams_untaken_call_is_lost", "G7.2", "_streams.py", '                outcome = "not_run"\n', '                outcome = "lost"\n', first="never_took"),
    Mistake("streams_end_told_with_another_answer", "G7.8", "_streams.py", 'if message is None or str(member(message, "id")) != str(known.request):', "if message is None:"),
    Mistake("streams_server_asks_for_itself", "G8.2", "_streams.py", "if related is not None else ():", "if False else ():", first="requests_of_the_server_are_decided"),
    Mistake("streams_approval_outlives_its_call", "G6.4", "_streams.py", "        known.scope.cancel()\n", "", first="cancelled_while_it_waits"),
    Mistake("streams_connection_ends_no_call", "G7.4", "_streams.py", 'await self._ended(call, "lost")', "pass", first="connection and scenario and streams or side_goes"),
    Mistake("streams_own_round_reaches_the_server", "G6.8", "_streams.py", "self._wire.text(_without_ours(message))", "self._wire.text(message)", first="scenario and round and streams"),
    Mistake("streams_context_of_another", "G8.1", "_streams.py", "(sent.context or copy_context())", "copy_context()", first="sender_s_context"),
    # What all share: decisions and rounds.
    Mistake("round_under_another_policy", "G5.2", "_enforcement.py", "permitted.call.decision.policy == engine.policy.digest", "True", first="whatever_else"),
    Mistake("rounds_without_end", "G5.3", "_enforcement.py", "_ROUNDS = 8", "_ROUNDS = 1_000_000", first="eight_rounds"),
    Mistake("round_of_another_caller", "G5.2", "_enforcement.py", "call_key(method, tool, args or {}, identity, id(engine))", "call_key(method, tool, args or {}, id(engine))", first="whatever_else"),
    Mistake("round_with_other_arguments", "G5.2", "_enforcement.py", "call_key(method, tool, args or {}, identity, id(engine))", "call_key(method, tool, identity, id(engine))", first="scenario and rounds and mcp2"),
    Mistake("round_twice", "G5.2", "_rounds.py", "return self._remove((state, call))", "return waiting[0].value", first="whatever_else"),
    Mistake("round_after_its_time", "G5.3", "_rounds.py", "waiting is None or waiting[0].until <= self._clock()", "waiting is None", first="kept_is_bounded"),
    Mistake("round_ends_at_the_next_call", "G5.3", "_rounds.py", "self._set = loop, loop.call_later(", "self._set = loop, loop.call_later(3_600 + ", first="ends_by_itself"),
    Mistake("gone_caller_s_call_runs", "G6.4", "_enforcement.py", '            await self._checked(asked.caller, permitted, "not_run")\n            return permitted\n        await', "            return permitted\n        await", first="scenario and waiting or test_approvals"),
    Mistake("failed_list_is_told", "G4.3", "_enforcement.py", "        raise RuntimeError(UNDECIDED) from error\n", "        raise\n", first="cannot_be_judged"),
    # Approvals.
    Mistake("approval_of_another_call", "G6.2", "_asking.py", "return answer if answer.key == key else None", "return Approval(key, answer.id, answer.given_at)"),
    Mistake("approval_by_anything", "G6.2", "_asking.py", "if answer is True else answer", "if answer else answer"),
    Mistake("any_number_waits", "G6.6", "_asking.py", "if self._waiting[name] >= self._most:", "if False:", first="have_a_ceiling"),
    Mistake("answer_to_another_question", "G6.8", "_asking.py", "answered.key == needed.key", "True"),
    Mistake("no_progress", "G6.5", "_asking.py", "if not await client.progress(", "if await client.progress(", first="progress"),
    Mistake("approval_for_nobody", "G6.4", "_waiting.py", "        await self.check()\n        return answer", "        return answer", first="scenario and waiting"),
    Mistake("approval_by_declining", "G6.7", "_approving.py", 'if answer.action != "accept":', 'if answer.action == "cancel":', first="not_approved"),
    Mistake("half_a_call_is_shown", "G6.7", "_approving.py", "    if len(shown) > _SHOWN:\n        return None\n", "    shown = shown[:_SHOWN]\n", first="whole_call"),
    Mistake("grant_without_end", "G6.2", "_approving.py", "_remember(granted, known, left - 1)", "_remember(granted, known, left)", first="one_yes"),
    # Lists.
    Mistake("reload_told_without_a_change", "G4.5", "_lists.py", "if visible != view.visible:", "if True:", first="only_those_hear"),
    Mistake("names_without_a_tool_pass", "G4.6", "_lists.py", "return not unmatched or not self._refuses", "return True", first="calls_are_refused_as_long"),
    Mistake("list_kept_for_long", "G4.4", "_lists.py", "is_short = isinstance(lasts, int | float) and lasts <= TTL", "is_short = True", first="or_for_long"),
    # Ends, records, and calls inside of calls.
    Mistake("cancelled_is_done", "G7.4", "_ending.py", 'await permitted.ended("cancelled")', 'await permitted.ended("done")', first="scenario and endings"),
    Mistake("error_gives_all_back", "G7.3", "_ending.py", '"not_run" if self._refunds(error) else "error"', '"not_run"', first="test_adapters or scenario and charges"),
    Mistake("arguments_refused_by_any_error", "G7.2", "_wrapper.py", "return said is not None and _details(_said(failed)) == said", "return said is not None", first="mended"),
    Mistake("later_round_refunds_the_first", "G7.2", "_ending.py", "if permitted.rounds > 1:", "if False:", first="earlier_round"),
    Mistake("task_has_ended", "G7.6", "_ending.py", "if asked_for_task and not isinstance(", "if False and not isinstance(", first="task"),
    Mistake("record_has_values", "G3.5", "_audit.py", "sorted(map(str, given))[:_KEYS]", "sorted(map(str, given.values()))[:_KEYS]", first="as_the_gateway_writes"),
    Mistake("inner_call_twice", "G9.1", "_nested.py", "    inner.is_taken = True\n", "", first="taken_for_it_once"),
    Mistake("inner_call_of_another", "G9.1", "_nested.py", " or key != call_key(inner.call.identity)", "", first="taken_for_it_once"),
    Mistake("servers_requests_undecided", "G5.4", "_asks.py", "            raise error(answer.error)\n", "            pass\n", first="requests and sees"),
    Mistake("changed_tool_runs", "G13.1", "_enforcement.py", "not await self._locked.admits(tool, definitions or _nothing)", "False", first="locks"),
    Mistake("changed_tool_is_listed", "G13.1", "_locks.py", 'if self.on_drift == "deny":', "if True:", first="locks"),
    Mistake("new_tool_is_approved", "G13.1", "_locks.py", "len(found) == 1 and self._is_approved(found[0])", "all(map(self._is_approved, found))", first="renamed or new"),
    Mistake("lock_refusal_unrecorded", "G13.5", "_enforcement.py", 'refusal="definition_changed"', "refusal=None", first="has_a_record"),
]


def environments(mistake: Mistake | None) -> list[str]:
    """Those whose tests reach the file, the likelier first."""
    only = {"_mcp1.py": ["mcp1"], "_mcp2.py": ["mcp2"], "fastmcp.py": ["mcp2"]}
    return ["mcp2", "mcp1"] if mistake is None else only.get(mistake.file, ["mcp2", "mcp1"])


def packages(environment: Path) -> Path:
    (found,) = environment.glob("lib/python3*/site-packages")
    return found


def overlay(name: str, mistake: Mistake | None) -> Path:
    """An environment like that of this name, but for the mistake. Processes that tests start have the mistake, too."""
    base, made = WORK / name, WORK / "mistakes" / (mistake.name if mistake else "none") / name
    shutil.rmtree(made, ignore_errors=True)
    subprocess.run([base / "bin" / "python", "-m", "venv", "--without-pip", made], check=True)
    own = packages(made)
    (own / "behind.pth").write_text(f"{packages(base)}\n")
    shutil.copytree(packages(base) / "callgate", own / "callgate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(__file__, own / "noticing.py")
    for command in (base / "bin").iterdir():
        if not (made / "bin" / command.name).exists():
            shutil.copy(command, made / "bin")
    if mistake is not None:
        (own / "callgate" / mistake.file).write_text(mistaken(mistake, own / "callgate"), "utf-8")
    return made


def mistaken(mistake: Mistake, package: Path) -> str:
    """The file with the mistake in it."""
    text = (package / mistake.file).read_text("utf-8")
    if (times := text.count(mistake.old)) != 1:
        raise SystemExit(f"{mistake.name}: what it changes stands {times} times in {mistake.file}")
    return text.replace(mistake.old, mistake.new)


def run(mistake: Mistake | None) -> str:
    """The first test that noticed it, or what pytest said where one fails without a mistake."""
    for name in environments(mistake):
        made = overlay(name, mistake)
        noticed = made / "noticed"
        tests = [HERE / "tests" / f"test_{test}.py" for test in TESTS]
        python = made / "bin" / "python"
        command = [str(word) for word in (python, "-P", "-m", "pytest", "-p", "no:cacheprovider", "-p", "noticing", *tests)]
        environ = {**os.environ, NOTICED: str(noticed), "PYTHONDONTWRITEBYTECODE": "1"}
        said = failed = ""
        for chosen in [[]] if mistake is None else [["-k", mistake.first or FIRST[mistake.file]], []]:
            done = subprocess.run([*command, *chosen], cwd=HERE, env=environ, capture_output=True, text=True)
            if mistake is None and done.returncode != 0:
                failed = done.stdout[-10_000:] or done.stderr
            if noticed.exists():
                said = noticed.read_text("utf-8")
                break
        shutil.rmtree(made)
        if said or failed:
            return failed or said
    return ""


def pytest_exception_interact(node: Any, call: Any) -> None:
    """The first assertion that fails ends the run."""
    if (path := os.environ.get(NOTICED)) and call.when == "call" and any(map(_is_assertion, _all(call.excinfo.value))):
        Path(path).write_text(node.nodeid, "utf-8")
        node.session.shouldstop = "noticed"


def _all(error: BaseException) -> Iterator[BaseException]:
    """An exception, and those of a group."""
    yield error
    for inner in getattr(error, "exceptions", ()):
        yield from _all(inner)


def _is_assertion(error: BaseException) -> bool:
    # `Failed`: what should have been raised was not.
    return isinstance(error, AssertionError) or type(error).__name__ == "Failed"


def main(names: list[str]) -> int:
    chosen = [mistake for mistake in MISTAKES if not names or mistake.name in names]
    if unknown := set(names) - {mistake.name for mistake in MISTAKES}:
        raise SystemExit(f"no such mistakes: {', '.join(sorted(unknown))}")
    for mistake in MISTAKES:
        mistaken(mistake, packages(WORK / "mcp2") / "callgate")
    if not names and (failed := run(None)):
        raise SystemExit(f"a test fails without a mistake:\n{failed}")
    unnoticed = 0
    # Tests of servers wait more than they compute.
    with ThreadPoolExecutor(3 * (os.cpu_count() or 1)) as pool:
        tried = {pool.submit(run, mistake): mistake for mistake in chosen}
        for done in as_completed(tried):
            mistake, noticed = tried[done], done.result()
            print(f"{mistake.clause} {mistake.name}: {noticed or 'not noticed'}", flush=True)
            unnoticed += not noticed
    print(f"mistakes: {len(chosen)}, not noticed: {unnoticed}")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
