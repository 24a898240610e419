"""What would pass: every suggestion, applied to the quote itself, does what it says."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_CEILING, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.decision import Change, Outcome
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.quote import Billing, ChargeType, Line, Quote, Risk
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

CLASSIC = load_template("classic")


def applied(quote: Quote, changes: tuple[Change, ...], policy: Policy) -> Quote:
    """The quote as a seller would change it, growth last."""
    for change in sorted(changes, key=lambda change: change.lever == "total_contract_value"):
        match change.lever:
            case "max_line_discount_pct":
                quote = replace(quote, lines=tuple(capped(line, change) for line in quote.lines))
            case "payment_days":
                quote = replace(quote, payment_terms_days=int(change.to))
            case "term_months":
                quote = replace(quote, term_months=int(change.to))
            case "billing":
                quote = replace(quote, billing=Billing(change.to))
            case _:
                quote = grown(quote, Decimal(change.to), policy)
    return quote


def grown(quote: Quote, target: Decimal, policy: Policy) -> Quote:
    """More of every line, until the contract value is reached."""
    while (value := Decimal(dict(evaluate(quote, policy, {}).facts)["total_contract_value"])) < target:
        factor = (target / value).quantize(Decimal("0.0001"), ROUND_CEILING)
        quote = replace(quote, lines=tuple(replace(x, quantity=round(x.quantity * factor, 6)) for x in quote.lines))
    return quote


def capped(line: Line, change: Change) -> Line:
    if change.lines is not None and line.id not in change.lines:
        return line
    least = line.list_unit_price * (100 - Decimal(change.to)) / 100
    return replace(line, net_unit_price=max(line.net_unit_price, least))


def test_27_5_percent_at_medium_risk_passes_at_20_00() -> None:
    decision = evaluate(a_quote(off="27.5", risk=Risk.MEDIUM), CLASSIC, {})

    assert to_json(decision)["counterfactual"] == {
        "levers": [
            {
                "lever": "max_line_discount_pct",
                "from": "27.50",
                "to": "20.00",
                "clears": ["DISC-RISK", "DISC-EXEC"],
                "outcome": "auto_approve",
            }
        ],
        "joint": {"change": {"max_line_discount_pct": "20.00"}, "outcome": "auto_approve"},
    }
    assert what_would_pass(decision) == "Passes at a discount of 20.00% or less."


def test_a_blocked_quote_also_hears_what_would_only_need_approval() -> None:
    levers = evaluate(a_quote(off="35"), CLASSIC, {}).counterfactual.levers

    assert [(lever.change.to, lever.outcome.value) for lever in levers] == [
        ("30.00", "needs_approval"),
        ("20.00", "auto_approve"),
    ]


def test_several_levers_are_all_named() -> None:
    quote = a_quote(a_line(unit="153.85", off="35"), payment_terms_days=60)

    assert what_would_pass(evaluate(quote, CLASSIC, {})) == (
        "Passes at a discount of 20.00% or less, payment terms of net 30 or less "
        "and a total contract value of 5,000.00 USD or more."
    )


def test_a_quote_that_passes_needs_nothing() -> None:
    decision = evaluate(a_quote(), CLASSIC, {})

    assert decision.counterfactual.joint is None
    assert what_would_pass(decision) == "Passes as it is."


def test_lines_below_the_limit_leave_room_for_those_above() -> None:
    quote = a_quote(a_line("1", off="10"), a_line("2", off="40"), risk=Risk.MEDIUM)

    decision = evaluate(quote, CLASSIC, {})

    assert what_would_pass(decision) == "Passes at no line discounted by more than 30.00%."


def test_a_smaller_discount_that_trips_a_rule_on_size_is_not_suggested() -> None:
    size = a_rule(
        "SIZE",
        fact="total_contract_value",
        rows=[{"key": [], "limit": "7800.00"}],
        action={"block": True},
    )
    decision = evaluate(a_quote(off="25"), parse_policy(a_document(a_rule(), size)), {})

    assert decision.outcome is Outcome.NEEDS_APPROVAL
    assert decision.counterfactual.levers == ()
    assert decision.counterfactual.joint is None
    assert what_would_pass(decision).startswith("No change of discount")


def test_a_condition_names_each_way_out() -> None:
    rule = a_rule("C", kind="condition", expr="risk_tier != 'low' && discount_pct > 12.50 && term_months < 24")
    decision = evaluate(a_quote(off="15", risk=Risk.HIGH), parse_policy(a_document(rule)), {})

    assert what_would_pass(decision) == ("Passes at a discount of 12.50% or less, or at a term of 24 months or more.")


def test_billing_is_moved_to_an_allowed_value() -> None:
    rule = a_rule("B", kind="allowed", fact="billing", rows=[{"values": ["upfront", "annual"]}])
    decision = evaluate(a_quote(billing=Billing.MONTHLY), parse_policy(a_document(rule)), {})

    assert what_would_pass(decision) == "Passes at annual billing."


def test_a_line_rule_is_met_on_the_lines_that_break_it() -> None:
    rule = a_rule(scope="line", keys=["sku"], rows=[{"key": ["CORE-01"], "limit": "15.00"}])
    quote = a_quote(a_line("a", off="20"), a_line("b", off="50", sku="X"), a_line("c", off="16"))

    decision = evaluate(quote, parse_policy(a_document(rule)), {})

    assert to_json(decision)["counterfactual"]["joint"] == {  # type: ignore[index]
        "change": {"line_discount_pct": {"a": "15.00", "c": "15.00"}},
        "outcome": "auto_approve",
    }


def test_a_margin_floor_is_met_by_price() -> None:
    rule = a_rule(fact="margin_pct", op="min", rows=[{"limit": "50.00"}])
    decision = evaluate(a_quote(a_line(off="40", cost="4000")), parse_policy(a_document(rule)), {})

    assert what_would_pass(decision) == "Passes at a discount of 20.00% or less."


SKUS = ("CORE-01", "ADD-01")
RICH = parse_policy(
    a_document(
        a_rule("TOTAL", rows=[{"limit": "25.00"}], action={"block": True}),
        a_rule("RECURRING", fact="recurring_discount_pct", rows=[{"limit": "15.00"}]),
        a_rule("LINE", scope="line", keys=["sku"], rows=[{"key": ["CORE-01"], "limit": "12.50"}]),
        a_rule("MARGIN", fact="margin_pct", op="min", rows=[{"limit": "40.00"}], action={"approve": "executive"}),
        a_rule("SIZE", fact="total_contract_value", rows=[{"limit": "90000.00"}], action={"approve": "executive"}),
        a_rule("FLOOR", fact="total_contract_value", op="min", rows=[{"limit": "900.00"}], action={"block": True}),
        a_rule("DAYS", fact="payment_days", rows=[{"limit": "45"}]),
        a_rule("BILLING", kind="allowed", fact="billing", rows=[{"values": ["upfront", "annual"]}]),
        a_rule("COMBO", kind="condition", expr="discount_pct >= 10 && term_months < 24 && billing != 'upfront'"),
    )
)


@st.composite
def any_quote(draw: st.DrawFn) -> Quote:
    lines = []
    for index in range(draw(st.integers(1, 4))):
        listed = Decimal(draw(st.integers(100, 3_000_000))).scaleb(-2)
        net = listed * draw(st.integers(0, 100)) / 100
        part = draw(st.none() | st.integers(0, 60))
        cost = None if part is None else listed * part / 100
        charge, sku = draw(st.sampled_from(ChargeType)), draw(st.sampled_from(SKUS))
        lines.append(Line(str(index), sku, charge, Decimal(draw(st.integers(1, 9))), 1, listed, net, cost))
    return a_quote(
        *lines,
        risk=draw(st.sampled_from(Risk)),
        billing=draw(st.sampled_from(Billing)),
        payment_terms_days=draw(st.integers(0, 90)),
        term_months=draw(st.integers(1, 36)),
    )


@pytest.mark.parametrize("policy", [CLASSIC, RICH, load_template("saas-standard")], ids=["classic", "rich", "saas"])
@settings(deadline=None)
@given(quote=any_quote())
def test_every_suggestion_does_what_it_says_when_applied(policy: Policy, quote: Quote) -> None:
    found = evaluate(quote, policy, {}).counterfactual

    for lever in found.levers:
        assert evaluate(applied(quote, (lever.change,), policy), policy, {}).outcome is lever.outcome
    if found.joint is not None:
        after = evaluate(applied(quote, found.joint.changes, policy), policy, {})
        assert (after.outcome, after.required_steps) == (found.joint.outcome, found.joint.required_steps)


@pytest.mark.parametrize("risk", Risk)
@pytest.mark.parametrize(
    ("unit", "net", "cost", "quantity"),
    [("21.97", "15.1593", "8.788", "9"), ("399.23", "87.8306", "139.7305", "1"), ("248.84", "84.6056", "99.536", "4")],
)
def test_growth_is_not_suggested_where_a_margin_at_its_floor_hangs_on_rounding(
    unit: str, net: str, cost: str, quantity: str, risk: Risk
) -> None:
    policy = load_template("saas-standard")
    quote = a_quote(a_line(unit=unit, net=net, cost=cost, quantity=quantity), risk=risk)
    joint = evaluate(quote, policy, {}).counterfactual.joint

    assert joint is not None
    assert evaluate(applied(quote, joint.changes, policy), policy, {}).outcome is joint.outcome


@settings(deadline=None)
@given(quote=any_quote())
def test_the_default_policy_always_knows_a_way_unless_nothing_is_charged(quote: Quote) -> None:
    decision = evaluate(quote, CLASSIC, {})

    joint = decision.counterfactual.joint

    assert (decision.outcome is Outcome.AUTO_APPROVE) == (joint is None)
    assert joint is None or joint.outcome is Outcome.AUTO_APPROVE
