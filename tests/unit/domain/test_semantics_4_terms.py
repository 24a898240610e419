"""Payment terms, term length and expiry, rule by rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.decision import Outcome
from dealdesk.domain.expiries import expiries
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import InvalidQuote
from dealdesk.domain.stages import Stage
from dealdesk.domain.terms import (
    Due,
    PaymentTerms,
    Weekend,
    cost_of_waiting,
    due_on,
    months_later,
    parse_terms,
    prorated,
    term_ends_on,
)
from dealdesk.policies import load_template
from tests.unit.domain.deals import NOW, a_deal
from tests.unit.domain.quotes import a_document, a_quote, a_rule

CLASSIC = load_template("classic")
FRIDAY = date(2026, 3, 6)


# -- when money is due


@pytest.mark.parametrize(
    ("typed", "terms"),
    [
        ("net 30", PaymentTerms(Due.NET, 30)),
        (" Net45 ", PaymentTerms(Due.NET, 45)),
        ("NET-60 days", PaymentTerms(Due.NET, 60)),
        ("EOM+15", PaymentTerms(Due.END_OF_MONTH, 15)),
        ("eom 10", PaymentTerms(Due.END_OF_MONTH, 10)),
        ("end of month", PaymentTerms(Due.END_OF_MONTH, 0)),
        ("Due on receipt", PaymentTerms(Due.ON_RECEIPT)),
        ("prepaid", PaymentTerms(Due.PREPAID)),
        ("Milestones", PaymentTerms(Due.MILESTONES)),
    ],
)
def test_4_terms_are_read_as_people_type_them(typed: str, terms: PaymentTerms) -> None:
    assert parse_terms(typed) == terms
    assert parse_terms(str(terms)) == terms


@pytest.mark.parametrize("typed", ["", "30", "net", "net -5", "net 30.5", "net 1000", "EOM-5", "soon", "net ３０"])
def test_4_other_terms_are_refused(typed: str) -> None:
    with pytest.raises(ValueError, match=r"net 30"):
        parse_terms(typed)


@pytest.mark.parametrize(
    ("typed", "invoiced_on", "due"),
    [
        ("net 30", date(2026, 1, 31), date(2026, 3, 2)),
        ("net 30", date(2028, 1, 31), date(2028, 3, 1)),
        ("EOM+15", date(2026, 1, 1), date(2026, 2, 15)),
        ("EOM+15", date(2026, 1, 31), date(2026, 2, 15)),
        ("EOM+0", date(2028, 2, 3), date(2028, 2, 29)),
        ("due on receipt", FRIDAY, FRIDAY),
        ("prepaid", FRIDAY, FRIDAY),
    ],
)
def test_4_the_due_date_counts_calendar_days_from_the_invoice_date(typed: str, invoiced_on: date, due: date) -> None:
    assert due_on(parse_terms(typed), invoiced_on) == due


def test_4_a_weekend_stays_or_moves_to_the_next_business_day_as_the_rule_says() -> None:
    saturday = PaymentTerms(Due.NET, 1)

    assert due_on(saturday, FRIDAY) == date(2026, 3, 7)
    assert due_on(saturday, FRIDAY, Weekend.NEXT_BUSINESS_DAY) == date(2026, 3, 9)
    assert due_on(PaymentTerms(Due.NET, 2), FRIDAY, Weekend.NEXT_BUSINESS_DAY) == date(2026, 3, 9)
    assert due_on(PaymentTerms(Due.NET, 0), FRIDAY, Weekend.NEXT_BUSINESS_DAY) == FRIDAY


def test_4_milestones_have_no_one_due_date_and_no_place_in_the_order_of_days() -> None:
    with pytest.raises(ValueError, match="a date each"):
        due_on(PaymentTerms(Due.MILESTONES), FRIDAY)
    with pytest.raises(InvalidQuote, match="one due date"):
        a_quote(payment_terms="milestones", payment_terms_days=0)


@given(st.integers(0, 60), st.dates(date(2020, 1, 1), date(2040, 1, 1)))
def test_4_no_invoice_is_due_later_than_the_days_that_its_terms_are_ordered_by(days: int, invoiced_on: date) -> None:
    for due in (Due.NET, Due.END_OF_MONTH, Due.ON_RECEIPT, Due.PREPAID):
        terms = PaymentTerms(due, days if due in (Due.NET, Due.END_OF_MONTH) else 0)
        assert terms.most_days is not None
        assert 0 <= (due_on(terms, invoiced_on) - invoiced_on).days <= terms.most_days


def test_4_terms_are_ordered_by_days_so_net_45_passes_no_limit_of_30() -> None:
    policy = parse_policy(a_document(a_rule("DAYS", fact="payment_days", rows=[{"key": [], "limit": "30"}])))

    assert evaluate(a_quote(payment_terms_days=45), policy, {}).outcome is Outcome.NEEDS_APPROVAL
    assert evaluate(a_quote(payment_terms="EOM+15", payment_terms_days=45), policy, {}).violations[0].actual == "45"
    assert evaluate(a_quote(payment_terms="EOM+0", payment_terms_days=30), policy, {}).outcome is Outcome.AUTO_APPROVE


def test_4_the_days_of_typed_terms_cannot_be_understated() -> None:
    with pytest.raises(InvalidQuote, match="must be 45") as refused:
        a_quote(payment_terms="EOM+15", payment_terms_days=15)

    assert refused.value.pointer == "/payment_terms_days"


def test_4_requirements_are_a_union_and_no_later_rule_overwrites_an_earlier_one() -> None:
    decision = evaluate(a_quote(off="25", payment_terms_days=40), CLASSIC, {})

    assert set(decision.required_steps) == {"executive", "finance"}


def test_1e_net_60_instead_of_net_30_on_100_000_at_10_percent_costs_821_92() -> None:
    assert cost_of_waiting(100_000_00, 60, Decimal(10)) == 821_92


@pytest.mark.parametrize("days", [0, 15, 30])
def test_1e_terms_within_the_standard_cost_nothing(days: int) -> None:
    assert cost_of_waiting(100_000_00, days, Decimal(10)) == 0


# -- how long a term is


@pytest.mark.parametrize(
    ("starts", "months", "ends"),
    [
        (date(2026, 1, 1), 12, date(2026, 12, 31)),
        (date(2026, 1, 31), 1, date(2026, 2, 27)),
        (date(2028, 1, 31), 1, date(2028, 2, 28)),
        (date(2026, 3, 31), 1, date(2026, 4, 29)),
        (date(2026, 11, 15), 3, date(2027, 2, 14)),
        (date(2028, 2, 29), 12, date(2029, 2, 27)),
    ],
)
def test_4_a_term_ends_a_day_before_the_same_day_and_clamps_to_the_end_of_the_month(
    starts: date, months: int, ends: date
) -> None:
    assert term_ends_on(starts, months) == ends


@given(st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(1, 60))
def test_4_terms_of_any_length_leave_no_gap(starts: date, months: int) -> None:
    assert term_ends_on(starts, months) + timedelta(days=1) == months_later(starts, months)


def test_4_a_partial_first_period_is_prorated_by_days_and_is_no_extra_term() -> None:
    assert prorated(3_100_00, date(2026, 1, 11), date(2026, 1, 1)) == 2_100_00
    assert prorated(3_100_00, date(2026, 1, 1), date(2026, 1, 1)) == 3_100_00
    assert prorated(100_00, date(2026, 2, 28), date(2026, 2, 1)) == 3_57


def test_4_a_start_outside_the_period_is_refused() -> None:
    with pytest.raises(ValueError, match="within the period"):
        prorated(100_00, date(2026, 2, 1), date(2026, 1, 1))


def a_term_limit(op: str, limit: str, fact: str = "term_months") -> dict[str, Any]:
    return a_rule(f"{op}-{fact}", fact=fact, op=op, rows=[{"key": [], "limit": limit}])


def test_4_an_opt_out_shortens_the_committed_term_which_guards_while_the_contracted_one_is_shown() -> None:
    quote = a_quote(term_months=36, opt_out_after_months=12)
    policy = parse_policy(a_document(a_term_limit("min", "24"), a_term_limit("min", "13", "committed_months")))

    decision = evaluate(quote, policy, {})

    assert dict(decision.facts)["term_months"] == "36"
    assert dict(decision.facts)["committed_months"] == "12"
    assert [violation.actual for violation in decision.violations] == ["12", "12"]


def test_4_an_opt_out_does_not_hide_a_price_that_is_held_for_too_long() -> None:
    quote = a_quote(term_months=60, opt_out_after_months=12)

    decision = evaluate(quote, parse_policy(a_document(a_term_limit("max", "36"))), {})

    assert [violation.actual for violation in decision.violations] == ["60"]


def test_4_a_condition_on_the_term_reads_what_is_committed() -> None:
    policy = parse_policy(a_document(a_rule("C", kind="condition", expr="term_months < 24")))

    assert evaluate(a_quote(term_months=36), policy, {}).outcome is Outcome.AUTO_APPROVE
    assert evaluate(a_quote(term_months=36, opt_out_after_months=12), policy, {}).outcome is Outcome.NEEDS_APPROVAL


def test_4_a_longer_term_is_not_suggested_where_the_customer_may_leave_anyway() -> None:
    policy = parse_policy(a_document(a_term_limit("min", "24")))

    assert evaluate(a_quote(term_months=12), policy, {}).counterfactual.levers != ()
    assert evaluate(a_quote(term_months=18, opt_out_after_months=12), policy, {}).counterfactual.levers == ()


@pytest.mark.parametrize("months", [0, 37])
def test_4_an_opt_out_lies_within_the_term(months: int) -> None:
    with pytest.raises(InvalidQuote) as refused:
        a_quote(term_months=36, opt_out_after_months=months)

    assert refused.value.pointer == "/opt_out_after_months"


@pytest.mark.parametrize(
    "fields",
    [
        {"opt_out_after_months": 6},
        {"starts_on": date(2027, 1, 1)},
        {"payment_terms": "due on receipt", "payment_terms_days": 0},
        {"amount_off": Decimal(1)},
    ],
)
def test_4_terms_are_part_of_what_was_agreed(fields: dict[str, Any]) -> None:
    edited = replace(a_quote(), **fields)

    restored = replace(edited, **{name: getattr(a_quote(), name) for name in fields})

    assert fingerprint(edited) != fingerprint(a_quote())
    assert fingerprint(restored) == fingerprint(a_quote())


# -- when an offer ends


VALID_UNTIL = NOW.date() + timedelta(days=5)
END_OF_VALIDITY = datetime(VALID_UNTIL.year, VALID_UNTIL.month, VALID_UNTIL.day, 23, 59, 59, 999_999, UTC)


def test_4_all_four_ends_of_an_offer_are_shown_and_the_earliest_counts() -> None:
    deal = a_deal(Stage.OUT_FOR_SIGNATURE, valid_until=VALID_UNTIL)
    assert deal.envelope is not None
    deal = replace(deal, envelope=replace(deal.envelope, expires_at=NOW + timedelta(days=3)))

    found = expiries(deal)

    assert found.ends == {
        "quote_validity": END_OF_VALIDITY,
        "approval": END_OF_VALIDITY,
        "envelope": NOW + timedelta(days=3),
        "payment_link": None,
    }
    assert found.earliest == "envelope"


def test_4_an_approval_ends_before_a_quote_that_is_valid_for_longer() -> None:
    found = expiries(a_deal(Stage.APPROVED, valid_until=NOW.date() + timedelta(days=60)))

    assert found.ends["approval"] == NOW + timedelta(days=14)
    assert found.earliest == "approval"


def test_4_what_is_signed_ends_only_with_its_payment_link() -> None:
    deal = a_deal(Stage.AWAITING_PAYMENT, valid_until=VALID_UNTIL)

    found = expiries(deal)

    assert deal.payment is not None
    assert found.ends["payment_link"] == deal.payment.expires_at
    assert found.ends["quote_validity"] == END_OF_VALIDITY
    assert found.earliest == "payment_link"


def test_4_a_draft_has_no_end_yet() -> None:
    assert expiries(a_deal(Stage.DRAFT)) == (dict.fromkeys(ENDS), None)


ENDS = ("quote_validity", "approval", "envelope", "payment_link")
