"""Reads conditions that power users type, like `risk_tier != 'low' && discount_pct > 12.50`.

The shape is CEL's, without calls, arithmetic or regular expressions. Work is bounded before it starts: 2,000
characters, 24 levels of brackets, 200 comparisons. A refusal says where, and what would be right.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from dealdesk.domain.conditions import Absent, AllOf, Among, AnyOf, Compare, Condition, Not
from dealdesk.domain.facts import NUMBERS, Fact, Unit, fact_named, read_literal

MAX_LENGTH = 2_000
MAX_DEPTH = 24
MAX_TERMS = 200
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<op>&&|\|\||==|!=|<=|>=|[<>!()\[\],])
    |(?P<number>-?[0-9]+(?:\.[0-9]+)?(?![A-Za-z0-9_.]))
    |(?P<string>'[^'"\\\x00-\x1f\ud800-\udfff]*'|"[^"\\\x00-\x1f\ud800-\udfff]*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)""",
    re.VERBOSE,
)
_COMPARISONS = frozenset({"==", "!=", "<", "<=", ">", ">="})
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_CONSTANTS: dict[str, bool | None] = {"true": True, "false": False, "null": None}


class InvalidCondition(ValueError):
    """Refused: `position` and `end` are the characters concerned, the message says what would be right."""

    def __init__(self, position: int, end: int, message: str) -> None:
        super().__init__(f"at character {position}: {message}")
        self.position = position
        self.end = end
        self.message = message


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


def parse_condition(text: str, *, at_line: bool = False, currency: str = "USD") -> Condition:
    """The tree for the text; InvalidCondition otherwise. Money is read in `currency`, the policy's own."""
    if len(text) > MAX_LENGTH:
        raise InvalidCondition(MAX_LENGTH, len(text), f"a condition has at most {MAX_LENGTH} characters")
    reader = _Reader(_tokens(text), at_line, currency)
    condition = reader.either(0)
    if (rest := reader.peek()).kind != "end":
        raise InvalidCondition(rest.start, rest.end, f"expected && or || before {rest.text[:40]!r}")
    return condition


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise InvalidCondition(position, position + 1, f"{text[position]!r} can't start a word here")
        if match.lastgroup != "space":
            found.append(_Token(str(match.lastgroup), match.group(), position, match.end()))
        position = match.end()
    found.append(_Token("end", "the end", len(text), len(text)))
    return found


class _Reader:
    """Recursive descent over the tokens; depth and terms are counted on the way."""

    def __init__(self, tokens: list[_Token], at_line: bool, currency: str) -> None:
        self._tokens = tokens
        self._next = 0
        self._terms = 0
        self._at_line = at_line
        self._currency = currency

    def peek(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._take()
        if token.text != text:
            raise InvalidCondition(token.start, token.end, f"expected {text} instead of {token.text[:40]!r}")

    def either(self, depth: int) -> Condition:
        terms = [self._both(depth)]
        while self.peek().text == "||":
            self._take()
            terms.append(self._both(depth))
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms))

    def _both(self, depth: int) -> Condition:
        terms = [self._single(depth)]
        while self.peek().text == "&&":
            self._take()
            terms.append(self._single(depth))
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms))

    def _single(self, depth: int) -> Condition:
        token = self.peek()
        if depth > MAX_DEPTH:
            raise InvalidCondition(token.start, token.end, f"at most {MAX_DEPTH} levels of brackets")
        if token.text == "!":
            self._take()
            return Not(self._single(depth + 1))
        if token.text == "(":
            self._take()
            inner = self.either(depth + 1)
            self._expect(")")
            return inner
        self._terms += 1
        if self._terms > MAX_TERMS:
            raise InvalidCondition(token.start, token.end, f"at most {MAX_TERMS} comparisons")
        return self._comparison(token)

    def _comparison(self, token: _Token) -> Condition:
        if token.kind in ("number", "string") or token.text in _CONSTANTS:
            literal = self._take()
            op = self._operator()
            return self._compare(self._fact(), _FLIPPED[op], literal)
        fact = self._fact()
        if self.peek().text == "in":
            self._take()
            return self._among(fact)
        if fact.unit is Unit.FLAG and self.peek().text not in _COMPARISONS:
            return Compare(fact, "==", True)
        op = self._operator()
        return self._compare(fact, op, self._take())

    def _fact(self) -> Fact:
        token = self._take()
        if token.kind != "word" or token.text in _CONSTANTS:
            raise InvalidCondition(token.start, token.end, f"expected a fact instead of {token.text[:40]!r}")
        try:
            return fact_named(token.text, at_line=self._at_line)
        except ValueError as wrong:
            raise InvalidCondition(token.start, token.end, str(wrong)) from None

    def _operator(self) -> str:
        token = self._take()
        if token.text not in _COMPARISONS:
            raise InvalidCondition(token.start, token.end, f"expected == != < <= > >= or in, not {token.text[:40]!r}")
        return token.text

    def _compare(self, fact: Fact, op: str, literal: _Token) -> Condition:
        if literal.text == "null" and op in ("==", "!="):
            return Absent(fact) if op == "==" else Not(Absent(fact))
        if op not in ("==", "!=") and fact.unit not in NUMBERS:
            raise InvalidCondition(literal.start, literal.end, f"{fact.name} has no order; use == or !=")
        return Compare(fact, op, self._value(fact, literal))

    def _among(self, fact: Fact) -> Condition:
        self._expect("[")
        values = [self._value(fact, self._take())]
        while self.peek().text == ",":
            self._take()
            values.append(self._value(fact, self._take()))
        self._expect("]")
        return Among(fact, tuple(values))

    def _value(self, fact: Fact, token: _Token) -> int | str | bool:
        wanted = {Unit.TEXT: "string", Unit.FLAG: "word"}.get(fact.unit, "number")
        if token.kind != wanted:
            right = {"string": "a text in quotes", "word": "true or false"}.get(wanted, "a plain number")
            raise InvalidCondition(
                token.start, token.end, f"{fact.name} is compared with {right}, not {token.text[:40]!r}"
            )
        value = {"string": token.text[1:-1], "word": _CONSTANTS.get(token.text)}.get(wanted, token.text)
        try:
            return read_literal(fact, value, self._currency)
        except ValueError as wrong:
            raise InvalidCondition(token.start, token.end, str(wrong)) from None
