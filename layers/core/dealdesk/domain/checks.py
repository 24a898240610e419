"""What a field of a quote must look like: each check passes, or raises with a pointer and what would be right."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

MAX_DIGITS = 15
MAX_DECIMALS = 15  # a unit price after a percent discount has more decimals than either of the two
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


class InvalidQuote(ValueError):
    """Refused because a field is wrong: `pointer` is a JSON pointer, the message says what would be right."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(f"{pointer}: {message}")
        self.pointer = pointer
        self.message = message


def text(pointer: str, value: object, longest: int) -> None:
    if not isinstance(value, str) or not value.strip() or len(value) > longest or _UNPRINTABLE.search(value):
        raise InvalidQuote(pointer, f"must be 1 to {longest} characters of text without control characters")


def member(pointer: str, value: object, kind: type[StrEnum]) -> None:
    if not isinstance(value, kind):
        raise InvalidQuote(pointer, f"must be one of {', '.join(kind)}")


def whole(pointer: str, value: object, least: int, most: int) -> None:
    if type(value) is not int or not least <= value <= most:
        raise InvalidQuote(pointer, f"must be a whole number from {least} to {most}")


def number(pointer: str, value: object) -> None:
    if not isinstance(value, Decimal) or not value.is_finite() or (value.is_signed() and value != 0):
        raise InvalidQuote(pointer, 'must be a number of zero or more, sent as a string like "85.00"')
    exponent = value.as_tuple().exponent
    too_fine = isinstance(exponent, int) and exponent < -MAX_DECIMALS
    if value.adjusted() >= MAX_DIGITS or too_fine:
        raise InvalidQuote(pointer, f"must have at most {MAX_DIGITS} digits before and {MAX_DECIMALS} after the point")


def day(pointer: str, value: object) -> None:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise InvalidQuote(pointer, "must be a date without a time, like 2027-01-31")
