"""What goes wrong with policies elsewhere, by the numbers of the list of pitfalls; 21 stands with the ports."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dealdesk.domain.decision import Outcome
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.impact import Case, impact_of
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.policy_book import draft, publish, rollback
from dealdesk.domain.policy_version import PolicyVersion, in_force
from dealdesk.domain.quote import Quote
from dealdesk.errors import PolicyHasErrors
from dealdesk.policies import template_document
from tests.unit.domain.policies import STEPS, Json, documents, percents, quotes
from tests.unit.domain.quotes import a_document, a_quote, a_rate, a_rule

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANN, BEN = "person-ann", "person-ben"
# Documents are large: the draws take longer than the desk does.
FEWER = settings(max_examples=40)


def limited(percent: str, **members: Any) -> Json:
    executive = a_rule("EXEC", fact="term_months", rows=[{"limit": "60"}], action={"approve": "executive"})
    return a_document(a_rule(rows=[{"limit": percent}]), executive, **members)


def published(document: Json, versions: list[PolicyVersion], now: datetime = NOW, **fields: Any) -> PolicyVersion:
    """Appends the document as the next version, published."""
    versions.append(draft(versions, "p", document, author=ANN, now=now))
    versions[-1] = publish(versions, None, by=BEN, now=now, **fields)
    return versions[-1]


@given(st.lists(st.tuples(st.sampled_from([*STEPS, *STEPS, "block"]), st.booleans()), min_size=1, max_size=8))
def test_pitfall_13_a_later_rule_never_overwrites_what_an_earlier_one_requires(given: list[tuple[str, bool]]) -> None:
    rules = [
        a_rule(
            f"R{place}",
            rows=[{"limit": "10" if violated else "90"}],
            action={"block": True} if step == "block" else {"approve": step},
        )
        for place, (step, violated) in enumerate(given)
    ]
    steps = {step: {"label": step, "group": f"grp-{step}", "sla_hours": 24} for step in STEPS}
    approvals = {"steps": steps, "route": [{"mode": "parallel", "steps": list(STEPS)}]}

    decision = evaluate(a_quote(off="50"), parse_policy(a_document(*rules, approvals=approvals)), {})

    asked = {step for step, violated in given if violated}
    assert [x.rule for x in decision.violations] == [f"R{n}" for n, (_, violated) in enumerate(given) if violated]
    assert set(decision.required_steps) == (set() if "block" in asked else asked)
    assert (decision.outcome is Outcome.BLOCKED) is ("block" in asked)


@given(st.lists(percents, min_size=1, max_size=5), st.data())
def test_pitfall_22_a_decision_names_the_version_whose_limit_it_applied(limits: list[str], data: st.DataObject) -> None:
    versions: list[PolicyVersion] = []
    for place, limit in enumerate(limits):
        published(limited(limit), versions, NOW + place * HOUR)
    to = data.draw(st.integers(1, len(limits)))
    versions.append(rollback(versions, to, by=BEN, now=NOW + len(limits) * HOUR))

    for place, limit in enumerate([*limits, limits[to - 1]]):
        version = in_force(versions, NOW + place * HOUR)
        assert version is not None
        decision = evaluate(a_quote(off="100"), parse_policy(version.content), {})
        assert (decision.policy_version, decision.policy_hash) == (place + 1, versions[place].hash)
        assert [x.limit for x in decision.violations if x.rule == "R"] == [limit]


@FEWER
@given(documents(), quotes())
def test_pitfall_23_whatever_was_published_can_be_evaluated(document: Json, quote: Quote) -> None:
    try:
        version = published(document, [])
    except PolicyHasErrors:
        assume(False)

    decision = evaluate(quote, parse_policy(version.content), {})

    assert decision.policy_hash == version.hash


@pytest.mark.parametrize(
    "broken",
    [
        {"fact": "discount"},
        {"op": "less"},
        {"rows": [{"limit": "NaN"}]},
        {"when": "discount_pct > "},
        {"action": {"approve": "nobody"}},
        {"scope": "line_group"},
    ],
)
def test_pitfall_23_a_policy_that_cannot_be_evaluated_is_never_in_force(broken: Json) -> None:
    versions: list[PolicyVersion] = []
    first = published(limited("20"), versions)
    versions.append(draft(versions, "p", a_document(a_rule(**broken)), author=ANN, now=NOW))

    with pytest.raises(PolicyHasErrors):
        publish(versions, None, by=BEN, now=NOW)

    assert in_force(versions, NOW + HOUR) == first


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), min_size=1, max_size=5), st.integers(0, 20))
def test_pitfall_23_nothing_decides_outside_of_its_effective_dates(spans: list[tuple[int, int]], hour: int) -> None:
    versions: list[PolicyVersion] = []
    for begins, lasts in spans:
        published(
            limited("20"),
            versions,
            effective_from=NOW + begins * HOUR,
            effective_to=NOW + (begins + lasts) * HOUR,
        )

    version = in_force(versions, NOW + hour * HOUR)

    expected = [n for n, (begins, lasts) in enumerate(spans, start=1) if begins <= hour < begins + lasts]
    assert (version is None) is (not expected)
    assert version is None or version.number in expected


def test_pitfall_24_the_impact_is_that_of_the_draft_on_deals_as_they_were_recorded() -> None:
    in_force_now, draft_ = parse_policy(limited("20")), parse_policy(limited("30"))
    cases = [
        Case(f"d-{off}", quote := a_quote(off=str(off), name=f"Deal {off}"), evaluate(quote, in_force_now, {}))
        for off in (10, 25, 40)
    ]

    found = impact_of(draft_, cases, {})

    assert [(x.before, x.after, x.deals, x.total_contract_value) for x in found.moved] == [
        (Outcome.AUTO_APPROVE, Outcome.AUTO_APPROVE, 1, Decimal("9000.00")),
        (Outcome.NEEDS_APPROVAL, Outcome.AUTO_APPROVE, 1, Decimal("7500.00")),
        (Outcome.NEEDS_APPROVAL, Outcome.NEEDS_APPROVAL, 1, Decimal("6000.00")),
    ]
    assert (found.deals, found.gained, found.lost) == (3, {}, {"R": 1})
    (flip,) = found.flips
    assert (flip.deal_id, flip.name, flip.before.policy_hash) == ("d-25", "Deal 25", in_force_now.hash)
    assert flip.after.policy_hash == draft_.hash


@given(st.lists(quotes(), max_size=5), percents)
def test_pitfall_24_the_impact_of_the_policy_that_decided_is_none(asked: list[Quote], limit: str) -> None:
    policy = parse_policy(limited(limit))
    cases = [Case(str(n), quote, evaluate(quote, policy, {})) for n, quote in enumerate(asked)]

    found = impact_of(policy, cases, {})

    assert (found.flips, found.gained, found.lost) == ((), {}, {})
    assert found.deals == len(asked)


def test_pitfall_24_a_deal_is_tried_at_the_rate_that_was_recorded_with_it() -> None:
    floor = a_rule("FLOOR", fact="total_contract_value", op="min", rows=[{"limit": "9000"}])
    policy, quote = parse_policy(a_document(floor)), a_quote(currency="EUR")
    case = Case("d-1", quote, evaluate(quote, policy, a_rate("EUR", "1.10")))

    found = impact_of(policy, [case], a_rate("EUR", "0.50"))

    assert [(x.after, x.total_contract_value) for x in found.moved] == [(Outcome.AUTO_APPROVE, Decimal("11000.00"))]


@given(st.integers(0, 40), st.integers(0, 40))
def test_pitfall_25_a_step_below_a_ceiling_that_blocks_first_is_not_published(ceiling: int, limit: int) -> None:
    document = template_document("classic")
    rules: Any = document["rules"]
    rules[0]["rows"] = [{"key": ["*"], "limit": str(ceiling)}]
    rules[1]["rows"] = [{"key": [], "limit": str(limit)}]
    policy = parse_policy(document)

    fires = any(
        evaluate(a_quote(off=str(off)), policy, {}).required_steps == ("executive",) for off in range(limit, limit + 2)
    )

    assert fires is (limit < ceiling)
    if fires:
        published(document, [])
    else:
        with pytest.raises(PolicyHasErrors, match="Executive approval"):
            published(document, [])
