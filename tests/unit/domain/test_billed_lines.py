"""The draft bills what was agreed: line by line, in quantities and prices that a ledger can multiply."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import InvoiceDraft, InvoiceStaged
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.invoices import draft, terms_of
from dealdesk.domain.money import to_minor
from dealdesk.domain.quote import Line, Quote
from dealdesk.domain.stages import Stage
from dealdesk.domain.terms import Due, PaymentTerms
from dealdesk.domain.waterfall import Layer
from tests.unit.domain.deals import NOW, a_deal
from tests.unit.domain.quotes import a_line, a_quote
from tests.unit.domain.ramps import off, ramped, stacked
from tests.unit.domain.test_rich_quotes import rich_quotes

PAID = a_deal(Stage.PAID)


def drafted(quote: Quote) -> InvoiceDraft:
    """The draft of a paid deal with these terms, as its gate would let it pass."""
    certified = fingerprint(quote)
    assert PAID.certificate is not None
    assert PAID.envelope is not None
    deal: Deal = replace(
        PAID,
        quote=quote,
        invoices=(),
        certificate=replace(PAID.certificate, fingerprint=certified),
        envelope=replace(PAID.envelope, fingerprint=certified),
    )
    (staged,) = draft(deal, NOW)
    assert isinstance(staged, InvoiceStaged)
    return staged.draft


def billed(line: Line) -> tuple[str, str, int, str]:
    (only,) = drafted(a_quote(line)).lines
    return only.quantity, only.unit_price, only.amount_minor, only.description


def test_a_plain_line_goes_out_with_its_quantity_and_its_price() -> None:
    line = a_line(unit="100", net="85.00", quantity="10", periods=12)

    assert billed(line) == ("120", "85.00", 10_200_00, "CORE-01, 10 for 12 periods")


def test_a_line_whose_amount_is_rounded_goes_out_once_at_its_amount() -> None:
    line = a_line(unit="99999.99", net="79999.992")

    assert billed(line) == ("1", "79999.99", 79_999_99, "CORE-01")


def test_a_ramp_goes_out_once_and_says_its_segments() -> None:
    quantity, price, amount, description = billed(ramped("50", "0", quantity="3"))

    assert (quantity, price, amount) == ("1", "54000.00", 54_000_00)
    assert description == "CORE-01, 3 for 12 periods at 500.00; 3 for 12 periods at 1000.00"


def test_free_periods_are_named_and_cost_nothing() -> None:
    assert billed(stacked(unit="1000", periods=14, free=2)) == (
        "1",
        "12000.00",
        12_000_00,
        "CORE-01, 1 for 14 periods, 2 of them free",
    )


def test_a_stack_of_percentages_keeps_quantity_and_price_where_they_multiply_exactly() -> None:
    line = stacked(off(Layer.PROMO, "10"), off(Layer.DISCRETIONARY, "20"), unit="100", quantity="10")

    quantity, price, amount, _ = billed(line)

    assert (quantity, Decimal(price), amount) == ("10", Decimal(72), 720_00)


def test_typed_terms_reach_the_draft() -> None:
    typed = drafted(a_quote(payment_terms="EOM+0", payment_terms_days=30))

    assert (typed.terms, typed.terms_days) == ("EOM+0", 30)
    assert terms_of(typed) == PaymentTerms(Due.END_OF_MONTH, 0)
    assert terms_of(drafted(a_quote())) == PaymentTerms(Due.NET, 30)


@settings(deadline=None)
@given(rich_quotes())
def test_a_draft_bills_exactly_the_net_total_and_every_line_multiplies_to_its_amount(quote: Quote) -> None:
    found = drafted(quote)

    assert found.total_minor == sum(line.amount_minor for line in found.lines) == quote.net_total.amount_minor
    for line, agreed in zip(found.lines, quote.lines, strict=True):
        assert line.amount_minor == agreed.net_minor("USD")
        assert Decimal(line.quantity) * Decimal(line.unit_price) * 100 == line.amount_minor
        assert to_minor(Decimal(line.quantity) * Decimal(line.unit_price), "USD") == line.amount_minor
