"""What a discount is: the numbered examples, and every limit against an oracle of exact fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.guardrails import Outcome, evaluate
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import ChargeType, Line, Quote, Risk
from dealdesk.policies import load_template
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

CLASSIC = load_template("classic")
AUTO, APPROVAL, BLOCKED = Outcome.AUTO_APPROVE, Outcome.NEEDS_APPROVAL, Outcome.BLOCKED


def rules(quote: Quote) -> set[str]:
    return {violation.rule for violation in evaluate(quote, CLASSIC, {}).violations}


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
    rule = a_rule(fact="margin_pct", op="min", rows=[{"limit": text}])

    broken = bool(evaluate(quote, parse_policy(a_document(rule)), {}).violations)

    assert broken == (cost > 0 and net == 0 and 1 - cost < Fraction(limit, 10_000)) or (
        net > 0 and broken == (Fraction(net - cost, net) < Fraction(limit, 10_000))
    )


@given(near_a_limit(), st.randoms())
def test_permuting_lines_never_changes_the_decision(quote: Quote, random: object) -> None:
    lines = list(quote.lines)
    random.shuffle(lines)  # type: ignore[attr-defined]

    shuffled = a_quote(*lines, risk=quote.risk, payment_terms_days=quote.payment_terms_days)

    assert evaluate(shuffled, CLASSIC, {}) == evaluate(quote, CLASSIC, {})
