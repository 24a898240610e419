"""What a check has to say about a policy while somebody edits it: how bad, where, and what would be right."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from dealdesk.domain.policy_json import InvalidPolicy


class Severity(StrEnum):
    """An error keeps a policy from being published; a warning is probably a slip; a note is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """`pointer` is a JSON pointer into the document; `span` the characters of a condition's text."""

    severity: Severity
    code: str
    pointer: str
    message: str
    suggestion: str = ""
    span: tuple[int, int] | None = None


# What the reader of policies says, and the kind of mistake that it is.
_KINDS = (
    ("there is no fact", "unknown_fact"),
    ("is known of a line only", "wrong_scope"),
    ("is not a value of", "unknown_value"),
    ("is missing", "missing"),
    ("is not known", "unknown_name"),
    ("given in percent", "wrong_unit"),
    ("is a whole number of", "wrong_unit"),
    ("decimals,", "wrong_unit"),
    ("number", "wrong_type"),
    ("is compared with", "wrong_type"),
    ("is true or false", "wrong_type"),
    ("has no order", "wrong_type"),
    ("is a figure", "wrong_type"),
)


# What would be right, where the message itself does not end with it.
_RIGHT = (
    (re.compile(r"compared with (.+?)(?:, not |$)"), r"compare it with \1"),
    (re.compile(r"expected (.+?)(?: instead of| before|, not )"), r"write \1 there"),
    (re.compile(r"(must .+)"), r"it \1"),
    (re.compile("is missing"), "add it"),
    (re.compile("like ([0-9.]+)$"), r"write it like \1"),
    (re.compile("is (a whole number of .+)"), r"write \1"),
    (re.compile("has ([0-9]+ decimals), "), r"write at most \1"),
    (re.compile("is (true or false)"), r"write \1"),
    (re.compile("already|desk itself"), "use another, or remove one of the two"),
    (re.compile("at most [0-9]+"), "split it into several rules"),
    (re.compile("can't start a word"), "remove it, or write a text in quotes and a number in plain digits"),
)


def finding_of(refused: InvalidPolicy) -> Finding:
    """The error that a policy which cannot be read amounts to."""
    code = next((code for words, code in _KINDS if words in refused.message), "malformed")
    return Finding(Severity.ERROR, code, refused.pointer, refused.message, _right(refused.message), refused.span)


def _right(message: str) -> str:
    told, _, right = message.rpartition("; ")
    if told:
        return right
    found = ((pattern.search(message), words) for pattern, words in _RIGHT)
    return next((match.expand(words) for match, words in found if match), "see what else may stand there")
