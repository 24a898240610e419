"""A policy written out as two Python functions, so that judging a deal by all of its rules takes microseconds.

The text is made from the typed rules alone: slots of facts, operators, and names that stand for the policy's own
limits, values and rules. No character of a policy gets into it. `compile_rule` says the same rule by rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, cast

from dealdesk.domain.conditions import Absent, AllOf, Among, AnyOf, Compare, Condition, Not
from dealdesk.domain.facts import LINE_SLOTS, TERM_MONTHS, Fact, Facts
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Unknown, Value, facts_of

REMEMBERED_KEYS = 4_096


class Breach(NamedTuple):
    """A rule that is violated: by which row of its table, on which line or group of lines (places in the terms)."""

    rule: Rule
    row: int
    line: int | None
    group: tuple[int, ...] = ()


class Hit(NamedTuple):
    """A rule that a line violates: its place in the policy, and the row of its table."""

    place: int
    rule: Rule
    row: int


_Row = tuple[object, Breach | Hit]
"""What a row allows, and what is found where a deal goes beyond it."""


class Written(NamedTuple):
    """`deal` asks the rules on the whole deal, `line` those on a single line.

    `around_lines` picks the figures of the deal that rules on lines read, and the term, on which a line's own figures
    may hang: where they and the line stay the same, so does the answer. `reads` holds the slots that each rule reads,
    those on groups of lines too, which are not written out.
    """

    deal: Callable[[Facts], list[Breach]]
    line: Callable[[Facts], list[Hit]]
    around_lines: Callable[[Facts], object]
    reads: Mapping[str, frozenset[int]]


class Programme:
    """The rules of a policy as functions of the facts; they are written when a deal is first judged."""

    __slots__ = ("_rules", "_written")

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._written: Written | None = None

    @property
    def written(self) -> Written:
        if self._written is None:
            deal, line = Writer(self._rules, at_line=False), Writer(self._rules, at_line=True)
            reads = {rule.id: slots_of(rule) for rule in self._rules}
            around = (line.slots | {TERM_MONTHS}) - LINE_SLOTS
            self._written = Written(deal.function(), line.function(), itemgetter(*around), reads)
        return self._written


def slots_of(rule: Rule) -> frozenset[int]:
    return frozenset(slot for fact in facts_of(rule) for slot in fact.slots)


class Writer:
    """Writes one function of the facts: a statement for each rule, which adds the rule to what was found."""

    def __init__(self, rules: Sequence[Rule], *, at_line: bool) -> None:
        self.slots: set[int] = set()
        self._at_line = at_line
        self._names: dict[str, object] = {}
        statements: list[str] = []
        limits: dict[tuple[Fact, str], list[tuple[LimitTable, str]]] = {}
        for place, rule in enumerate(rules):
            if rule.scope == (at_line, None):
                statement, test = self._statement(place, rule), rule.test
                if at_line and isinstance(test, LimitTable):
                    limits.setdefault((test.fact, test.op), []).append((test, statement))
                else:
                    statements.append(statement)
        statements += [self._only_beyond(*figure, *zip(*limited, strict=True)) for figure, limited in limits.items()]
        reads = [f"f{slot} = facts[{slot}]" for slot in sorted(self.slots)]
        self.source = "\n    ".join(["def ask(facts):", "found = []", *reads, *statements, "return found\n"])

    def function(self) -> Callable[[Facts], list[Any]]:
        written = dict(self._names)
        exec(compile(self.source, "<policy>", "exec"), written)
        return cast(Callable[[Facts], list[Any]], written["ask"])

    def _only_beyond(self, fact: Fact, op: str, tables: Sequence[LimitTable], statements: Sequence[str]) -> str:
        """The limits on one figure of a line, asked only where it lies beyond the strictest of them all."""
        found = [row.limit for table in tables for row in table.rows]
        read, strictest = self._figure(fact, op), self._name(min(found) if op == "max" else max(found))
        return "\n        ".join([f"if {read} is not None and {read} {_BEYOND[op]} {strictest}:", *statements])

    def _figure(self, fact: Fact, op: str) -> str:
        high, low = fact.slots
        return self._read(high if op == "max" else low)

    def _found(self, place: int, rule: Rule, row: int) -> Breach | Hit:
        return Hit(place, rule, row) if self._at_line else Breach(rule, row, None)

    def _statement(self, place: int, rule: Rule) -> str:
        guard = "" if rule.when is None else f"{self._holds(rule.when)} and "
        match rule.test:
            case LimitTable() as table:
                figure = self._figure(table.fact, table.op)
                rows = [(row.limit, self._found(place, rule, number)) for number, row in enumerate(table.rows)]
                beyond = _BEYOND[table.op]
                return self._table(guard, figure, table, rows, lambda limit: f"{figure} {beyond} {limit}")
            case AllowedTable() as table:
                value = self._read(table.fact.slot)
                allowed = [
                    (frozenset(row.values), self._found(place, rule, number)) for number, row in enumerate(table.rows)
                ]
                return self._table(guard, value, table, allowed, lambda values: f"{value} not in {values}")
            case Unknown():
                raise TypeError(f"{rule.id} is no rule of a policy")
            case condition:
                hit = self._name(self._found(place, rule, 0))
                return f"if {guard}{self._holds(condition)}: found.append({hit})"

    def _table(
        self,
        guard: str,
        read: str,
        table: LimitTable | AllowedTable,
        rows: Sequence[_Row],
        violated: Callable[[str], str],
    ) -> str:
        if not table.keys:
            (bound, hit), *_ = rows
            test, hit_name = violated(self._name(bound)), self._name(hit)
            return f"if {guard}{read} is not None and {test}: found.append({hit_name})"
        row = self._row(table, rows)
        return f"if {guard}{read} is not None and (row := {row}) and {violated('row[0]')}: found.append(row[1])"

    def _row(self, table: LimitTable | AllowedTable, rows: Sequence[_Row]) -> str:
        """The row whose key the facts match first: looked up, or searched once for each combination of values."""
        values = [self._read(key.slot) for key in table.keys]
        keys = [row.key for row in table.rows]
        if len(values) == 1:
            first, otherwise = _by_one(zip((key for (key,) in keys), rows, strict=True))
            return f"{self._name(first.get)}({values[0]}, {self._name(otherwise)})"
        found = f"({', '.join(values)})"
        if not any(value is None for key in keys for value in key):
            exact = dict(reversed(list(zip(keys, rows, strict=True))))
            return f"{self._name(exact.get)}({found})"
        return f"{self._name(_scan(list(zip(keys, rows, strict=True))))}({found})"

    def _holds(self, condition: Condition) -> str:
        """An expression that is true where the condition is true, and not where the deal does not say."""
        match condition:
            case Compare(fact, op, value):
                return self._compared(fact, op, value)
            case Among(fact, values):
                return _joined(" or ", [self._compared(fact, "==", value) for value in values])
            case Absent(fact):
                return f"{self._read(fact.slot)} is None"
            case Not(term):
                return self._fails(term)
            case AllOf(terms):
                return _joined(" and ", [self._holds(term) for term in terms])
            case AnyOf(terms):
                return _joined(" or ", [self._holds(term) for term in terms])

    def _fails(self, condition: Condition) -> str:
        """An expression that is true where the condition is false."""
        match condition:
            case Compare(fact, op, value):
                return self._compared(fact, _OPPOSITE[op], value)
            case Among(fact, values):
                return _joined(" and ", [self._compared(fact, "!=", value) for value in values])
            case Absent(fact):
                return f"{self._read(fact.slot)} is not None"
            case Not(term):
                return self._holds(term)
            case AllOf(terms):
                return _joined(" or ", [self._fails(term) for term in terms])
            case AnyOf(terms):
                return _joined(" and ", [self._fails(term) for term in terms])

    def _compared(self, fact: Fact, op: str, value: Value) -> str:
        """`a > b` and `a <= b` read the figure rounded up, `<` and `>=` rounded down, equality both."""
        high, low = map(self._read, fact.slots)
        name = self._name(value)
        if op == "==":
            return f"{high} == {name}" if high == low else f"({high} == {name} == {low})"
        if op == "!=":
            differs = f"{high} != {name}" if high == low else f"not ({high} == {name} == {low})"
            return f"({high} is not None and {differs})"
        read = high if op in (">", "<=") else low
        return f"({read} is not None and {read} {op} {name})"

    def _read(self, slot: int) -> str:
        self.slots.add(slot)
        return f"f{slot}"

    def _name(self, value: object) -> str:
        name = f"c{len(self._names)}"
        self._names[name] = value
        return name


_BEYOND = {"max": ">", "min": "<"}
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


def _joined(word: str, terms: Sequence[str]) -> str:
    return terms[0] if len(terms) == 1 else f"({word.join(terms)})"


def _by_one(rows: Iterable[tuple[Value | None, _Row]]) -> tuple[dict[Value, _Row], _Row | None]:
    """The rows by their key, and the row of the wildcard; what comes after a wildcard is never reached."""
    first: dict[Value, _Row] = {}
    for key, row in rows:
        if key is None:
            return first, row
        first.setdefault(key, row)
    return first, None


def _scan(rows: Sequence[tuple[tuple[Value | None, ...], _Row]]) -> Callable[[tuple[Value | None, ...]], _Row | None]:
    @lru_cache(maxsize=REMEMBERED_KEYS)
    def first_match(found: tuple[Value | None, ...]) -> _Row | None:
        for key, row in rows:
            if all(wanted is None or wanted == value for wanted, value in zip(key, found, strict=True)):
                return row
        return None

    return first_match
