"""One rule of a policy: a table of limits or of allowed values, or a condition; and what follows."""

from __future__ import annotations

from typing import NamedTuple

from dealdesk.domain.condition_json import read_condition
from dealdesk.domain.conditions import Absent, Among, Compare, Condition, leaves
from dealdesk.domain.facts import FACTS, NUMBERS, Fact, Unit, fact_named, plain
from dealdesk.domain.policy_json import InvalidPolicy, Node

WILDCARD = "*"
MAX_ROWS = 5_000
Value = int | str | bool


class LimitRow(NamedTuple):
    """`key` has a value for each key, None for the wildcard; `limit` is in the fact's inner unit."""

    key: tuple[Value | None, ...]
    limit: int


class LimitTable(NamedTuple):
    """The first row that matches gives the limit; `op` is max or min, and the limit itself passes."""

    fact: Fact
    op: str
    keys: tuple[Fact, ...]
    rows: tuple[LimitRow, ...]


class AllowedRow(NamedTuple):
    """The values that are allowed for this key."""

    key: tuple[Value | None, ...]
    values: tuple[Value, ...]


class AllowedTable(NamedTuple):
    """The first row that matches gives the allowed values."""

    fact: Fact
    keys: tuple[Fact, ...]
    rows: tuple[AllowedRow, ...]


class Unknown(NamedTuple):
    """Violated by what nobody said: such a rule is the desk's own, and no policy can switch it off."""

    fact: str


class Rule(NamedTuple):
    """`step` is the approval that a violation asks for; None means that a violation blocks.

    A rule looks at the deal, at each line, or with `group_by` at the lines that share an attribute.
    """

    id: str
    name: str
    at_line: bool
    test: LimitTable | AllowedTable | Condition | Unknown
    when: Condition | None
    step: str | None
    group_by: Fact | None = None

    @property
    def scope(self) -> tuple[bool, Fact | None]:
        """Rules of one scope see the same figures."""
        return self.at_line, self.group_by


RATE_MISSING = Rule("fx-rate", "A dated exchange rate", False, Unknown("total_contract_value"), None, None)
LIST_PRICE_MISSING = Rule("list-price", "A list price", True, Unknown("list_unit_price"), None, None)
BUILT_IN = frozenset({RATE_MISSING.id, LIST_PRICE_MISSING.id})

_HEAD = ("id", "name", "kind", "action", "scope", "group_by", "when")
_BODY = {"limit": ("fact", "op", "keys", "rows"), "allowed": ("fact", "keys", "rows"), "condition": ("expr",)}


def read_rule(node: Node, steps: frozenset[str], currency: str) -> Rule:
    """Reads one rule; InvalidPolicy with a pointer when something is wrong."""
    kind = node.member("kind").choice("limit", "allowed", "condition")
    node.only(*_HEAD, *_BODY[kind])
    rule_id = node.member("id").identifier()
    if rule_id in BUILT_IN:
        raise InvalidPolicy(node.member("id").pointer, f"{rule_id!r} is a rule of the desk itself")
    group_by = _read_group_by(node)
    at_line = group_by is not None or (node.has("scope") and node.member("scope").value == "line")
    when = node.optional("when")
    rule = Rule(
        id=rule_id,
        name=node.member("name").text(200) if node.has("name") else rule_id,
        at_line=at_line,
        test=_read_test(node, kind, at_line, currency),
        when=None if when is None else read_condition(when, at_line, currency),
        step=_read_action(node.member("action"), steps),
        group_by=group_by,
    )
    _refuse_what_a_group_has_not(rule, node)
    return rule


def _read_group_by(node: Node) -> Fact | None:
    scope = node.member("scope").choice("deal", "line", "line_group") if node.has("scope") else "deal"
    if scope != "line_group":
        if node.has("group_by"):
            raise InvalidPolicy(f"{node.pointer}/group_by", 'goes with "scope": "line_group" only')
        return None
    return FACTS[node.member("group_by").choice(*(fact.name for fact in FACTS.values() if fact.line_only))]


def _refuse_what_a_group_has_not(rule: Rule, node: Node) -> None:
    """A group has one value of what it is grouped by, and none of what its lines may differ in."""
    if rule.group_by is None:
        return
    read = [("when", leaf.fact) for leaf in leaves(rule.when)] if rule.when else []
    if isinstance(rule.test, LimitTable | AllowedTable):
        read += [("fact", rule.test.fact), *((f"keys/{place}", key) for place, key in enumerate(rule.test.keys))]
    elif not isinstance(rule.test, Unknown):
        read += [("expr", leaf.fact) for leaf in leaves(rule.test)]
    for place, fact in read:
        if fact.line_only and fact != rule.group_by:
            right = f'use {rule.group_by.name}, or "group_by": "{fact.name}"'
            raise InvalidPolicy(
                f"{node.pointer}/{place}", f"{fact.name} may differ between the lines of a group; {right}"
            )


