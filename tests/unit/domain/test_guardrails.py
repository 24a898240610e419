"""The default policy, limit by limit, and the discount semantics that it rests on."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.guardrails import Outcome, evaluate, to_json
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import Billing, ChargeType, Line, Quote, Risk
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rate, a_rule

CLASSIC = load_template("classic")
SAAS = load_template("saas-standard")
AUTO, APPROVAL, BLOCKED = Outcome.AUTO_APPROVE, Outcome.NEEDS_APPROVAL, Outcome.BLOCKED


def rules(quote: Quote) -> set[str]:
    return {violation.rule for violation in evaluate(quote, CLASSIC, {}).violations}


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
        ("JPY", "0.0067", "746268", BLOCKED),
        ("JPY", "0.0067", "746269", AUTO),
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


def test_example_1c_recurring_one_time_and_total_are_kept_apart() -> None:
    quote = a_quote(
        a_line("platform", unit="120000", off="15"),
        a_line("seats", unit="60000", off="30"),
        a_line("onboarding", unit="20000", off="100", charge=ChargeType.ONE_TIME),
    )

    facts = dict(evaluate(quote, CLASSIC, {}).facts)

    assert facts["recurring_discount_pct"] == "20.00"
    assert facts["discount_pct"] == "28.00"
    assert facts["one_time_discount_pct"] == "100.00"
    assert "usage_discount_pct" not in facts


def test_example_1c_a_25_percent_cap_passes_on_recurring_and_fails_on_total() -> None:
    quote = a_quote(
        a_line("1", unit="180000", off="20"),
        a_line("2", unit="20000", off="100", charge=ChargeType.ONE_TIME),
    )
    caps = [a_rule(f"R{n}", fact=f, rows=[{"key": [], "limit": "25"}]) for n, f in enumerate(TOTAL_AND_RECURRING)]

    decision = evaluate(quote, parse_policy(a_document(*caps)), {})

    assert [v.fact for v in decision.violations] == ["discount_pct"]


TOTAL_AND_RECURRING = ("discount_pct", "recurring_discount_pct")


def test_example_1d_stacked_percentages_multiply() -> None:
    net = Decimal(100_00) * Decimal("0.9") * Decimal("0.8")

    decision = evaluate(a_quote(a_line(unit="10000", net=str(net))), CLASSIC, {})

    assert dict(decision.facts)["discount_pct"] == "28.00"


def test_example_1e_two_free_months_in_fourteen() -> None:
    twelve_of_fourteen = str(round(Decimal(12_000) / 14, 15))

    decision = evaluate(a_quote(a_line(unit="1000", net=twelve_of_fourteen, periods=14)), CLASSIC, {})

    assert dict(decision.facts)["discount_pct"] == "14.29"


def test_example_1f_exactly_20_percent_off_99_999_99_passes() -> None:
    quote = a_quote(a_line(unit="99999.99", net="79999.992"), risk=Risk.MEDIUM)
    one_cent_less = a_quote(a_line(unit="99999.99", net="79999.98"), risk=Risk.MEDIUM)

    assert evaluate(quote, CLASSIC, {}).outcome is AUTO
    assert dict(evaluate(quote, CLASSIC, {}).facts)["discount_pct"] == "20.00"
    assert evaluate(one_cent_less, CLASSIC, {}).outcome is BLOCKED


def test_example_1f_20_001_percent_fails_and_never_reads_as_20_00() -> None:
    decision = evaluate(a_quote(a_line(unit="100000.00", net="79999.00"), risk=Risk.MEDIUM), CLASSIC, {})

    assert decision.outcome is BLOCKED
    assert decision.violations[0].actual == "20.01"


def test_exactly_20_percent_off_prices_below_a_cent_passes() -> None:
    quote = a_quote(a_line(unit="0.5015", net="0.4012", quantity="12345"), risk=Risk.MEDIUM)

    assert evaluate(quote, CLASSIC, {}).outcome is not APPROVAL
    assert rules(quote) == {"PRICE-FLOOR"}


def half_up(amount: Fraction) -> int:
    return floor(amount + Fraction(1, 2))


def oracle_exceeds(quote: Quote, limit: Fraction) -> bool:
    """Exact fractions on whole minor units, and the half unit a line that rounding explains (example 1f)."""
    listed = [half_up(Fraction(x.list_unit_price) * Fraction(x.quantity) * x.periods * 100) for x in quote.lines]
    exact = [Fraction(x.list_unit_price) * Fraction(x.quantity) * x.periods * 100 for x in quote.lines]
    net = sum(half_up(Fraction(x.net_unit_price) * Fraction(x.quantity) * x.periods * 100) for x in quote.lines)
    if sum(listed) == 0 or Fraction(sum(listed) - net, sum(listed)) <= limit:
        return False
    floors = [min(half_up(a * (1 - limit)), half_up(b * (1 - limit))) for a, b in zip(listed, exact, strict=True)]
    return net < sum(floors)


@st.composite
def near_a_limit(draw: st.DrawFn) -> Quote:
    """Lines priced at a limit, give or take a few cents."""
    lines = []
    for index in range(draw(st.integers(1, 5))):
        listed = Decimal(draw(st.integers(1, 2_000_000))).scaleb(-draw(st.integers(0, 4)))
        limit = draw(st.sampled_from(["0.7", "0.8", "0.9", "0.8001", "0.7999"]))
        nudge = Decimal(draw(st.integers(-2, 2))).scaleb(-2)
        net = max(Decimal(0), listed * Decimal(limit) + nudge)
        quantity, periods = draw(st.integers(1, 40)), draw(st.integers(1, 36))
        lines.append(Line(str(index), "S", draw(st.sampled_from(ChargeType)), Decimal(quantity), periods, listed, net))
    return a_quote(*lines, risk=draw(st.sampled_from(Risk)), payment_terms_days=draw(st.integers(0, 90)))


@given(near_a_limit())
def test_the_default_policy_agrees_with_an_oracle_of_fractions(quote: Quote) -> None:
    ceiling = {Risk.LOW: 30, Risk.MEDIUM: 20, Risk.HIGH: 10}[quote.risk]
    net = sum(half_up(Fraction(x.net_unit_price) * Fraction(x.quantity) * x.periods * 100) for x in quote.lines)

    expected = {
        "DISC-RISK": oracle_exceeds(quote, Fraction(ceiling, 100)),
        "DISC-EXEC": oracle_exceeds(quote, Fraction(20, 100)),
        "TERMS-MAX": quote.payment_terms_days > 45,
        "TERMS-FINANCE": quote.payment_terms_days > 30,
        "PRICE-FLOOR": net < 500_000,
    }

    assert rules(quote) == {rule for rule, broken in expected.items() if broken}


@given(st.integers(1, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-10_000, 10_000))
def test_a_margin_floor_agrees_with_the_exact_fraction(listed: int, net: int, cost: int, limit: int) -> None:
    money = [str(Decimal(amount).scaleb(-2)) for amount in (listed, net, cost)]
    quote = a_quote(a_line(unit=money[0], net=money[1], cost=money[2]))
    text = f"{Decimal(limit).scaleb(-2):.2f}"
    rows = {"fact": "margin_pct", "op": "min", "rows": [{"limit": text}]}

    broken = bool(evaluate(quote, parse_policy(a_document(a_rule(**rows))), {}).violations)

    assert broken == (cost > 0 and net == 0 and 1 - cost < Fraction(limit, 10_000)) or (
        net > 0 and broken == (Fraction(net - cost, net) < Fraction(limit, 10_000))
    )


@given(near_a_limit(), st.randoms())
def test_permuting_lines_never_changes_the_decision(quote: Quote, random: object) -> None:
    lines = list(quote.lines)
    random.shuffle(lines)  # type: ignore[attr-defined]

    shuffled = a_quote(*lines, risk=quote.risk, payment_terms_days=quote.payment_terms_days)

    assert evaluate(shuffled, CLASSIC, {}) == evaluate(quote, CLASSIC, {})


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
