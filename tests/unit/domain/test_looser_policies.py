"""A looser policy never decides more strictly, whatever the quote."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.decision import Outcome
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.quote import Billing, Quote, Risk
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

RISKS = [risk.value for risk in Risk]
ACTIONS = st.sampled_from([{"approve": "finance"}, {"approve": "executive"}, {"block": True}])
FACTS = st.sampled_from(
    [("discount_pct", "max"), ("recurring_discount_pct", "max"), ("margin_pct", "min"), ("payment_days", "max"),
     ("term_months", "min"), ("total_contract_value", "min")]
)  # fmt: skip
LIMITS = st.integers(0, 90)
GIFTS = st.integers(0, 30)
BILLINGS = st.lists(st.sampled_from([billing.value for billing in Billing]), min_size=1, unique=True)


@st.composite
def limits(draw: st.DrawFn, number: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """A table of limits, and the same with every limit as strict or looser; None when the rule is left out."""
    fact, op = draw(FACTS)
    action, keyed = draw(ACTIONS), draw(st.booleans())
    strict = [draw(LIMITS) for _ in (RISKS if keyed else [""])]
    scale = 500 if fact == "total_contract_value" else 1
    way = 1 if op == "max" else -1
    loose = [limit + way * draw(GIFTS) for limit in strict]

    def rule(values: list[int]) -> dict[str, Any]:
        keys = [[risk] for risk in RISKS] if keyed else [[]]
        rows = [{"key": key, "limit": str(value * scale)} for key, value in zip(keys, values, strict=True)]
        return a_rule(f"R{number}", fact=fact, op=op, keys=["risk_tier"] if keyed else [], rows=rows, action=action)

    return rule(strict), draw(st.sampled_from([rule(loose), rule(loose), None]))


@st.composite
def allowed(draw: st.DrawFn, number: int) -> tuple[dict[str, Any], dict[str, Any] | None]:
    strict = draw(BILLINGS)
    loose = list(dict.fromkeys([*strict, *draw(BILLINGS)]))
    action = draw(ACTIONS)
    pair = [
        a_rule(f"R{number}", kind="allowed", fact="billing", rows=[{"values": values}], action=action)
        for values in (strict, loose)
    ]
    return pair[0], pair[1]


@st.composite
def policies(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    pairs = [draw(limits(n) if draw(st.booleans()) else allowed(n)) for n in range(draw(st.integers(1, 5)))]
    kept = [loose for _, loose in pairs if loose is not None]
    # A policy has at least one rule; this one asks for nothing.
    nothing = a_rule("NOTHING", rows=[{"limit": "100"}])
    return a_document(*(strict for strict, _ in pairs), nothing), a_document(*kept, nothing)


@st.composite
def quotes(draw: st.DrawFn) -> Quote:
    prices = st.decimals(0, 20_000, places=2)
    lines = [
        a_line(str(n), unit="20000.00", net=str(draw(prices)), cost=str(draw(st.integers(0, 20_000))))
        for n in range(draw(st.integers(1, 3)))
    ]
    return a_quote(
        *lines,
        risk=draw(st.sampled_from(Risk)),
        payment_terms_days=draw(st.integers(0, 90)),
        term_months=draw(st.integers(1, 60)),
        billing=draw(st.sampled_from(Billing)),
    )


@given(policies(), quotes())
def test_a_looser_policy_never_yields_a_stricter_outcome(
    documents: tuple[dict[str, Any], dict[str, Any]], quote: Quote
) -> None:
    strict, loose = [evaluate(quote, parse_policy(document), {}) for document in documents]

    assert loose.outcome.severity <= strict.outcome.severity
    if strict.outcome is not Outcome.BLOCKED:
        assert set(loose.required_steps) <= set(strict.required_steps)
    assert {violation.rule for violation in loose.violations} <= {violation.rule for violation in strict.violations}


def test_the_limits_of_the_property_are_reached() -> None:
    """What the property tries holds quotes that a policy blocks and its looser sister does not."""
    strict = a_document(a_rule(rows=[{"limit": "10"}], action={"block": True}))
    loose = a_document(a_rule(rows=[{"limit": "20"}], action={"block": True}))

    outcomes = [
        evaluate(a_quote(off=str(Decimal(15))), parse_policy(document), {}).outcome for document in (strict, loose)
    ]

    assert outcomes == [Outcome.BLOCKED, Outcome.AUTO_APPROVE]
