"""Reads the conditions of a policy document: a tree from the form editor, or typed text."""

from __future__ import annotations

from dealdesk.domain.condition_text import MAX_DEPTH, MAX_TERMS, InvalidCondition, parse_condition
from dealdesk.domain.conditions import Absent, AllOf, Among, AnyOf, Compare, Condition, Not, leaves
from dealdesk.domain.facts import NUMBERS, fact_named
from dealdesk.domain.policy_json import InvalidPolicy, Node


def read_condition(node: Node, at_line: bool, currency: str) -> Condition:
    """The typed tree; InvalidPolicy points at the member, and for text also at the characters.

    Trees: {"all": [...]}, {"any": [...]}, {"not": {...}}, {"fact", "op", "value"}, {"fact", "in": [...]} and
    {"fact", "absent": true}.
    """
    if not isinstance(node.value, str):
        condition = _read_tree(node, at_line, currency, 0)
        if sum(1 for _ in leaves(condition)) > MAX_TERMS:
            raise InvalidPolicy(node.pointer, f"at most {MAX_TERMS} comparisons")
        return condition
    try:
        return parse_condition(node.value, at_line=at_line, currency=currency)
    except InvalidCondition as wrong:
        raise InvalidPolicy(node.pointer, str(wrong), (wrong.position, wrong.end)) from None


def _read_tree(node: Node, at_line: bool, currency: str, depth: int) -> Condition:
    if depth > MAX_DEPTH:
        raise InvalidPolicy(node.pointer, f"at most {MAX_DEPTH} levels")
    for name, kind in (("all", AllOf), ("any", AnyOf)):
        if node.has(name):
            node.only(name)
            items = node.member(name).items(1, MAX_TERMS)
            return kind(tuple(_read_tree(item, at_line, currency, depth + 1) for item in items))
    if node.has("not"):
        node.only("not")
        return Not(_read_tree(node.member("not"), at_line, currency, depth + 1))
    return _read_leaf(node, at_line, currency)


def _read_leaf(node: Node, at_line: bool, currency: str) -> Condition:
    name = node.member("fact")
    try:
        fact = fact_named(name.text(80), at_line=at_line)
    except InvalidPolicy:
        raise
    except ValueError as wrong:
        raise InvalidPolicy(name.pointer, str(wrong)) from None
    if node.has("absent"):
        node.only("fact", "absent")
        if node.member("absent").value is not True:
            raise InvalidPolicy(f"{node.pointer}/absent", 'must be true; for the opposite, wrap it in "not"')
        return Absent(fact)
    if node.has("in"):
        node.only("fact", "in")
        values = node.member("in").items(1, MAX_TERMS)
        return Among(fact, tuple(value.literal(fact, currency) for value in values))
    node.only("fact", "op", "value")
    ordered = ("<", "<=", ">", ">=") if fact.unit in NUMBERS else ()
    op = node.member("op").choice("==", "!=", *ordered)
    return Compare(fact, op, node.member("value").literal(fact, currency))
