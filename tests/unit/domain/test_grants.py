"""An approval is bound to what was approved: what an edit does to it (SEMANTICS 2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.amendments import Amends, LineToday
from dealdesk.domain.approvals import Answer, decide
from dealdesk.domain.deal import Deal, DealId
from dealdesk.domain.directory import NOBODY
from dealdesk.domain.events import Condition
from dealdesk.domain.fold import fold
from dealdesk.domain.quote import Billing, Quote
from dealdesk.domain.stages import Stage
from dealdesk.domain.submission import judge
from dealdesk.domain.waterfall import Layer
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_line, a_quote
from tests.unit.domain.ramps import DISCRETIONARY, ramped, stacked, tiered
from tests.unit.domain.ramps import off as a_discount

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POLICY = load_template("classic")
GROUPS = {"finance": "grp-finance", "executive": "grp-executive"}


def submitted(quote: Quote, deal: Deal | None = None, *, editor: str = "person-1", at: datetime = NOW) -> Deal:
    deal = deal or Deal(DealId("d-1"))
    return fold(deal, judge(deal, quote, POLICY, {}, editor, NOBODY, at), at)


def granted(deal: Deal, *steps: str, conditions: tuple[Condition, ...] = (), at: datetime = NOW) -> Deal:
    for step in steps:
        answer = Answer(
            step=step,
            approve=True,
            fingerprint=deal.fingerprint or "",
            by=f"person-{step}",
            groups=frozenset({GROUPS[step]}),
            conditions=conditions,
        )
        deal = fold(deal, decide(deal, answer, NOBODY, at), at)
    return deal


def approved(off: str = "25", **fields: Any) -> Deal:
    deal = submitted(a_quote(off=off, **fields))
    assert deal.round is not None
    return granted(deal, *(step.id for stage in deal.round.stages for step in stage.steps))


def test_a_lower_discount_keeps_the_approval() -> None:
    deal = submitted(a_quote(off="22"), approved("25"))

    assert deal.stage is Stage.APPROVED
    assert deal.certificate is not None
    assert deal.certificate.fingerprint == deal.fingerprint
    assert [grant.by for grant in deal.certificate.grants] == ["person-executive"]


def test_a_higher_discount_than_granted_asks_again() -> None:
    deal = submitted(a_quote(off="25.01"), approved("25"))

    assert deal.stage is Stage.PENDING_APPROVAL
    assert deal.certificate is None


def test_a_discount_that_comes_back_below_the_grant_is_still_inside_it() -> None:
    deal = submitted(a_quote(off="20.5"), approved("25"))
    deal = submitted(a_quote(off="24"), deal)

    assert deal.stage is Stage.APPROVED


def test_small_edits_do_not_slide_below_what_was_granted() -> None:
    deal = approved("25")
    for off in ("24", "25", "25.5"):
        deal = submitted(a_quote(off=off), deal)

    assert deal.stage is Stage.PENDING_APPROVAL


def test_only_the_affected_approver_is_asked_again() -> None:
    deal = approved("25", payment_terms_days=40)

    deal = submitted(a_quote(off="25", payment_terms_days=45), deal)

    assert deal.round is not None
    assert [grant.step for grant in deal.round.grants] == ["executive"]
    assert deal.round.open_steps == ("finance",)


def test_a_new_reason_asks_its_approver_and_keeps_the_other_grant() -> None:
    deal = submitted(a_quote(off="25", payment_terms_days=40), approved("25"))

    assert deal.round is not None
    assert deal.round.open_steps == ("finance",)
    assert granted(deal, "finance").stage is Stage.APPROVED


@pytest.mark.parametrize(
    "change",
    [
        {"currency": "EUR"},
        {"segment": "public"},
        {"billing": Billing.MONTHLY},
        {"term_months": 6},
    ],
    ids=lambda change: next(iter(change)),
)
def test_terms_that_cannot_be_called_better_ask_again(change: dict[str, Any]) -> None:
    before = approved("25")
    assert before.quote is not None

    events = judge(before, replace(before.quote, **change), POLICY, {}, "person-1", NOBODY, NOW)

    assert fold(before, events, NOW).certificate is None


def test_a_bigger_deal_than_granted_asks_again_though_the_discount_is_the_same() -> None:
    before = approved("25")

    deal = submitted(a_quote(a_line(off="25", quantity="2")), before)

    assert deal.stage is Stage.PENDING_APPROVAL


def test_a_product_that_the_approver_did_not_see_must_pass_alone() -> None:
    before = submitted(a_quote(a_line("1", off="25", quantity="4"), a_line("2", off="25", quantity="2", sku="B")))
    before = granted(before, "executive")

    deal = submitted(a_quote(a_line("1", off="25", quantity="4"), a_line("2", off="25", sku="NEW")), before)

    assert deal.stage is Stage.PENDING_APPROVAL


def test_an_approver_who_edits_the_terms_has_not_approved_them() -> None:
    deal = submitted(a_quote(off="22"), approved("25"), editor="person-executive")

    assert deal.stage is Stage.PENDING_APPROVAL


def test_a_carried_approval_ends_when_the_first_one_would_have() -> None:
    later = NOW + timedelta(days=5)

    deal = submitted(a_quote(off="22"), approved("25"), at=later)

    assert deal.certificate is not None
    assert deal.certificate.expires_at == NOW + timedelta(days=14)


def test_an_approval_with_a_condition_waits_until_the_terms_meet_it() -> None:
    prepaid = (Condition("billing", "same", "upfront"), Condition("discount_pct", "max", "22.00"))
    deal = granted(submitted(a_quote(off="25")), "executive", conditions=prepaid)
    assert deal.stage is Stage.PENDING_APPROVAL

    half_way = submitted(a_quote(off="22"), deal)
    there = submitted(a_quote(off="22", billing=Billing.UPFRONT), half_way)

    assert half_way.stage is Stage.PENDING_APPROVAL
    assert half_way.round is not None
    assert half_way.round.open_steps == ()
    assert there.stage is Stage.APPROVED


def test_leaving_a_condition_after_approval_ends_the_certificate() -> None:
    prepaid = (Condition("payment_days", "max", "15"),)
    deal = granted(submitted(a_quote(off="25", payment_terms_days=10)), "executive", conditions=prepaid)
    assert deal.stage is Stage.APPROVED

    assert submitted(a_quote(off="25", payment_terms_days=30), deal).certificate is None


def hundredths(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda bps: f"{Decimal(bps) / 100:f}")


@given(granted_off=st.integers(2_001, 3_000), edited=st.integers(0, 3_000))
def test_an_edit_keeps_the_certificate_exactly_when_it_is_no_worse_than_granted(granted_off: int, edited: int) -> None:
    before = approved(f"{Decimal(granted_off) / 100:f}")

    after = submitted(a_quote(off=f"{Decimal(edited) / 100:f}"), before)

    assert (after.certificate is not None) == (edited <= granted_off)


@given(first=hundredths(2_001, 3_000), second=hundredths(2_001, 3_000))
def test_an_edit_and_its_inverse_restore_the_fingerprint(first: str, second: str) -> None:
    before = submitted(a_quote(off=first))

    after = submitted(a_quote(off=first), submitted(a_quote(off=second), before))

    assert after.fingerprint == before.fingerprint


def approved_with(quote: Quote) -> Deal:
    deal = submitted(quote)
    assert deal.round is not None
    return granted(deal, *(step.id for stage in deal.round.stages for step in stage.steps))


def test_a_smaller_discount_in_a_stack_keeps_the_approval_and_a_deeper_one_asks_again() -> None:
    deal = approved_with(a_quote(stacked(a_discount(Layer.PROMO, "10"), a_discount(DISCRETIONARY, "17"))))

    better = submitted(a_quote(stacked(a_discount(Layer.PROMO, "10"), a_discount(DISCRETIONARY, "15"))), deal)
    worse = submitted(a_quote(stacked(a_discount(Layer.PROMO, "10"), a_discount(DISCRETIONARY, "17.1"))), deal)

    assert (better.stage, worse.stage) == (Stage.APPROVED, Stage.PENDING_APPROVAL)


def test_a_ramp_whose_end_gets_cheaper_asks_again_though_the_total_is_no_lower() -> None:
    deal = approved_with(a_quote(ramped("50", "20", "0"), term_months=36))

    shallower = submitted(a_quote(ramped("45", "20", "0"), term_months=36), deal)
    turned = submitted(a_quote(ramped("0", "20", "45"), term_months=36), deal)

    assert (shallower.stage, turned.stage) == (Stage.APPROVED, Stage.PENDING_APPROVAL)


@pytest.mark.parametrize(
    "edit",
    [
        {"opt_out_after_months": 6},
        {"starts_on": date(2027, 1, 1)},
        {"payment_terms": "EOM+0"},
        {"amends": Amends("c-1", (LineToday("1", "CORE-01", Decimal(1), Decimal(1)),))},
        {"amount_off": Decimal(1)},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_terms_that_the_approver_did_not_see_ask_again(edit: dict[str, Any]) -> None:
    assert submitted(a_quote(off="25", **edit), approved("25")).stage is Stage.PENDING_APPROVAL


def test_a_later_opt_out_keeps_the_approval() -> None:
    deal = approved("25", opt_out_after_months=6)

    assert submitted(a_quote(off="25", opt_out_after_months=9), deal).stage is Stage.APPROVED


def test_other_price_tiers_ask_again() -> None:
    deal = approved_with(a_quote(tiered(("1", "12000"), ("10", "10000"), quantity="10", net="7500")))

    other = submitted(a_quote(tiered(("1", "13000"), ("10", "10000"), quantity="10", net="7500")), deal)

    assert other.stage is Stage.PENDING_APPROVAL


def test_a_new_item_is_judged_alone_with_its_share_of_the_amount_off() -> None:
    deal = approved_with(a_quote(a_line("1", unit="20000", off="25")))
    items = a_line("1", unit="10000", off="25"), a_line("2", unit="10000", off="19", sku="NEW")

    small = submitted(a_quote(*items, amount_off=Decimal("100")), deal)
    large = submitted(a_quote(*items, amount_off=Decimal("300")), deal)

    assert (small.stage, large.stage) == (Stage.APPROVED, Stage.PENDING_APPROVAL)
