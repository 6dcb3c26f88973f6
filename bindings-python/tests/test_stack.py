"""Several policies as one: what a stack decides, and what a watched one does with a file that breaks."""

from __future__ import annotations

import logging
import queue
from pathlib import Path

import callgate
import pytest

BASE = """\
version: "1"
name: base
default: deny
hide: [drop_table]
tools:
  pay: {rules: [{name: small, conditions: [{path: args.amount, op: lte, value: 100}]}]}
  drop_table: {}
"""
TEAM = """\
version: "1"
name: team
default: deny
tools:
  pay: {limits: [{counter: paid, window: day, max: 1}]}
  drop_table: {}
  refund: {}
"""


def files(tmp_path: Path) -> tuple[Path, Path]:
    base, team = tmp_path / "base.yaml", tmp_path / "team.yaml"
    base.write_text(BASE)
    team.write_text(TEAM)
    return base, team


def test_a_call_runs_where_every_policy_lets_it(tmp_path: Path) -> None:
    base, team = files(tmp_path)
    for paths in ([base, team], (str(base), team)):
        engine = callgate.Engine.from_file(paths, clock=callgate.ManualClock(0))
        assert engine.policy.layers == ("base", "team")
        large = engine.evaluate("pay", {"amount": 500})
        assert large.rule is not None and (large.rule.layer, large.rule.name) == ("base", "small")
        assert engine.evaluate("pay", {"amount": 5})
        second = engine.evaluate("pay", {"amount": 5})
        assert second.rule is not None and (second.code, second.rule.layer) == ("limit_exceeded", "team")
        assert [engine.evaluate(tool).code for tool in ("drop_table", "refund")] == ["hidden", "not_listed"]
        assert engine.filter_tools(["pay", "drop_table", "refund"]) == ["pay", "refund"]


def test_a_stack_of_one_is_that_policy(tmp_path: Path) -> None:
    base, team = files(tmp_path)
    alone = callgate.Policy.from_file(base)
    assert callgate.Policy.from_file([base]).digest == callgate.Policy.stack([alone]).digest == alone.digest
    both = callgate.Policy.stack([alone, callgate.Policy.from_file(team)])
    assert both.digest == callgate.Policy.from_file([base, team]).digest != alone.digest
    assert callgate.Policy.stack([both]).layers == ("base", "team")
    unnamed = callgate.Policy.from_str(BASE.replace("name: base\n", ""))
    assert callgate.Policy.stack([unnamed]).layers == (None,)


def test_policies_that_do_not_go_together_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    base, team = files(tmp_path)
    unnamed = tmp_path / "unnamed.yaml"
    unnamed.write_text(TEAM.replace("name: team\n", ""))
    for paths, path, code, why in (
        ([base, unnamed], unnamed, "unnamed_layer", "policy 2 of the stack has no name"),
        ([base, team, base], base, "duplicate_layer", 'both named "base"'),
        ([base] * 17, base, "layer_count", "not 17"),
    ):
        for load in (callgate.Policy.from_file, callgate.Engine.from_file):
            with pytest.raises(callgate.StackError, match=why) as caught:
                load(paths)
            error = caught.value
            assert (error.code, error.path, error.diagnostics) == (code, str(path), ())
            assert str(error).startswith(f"{path}: ") and isinstance(error, callgate.PolicyError)
    with pytest.raises(callgate.StackError) as none:
        callgate.Policy.from_file([])
    assert none.value.path is None
    first = callgate.Policy.from_str(BASE)
    with pytest.raises(callgate.StackError) as twice:
        callgate.Policy.stack([first, first])
    assert (twice.value.code, twice.value.path) == ("duplicate_layer", None)
    team.write_text(TEAM.replace("default", "defualt"))
    with pytest.raises(callgate.PolicyError, match="unknown field") as wrong:
        callgate.Policy.from_file([base, team])
    assert wrong.value.path == str(team)
    team.unlink()
    with pytest.raises(FileNotFoundError) as missing:
        callgate.Policy.from_file([base, team])
    assert missing.value.filename == str(team)
    for odd in (3, [3], None, {"base.yaml"}):
        with pytest.raises(TypeError):
            callgate.Policy.from_file(odd)  # type: ignore[arg-type]


def test_a_watched_stack_outlives_a_file_that_breaks(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    base, team = files(tmp_path)
    news: queue.Queue[callgate.Policy | Exception] = queue.Queue()
    engine = callgate.Engine.from_file([base, team], watch=0.02, on_reload=news.put, on_reload_error=news.put)

    def replace(path: Path, text: str) -> callgate.Policy | Exception:
        beside = tmp_path / "beside"
        beside.write_text(text)
        beside.rename(path)
        return news.get(timeout=30)

    with caplog.at_level(logging.INFO, "callgate"):
        old = engine.policy.digest
        for text, code in (
            (TEAM.replace("default: deny", "default: alow"), "invalid_default"),
            (TEAM.replace('version: "1"\n', ""), "missing_version"),
            (TEAM.replace("name: team\n", ""), "unnamed_layer"),
        ):
            caplog.clear()
            error = replace(team, text)
            assert isinstance(error, callgate.PolicyError) and (error.code, error.path) == (code, str(team))
            assert engine.policy.digest == old
            [record] = caplog.records
            assert record.levelno == logging.ERROR and str(team) in record.getMessage()
        # The other file changes: the team's is still the one that is wrong.
        again = replace(base, BASE + "# again\n")
        assert isinstance(again, callgate.PolicyError) and again.path == str(team)
        mended = replace(team, TEAM.replace("refund", "pay_back"))
        assert isinstance(mended, callgate.Policy) and engine.policy.digest == mended.digest != old
        assert mended.digest == callgate.Policy.from_file([base, team]).digest
    engine.close()


def test_warnings_name_the_file_of_their_layer(tmp_path: Path) -> None:
    base, team = files(tmp_path)
    base.write_text(BASE + "  Pay: {}\n")
    team.write_text(TEAM + "  Refund: {}\n  gone: {limits: [{counter: all_time, window: ever, max: 3}]}\n")
    heard: list[tuple[str, str | None]] = []
    callgate.Engine.from_file([base, team], on_warning=lambda warning, path: heard.append((warning.code, path)))
    assert heard[:2] == [("confusable_name", str(base))] * 2
    assert heard[2:] == [("confusable_name", str(team))] * 2 + [("memory_store", str(team))]
