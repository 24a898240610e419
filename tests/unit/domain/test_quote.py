"""A quote that exists is valid; everything else is refused with a pointer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from dealdesk.domain.money import Money
from dealdesk.domain.quote import MAX_LINES, ChargeType, Customer, InvalidQuote, Providers, Risk
from tests.unit.domain.quotes import a_line, a_quote


@pytest.mark.parametrize(
    ("text", "risk"),
    [
        ("low", Risk.LOW),
        (" HIGH ", Risk.HIGH),
        ("Medium", Risk.MEDIUM),
        ("", Risk.MEDIUM),
        ("severe", Risk.MEDIUM),
        (None, Risk.MEDIUM),
    ],
)
def test_an_unknown_risk_is_medium(text: str | None, risk: Risk) -> None:
    assert Risk.parse(text) is risk


def test_totals_are_sums_of_rounded_lines() -> None:
    thirds = [a_line(str(n), unit="0.335", net="0.335") for n in range(3)]

    assert a_quote(*thirds).net_total == Money(102, "USD")


def test_totals_are_kept_apart_by_charge_type() -> None:
    quote = a_quote(a_line("1", unit="100", off="10"), a_line("2", unit="50", charge=ChargeType.ONE_TIME, off="100"))

    assert quote.list_total_of(ChargeType.RECURRING) == Money(10_000, "USD")
    assert quote.net_total_of(ChargeType.RECURRING) == Money(9_000, "USD")
    assert quote.net_total_of(ChargeType.ONE_TIME) == Money(0, "USD")


def test_a_line_multiplies_quantity_and_periods() -> None:
    line = a_line(unit="100.00", net="85.00", quantity="10", periods=12, cost="20")

    amounts = line.list_minor("USD"), line.net_minor("USD"), line.cost_minor("USD")

    assert amounts == (1_200_000, 1_020_000, 240_000)


@pytest.mark.parametrize(
    ("pointer", "fields"),
    [
        ("/name", {"name": " "}),
        ("/name", {"name": "a\x00b"}),
        ("/name", {"name": "\ud800"}),
        ("/owner_id", {"owner_id": ""}),
        ("/customer/id", {"customer": Customer("", "Acme", "US")}),
        ("/customer/country", {"customer": Customer("a", "Acme", "USA")}),
        ("/currency", {"currency": "usd"}),
        ("/risk", {"risk": "low"}),
        ("/billing", {"billing": "weekly"}),
        ("/payment_terms_days", {"payment_terms_days": -1}),
        ("/payment_terms_days", {"payment_terms_days": True}),
        ("/payment_terms_days", {"payment_terms_days": 30.0}),
        ("/term_months", {"term_months": 0}),
        ("/segment", {"segment": "x" * 129}),
        ("/new_logo", {"new_logo": "yes"}),
        ("/valid_until", {"valid_until": datetime(2027, 1, 1, tzinfo=UTC)}),
        ("/providers/payment", {"providers": Providers(payment="")}),
        ("/lines", {"lines": ()}),
        ("/lines", {"lines": tuple(a_line(str(n)) for n in range(MAX_LINES + 1))}),
        ("/lines", {"lines": (a_line(unit="999999999999999"),)}),
        ("/lines/1/id", {"lines": (a_line("1"), a_line("1"))}),
    ],
)
def test_a_wrong_field_is_named(pointer: str, fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidQuote, match="must") as refused:
        a_quote(**fields)

    assert refused.value.pointer == pointer


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", Decimal(0)),
        ("quantity", Decimal("-1")),
        ("quantity", Decimal("NaN")),
        ("quantity", Decimal("1E+15")),
        ("quantity", Decimal("1E-16")),
        ("quantity", 1.5),
        ("periods", 0),
        ("periods", 10_001),
        ("net_unit_price", Decimal("-0.01")),
        ("net_unit_price", Decimal("Infinity")),
        ("list_unit_price", Decimal("1E+999999")),
        ("unit_cost", Decimal(-1)),
        ("charge_type", "recurring"),
        ("sku", ""),
    ],
)
def test_a_wrong_field_of_a_line_is_named_with_its_place(field: str, value: Any) -> None:
    wrong: Any = {field: value}

    with pytest.raises(InvalidQuote) as refused:
        a_quote(a_line("a"), replace(a_line("b"), **wrong))

    assert refused.value.pointer == f"/lines/1/{field}"


def test_what_may_be_left_out_may_be_left_out() -> None:
    quote = a_quote(valid_until=date(2027, 1, 31), customer=Customer("a", "Acme", ""))

    assert (quote.segment, quote.new_logo, quote.providers) == (None, None, Providers())
