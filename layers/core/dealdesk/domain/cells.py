"""The deals that a check tries: one for every way in which the limits of a policy tell deals apart.

A comparison asks only on which side of its threshold a figure lies. One figure at each threshold and one in each
gap between two therefore stand for all, and one value that nobody names stands for all that nobody names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod

from dealdesk.domain.conditions import Absent, Among, Compare
from dealdesk.domain.facts import NUMBERS, SLOTS, Fact, Facts, Unit, plain
from dealdesk.domain.measures import WHOLE
from dealdesk.domain.programme import Find, find_row
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Value, facts_of, leaves_of

Cell = Mapping[Fact, Value | None]
"""One value for each attribute; None where the deal does not say."""

Figure = tuple[int, int] | None
"""A figure rounded up and rounded down, which differ for a percentage between two basis points."""

OTHER = "(any other)"
LISTED = 8  # an attribute with no more values than this is tried with all of them
_LEAST = {
    "payment_days": 0,
    "term_months": 1,
    "committed_months": 1,
    "total_contract_value": 0,
    "annual_contract_value": 0,
    "annual_recurring_revenue": 0,
}
_ALWAYS_GIVEN = frozenset(
    {"payment_days", "term_months", "committed_months", "billing", "risk_tier", "currency", "sku", "charge_type"}
)


def figures_of(rule: Rule) -> frozenset[Fact]:
    return frozenset(fact for fact in facts_of(rule) if fact.unit in NUMBERS)


def attributes_of(rules: Iterable[Rule]) -> list[Fact]:
    found = {fact for rule in rules for fact in facts_of(rule) if fact.unit not in NUMBERS}
    return sorted(found, key=lambda fact: fact.slot)


def values_of(fact: Fact, rules: Sequence[Rule]) -> tuple[Value | None, ...]:
    """The values of an attribute that these rules can tell apart."""
    silent: tuple[None, ...] = () if fact.name in _ALWAYS_GIVEN else (None,)
    if fact.unit is Unit.FLAG:
        return True, False, *silent
    if fact.values and len(fact.values) <= LISTED:
        return *(str(value) for value in fact.values), *silent
    named = dict.fromkeys(value for rule in rules for value in _named(fact, rule))
    if not fact.values:
        return *named, OTHER, *silent
    unnamed = next((str(value) for value in fact.values if value not in named), None)
    return *named, *(() if unnamed is None else (unnamed,)), *silent


def _named(fact: Fact, rule: Rule) -> Iterator[Value]:
    test = rule.test
    if isinstance(test, LimitTable | AllowedTable):
        for at, key in enumerate(test.keys):
            if key == fact:
                yield from (row.key[at] for row in test.rows if row.key[at] is not None)  # type: ignore[misc]
        if isinstance(test, AllowedTable) and test.fact == fact:
            yield from (value for row in test.rows for value in row.values)
    for leaf in leaves_of(rule):
        if leaf.fact == fact and not isinstance(leaf, Absent):
            yield from (leaf.value,) if isinstance(leaf, Compare) else leaf.values


def cells_of(facts: Sequence[Fact], rules: Sequence[Rule], most: int) -> list[Cell] | None:
    """Every combination of the attributes' values; None when there are more than `most`."""
    values = [values_of(fact, rules) for fact in facts]
    if prod(len(found) for found in values) > most:
        return None
    return [dict(zip(facts, found, strict=True)) for found in product(*values)]


def measured(cell: Cell) -> Facts:
    """The cell as rules see it, with no figures yet."""
    found: Facts = [None] * SLOTS
    for fact, value in cell.items():
        found[fact.slot] = value
    return found


def put(facts: Facts, fact: Fact, figure: Figure) -> None:
    up, down = (None, None) if figure is None else figure
    high, low = fact.slots
    facts[low] = down
    facts[high] = up


def finder(test: LimitTable | AllowedTable) -> Find:
    """Finds the row of the table that applies to a deal, or a number below zero."""
    return find_row(tuple(key.slot for key in test.keys), test.rows)


def figures_to_try(fact: Fact, thresholds: Iterable[int]) -> list[Figure]:
    """A figure on every threshold, in every gap, and none at all where a deal may leave it out."""
    found: list[Figure] = [] if fact.name in _ALWAYS_GIVEN else [None]
    ordered = sorted(set(thresholds)) or [0]
    percent = fact.unit is Unit.PERCENT
    least, most = _LEAST.get(fact.name), WHOLE if percent else None
    candidates = [(ordered[0], ordered[0] - 1) if percent else (ordered[0] - 1, ordered[0] - 1)]
    for threshold in ordered:
        candidates += [(threshold, threshold), (threshold + 1, threshold if percent else threshold + 1)]
    if least is not None:
        candidates.append((least, least))
    found += [
        (up, down) for up, down in candidates if (least is None or down >= least) and (most is None or up <= most)
    ]
    return found


class Thresholds:
    """The limits that some rules put on one figure, for the deals of a cell."""

    def __init__(self, fact: Fact, rules: Iterable[Rule]) -> None:
        self._fixed: list[int] = []
        self._finders: list[tuple[LimitTable, Find]] = []
        for rule in rules:
            if isinstance(rule.test, LimitTable) and rule.test.fact == fact:
                self._finders.append((rule.test, finder(rule.test)))
            for leaf in leaves_of(rule):
                if leaf.fact == fact and isinstance(leaf, Compare | Among):
                    values = leaf.values if isinstance(leaf, Among) else (leaf.value,)
                    self._fixed.extend(value for value in values if isinstance(value, int))

    def at(self, facts: Facts) -> list[int]:
        rows = [(table, find(facts)) for table, find in self._finders]
        return [*self._fixed, *(table.rows[row].limit for table, row in rows if row >= 0)]


def named_cells(chosen: Sequence[Cell], tried: Sequence[Cell]) -> str:
    """The chosen cells in words: by one attribute where that says it all, like "risk tier medium and high"."""
    for fact in tried[0] if tried else ():
        picked = list(dict.fromkeys(cell[fact] for cell in chosen))
        if len(chosen) == sum(cell[fact] in picked for cell in tried) and len(chosen) < len(tried):
            return f"{fact.label} {_listed([_value_text(fact, value) for value in picked])}"
    texts = [", ".join(f"{fact.label} {_value_text(fact, value)}" for fact, value in cell.items()) for cell in chosen]
    return "; ".join(texts[:3]) + (f" and {len(texts) - 3} more" if len(texts) > 3 else "")


def _value_text(fact: Fact, value: Value | None) -> str:
    return "not given" if value is None else plain(fact, value, "USD")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
