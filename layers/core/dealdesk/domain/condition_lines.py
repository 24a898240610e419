"""What an approver may make a yes depend on, and how they type it in the CRM: one condition a line."""

from __future__ import annotations

from typing import Literal, get_args

from dealdesk.domain.events import Condition
from dealdesk.domain.money import parse_decimal
from dealdesk.errors import Malformed

MOST_CONDITIONS, VALUE_LIMIT = 20, 32
# Facts of the decision, by the names that it shows them with.
Fact = Literal[
    "discount_pct",
    "recurring_discount_pct",
    "one_time_discount_pct",
    "usage_discount_pct",
    "margin_pct",
    "payment_days",
    "term_months",
    "total_contract_value",
    "billing",
    "committed_months",
    "annual_contract_value",
    "annual_recurring_revenue",
    "discretionary_discount_pct",
    "exit_discount_pct",
    "later_segment_discount_pct",
    "delta_discount_pct",
]
Op = Literal["max", "min", "same"]


def read_conditions(text: str) -> tuple[Condition, ...]:
    """From lines like `discount_pct max 22` or `billing same annual`. Raises `Malformed`, naming the line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not 0 < len(lines) <= MOST_CONDITIONS:
        raise Malformed(
            f"a yes with conditions names 1 to {MOST_CONDITIONS} of them, one a line; there are {len(lines)}"
        )
    return tuple(map(_condition, lines))


def incomparable(fact: str, op: str, value: str) -> str:
    """Why this cannot be compared; empty where it can."""
    if op == "same":
        return ""
    if fact == "billing":
        return "billing is compared by `same`"
    try:
        parse_decimal(value)
    except ValueError:
        return f"{value[:VALUE_LIMIT]!r} is no number"
    return ""


def _condition(line: str) -> Condition:
    fact, _, rest = line.partition(" ")
    op, _, value = (part.strip() for part in rest.strip().partition(" "))
    fact, op = fact.lower(), op.lower()
    if fact not in get_args(Fact):
        raise Malformed(f"the condition {line[:80]!r} begins with none of {', '.join(get_args(Fact))}")
    if op not in get_args(Op) or not 0 < len(value) <= VALUE_LIMIT:
        raise Malformed(f"the condition {line[:80]!r} does not read like `{fact} max 22`, with max, min or same")
    if wrong := incomparable(fact, op, value):
        raise Malformed(f"the condition {line[:80]!r} cannot be compared: {wrong}")
    return Condition(fact, op, value)