def _read_test(node: Node, kind: str, at_line: bool, currency: str) -> LimitTable | AllowedTable | Condition:
    if kind == "condition":
        return read_condition(node.member("expr"), at_line, currency)
    fact = _read_fact(node.member("fact"), at_line)
    key_nodes = node.member("keys").items(0, 6) if node.has("keys") else []
    keys = tuple(_read_fact(key, at_line) for key in key_nodes)
    for index, key in enumerate(keys):
        if key.unit in NUMBERS:
            raise InvalidPolicy(
                f"{node.pointer}/keys/{index}", f"{key.name} is a figure; keys are attributes, like risk_tier"
            )
    rows = node.member("rows").items(1, MAX_ROWS)
    if kind == "allowed":
        if fact.unit in NUMBERS:
            raise InvalidPolicy(f"{node.pointer}/fact", f'{fact.name} is a figure; use "kind": "limit"')
        allowed = tuple(_read_allowed_row(row, fact, keys, currency) for row in rows)
        return AllowedTable(fact, keys, allowed)
    if fact.unit not in NUMBERS:
        raise InvalidPolicy(f"{node.pointer}/fact", f'{fact.name} has no order; use "kind": "allowed"')
    op = node.member("op").choice("max", "min")
    return LimitTable(fact, op, keys, tuple(_read_limit_row(row, fact, keys, currency) for row in rows))


def _read_limit_row(row: Node, fact: Fact, keys: tuple[Fact, ...], currency: str) -> LimitRow:
    row.only("key", "limit")
    limit = row.member("limit").literal(fact, currency)
    if isinstance(limit, int):
        return LimitRow(_read_key(row, keys), limit)
    raise InvalidPolicy(f"{row.pointer}/limit", "must be a number")


def _read_allowed_row(row: Node, fact: Fact, keys: tuple[Fact, ...], currency: str) -> AllowedRow:
    row.only("key", "values")
    values = tuple(value.literal(fact, currency) for value in row.member("values").items(1, 500))
    return AllowedRow(_read_key(row, keys), values)


def _read_key(row: Node, keys: tuple[Fact, ...]) -> tuple[Value | None, ...]:
    if not keys and not row.has("key"):
        return ()
    found = row.member("key").items(len(keys), len(keys))
    return tuple(_read_key_value(node, fact) for node, fact in zip(found, keys, strict=True))


def _read_key_value(node: Node, fact: Fact) -> Value | None:
    if node.value == WILDCARD:
        return None
    if fact.unit is Unit.FLAG and node.value in ("true", "false"):
        return node.value == "true"
    return node.literal(fact, "USD")


def _read_fact(node: Node, at_line: bool) -> Fact:
    try:
        return fact_named(node.text(80), at_line=at_line)
    except InvalidPolicy:
        raise
    except ValueError as wrong:
        raise InvalidPolicy(node.pointer, str(wrong)) from None


def _read_action(node: Node, steps: frozenset[str]) -> str | None:
    node.only("approve", "block")
    if node.has("block") and not node.has("approve"):
        if node.member("block").value is not True:
            raise InvalidPolicy(f"{node.pointer}/block", "must be true")
        return None
    if node.has("block"):
        raise InvalidPolicy(node.pointer, 'must be either {"approve": "<step>"} or {"block": true}')
    return node.member("approve").choice(*sorted(steps))


def leaves_of(rule: Rule) -> list[Compare | Among | Absent]:
    """Every comparison of the rule's guard and of its condition."""
    found = [] if rule.when is None else list(leaves(rule.when))
    if not isinstance(rule.test, LimitTable | AllowedTable | Unknown):
        found.extend(leaves(rule.test))
    return found


def facts_of(rule: Rule) -> frozenset[Fact]:
    """Every fact that the rule reads."""
    found = {leaf.fact for leaf in leaves_of(rule)}
    if isinstance(rule.test, LimitTable | AllowedTable):
        found.update((rule.test.fact, *rule.test.keys))
    return frozenset(found)


def key_texts(table: LimitTable | AllowedTable, found: list[Value | None]) -> tuple[tuple[str, str], ...]:
    """The deal's own values for the keys of a table, as texts; the wildcard where the deal does not say."""
    return tuple(
        [
            (fact.name, WILDCARD if value is None else plain(fact, value, "USD"))
            for fact, value in zip(table.keys, found, strict=True)
        ]
    )
