"""Reads a policy document field by field, so that every refusal has a JSON pointer and a suggestion."""

from __future__ import annotations

import re
from typing import NamedTuple

from dealdesk.domain.facts import Fact, nearest, read_literal
from dealdesk.domain.money import EXACT, parse_decimal

_IDENTIFIER = re.compile("[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class InvalidPolicy(ValueError):
    """Refused: `pointer` is a JSON pointer; `span` the characters where a condition is wrong."""

    def __init__(self, pointer: str, message: str, span: tuple[int, int] | None = None) -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.pointer = pointer
        self.message = message
        self.span = span


class Node(NamedTuple):
    """A value of the document together with where it stands."""

    value: object
    pointer: str = ""

    def object(self) -> dict[str, object]:
        if not isinstance(self.value, dict):
            raise InvalidPolicy(self.pointer, "must be an object")
        return self.value

    def only(self, *names: str) -> None:
        """Refuses members that nobody would read: a misspelt guard must not silently be no guard."""
        for name in self.object():
            if name not in names:
                at = f"{self.pointer}/{_escaped(name)}"
                raise InvalidPolicy(at, f"is not known; {nearest(str(name), names)}")

    def has(self, name: str) -> bool:
        return name in self.object()

    def member(self, name: str) -> Node:
        members = self.object()
        if name not in members:
            raise InvalidPolicy(f"{self.pointer}/{_escaped(name)}", "is missing")
        return Node(members[name], f"{self.pointer}/{_escaped(name)}")

    def optional(self, name: str) -> Node | None:
        return self.member(name) if self.has(name) else None

    def items(self, least: int, most: int) -> list[Node]:
        if not isinstance(self.value, list) or not least <= len(self.value) <= most:
            count = str(least) if least == most else f"{least} to {most}"
            raise InvalidPolicy(self.pointer, f"must be a list of {count} items")
        return [Node(item, f"{self.pointer}/{index}") for index, item in enumerate(self.value)]

    def text(self, longest: int) -> str:
        if not isinstance(self.value, str) or not 1 <= len(self.value) <= longest:
            raise InvalidPolicy(self.pointer, f"must be a text of 1 to {longest} characters")
        return self.value

    def identifier(self) -> str:
        if not isinstance(self.value, str) or _IDENTIFIER.fullmatch(self.value) is None:
            raise InvalidPolicy(self.pointer, "must be up to 64 letters, digits, dots, dashes or underscores")
        return self.value

    def choice(self, *known: str) -> str:
        if not isinstance(self.value, str) or self.value not in known:
            found = str(self.value)[:60]
            right = nearest(found, known) if known else "add it first"
            raise InvalidPolicy(self.pointer, f"{found!r} is not known; {right}")
        return self.value

    def whole(self, least: int, most: int) -> int:
        if type(self.value) is not int or not least <= self.value <= most:
            raise InvalidPolicy(self.pointer, f"must be a whole number from {least} to {most}")
        return self.value

    def percent(self, most: int) -> int:
        """Basis points, of a text like "5.00"."""
        try:
            found = EXACT.scaleb(parse_decimal(self.value), 2)
        except ValueError as wrong:
            raise InvalidPolicy(self.pointer, str(wrong)) from None
        if found != int(found) or not 0 <= found <= most * 100:
            raise InvalidPolicy(self.pointer, f"must be a percentage from 0 to {most} with at most two decimals")
        return int(found)

    def literal(self, fact: Fact, currency: str) -> int | str | bool:
        """A value to compare the fact with, in the fact's inner unit."""
        try:
            return read_literal(fact, self.value, currency)
        except ValueError as wrong:
            raise InvalidPolicy(self.pointer, str(wrong)) from None


def _escaped(name: object) -> str:
    return str(name).replace("~", "~0").replace("/", "~1")
