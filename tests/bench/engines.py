"""Other people's rule engines on the same facts: the policy is translated once, compiled once, and asked deal by deal.

An engine gets one array of yes-or-no questions for the rules on deals and one for those on lines, and is asked once
for the deal and once for each line, as our own core is. Figures are the same whole numbers, with both roundings.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from dealdesk.domain.conditions import Absent, AllOf, Among, AnyOf, Compare, Condition, Not
from dealdesk.domain.facts import FACTS, Fact, Facts
from dealdesk.domain.policy import Policy
from dealdesk.domain.rules import AllowedTable, LimitTable, Rule, Unknown

Expression = tuple[Any, ...]
"""(operator, operands…): and, or, if, the comparisons, and `known` or `unknown` with a name."""
Context = dict[str, int | str | bool | None]
Ask = Callable[[Context], Sequence[bool]]
OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
NEVER: Expression = ("==", 0, 1)
COMPARISONS = frozenset(OPPOSITE)


class Engine:
    """An engine with the policy: `violated` answers the ids of the rules that a deal violates."""

    def __init__(self, name: str, compiled: Callable[[list[Expression], list[str]], Ask], policy: Policy) -> None:
        self.name = name
        self._deal = _Questions([rule for rule in policy.rules if not rule.at_line], compiled)
        self._line = _Questions([rule for rule in policy.rules if rule.at_line], compiled)

    def contexts(self, deal: Facts, lines: Iterable[Facts]) -> tuple[Context, list[Context]]:
        """What the engine reads, made beforehand: only asking is measured."""
        return self._deal.context(deal), [self._line.context(line) for line in lines]

    def violated(self, deal: Context, lines: Iterable[Context]) -> set[str]:
        return self._deal.violated([deal]) | self._line.violated(lines)


class _Questions:
    def __init__(self, rules: Sequence[Rule], compiled: Callable[[list[Expression], list[str]], Ask]) -> None:
        self._ids = [rule.id for rule in rules]
        questions = [violates(rule) for rule in rules]
        self._names = sorted({name for question in questions for name in names_in(question)})
        self._ask = compiled(questions, self._names)

    def context(self, facts: Facts) -> Context:
        return {name: facts[SLOTS[name]] for name in self._names}

    def violated(self, contexts: Iterable[Context]) -> set[str]:
        found: set[str] = set()
        for context in contexts:
            found.update([id for id, yes in zip(self._ids, self._ask(context), strict=True) if yes])
        return found


def _name(fact: Fact, op: str) -> str:
    """`>` and `<=` read a figure rounded up, `<` and `>=` rounded down."""
    high, low = fact.slots
    return fact.name if high == low or op in (">", "<=") else f"{fact.name}_down"


SLOTS = {_name(fact, op): at for fact in FACTS.values() for op, at in zip("><", fact.slots, strict=True)}


def names_in(expression: Expression) -> set[str]:
    operator, *operands = expression
    if operator in COMPARISONS or operator in ("known", "unknown"):
        return {operands[0]} if isinstance(operands[0], str) else set()
    return {name for operand in operands for name in names_in(operand)}


def violates(rule: Rule) -> Expression:
    """The rule as a question: does the deal violate it?"""
    match rule.test:
        case LimitTable(fact, op, keys, rows):
            beyond = ">" if op == "max" else "<"
            asked = _first_row(keys, [(row.key, _compare(fact, beyond, row.limit)) for row in rows])
        case AllowedTable(fact, keys, rows):
            known: Expression = ("known", fact.name)
            others = [("and", known, *(("!=", fact.name, value) for value in row.values)) for row in rows]
            asked = _first_row(keys, list(zip((row.key for row in rows), others, strict=True)))
        case Unknown():
            raise TypeError(f"{rule.id} is no rule of a policy")
        case condition:
            asked = holds(condition, wanted=True)
    return asked if rule.when is None else ("and", holds(rule.when, wanted=True), asked)


def _first_row(keys: tuple[Fact, ...], rows: Sequence[tuple[tuple[Any, ...], Expression]]) -> Expression:
    found = NEVER
    for key, asked in reversed(rows):
        matches = [("==", fact.name, value) for fact, value in zip(keys, key, strict=False) if value is not None]
        found = ("if", _all(matches), asked, found) if matches else asked
    return found


def _compare(fact: Fact, op: str, value: int | str | bool) -> Expression:
    if op in ("==", "!="):
        names = dict.fromkeys((_name(fact, ">"), _name(fact, "<")))
        same = [(op, name, value) for name in names]
        return _all(same) if op == "==" else ("and", ("known", fact.name), _any(same))
    name = _name(fact, op)
    return ("and", ("known", name), (op, name, value))


def holds(condition: Condition, *, wanted: bool) -> Expression:
    """True where the condition is true, or false if that is wanted; never where the deal does not say."""
    match condition:
        case Compare(fact, op, value):
            return _compare(fact, op if wanted else OPPOSITE[op], value)
        case Among(fact, values):
            terms = [_compare(fact, "==" if wanted else "!=", value) for value in values]
            return _any(terms) if wanted else _all(terms)
        case Absent(fact):
            return ("unknown" if wanted else "known", fact.name)
        case Not(term):
            return holds(term, wanted=not wanted)
        case AllOf(terms) | AnyOf(terms):
            parts = [holds(term, wanted=wanted) for term in terms]
            return _all(parts) if isinstance(condition, AllOf) is wanted else _any(parts)


def _all(terms: Sequence[Expression]) -> Expression:
    return terms[0] if len(terms) == 1 else ("and", *terms)


def _any(terms: Sequence[Expression]) -> Expression:
    return terms[0] if len(terms) == 1 else ("or", *terms)


def _as_text(expression: Expression, both: str, either: str) -> str:
    operator, *operands = expression
    if operator in ("and", "or"):
        word = both if operator == "and" else either
        return f"({f' {word} '.join(_as_text(operand, both, either) for operand in operands)})"
    if operator == "if":
        asked, then, otherwise = (_as_text(operand, both, either) for operand in operands)
        return f"({asked} ? {then} : {otherwise})"
    if operator in ("known", "unknown"):
        return f"{operands[0]} {'!=' if operator == 'known' else '=='} null"
    return f"{operands[0]} {operator} {json.dumps(operands[1])}"


def _as_json_logic(expression: Expression) -> dict[str, Any]:
    operator, *operands = expression
    if operator in ("and", "or", "if"):
        return {operator: [_as_json_logic(operand) for operand in operands]}
    name: Any = {"var": operands[0]} if isinstance(operands[0], str) else operands[0]
    if operator in ("known", "unknown"):
        return {"!==" if operator == "known" else "===": [name, None]}
    exact = {"==": "===", "!=": "!=="}
    return {exact.get(operator, str(operator)): [name, operands[1]]}


def _cel(questions: list[Expression], names: list[str]) -> Ask:
    from cel_expr_python import cel

    environment = cel.NewEnv(variables=dict.fromkeys(names, cel.Type.DYN))
    compiled = environment.compile(f"[{', '.join(_as_text(question, '&&', '||') for question in questions)}]")
    return lambda context: compiled.eval(data=context).plain_value()


def _zen(questions: list[Expression], names: list[str]) -> Ask:
    import zen

    compiled = zen.compile_expression(f"[{', '.join(_as_text(question, 'and', 'or') for question in questions)}]")
    ask: Ask = compiled.evaluate
    return ask


def _datalogic(questions: list[Expression], names: list[str]) -> Ask:
    from datalogic_py import Engine as DataLogic

    compiled = DataLogic().compile([_as_json_logic(question) for question in questions])
    ask: Ask = compiled.evaluate
    return ask


def engines(policy: Policy) -> list[Engine]:
    """Every engine, with the policy compiled."""
    known = {"cel_expr_python": _cel, "zen_engine": _zen, "datalogic_py": _datalogic}
    return [Engine(name, compiled, policy) for name, compiled in known.items()]
