"""What a check has to say about a policy while somebody edits it: how bad, where, and what would be right."""

from __future__ import annotations

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


def finding_of(refused: InvalidPolicy) -> Finding:
    """The error that a policy which cannot be read amounts to."""
    code = next((code for words, code in _KINDS if words in refused.message), "malformed")
    told, _, right = refused.message.rpartition("; ")
    suggestion = right if told else f"it {right}" if right.startswith("must ") else ""
    return Finding(Severity.ERROR, code, refused.pointer, refused.message, suggestion, refused.span)
