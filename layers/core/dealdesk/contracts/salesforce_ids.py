"""Salesforce's record ids, and the ids of the desk that are derived from them."""

from __future__ import annotations

import re

from dealdesk.errors import Malformed

ID = re.compile(r"[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def same_id(left: str, right: str) -> bool:
    """The 15- and the 18-character form of an id are the same record."""
    return left[:15] == right[:15] and len(left) >= 15 and len(right) >= 15


def long_id(record_id: str) -> str:
    """The 18-character form: case-safe, with three letters that spell which of the others are capitals."""
    if not ID.fullmatch(record_id):
        raise Malformed(f"{record_id[:40]!r} is no Salesforce id; it has 15 or 18 letters and digits")
    short = record_id[:15]
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper())
        suffix += _LETTERS[bits]
    return short + suffix


def deal_id_of(record_id: str) -> str:
    """The deal of a CRM record: derived, so that two messages about one quote cannot make two deals."""
    return f"sf-{long_id(record_id)}"


def person_id_of(user_id: str) -> str:
    return f"person-sf-{long_id(user_id)}"
