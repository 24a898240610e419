"""A policy compiled: each rule becomes a small function of the facts, so that judging takes microseconds."""

from __future__ import annotations

from collections.abc import Callable

from dealdesk.domain.conditions import Test, compile_condition
from dealdesk.domain.facts import Facts
from dealdesk.domain.rules import AllowedRow, AllowedTable, LimitRow, LimitTable, Rule, Unknown

PASSES = -1
Check = Callable[[Facts], int]
"""Answers PASSES, or the row that is violated (0 for a rule without rows)."""

_Rows = tuple[LimitRow, ...] | tuple[AllowedRow, ...]
Find = Callable[[Facts], int]


def compile_rule(rule: Rule) -> Check:
    """The rule as a function. A fact that the deal does not give violates nothing."""
    match rule.test:
        case LimitTable():
            check = _limit(rule.test)
        case AllowedTable():
            check = _allowed(rule.test)
        case Unknown():
            raise TypeError(f"{rule.id} is no rule of a policy")
        case condition:
            check = _condition(compile_condition(condition))
    return check if rule.when is None else _guarded(compile_condition(rule.when), check)


def _guarded(when: Test, check: Check) -> Check:
    return lambda facts: check(facts) if when(facts) else PASSES


def _condition(test: Test) -> Check:
    return lambda facts: 0 if test(facts) else PASSES


def _limit(table: LimitTable) -> Check:
    at, low = table.fact.slots
    limits = [row.limit for row in table.rows]
    find = find_row(tuple(key.slot for key in table.keys), table.rows) if table.keys else None
    if table.op == "max":
        return _at_most(at, limits, find)
    return _at_least(low, limits, find)


def _at_most(at: int, limits: list[int], find: Find | None) -> Check:
    if find is None:
        limit = limits[0]
        return lambda facts: 0 if (found := facts[at]) is not None and found > limit else PASSES  # type: ignore[operator]

    def check(facts: Facts) -> int:
        found = facts[at]
        if found is None or (row := find(facts)) < 0:
            return PASSES
        return row if found > limits[row] else PASSES  # type: ignore[operator]

    return check


def _at_least(at: int, limits: list[int], find: Find | None) -> Check:
    if find is None:
        limit = limits[0]
        return lambda facts: 0 if (found := facts[at]) is not None and found < limit else PASSES  # type: ignore[operator]

    def check(facts: Facts) -> int:
        found = facts[at]
        if found is None or (row := find(facts)) < 0:
            return PASSES
        return row if found < limits[row] else PASSES  # type: ignore[operator]

    return check


def _allowed(table: AllowedTable) -> Check:
    at = table.fact.slot
    allowed = [frozenset(row.values) for row in table.rows]
    find = find_row(tuple(key.slot for key in table.keys), table.rows)

    def check(facts: Facts) -> int:
        found = facts[at]
        if found is None or (row := find(facts)) < 0:
            return PASSES
        return PASSES if found in allowed[row] else row

    return check


def find_row(slots: tuple[int, ...], rows: _Rows) -> Find:
    """The first row whose key matches; one key is looked up, several keys with wildcards are scanned."""
    keys = [row.key for row in rows]
    if not slots:
        return lambda _facts: 0
    if len(slots) == 1:
        return _find_by_one(slots[0], [key[0] for key in keys])
    if not any(value is None for key in keys for value in key):
        first = {key: row for row, key in reversed(list(enumerate(keys)))}
        return lambda facts: first.get(tuple([facts[at] for at in slots]), PASSES)
    return _scan(slots, keys)


def _find_by_one(at: int, keys: list[int | str | bool | None]) -> Find:
    first: dict[int | str | bool | None, int] = {}
    otherwise = PASSES
    for row, key in enumerate(keys):
        if key is None:
            otherwise = row
            break
        first.setdefault(key, row)
    return lambda facts: first.get(facts[at], otherwise)


def _scan(slots: tuple[int, ...], keys: list[tuple[int | str | bool | None, ...]]) -> Find:
    def find(facts: Facts) -> int:
        found = [facts[at] for at in slots]
        for row, key in enumerate(keys):
            if all(wanted is None or wanted == value for wanted, value in zip(key, found, strict=True)):
                return row
        return PASSES

    return find
