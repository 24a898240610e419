"""Discount across lines: examples 1a to 1j, each by its own name."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.amendments import Amends, LineToday
from dealdesk.domain.decision import Decision, Outcome
from dealdesk.domain.fingerprint import fingerprint
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.quote import ChargeType, InvalidQuote, Line, Quote, Risk
from dealdesk.domain.waterfall import Layer
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule
from tests.unit.domain.ramps import DISCRETIONARY, off, ramped, stacked, tiered

CLASSIC = load_template("classic")


def judged(quote: Quote, policy: Policy = CLASSIC) -> Decision:
    return evaluate(quote, policy, {})


def facts(quote: Quote) -> dict[str, str]:
    return dict(judged(quote).facts)


def capped(fact: str, limit: str, **members: object) -> Policy:
    """A policy that asks finance above this limit of one fact."""
    return parse_policy(a_document(a_rule("CAP", fact=fact, rows=[{"key": [], "limit": limit}], **members)))


def nets(quote: Quote) -> list[int]:
    return [line.net_minor(quote.currency) for line in quote.lines]


# -- a, b, c


def test_1a_a_line_is_rounded_once_after_quantity_and_periods_and_percentages_are_never_averaged() -> None:
    quote = a_quote(a_line("1", unit="0.335", net="0.335", quantity="3", periods=7), a_line("2", unit="90000", off="1"))

    assert quote.lines[0].list_minor("USD") == 704  # 7.035, where three units of 2.345 rounded alone would be 7.05
    assert facts(quote)["discount_pct"] == "1.00"


def test_1b_the_discount_of_a_set_is_weighted_and_unknown_without_a_list_price() -> None:
    weighted = a_quote(a_line("1", unit="90000", off="10"), a_line("2", unit="10000", off="50"))
    free = a_quote(a_line("1", unit="0", net="0"))

    assert facts(weighted)["discount_pct"] == "14.00"
    assert "discount_pct" not in facts(free)
    assert judged(free).outcome is Outcome.BLOCKED
    assert judged(free).violations[0].rule == "list-price"


PLATFORM = a_line("platform", unit="120000", off="15")
SEATS = a_line("seats", unit="60000", off="30")
ONBOARDING = a_line("onboarding", unit="20000", off="100", charge=ChargeType.ONE_TIME)


def test_1c_platform_seats_onboarding_is_20_recurring_28_total_100_one_time_and_never_the_naive_48_33() -> None:
    found = facts(a_quote(PLATFORM, SEATS, ONBOARDING))

    assert found["recurring_discount_pct"] == "20.00"
    assert found["discount_pct"] == "28.00"
    assert found["one_time_discount_pct"] == "100.00"
    assert "48.33" not in found.values()


def test_1c_a_25_recurring_cap_passes_where_a_25_total_cap_fails() -> None:
    quote = a_quote(PLATFORM, SEATS, ONBOARDING)

    assert judged(quote, capped("recurring_discount_pct", "25.00")).outcome is Outcome.AUTO_APPROVE
    assert judged(quote, capped("discount_pct", "25.00")).outcome is Outcome.NEEDS_APPROVAL


def test_1c_usage_is_kept_apart_and_counts_with_its_committed_part() -> None:
    committed = a_line("api", unit="0.01", net="0.008", quantity="1000000", periods=12, charge=ChargeType.USAGE)

    found = facts(a_quote(PLATFORM, committed))

    assert (found["usage_discount_pct"], found["recurring_discount_pct"]) == ("20.00", "15.00")
    assert found["total_contract_value"] == "198000.00"


# -- d


def test_1d_ten_percent_then_twenty_percent_is_28_and_not_30() -> None:
    found = facts(a_quote(stacked(off(Layer.PROMO, "10"), off(DISCRETIONARY, "20"))))

    assert found["discount_pct"] == "28.00"


def test_1d_the_discretionary_and_the_cumulative_discount_are_guarded_apart() -> None:
    quote = a_quote(stacked(off(Layer.CONTRACTED, "10"), off(DISCRETIONARY, "20")))

    found = facts(quote)

    assert (found["discretionary_discount_pct"], found["discount_pct"]) == ("20.00", "28.00")
    assert judged(quote, capped("discretionary_discount_pct", "20.00")).outcome is Outcome.AUTO_APPROVE
    assert judged(quote, capped("discretionary_discount_pct", "19.99")).outcome is Outcome.NEEDS_APPROVAL
    assert judged(quote, capped("discount_pct", "27.99")).outcome is Outcome.NEEDS_APPROVAL


def test_1d_what_has_no_stack_is_all_discretionary() -> None:
    found = facts(a_quote(a_line("1", off="10"), a_line("2", off="30")))

    assert found["discretionary_discount_pct"] == found["discount_pct"] == "20.00"


def test_1d_the_waterfall_decides_once_an_amount_is_in_the_stack() -> None:
    promo_amount = stacked(off(Layer.PROMO, amount="1000"), off(DISCRETIONARY, "10"))
    own_amount = stacked(off(Layer.PROMO, "10"), off(DISCRETIONARY, amount="1000"))

    assert nets(a_quote(promo_amount)) == [8_100_00]
    assert nets(a_quote(own_amount)) == [8_000_00]


STACK = (
    off(Layer.CONTRACTED, "5"),
    off(Layer.PROMO, "10"),
    off(Layer.PROMO, amount="5"),
    off(Layer.PARTNER, amount="250.50"),
    off(DISCRETIONARY, "7.5"),
)


def test_1d_the_order_in_which_a_stack_is_sent_changes_neither_price_nor_fingerprint() -> None:
    quotes = [a_quote(stacked(*order)) for order in permutations(STACK)]

    assert {nets(quote)[0] for quote in quotes} == {7_672_41}
    assert len({fingerprint(quote) for quote in quotes}) == 1


def test_1d_price_book_tiers_are_list_prices_and_no_discount() -> None:
    found = facts(a_quote(tiered(("1", "100"), ("100", "80"), quantity="100", net="80")))

    assert found["discount_pct"] == "0.00"


def test_1d_a_stack_that_takes_off_more_than_the_line_is_refused() -> None:
    with pytest.raises(InvalidQuote, match="at most the price") as refused:
        a_quote(stacked(off(Layer.PROMO, "50"), off(DISCRETIONARY, amount="5000.01")))

    assert refused.value.pointer == "/lines/0/discounts"


# -- e


def test_1e_two_free_months_in_fourteen_are_14_29() -> None:
    found = facts(a_quote(stacked(unit="1000", periods=14, free=2), term_months=14))

    assert found["discount_pct"] == found["discretionary_discount_pct"] == "14.29"
    assert found["total_contract_value"] == "12000.00"


def test_1e_a_credit_is_a_discount_like_any_other() -> None:
    quote = a_quote(stacked(off(Layer.CREDIT, amount="1500")))

    assert facts(quote)["discount_pct"] == facts(quote)["discretionary_discount_pct"] == "15.00"


def test_1e_longer_payment_terms_are_no_discount() -> None:
    assert facts(a_quote(off="10", payment_terms_days=90))["discount_pct"] == "10.00"


# -- f


def test_1f_exactly_20_percent_off_99_999_99_passes_and_a_cent_less_fails() -> None:
    exact = a_quote(a_line(unit="99999.99", net="79999.992"))
    below = a_quote(a_line(unit="99999.99", net="79999.98"))

    assert judged(exact, capped("discount_pct", "20.00")).outcome is Outcome.AUTO_APPROVE
    assert judged(below, capped("discount_pct", "20.00")).outcome is Outcome.NEEDS_APPROVAL


def test_1f_the_same_holds_for_a_stack_and_for_its_discretionary_part() -> None:
    exact = a_quote(stacked(off(DISCRETIONARY, "20"), unit="99999.99"))
    after_promo = a_quote(stacked(off(Layer.PROMO, "3.33"), off(DISCRETIONARY, "20"), unit="99999.97"))

    assert facts(exact)["discount_pct"] == "20.00"
    assert facts(after_promo)["discretionary_discount_pct"] == "20.00"


def test_1f_20_001_percent_fails_and_is_never_shown_as_20_00() -> None:
    quote = a_quote(a_line(unit="100000.00", net="79999.00"))

    decision = judged(quote, capped("discount_pct", "20.00"))

    assert decision.outcome is Outcome.NEEDS_APPROVAL
    assert decision.violations[0].actual == dict(decision.facts)["discount_pct"] == "20.01"


def test_1f_a_set_with_mixed_limits_is_compared_with_the_sum_of_its_line_floors() -> None:
    lines = [a_line(str(n), unit="0.07", net="0.056", quantity="1") for n in range(9)]
    quote = a_quote(*lines, a_line("big", unit="10000", net="8000"))

    assert judged(quote, capped("discount_pct", "20.00")).outcome is Outcome.AUTO_APPROVE


# -- g


def three(amount_off: str | None) -> Quote:
    given = None if amount_off is None else Decimal(amount_off)
    return a_quote(*(a_line(str(n), unit="1000") for n in range(3)), amount_off=given)


def test_1g_100_00_over_three_equal_lines_is_33_34_33_33_33_33() -> None:
    assert nets(three("100.00")) == [966_66, 966_67, 966_67]


def test_1g_an_amount_off_counts_as_discretionary_discount() -> None:
    found = facts(three("600.00"))

    assert found["discount_pct"] == found["discretionary_discount_pct"] == "20.00"


def test_1g_an_amount_off_that_is_taken_back_restores_the_quote() -> None:
    assert replace(three("100.00"), amount_off=None) == three(None)
    assert fingerprint(replace(three("100.00"), amount_off=None)) == fingerprint(three(None))


@pytest.mark.parametrize("amount", ["0", "-1", "0.001", "3000.01"])
def test_1g_an_amount_off_that_cannot_be_spread_is_refused(amount: str) -> None:
    with pytest.raises(InvalidQuote) as refused:
        three(amount)

    assert refused.value.pointer == "/amount_off"


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=12), st.data())
def test_1g_every_spread_is_exact_whatever_the_order_of_the_lines(prices: list[int], data: st.DataObject) -> None:
    amount = data.draw(st.integers(1, sum(prices)))
    lines = [a_line(str(n), unit=str(Decimal(price).scaleb(-2))) for n, price in enumerate(prices)]
    shuffled = data.draw(st.permutations(lines))

    quote = a_quote(*lines, amount_off=Decimal(amount).scaleb(-2))
    other = a_quote(*shuffled, amount_off=Decimal(amount).scaleb(-2))

    assert quote.net_total.amount_minor == sum(prices) - amount
    for line, price in zip(quote.lines, prices, strict=True):
        share = price - line.net_minor("USD")
        assert abs(share - Fraction(amount * price, sum(prices))) < 1
    assert fingerprint(quote) == fingerprint(other)
    assert judged(quote) == judged(other)


# -- h


RAMP = ramped("50", "20", "0")


def test_1h_50_20_0_on_equal_years_is_23_33_in_all_50_in_year_1_and_0_at_exit() -> None:
    found = facts(a_quote(RAMP, term_months=36))

    listed, net = a_quote(RAMP).list_total.amount_minor, a_quote(RAMP).net_total.amount_minor
    assert Fraction(listed - net, listed) == Fraction(7, 30)  # 23.33…%, which a cap of 23.33% does not let through
    assert found["discount_pct"] == found["recurring_discount_pct"] == "23.34"
    assert found["exit_discount_pct"] == "0.00"
    assert found["later_segment_discount_pct"] == "20.00"
    assert RAMP.pricing is not None
    first_year = RAMP.pricing.segments[0]
    assert 1 - first_year.net_unit_price / RAMP.list_unit_price == Decimal("0.5")


def test_1h_a_cap_holds_for_the_whole_term_and_for_every_segment_beyond_year_1() -> None:
    early, late = a_quote(RAMP, term_months=36), a_quote(ramped("0", "20", "50"), term_months=36)
    later = capped("later_segment_discount_pct", "25.00")

    assert judged(early, capped("discount_pct", "25.00")).outcome is Outcome.AUTO_APPROVE
    assert judged(early, later).outcome is Outcome.AUTO_APPROVE
    assert judged(late, capped("discount_pct", "25.00")).outcome is Outcome.AUTO_APPROVE
    assert judged(late, later).outcome is Outcome.NEEDS_APPROVAL


def test_1h_a_segment_that_only_ends_after_year_1_counts_as_later() -> None:
    quote = a_quote(ramped("40", "10", periods=18), term_months=36)

    assert facts(quote)["later_segment_discount_pct"] == "40.00"


def test_1h_the_annual_recurring_revenue_is_that_of_the_exit_and_a_renewal_starts_there() -> None:
    found = facts(a_quote(RAMP, term_months=36))

    assert found["total_contract_value"] == "27600.00"
    assert found["annual_contract_value"] == "9200.00"
    assert found["annual_recurring_revenue"] == "12000.00"


def test_1h_a_line_rule_reads_the_ramp_of_its_own_line() -> None:
    quote = a_quote(ramped("50", "20", "0", id="a"), ramped("0", "0", "30", id="b"), term_months=36)

    decision = judged(quote, capped("exit_discount_pct", "20.00", scope="line"))

    assert [(v.line, v.actual) for v in decision.violations] == [("b", "30.00")]


def test_1h_a_share_of_an_amount_off_deepens_every_segment() -> None:
    quote = a_quote(RAMP, term_months=36, amount_off=Decimal("2760.00"))

    assert facts(quote)["exit_discount_pct"] == "10.00"
    assert facts(quote)["later_segment_discount_pct"] == "28.00"


# -- i


def amending(*lines: Line, seats: str = "100", price: str = "90") -> Quote:
    today = Amends("contract-7", (LineToday("seats", "SEAT", Decimal(seats), Decimal(price)),))
    return a_quote(*lines, amends=today)


def seats(quantity: str, price: str) -> Line:
    return a_line("seats", sku="SEAT", unit="100", net=price, quantity=quantity, periods=12)


def test_1i_an_addition_is_measured_on_the_delta_and_on_the_resulting_run_rate() -> None:
    found = facts(amending(seats("150", "85")))

    # 150 x 85 less 100 x 90 is 3,750 a period for 50 seats that are listed at 5,000.
    assert (found["delta_discount_pct"], found["discount_pct"]) == ("25.00", "15.00")
    assert found["annual_recurring_revenue"] == "153000.00"


def test_1i_a_swap_is_judged_on_the_new_item_and_not_paid_by_the_old_one() -> None:
    swapped = a_line("other", sku="PLUS", unit="200", net="100", quantity="100", periods=12)

    found = facts(amending(swapped))

    assert (found["delta_discount_pct"], found["discount_pct"]) == ("50.00", "50.00")


def test_1i_another_item_under_the_same_id_is_new_in_full() -> None:
    swapped = a_line("seats", sku="PLUS", unit="200", net="100", quantity="150", periods=12)

    assert facts(amending(swapped))["delta_discount_pct"] == "50.00"


def test_1i_a_reduction_cannot_cancel_the_discount_on_what_is_added() -> None:
    added = a_line("plus", sku="PLUS", unit="100", net="50", quantity="50", periods=12)

    found = facts(amending(seats("50", "90"), added))

    assert found["delta_discount_pct"] == "50.00"
    assert judged(amending(seats("50", "90"), added), capped("delta_discount_pct", "30.00")).outcome is (
        Outcome.NEEDS_APPROVAL
    )


def test_1i_negative_quantities_are_refused() -> None:
    with pytest.raises(InvalidQuote, match="zero or more") as of_the_result:
        a_quote(a_line(quantity="-5"))
    with pytest.raises(InvalidQuote, match="zero or more") as of_today:
        amending(seats("150", "85"), seats="-100")

    assert of_the_result.value.pointer == "/lines/0/quantity"
    assert of_today.value.pointer == "/amends/lines/0/quantity"


def test_1i_what_is_amended_is_part_of_what_was_agreed() -> None:
    quote = amending(seats("150", "85"))

    assert fingerprint(quote) != fingerprint(amending(seats("150", "85"), price="89"))
    assert fingerprint(replace(quote, amends=None)) == fingerprint(a_quote(*quote.lines))


# -- j


TIERS = (("1", "120"), ("100", "100"), ("500", "80"))


@pytest.mark.parametrize(("quantity", "discount"), [("500", "0.00"), ("499", "20.00"), ("99", "33.34")])
def test_1j_a_lower_quantity_raises_the_list_tier_and_so_the_discount(quantity: str, discount: str) -> None:
    assert facts(a_quote(tiered(*TIERS, quantity=quantity, net="80"), risk=Risk.LOW))["discount_pct"] == discount


def test_1j_a_list_price_of_another_tier_is_refused() -> None:
    line = tiered(*TIERS, quantity="500", net="80")

    with pytest.raises(InvalidQuote, match="price of the tier") as refused:
        a_quote(replace(line, quantity=Decimal(99)))

    assert refused.value.pointer == "/lines/0/list_unit_price"
