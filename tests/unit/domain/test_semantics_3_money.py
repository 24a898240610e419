"""Currency and money: no float, every currency's own decimals, and limits compared after one rounding."""

from __future__ import annotations

import ast
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dealdesk.domain
from dealdesk.adapters import codec
from dealdesk.domain.decision import Outcome
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.money import MINOR_UNITS, Money, to_major, to_minor
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import Quote
from dealdesk.domain.waterfall import Layer
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rate, a_rule
from tests.unit.domain.ramps import off, ramped, stacked

FLOOR = parse_policy(
    a_document(a_rule("FLOOR", fact="total_contract_value", op="min", rows=[{"key": [], "limit": "5000.00"}]))
)
ONE_TIME_LINES = [a_line("1", off="12.5"), stacked(off(Layer.PROMO, "3"), off(Layer.CREDIT, amount="7.77"), id="2")]


def test_3_no_float_stands_in_the_domain() -> None:
    modules = Path(dealdesk.domain.__path__[0]).glob("*.py")

    floats = [
        f"{module.name}:{node.lineno}"
        for module in modules
        for node in ast.walk(ast.parse(module.read_text()))
        if (isinstance(node, ast.Constant) and isinstance(node.value, float))
        or (isinstance(node, ast.Name) and node.id == "float")
    ]

    # Hours from quote to cash and the likeness of two words are no money.
    assert [place for place in floats if not place.startswith(("invoices.py", "facts.py"))] == []


def test_3_a_quote_is_stored_without_a_single_float() -> None:
    quote = a_quote(*ONE_TIME_LINES, ramped("50", "0", id="3"), amount_off=Decimal("100.01"))

    def refuse(text: str) -> None:
        raise AssertionError(text)

    stored = codec.dump(quote)
    json.loads(stored, parse_float=refuse)
    json.loads(json.dumps(to_json(evaluate(quote, FLOOR, {}))), parse_float=refuse)

    assert codec.parse(stored, Quote) == quote
    assert fingerprint(codec.parse(stored, Quote)) == fingerprint(quote)


@pytest.mark.parametrize("currency", sorted(MINOR_UNITS))
def test_3_5_000_of_any_currency_is_5_000_of_it(currency: str) -> None:
    quote = a_quote(a_line(unit="5000", quantity="1"), currency=currency)

    assert quote.net_total == Money(5_000 * 10 ** MINOR_UNITS[currency], currency)
    assert to_major(quote.net_total.amount_minor, currency) == 5_000


def test_3_5_000_yen_are_5_000_and_not_500_000() -> None:
    assert a_quote(a_line(unit="5000"), currency="JPY").net_total.amount_minor == 5_000


@pytest.mark.parametrize(
    ("currency", "amount_off", "shares"),
    [("JPY", "100", [34, 33, 33]), ("USD", "1.00", [34, 33, 33]), ("KWD", "0.100", [34, 33, 33])],
)
def test_3_an_amount_off_is_spread_in_the_minor_units_of_its_currency(
    currency: str, amount_off: str, shares: list[int]
) -> None:
    lines = [a_line(str(n), unit="1000") for n in range(3)]

    quote = a_quote(*lines, currency=currency, amount_off=Decimal(amount_off))

    thousand = 1_000 * 10 ** MINOR_UNITS[currency]
    assert [thousand - line.net_minor(currency) for line in quote.lines] == shares


@pytest.mark.parametrize(("net", "outcome"), [("4999.99", "needs_approval"), ("5000.00", "auto_approve")])
def test_3_a_limit_holds_to_the_minor_unit(net: str, outcome: str) -> None:
    assert evaluate(a_quote(a_line(net=net)), FLOOR, {}).outcome.value == outcome


@pytest.mark.parametrize(
    ("net", "value", "outcome"),
    [
        ("4629.62", "4999.99", "needs_approval"),  # 4,999.9896 USD
        ("4629.63", "5000.00", "auto_approve"),  # 5,000.0004 USD
    ],
)
def test_3_a_limit_is_compared_in_the_policys_currency_after_rounding_once(net: str, value: str, outcome: str) -> None:
    decision = evaluate(a_quote(a_line(net=net), currency="EUR"), FLOOR, a_rate("EUR", "1.08"))

    assert dict(decision.facts)["total_contract_value"] == value
    assert decision.outcome.value == outcome


def test_3_annual_figures_are_converted_and_rounded_once() -> None:
    quote = a_quote(a_line(unit="0.01", net="0.01"), currency="EUR", term_months=24)

    found = dict(evaluate(quote, FLOOR, a_rate("EUR", "1.99")).facts)

    # Half a cent a year would be one cent, and then 0.02 USD; rounded once it is 0.00995.
    assert found["annual_contract_value"] == found["annual_recurring_revenue"] == "0.01"


def test_3_the_dated_rate_stands_on_the_decision_and_a_missing_one_blocks() -> None:
    rates = a_rate("EUR", "1.08")
    quote = a_quote(currency="EUR")

    assert evaluate(quote, FLOOR, rates).fx == rates["EUR"]
    assert evaluate(quote, FLOOR, {}).outcome is Outcome.BLOCKED
    assert "annual_recurring_revenue" not in dict(evaluate(quote, FLOOR, {}).facts)


def test_3_what_the_customer_owes_is_never_converted() -> None:
    quote = a_quote(a_line(net="4629.63"), currency="EUR")

    evaluate(quote, FLOOR, a_rate("EUR", "1.08"))

    assert quote.net_total == Money(462_963, "EUR")


@given(st.integers(0, 10**12), st.sampled_from(sorted(MINOR_UNITS)))
def test_3_minor_and_major_units_are_inverse(amount_minor: int, currency: str) -> None:
    assert to_minor(to_major(amount_minor, currency), currency) == amount_minor


def test_3_one_price_has_one_fingerprint_however_its_numbers_are_written() -> None:
    quote = a_quote(*ONE_TIME_LINES, amount_off=Decimal("100.10"))

    assert fingerprint(replace(quote, amount_off=Decimal("100.1"))) == fingerprint(quote)
