"""Checks of a rule's table by itself: forgotten tiers, rows that never apply, limits that loosen with the risk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product

from dealdesk.domain.cells import (
    LISTED,
    OTHER,
    cells_of,
    finder,
    measured,
    named_cells,
)
from dealdesk.domain.conditions import Compare, compile_condition
from dealdesk.domain.facts import RISK, Fact, Unit, plain, spoken
from dealdesk.domain.findings import Finding, Severity
from dealdesk.domain.measures import WHOLE
from dealdesk.domain.programme import Find
from dealdesk.domain.quote import Risk
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Value, leaves_of

MOST_CELLS = 5_000
_WARNING = Severity.WARNING


def check_tables(rules: Sequence[Rule], currency: str) -> Iterator[Finding]:
    """What is odd about the tables and figures of these rules, each looked at alone."""
    for index, rule in enumerate(rules):
        at = f"/rules/{index}"
        yield from _odd_units(rule, at, currency)
        if isinstance(rule.test, LimitTable | AllowedTable):
            yield from _gaps(rule, rule.test, rules, at)
            yield from _shadowed(rule.test, at)
        if isinstance(rule.test, LimitTable):
            yield from _loosening(rule, rule.test, at, currency)


def _gaps(rule: Rule, table: LimitTable | AllowedTable, rules: Sequence[Rule], at: str) -> Iterator[Finding]:
    cells = cells_of(table.keys, [rule], MOST_CELLS)
    if not cells or not table.keys:
        return
    applies = None if rule.when is None else compile_condition(rule.when)
    finders = [finder(table), *_elsewhere(rule, table, rules)]
    missing = [
        cell
        for cell in cells
        if all(_is_tier(fact, value) for fact, value in cell.items())
        and (applies is None or applies(measured(cell)) is not False)
        and all(find(measured(cell)) < 0 for find in finders)
    ]
    if not missing:
        return
    limits = isinstance(table, LimitTable)
    yield Finding(
        _WARNING if limits else Severity.NOTE,
        "forgotten_tier",
        f"{at}/rows",
        f"rule {rule.id} has no row for {named_cells(missing, cells)}: {table.fact.label} is not limited there",
        'add the row, or one with "*" for all others',
    )


def _is_tier(fact: Fact, value: Value | None) -> bool:
    """Whether a table that names some values of the fact should name this one too."""
    closed = fact.unit is Unit.FLAG or 0 < len(fact.values) <= LISTED
    return value is not None and value != OTHER and (closed or not fact.values)


def _elsewhere(rule: Rule, table: LimitTable | AllowedTable, rules: Sequence[Rule]) -> list[Find]:
    """The tables of other rules that limit the same fact the same way: what they name is not forgotten."""
    return [
        finder(other.test)
        for other in rules
        if other is not rule
        and other.when is None
        and other.scope == rule.scope
        and isinstance(other.test, LimitTable | AllowedTable)
        and other.test.fact == table.fact
        and _way(other.test) == _way(table)
        and set(other.test.keys) <= set(table.keys)
    ]


def _way(table: LimitTable | AllowedTable) -> str:
    return table.op if isinstance(table, LimitTable) else "in"


def _shadowed(table: LimitTable | AllowedTable, at: str) -> Iterator[Finding]:
    seen: dict[tuple[Value | None, ...], int] = {}
    keys = [row.key for row in table.rows]
    for index, row_key in enumerate(keys):
        earlier = [seen[key] for key in _as_general(row_key) if key in seen]
        if earlier:
            yield Finding(
                _WARNING,
                "shadowed_row",
                f"{at}/rows/{index}",
                f"row {index + 1} never applies: row {min(earlier) + 1} matches the same deals first",
                f"move row {index + 1} above row {min(earlier) + 1}, or remove it",
            )
        seen.setdefault(row_key, index)


def _as_general(key: tuple[Value | None, ...]) -> Iterator[tuple[Value | None, ...]]:
    """The key itself, and every key with wildcards that matches all that this one matches."""
    yield from product(*((value, None) if value is not None else (None,) for value in key))


def _loosening(rule: Rule, table: LimitTable, at: str, currency: str) -> Iterator[Finding]:
    risk = next((key for key in table.keys if key.slot == RISK), None)
    others = [key for key in table.keys if key.slot != RISK]
    cells = cells_of(others, [rule], MOST_CELLS) if risk else None
    find = finder(table)
    reported: set[int] = set()
    for cell in cells or ():
        tiers = [(tier, find(measured({**cell, risk: tier.value}))) for tier in Risk] if risk else []
        rows = [(tier, row) for tier, row in tiers if row >= 0]
        for (lower, calm), (higher, risky) in pairwise(rows):
            loosens = _looser(table, table.rows[risky].limit, table.rows[calm].limit)
            if loosens and risky not in reported:
                reported.add(risky)
                limits = [spoken(table.fact, table.rows[row].limit, currency) for row in (risky, calm)]
                yield Finding(
                    _WARNING,
                    "non_monotone_tiers",
                    f"{at}/rows/{risky}",
                    f"{table.fact.label} is limited less at {higher} risk ({limits[0]}) than at {lower} ({limits[1]})",
                    f"use {plain(table.fact, table.rows[calm].limit, currency)} or a stricter limit",
                )


def _looser(table: LimitTable, limit: int, than: int) -> bool:
    return limit > than if table.op == "max" else limit < than


def _odd_units(rule: Rule, at: str, currency: str) -> Iterator[Finding]:
    """A percentage below one percent or above a hundred is most often a fraction or a slip of the decimal point."""
    found: list[tuple[str, Fact, int]] = []
    if isinstance(rule.test, LimitTable) and rule.test.fact.unit is Unit.PERCENT:
        fact = rule.test.fact
        found = [(f"{at}/rows/{row}/limit", fact, limit.limit) for row, limit in enumerate(rule.test.rows)]
    within = f"{at}/when" if isinstance(rule.test, LimitTable | AllowedTable) else f"{at}/expr"
    for leaf in leaves_of(rule):
        if isinstance(leaf, Compare) and leaf.fact.unit is Unit.PERCENT and isinstance(leaf.value, int):
            found.append((within, leaf.fact, leaf.value))
    for pointer, fact, value in found:
        if 0 < abs(value) < 100 or abs(value) > WHOLE:
            text = plain(fact, value, currency)
            meant = f"did you mean {plain(fact, value * 100, currency)}?" if abs(value) < 100 else "use at most 100.00"
            yield Finding(
                _WARNING, "odd_unit", pointer, f"{fact.name} is in percent, and {text}% is an unusual limit", meant
            )
