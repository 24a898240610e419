"""The default policy, limit by limit, and the decision that comes of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from dealdesk.domain.decision import FxRate
from dealdesk.domain.guardrails import Outcome, evaluate, to_json
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import Billing, Risk
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rate, a_rule

CLASSIC = load_template("classic")
SAAS = load_template("saas-standard")
AUTO, APPROVAL, BLOCKED = Outcome.AUTO_APPROVE, Outcome.NEEDS_APPROVAL, Outcome.BLOCKED


@pytest.mark.parametrize(
    ("risk", "off", "outcome", "steps"),
    [
        (Risk.LOW, "20", AUTO, ()),
        (Risk.LOW, "20.01", APPROVAL, ("executive",)),
        (Risk.LOW, "30", APPROVAL, ("executive",)),
        (Risk.LOW, "30.01", BLOCKED, ()),
        (Risk.MEDIUM, "20", AUTO, ()),
        (Risk.MEDIUM, "20.01", BLOCKED, ()),
        (Risk.HIGH, "10", AUTO, ()),
        (Risk.HIGH, "10.01", BLOCKED, ()),
    ],
)
def test_the_discount_ceiling_follows_the_risk(risk: Risk, off: str, outcome: Outcome, steps: tuple[str, ...]) -> None:
    decision = evaluate(a_quote(off=off, risk=risk), CLASSIC, {})

    assert (decision.outcome, decision.required_steps) == (outcome, steps)


@pytest.mark.parametrize(
    ("days", "outcome", "steps"),
    [(30, AUTO, ()), (31, APPROVAL, ("finance",)), (45, APPROVAL, ("finance",)), (46, BLOCKED, ())],
)
def test_payment_terms_over_30_go_to_finance_and_over_45_are_blocked(
    days: int, outcome: Outcome, steps: tuple[str, ...]
) -> None:
    decision = evaluate(a_quote(payment_terms_days=days), CLASSIC, {})

    assert (decision.outcome, decision.required_steps) == (outcome, steps)


@pytest.mark.parametrize(
    ("currency", "rate", "price", "outcome"),
    [
        ("USD", None, "5000.00", AUTO),
        ("USD", None, "4999.99", BLOCKED),
        ("JPY", "0.0067", "746267", BLOCKED),
        ("JPY", "0.0067", "746268", AUTO),
        ("KWD", "3.25", "1538.462", AUTO),
        ("KWD", "3.25", "1538.459", BLOCKED),
    ],
)
def test_the_price_floor_holds_to_the_minor_unit_in_the_policy_currency(
    currency: str, rate: str | None, price: str, outcome: Outcome
) -> None:
    fx = {} if rate is None else a_rate(currency, rate)

    decision = evaluate(a_quote(a_line(unit=price), currency=currency), CLASSIC, fx)

    assert decision.outcome is outcome
    assert decision.fx == fx.get(currency)


@pytest.mark.parametrize(("currency", "listed"), [("USD", "10000.00"), ("JPY", "1000000"), ("KWD", "2000.000")])
def test_one_minor_unit_beyond_the_limit_is_beyond_the_limit(currency: str, listed: str) -> None:
    at_limit = Decimal(listed) * Decimal("0.8")
    unit = Decimal(1).scaleb(Decimal(listed).as_tuple().exponent)  # type: ignore[arg-type]
    fx = {**a_rate("JPY", "0.0067"), **a_rate("KWD", "3.25")}

    outcomes = [
        evaluate(a_quote(a_line(unit=listed, net=str(net)), currency=currency, risk=Risk.MEDIUM), CLASSIC, fx).outcome
        for net in (at_limit, at_limit - unit)
    ]

    assert outcomes == [AUTO, BLOCKED]


def test_low_risk_25_percent_net_40_needs_executive_and_finance() -> None:
    decision = evaluate(a_quote(off="25", payment_terms_days=40), CLASSIC, {})

    assert decision.outcome is APPROVAL
    assert [(s.mode, s.steps) for s in decision.route] == [("parallel", ("finance",)), ("sequential", ("executive",))]


def test_low_risk_35_percent_net_60_100_usd_is_blocked_with_three_reasons() -> None:
    quote = a_quote(a_line(unit="153.85", net="100.00"), payment_terms_days=60)

    decision = evaluate(quote, CLASSIC, {})

    assert decision.outcome is BLOCKED
    assert {v.rule for v in decision.violations if v.blocks} == {"DISC-RISK", "TERMS-MAX", "PRICE-FLOOR"}
    assert {v.step for v in decision.violations if not v.blocks} == {"executive", "finance"}
    assert decision.route == ()


def test_a_message_says_the_figures_the_rule_and_the_policy() -> None:
    decision = evaluate(a_quote(off="27.5", risk=Risk.MEDIUM), CLASSIC, {})

    assert decision.violations[0].message == (
        "discount 27.50% exceeds the 20.00% allowed for risk tier medium "
        "(rule DISC-RISK row 2, policy pricing-guardrails v1); blocked"
    )
    assert decision.violations[1].message.endswith("; needs Executive approval")


def test_a_missing_rate_blocks_and_says_which() -> None:
    decision = evaluate(a_quote(currency="EUR"), CLASSIC, a_rate("GBP", "1.3"))

    assert decision.outcome is BLOCKED
    assert "no exchange rate from EUR to USD" in decision.violations[0].message
    assert decision.counterfactual.levers == ()


def test_a_rate_filed_under_another_currency_is_not_used() -> None:
    assert evaluate(a_quote(currency="EUR"), CLASSIC, {"EUR": a_rate("JPY", "1")["JPY"]}).outcome is BLOCKED


def test_a_free_item_without_a_list_price_is_blocked() -> None:
    quote = a_quote(a_line("1"), a_line("2", unit="0"))

    decision = evaluate(quote, CLASSIC, {})

    assert [(v.rule, v.line, v.blocks) for v in decision.violations] == [("list-price", "2", True)]


@pytest.mark.parametrize(
    ("off", "cost", "outcome", "steps"),
    [
        ("20", "3000", AUTO, ()),
        ("20.01", "3000", APPROVAL, ("finance",)),
        ("30.01", "3000", APPROVAL, ("finance", "executive")),
        ("20", "4000", AUTO, ()),
        ("20", "4000.01", BLOCKED, ()),
        ("20", None, AUTO, ()),
    ],
)
def test_saas_standard_asks_finance_then_executives_and_keeps_a_margin(
    off: str, cost: str | None, outcome: Outcome, steps: tuple[str, ...]
) -> None:
    decision = evaluate(a_quote(a_line(off=off, cost=cost), risk=Risk.MEDIUM), SAAS, {})

    assert (decision.outcome, decision.required_steps) == (outcome, steps)


def test_a_margin_is_not_known_unless_every_line_says_its_cost() -> None:
    decision = evaluate(a_quote(a_line("1", cost="1"), a_line("2")), CLASSIC, {})

    assert "margin_pct" not in dict(decision.facts)


def test_the_json_of_a_decision_has_the_published_shape() -> None:
    rule = a_rule("BILLING", kind="allowed", fact="billing", rows=[{"values": ["upfront", "annual"]}])
    quote = a_quote(billing=Billing.MONTHLY, currency="EUR")

    answer = to_json(evaluate(quote, parse_policy(a_document(rule)), a_rate("EUR", "1.1")))

    assert answer["policy"] == {"id": "test-policy", "version": 3, "hash": answer["policy"]["hash"]}  # type: ignore[index]
    assert answer["route"] == [{"mode": "parallel", "steps": ["finance"]}]
    assert answer["violations"] == [
        {
            "rule": "BILLING",
            "line": None,
            "fact": "billing",
            "op": "in",
            "key": {},
            "row": 0,
            "actual": "monthly",
            "limit": "upfront, annual",
            "passes_at": "upfront or annual",
            "action": {"approve": "finance"},
            "message": "billing monthly is not upfront or annual, the only values allowed "
            "(rule BILLING, policy test-policy v3); needs Finance review",
        }
    ]
    assert answer["facts"]["total_contract_value"] == "11000.00"  # type: ignore[index]
    assert answer["fx"] == {"currency": "EUR", "rate": "1.1", "as_of": "2026-03-02", "source": "ecb"}


def test_pitfall_15_a_rate_into_another_currency_than_the_policys_is_no_rate() -> None:
    policy = parse_policy(a_document(currency="EUR"))
    into_usd = FxRate("GBP", Decimal("1.28"), date(2026, 3, 2), "ecb")

    without = evaluate(a_quote(currency="GBP"), policy, {"GBP": into_usd})
    with_it = evaluate(a_quote(currency="GBP"), policy, {"GBP": replace(into_usd, into="EUR")})

    assert [violation.rule for violation in without.violations] == ["fx-rate"]
    assert with_it.outcome is Outcome.AUTO_APPROVE
