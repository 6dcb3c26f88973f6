"""What `evaluate` is measured against: the same charge decided by a function written by hand, and by other engines.

Each is a statement for `timeit` with the names that it uses. All read the same arguments, and all let the charge through
and refuse one that is too large; `evaluate.py` asserts both before it measures.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import cedarpy
import cel
import jsonschema_rs
import regopy

LARGEST = 50_000
CURRENCIES = ("usd", "eur", "gbp")


class Peer(NamedTuple):
    """A way to decide a charge."""

    name: str
    statement: str
    """Reads `args`; true if the charge may run."""
    names: dict[str, Any]


class Verdict:
    """What a function written by hand returns."""

    __slots__ = ("allowed", "reason")

    def __init__(self, allowed: bool, reason: str | None) -> None:
        self.allowed = allowed
        self.reason = reason


def refusal(tool: str, args: dict[str, Any], identity: str | None = None) -> str | None:
    """The policy of `evaluate.py` as a server's author would write it, without its limits: why not, if not."""
    if tool == "create_charge":
        amount = args.get("amount")
        if type(amount) is not int or amount > LARGEST:
            return "the charge is too large"
        if args.get("currency") not in CURRENCIES:
            return "the currency is not taken"
        return None
    if tool == "create_refund":
        amount = args.get("amount")
        if type(amount) is not int or amount > 10_000:
            return "the refund is too large"
        return None
    if tool == "delete_customer":
        return "customers are never deleted"
    if tool.startswith("list_") and tool[5:].isdigit() and int(tool[5:]) < 17:
        return None
    return "the tool is not listed"


def by_hand(tool: str, args: dict[str, Any], identity: str | None = None) -> Verdict:
    """The same with an object returned."""
    reason = refusal(tool, args, identity)
    return Verdict(reason is None, reason)


def peers() -> list[Peer]:
    """The functions written by hand first."""
    return [
        Peer("a Python function by hand", "refusal('create_charge', args, 'alice') is None", {"refusal": refusal}),
        Peer("the same, returns an object", "by_hand('create_charge', args, 'alice').allowed", {"by_hand": by_hand}),
        _jsonschema(),
        _cel(),
        _cedar(),
        _rego(),
    ]


def _jsonschema() -> Peer:
    schema = {
        "type": "object",
        "required": ["amount", "currency"],
        "properties": {"amount": {"type": "integer", "maximum": LARGEST}, "currency": {"enum": list(CURRENCIES)}},
    }
    return Peer("jsonschema_rs", "is_valid(args)", {"is_valid": jsonschema_rs.validator_for(schema).is_valid})


def _cel() -> Peer:
    text = f'tool == "create_charge" && args.amount <= {LARGEST} && args.currency in {json.dumps(CURRENCIES)}'
    statement = "execute({'tool': 'create_charge', 'args': args})"
    return Peer("common-expression-language", statement, {"execute": cel.compile(text).execute})


def _cedar() -> Peer:
    text = f"""
        permit(principal, action == Action::"create_charge", resource) when {{
            context.amount <= {LARGEST} && {json.dumps(CURRENCIES)}.contains(context.currency)
        }};
    """
    request = "{'principal': 'User::\"alice\"', 'action': 'Action::\"create_charge\"', 'resource': 'Server::\"s\"', 'context': args}"
    names = {
        "is_authorized": cedarpy.is_authorized,
        "policies": cedarpy.PolicySet.from_str(text),
        "entities": cedarpy.Entities.from_json_str("[]"),
    }
    return Peer("cedarpy", f"is_authorized({request}, policies, entities).allowed", names)


def _rego() -> Peer:
    module = f"""
        package payments
        default allow := false
        allow if {{
            input.tool == "create_charge"
            input.args.amount <= {LARGEST}
            input.args.currency in {json.dumps(CURRENCIES)}
        }}
    """
    interpreter = regopy.Interpreter()
    interpreter.add_module("payments", module)

    def decide(args: dict[str, Any]) -> bool:
        interpreter.set_input({"tool": "create_charge", "args": args})
        # A query that comes out false has a result without expressions.
        return bool(interpreter.query("data.payments.allow").results[0].expressions)

    return Peer("regopy", "decide(args)", {"decide": decide})
