"""Python objects read in place: what each is to a policy, and that none can crash or deceive it."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import sys
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import callgate
import pytest

POLICY = """
version: "1"
default: deny
tools:
  any: {require: [{path: args.x, op: exists, value: true}]}
  number: {require: [{path: args.x, op: gt, value: 5}]}
  huge: {require: [{path: args.x, op: eq, value: %s}]}
  text: {require: [{path: args.x, op: eq, value: abc}]}
  items: {require: [{path: "args.x[*]", op: lte, value: 2}]}
  member: {require: [{path: args.x.y, op: eq, value: 1}]}
  approve: {rules: [{action: require_approval}]}
""" % ("1" + "0" * 5000)
ENGINE = callgate.Engine.from_str(POLICY)


def code(tool: str, x: object) -> str:
    return ENGINE.evaluate(tool, {"x": x}).code


def label(value: object) -> str:
    return value if isinstance(value, str) and value.isascii() else type(value).__name__


class PlainDict(dict[str, Any]):
    pass


class PlainInt(int):
    def __repr__(self) -> str:
        return "0"


class Pair(NamedTuple):
    first: int
    second: int


class Lying(str):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


class LyingInt(int):
    def __int__(self) -> int:
        return 0


class LyingList(list[Any]):
    def copy(self) -> Any:
        return []


class LyingStr(str):
    def encode(self, *_: Any) -> bytes:
        return b"other"


class LyingDict(dict[str, Any]):
    def get(self, key: str, default: Any = None) -> Any:
        return 2


class Behind:
    def __missing__(self, key: str) -> int:
        return 1


class Last(dict[str, Any], Behind):
    """Whose `__missing__` is behind `dict`, which has none."""


class Meta(type):
    pass


class OfMeta(dict[str, Any], metaclass=Meta):
    pass


def shadowed() -> Any:
    members: Any = PlainDict(y=1)
    members.get = lambda key, default=None: 2
    return members


def changed() -> Any:
    class Later(dict[str, Any]):
        pass

    members = Later(y=1)
    assert code("member", members) == "allowed"
    Later.__missing__ = lambda self, key: 1  # type: ignore[attr-defined]
    return members


class Missing(dict[str, Any]):
    def __missing__(self, key: str) -> int:
        return 1


class Color(str, enum.Enum):
    RED = "abc"


class Custom(Mapping[str, Any]):
    def __init__(self, **members: Any) -> None:
        self.members = members

    def __getitem__(self, key: str) -> Any:
        value = self.members[key]
        if isinstance(value, Exception):
            raise value
        return value

    def __iter__(self) -> Iterator[str]:
        return iter(self.members)

    def __len__(self) -> int:
        return len(self.members)


class Endless(Custom):
    def __iter__(self) -> Iterator[str]:
        while True:
            yield "y"


class Numbers(Sequence[Any]):
    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


class BadLen(Numbers):
    def __len__(self) -> int:
        raise RuntimeError("no length")


@pytest.mark.parametrize(
    ("tool", "value"),
    [
        ("number", 6),
        ("number", 10**40),
        ("number", 5.000001),
        ("number", PlainInt(6)),
        ("number", sys.float_info.max),
        ("huge", 10**5000),  # more digits than the interpreter prints
        ("text", "abc"),
        ("items", []),
        ("items", [1, 2.0]),
        ("items", (1, 2)),
        ("items", Pair(1, 2)),
        ("items", range(3)),
        ("items", collections.deque([1, 2])),
        ("items", Numbers(1, 2)),
        ("member", {"y": 1}),
        ("member", PlainDict(y=1)),
        ("member", collections.OrderedDict(y=1)),
        ("member", types.MappingProxyType({"y": 1})),
        ("member", collections.ChainMap({"y": 1})),
        ("member", Custom(y=1)),
        ("any", False),
        ("any", ""),
        ("any", b"bytes"),  # of no JSON type, but there
    ],
    ids=label,
)
def test_read_in_place(tool: str, value: object) -> None:
    assert code(tool, value) == "allowed"


@pytest.mark.parametrize(
    ("tool", "value"),
    [
        ("number", 5),
        ("number", -(10**40)),
        ("number", True),
        ("number", "6"),
        ("number", float("nan")),
        ("number", float("inf")),
        ("number", 6 + 0j),
        ("number", decimal.Decimal(6)),
        ("number", datetime.datetime.now()),
        ("number", None),
        ("number", object()),
        ("number", int),
        ("huge", 10**5000 + 1),
        ("huge", 10**4999),
        ("text", b"abc"),
        ("text", bytearray(b"abc")),
        ("text", memoryview(b"abc")),
        ("text", ["abc"]),
        ("items", {1, 2}),
        ("items", iter([1, 2])),
        ("items", [1, 3]),
        ("items", [[1]]),
        ("items", "12"),
        ("member", types.SimpleNamespace(y=1)),
        ("member", {"y": 2}),
        ("member", {}),
        ("any", None),
    ],
    ids=label,
)
def test_wrong_types_do_not_hold(tool: str, value: object) -> None:
    assert code(tool, value) == "condition_failed"


@pytest.mark.parametrize(
    ("tool", "value"),
    [
        ("text", "\ud800"),
        ("text", Lying("other")),
        ("text", Color.RED),
        ("number", LyingInt(6)),
        ("member", {1: 2, "y": 1}),
        ("member", {"y": 1, None: 2}),
        ("member", {Lying("z"): 1, "y": 1}),
        ("text", LyingStr("abc")),
        ("items", LyingList([1, 2])),
        ("member", LyingDict(y=1)),
        ("member", Last(y=1)),
        ("member", OfMeta(y=1)),
        ("member", shadowed()),
        ("member", changed()),
        ("member", Missing()),
        ("member", collections.defaultdict(int)),
        ("member", Custom(y=RuntimeError("no"))),
        ("member", Custom(y=1, z=ValueError("no"))),
        ("member", Endless(y=1)),
        ("items", BadLen(1)),
        ("items", range(10**12)),
        ("number", 10**30000),
    ],
    ids=label,
)
def test_what_cannot_be_read_denies(tool: str, value: object) -> None:
    decision = ENGINE.evaluate(tool, {"x": value})
    assert (decision.effect, decision.code) == ("deny", "invalid_args")
    assert decision.message is not None and decision.message.startswith("Arguments are not valid: ")


def test_a_key_that_claims_to_be_the_name_is_not_asked() -> None:
    class Key:
        def __hash__(self) -> int:
            return hash("x")

        def __eq__(self, other: object) -> bool:
            raise AssertionError("compared")

    assert ENGINE.evaluate("text", {Key(): "abc"}).code == "invalid_args"


class PlainStr(str):
    pass


@pytest.mark.parametrize("key", ["x", "".join(["", "x"]), PlainStr("x")], ids=["interned", "made", "extended"])
@pytest.mark.parametrize("kind", [dict, PlainDict, collections.OrderedDict, types.MappingProxyType])
def test_any_string_is_a_name(key: str, kind: Any) -> None:
    for _ in range(2):
        assert ENGINE.evaluate("text", kind({"a": 1, key: "abc"})).code == "allowed"
        assert ENGINE.evaluate("text", kind({"a": 1, key: "abd"})).code == "condition_failed"
        assert ENGINE.evaluate("text", kind({"a": 1, key: "abc", 1: 1})).code == "invalid_args"
        assert ENGINE.evaluate("text", kind({"a": 1, key: "abc", Lying("z"): 1})).code == "invalid_args"


def test_names_are_those_of_the_policy_in_force() -> None:
    def policy(name: str, value: int) -> callgate.Policy:
        tests = f"[{{path: args.{name}, op: eq, value: {value}}}, {{path: args.both, op: exists, value: true}}]"
        return callgate.Policy.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: {tests}}}}}}}")

    subject = callgate.Engine(policy("first", 1))
    for n in range(50):
        args = {"first": n, "second": -n, "both": 0, "more": 7}
        for name in ("first", "second"):
            subject.replace(policy(name, args[name]))
            assert [subject.evaluate("t", args).code for _ in range(3)] == ["allowed"] * 3
            assert subject.evaluate("t", {**args, name: n + 1}).code == "condition_failed"
            assert subject.evaluate("t", {name: args[name]}).code == "condition_failed"


def test_more_names_than_are_picked() -> None:
    names = [f"n{n}" for n in range(12)]
    tests = ", ".join(f"{{path: args.{name}, op: eq, value: {n}}}" for n, name in enumerate(names))
    subject = callgate.Engine.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: [{tests}]}}}}}}")
    args = {name: n for n, name in enumerate(names)}
    for _ in range(3):
        assert subject.evaluate("t", args).code == "allowed"
        for name in names:
            assert subject.evaluate("t", {**args, name: 99}).code == "condition_failed"


def test_arguments_that_change_while_they_are_read() -> None:
    tests = "[{path: args.a.y, op: eq, value: 1}, {path: args.b, op: eq, value: 1}]"
    subject = callgate.Engine.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: {tests}}}}}}}")

    class Clearing(Custom):
        def __getitem__(self, key: str) -> Any:
            args.clear()
            return super().__getitem__(key)

    for _ in range(3):
        args: dict[str, Any] = {"a": Clearing(y=1), "b": int("1")}
        # As it was when it was looked at, or as it is: either way, nothing that was freed is read.
        assert subject.evaluate("t", args).code in {"allowed", "condition_failed"}
        assert args == {}


def test_only_what_a_check_names_is_read() -> None:
    assert ENGINE.evaluate("text", {"x": "abc", "other": {1: object()}}).allowed
    assert ENGINE.evaluate("text", {"x": "abc", "other": Custom(y=RuntimeError("no"))}).allowed


def test_cycles_and_shared_parts_end() -> None:
    loop: list[Any] = []
    loop.append(loop)
    assert ENGINE.evaluate("approve", {"x": loop}).code == "invalid_args"
    wide: Any = []
    for _ in range(100):
        wide = [wide, wide]
    decision = ENGINE.evaluate("approve", {"x": wide})
    assert decision.code == "invalid_args" and "too large" in (decision.message or "")


def again_and_again(count: int, path: str) -> callgate.Engine:
    """An engine whose tool reads one value so many times."""
    tests = ", ".join([f"{{path: {path}, op: neq, value: 7}}"] * count)
    return callgate.Engine.from_str(f"{{version: '1', default: deny, tools: {{t: {{require: [{tests}]}}}}}}")


@pytest.mark.parametrize(
    ("digits", "few", "count"),
    [(25, 1_000, 20_000), (300, 1_000, 20_000), (4_000, 10, 100), (9_000, 2, 100)],
)
def test_converting_integers_again_and_again_takes_steps(digits: int, few: int, count: int) -> None:
    for value in (10**digits, -(10**digits), PlainInt(10**digits)):
        assert again_and_again(few, "args.x").evaluate("t", {"x": value}).code == "allowed"
        decision = again_and_again(count, "args.x").evaluate("t", {"x": value})
        assert decision.code == "invalid_args" and "too large" in (decision.message or "")


@pytest.mark.parametrize("bits", [0, 1, 63, 64, 65, 14_283, 14_285, 20_011, 32_767])
def test_integers_of_any_length_are_exact(bits: int) -> None:
    limit = sys.get_int_max_str_digits() if hasattr(sys, "get_int_max_str_digits") else 0
    for value in (2**bits, 2**bits - 1, -(2**bits), -(2**bits) - 1):
        if limit:
            sys.set_int_max_str_digits(0)
        try:
            digits = str(value)
        finally:
            if limit:
                sys.set_int_max_str_digits(limit)
        policy = f"{{version: '1', default: deny, tools: {{t: {{require: [{{path: args.x, op: eq, value: {digits}}}]}}}}}}"
        engine = callgate.Engine.from_str(policy)
        assert engine.evaluate("t", {"x": value}).code == "allowed"
        assert engine.evaluate("t", {"x": value + 1}).code == "condition_failed"


def test_what_python_takes_long_for_is_too_large() -> None:
    wide = {f"k{n}": n for n in range(100_000)}
    for count, path, x, expected in [
        (1, "'args.x[*]'", list(range(8, 40_000)), "allowed"),
        (1, "'args.x[*]'", list(range(8, 200_000)), "invalid_args"),
        (2, "args.x.y", wide, "condition_failed"),  # `y` is absent
        (1_000, "args.x.k99999", wide, "invalid_args"),
        (10, "args.x.y", types.MappingProxyType({"y": 1}), "allowed"),
        (10_000, "args.x.y", types.MappingProxyType({"y": 1}), "invalid_args"),
        (10, "'args.x[0]'", range(1_000), "allowed"),
        (100, "'args.x[0]'", range(1_000), "invalid_args"),
        (1, "'args.x[*].y'", [PlainDict(y=1)] * 1_000, "allowed"),
        (1, "'args.x[*].y'", [PlainDict(y=1)] * 10_000, "invalid_args"),
    ]:
        assert again_and_again(count, path).evaluate("t", {"x": x}).code == expected, (count, path)


def test_a_list_that_shrinks_while_it_is_read() -> None:
    items: list[Any] = []

    class Shrinking(Custom):
        def __getitem__(self, key: str) -> Any:
            items.clear()
            return super().__getitem__(key)

    items += [Shrinking(y=1), 1, 2]
    assert ENGINE.evaluate("approve", {"x": items}).code == "approval_required"
    members: dict[str, Any] = {"a": Shrinking(y=1), "b": 2}

    class Growing(Custom):
        def __getitem__(self, key: str) -> Any:
            members.clear()
            return super().__getitem__(key)

    members["a"] = Growing(y=1)
    assert ENGINE.evaluate("approve", members).code == "approval_required"


@pytest.mark.parametrize("args", [[], "x", 1, True, b"{}", object(), {1, 2}], ids=label)
def test_arguments_are_an_object(args: object) -> None:
    assert ENGINE.evaluate("any", args).message == "Arguments are not valid: they are not an object"


@pytest.mark.parametrize("args", [Missing(), {1: 2}, Custom(x=RuntimeError())], ids=label)
def test_arguments_that_cannot_be_read(args: object) -> None:
    assert ENGINE.evaluate("any", args).code == "invalid_args"


def test_absent_arguments() -> None:
    assert ENGINE.evaluate("any").code == ENGINE.evaluate("any", None).code == ENGINE.evaluate("any", {}).code


@pytest.mark.parametrize("identity", [1, True, [], b"alice", object(), "\ud800", Lying("alice")], ids=label)
def test_an_identity_is_a_string_or_an_object(identity: object) -> None:
    assert ENGINE.evaluate("any", {"x": 1}, identity).code == "invalid_identity"


def test_identities() -> None:
    engine = callgate.Engine.from_str(
        'version: "1"\ndefault: deny\ntools: {t: {require: [{path: identity.id, op: eq, value: alice}]}}'
    )
    for identity in ("alice", {"id": "alice"}, types.MappingProxyType({"id": "alice"}), Custom(id="alice")):
        assert engine.evaluate("t", None, identity).allowed
    for other in (None, "bob", {}, {"ID": "alice"}):
        assert engine.evaluate("t", None, other).code == "condition_failed"


def test_numbers_are_what_json_writes() -> None:
    """The canonical form, which the approval key is made of, is that of the JSON text."""
    for text, value in [('{"x":0.1}', 0.1), ('{"x":1e300}', 1e300), ('{"x":-0.0}', -0.0), ('{"x":1}', 1.0)]:
        of_value = ENGINE.evaluate("approve", {"x": value}).approval
        of_text = ENGINE.evaluate_json("approve", text).approval
        assert of_value is not None and of_text is not None
        assert of_value.key == of_text.key


def test_text_that_is_no_unicode() -> None:
    assert ENGINE.evaluate_json("any", '{"x": "\ud800"}').code == "invalid_args"
    with pytest.raises(UnicodeEncodeError):
        ENGINE.evaluate("\ud800")
    with pytest.raises(TypeError):
        ENGINE.evaluate(7)  # type: ignore[arg-type]  # the wrong type is what is tested


def test_names_are_told_apart() -> None:
    """They agree in their length and in the bytes that tell their place in the table, which has no room for so many."""
    names = [f"m{n:05}{n % 10}s" for n in range(1000)]
    rule = "  {0}: {{require: [{{path: args.{0}, op: eq, value: {1}}}]}}\n"
    tools = "".join(rule.format(name, n) for n, name in enumerate(names))
    subject = callgate.Engine.from_str(f"version: '1'\ndefault: deny\ntools:\n{tools}")
    for n, name in enumerate(names * 2):
        wanted = n % len(names)
        other = names[wanted - 1]
        assert subject.evaluate(name, {other: wanted - 1, name: wanted}).allowed
        # Equal to the name, but another object.
        assert subject.evaluate(name, {"".join(list(name)): wanted}).allowed
        assert subject.evaluate(name, {other: wanted}).code == "condition_failed"
