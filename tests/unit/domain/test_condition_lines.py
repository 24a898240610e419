"""What an approver types in the CRM becomes the conditions that REST takes, or is refused with the line named."""

from __future__ import annotations

from typing import get_args

import pytest

from dealdesk.domain.condition_lines import MOST_CONDITIONS, Fact, read_conditions
from dealdesk.domain.events import Condition
from dealdesk.errors import Malformed


def test_each_line_is_a_condition_and_empty_lines_are_none() -> None:
    typed = "discount_pct max 22\r\n\n  Payment_Days  MAX  30\nbilling same annual\n"

    assert read_conditions(typed) == (
        Condition("discount_pct", "max", "22"),
        Condition("payment_days", "max", "30"),
        Condition("billing", "same", "annual"),
    )


@pytest.mark.parametrize("fact", get_args(Fact))
def test_every_fact_that_rest_takes_can_be_typed(fact: str) -> None:
    assert read_conditions(f"{fact} same 1") == (Condition(fact, "same", "1"),)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "there are 0"),
        ("  \n ", "there are 0"),
        ("\n".join(["discount_pct max 22"] * (MOST_CONDITIONS + 1)), "there are 21"),
        ("at most 22 percent", "begins with none of"),
        ("discount max 22", "begins with none of"),
        ("discount_pct up to 22", "does not read like"),
        ("discount_pct max", "does not read like"),
        ("discount_pct", "does not read like"),
        (f"billing same {'a' * 33}", "does not read like"),
        ("discount_pct max 22%", "is no number"),
        ("discount_pct max 2e1", "is no number"),
        ("billing max annual", "compared by"),
    ],
)
def test_what_cannot_be_enforced_is_refused(typed: str, words: str) -> None:
    with pytest.raises(Malformed, match=words):
        read_conditions(typed)


def test_one_line_that_cannot_be_read_refuses_them_all() -> None:
    with pytest.raises(Malformed, match="payment_days less"):
        read_conditions("discount_pct max 22\npayment_days less 30")
