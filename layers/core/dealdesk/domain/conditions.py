"""Conditions of a policy as a closed, typed tree, which the form editor makes and CEL-shaped text becomes.

Values stand in the fact's inner unit. Where the deal does not say (no segment given, no costs), a comparison
is neither true nor false, and a rule applies only when its condition is true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from dealdesk.domain.facts import Fact, Facts, Unit, plain

Test = Callable[[Facts], bool | None]


class Compare(NamedTuple):
    """`op` is one of == != < <= > >=."""

    fact: Fact
    op: str
    value: int | str | bool


class Among(NamedTuple):
    """The fact has one of these values."""

    fact: Fact
    values: tuple[int | str | bool, ...]


class Absent(NamedTuple):
    """The deal does not say; written `fact == null`."""

    fact: Fact


class Not(NamedTuple):
    term: Condition


class AllOf(NamedTuple):
    terms: tuple[Condition, ...]


class AnyOf(NamedTuple):
    terms: tuple[Condition, ...]


Condition = Compare | Among | Absent | Not | AllOf | AnyOf


def leaves(condition: Condition) -> Iterator[Compare | Among | Absent]:
    """The comparisons in it, from left to right."""
    match condition:
        case Not(term):
            yield from leaves(term)
        case AllOf(terms) | AnyOf(terms):
            for term in terms:
                yield from leaves(term)
        case _:
            yield condition


def render(condition: Condition, currency: str) -> str:
    """The condition as text that parses to the same tree."""
    match condition:
        case Compare(fact, op, value):
            return f"{fact.name} {op} {_literal(fact, value, currency)}"
        case Among(fact, values):
            return f"{fact.name} in [{', '.join(_literal(fact, value, currency) for value in values)}]"
        case Absent(fact):
            return f"{fact.name} == null"
        case Not(term):
            return f"!({render(term, currency)})"
        case AllOf(terms):
            return " && ".join(_nested(term, currency) for term in terms)
        case AnyOf(terms):
            return " || ".join(_nested(term, currency) for term in terms)


def _nested(term: Condition, currency: str) -> str:
    text = render(term, currency)
    return f"({text})" if isinstance(term, AllOf | AnyOf) else text


def _literal(fact: Fact, value: int | str | bool, currency: str) -> str:
    text = plain(fact, value, currency)
    if fact.unit is not Unit.TEXT:
        return text
    return f'"{text}"' if "'" in text else f"'{text}'"


def compile_condition(condition: Condition) -> Test:
    """A function of the facts that answers true, false, or None for "the deal does not say"."""
    match condition:
        case Compare(fact, op, value):
            return _compile_comparison(fact, op, value)
        case Among(fact, values):
            return _any([_compile_comparison(fact, "==", value) for value in values])
        case Absent(fact):
            return lambda facts, at=fact.slot: facts[at] is None  # type: ignore[misc]
        case Not(term):
            return _negate(compile_condition(term))
        case AllOf(terms):
            return _all([compile_condition(term) for term in terms])
        case AnyOf(terms):
            return _any([compile_condition(term) for term in terms])


def _negate(test: Test) -> Test:
    def negated(facts: Facts) -> bool | None:
        answer = test(facts)
        return None if answer is None else not answer

    return negated


def _all(tests: list[Test]) -> Test:
    def every(facts: Facts) -> bool | None:
        verdict: bool | None = True
        for test in tests:
            answer = test(facts)
            if answer is False:
                return False
            if answer is None:
                verdict = None
        return verdict

    return every


def _any(tests: list[Test]) -> Test:
    def some(facts: Facts) -> bool | None:
        verdict: bool | None = False
        for test in tests:
            answer = test(facts)
            if answer:
                return True
            if answer is None:
                verdict = None
        return verdict

    return some


def _compile_comparison(fact: Fact, op: str, value: int | str | bool) -> Test:
    at, low = fact.slots
    if op == "!=":
        return _negate(_compile_comparison(fact, "==", value))
    if op == "==":

        def equal(facts: Facts) -> bool | None:
            found = facts[at]
            return None if found is None else found == value and facts[low] == value

        return equal
    assert isinstance(value, int), "the reader lets only numbers be ordered"
    return _ordered(low if op in ("<", ">=") else at, op, value)


def _ordered(at: int, op: str, value: int) -> Test:
    if op in (">", "<="):
        wanted = op == ">"

        def above(facts: Facts) -> bool | None:
            found = facts[at]
            return (found > value) is wanted if isinstance(found, int) else None

        return above
    below_wanted = op == "<"

    def below(facts: Facts) -> bool | None:
        found = facts[at]
        return (found < value) is below_wanted if isinstance(found, int) else None

    return below
