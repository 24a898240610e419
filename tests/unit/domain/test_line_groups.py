"""A rule may look at the lines that share an attribute: their figures count together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdesk.domain.advice import what_would_pass
from dealdesk.domain.decision import Decision, Outcome
from dealdesk.domain.events import Grant
from dealdesk.domain.grants import limits_of, scope_of, survives
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.policy import InvalidPolicy, parse_policy
from dealdesk.domain.policy_checks import Severity, check_document
from dealdesk.domain.quote import ChargeType, Line, Quote
from tests.unit.domain.deals import NOW
from tests.unit.domain.quotes import a_document, a_line, a_quote, a_rule

ONE_TIME, RECURRING = ChargeType.ONE_TIME, ChargeType.RECURRING


def by_group(id: str = "GROUP", by: str = "charge_type", **members: Any) -> dict[str, Any]:
    """20% together that finance decides, for each group of lines."""
    return a_rule(id, scope="line_group", group_by=by, **members)


def judged(quote: Quote, *rules: dict[str, Any]) -> Decision:
    return evaluate(quote, parse_policy(a_document(*(rules or (by_group(),)))), {})


def mixed(*recurring: str, one_time: str = "0") -> Quote:
    """A recurring line for each percentage off, and a one-time line."""
    lines = [a_line(str(number), off=off) for number, off in enumerate(recurring, start=1)]
    return a_quote(*lines, a_line("setup", off=one_time, charge=ONE_TIME, sku="SETUP"))


# -- judging


def test_the_lines_of_a_group_are_judged_together_and_the_groups_apart() -> None:
    decision = judged(mixed("30", "20", one_time="10"))

    (violation,) = decision.violations
    assert (violation.line, violation.group, violation.lines) == (None, "recurring", ("1", "2"))
    assert (violation.actual, violation.limit) == ("25.00", "20.00")
    assert violation.key == (("charge_type", "recurring"),)


def test_a_group_passes_where_its_lines_make_up_for_each_other() -> None:
    assert judged(mixed("30", "10", one_time="20")).outcome is Outcome.AUTO_APPROVE


def test_every_group_beyond_the_limit_is_a_reason_of_its_own() -> None:
    decision = judged(mixed("30", one_time="40"))

    assert [(x.group, x.actual, x.lines) for x in decision.violations] == [
        ("recurring", "30.00", ("1",)),
        ("one_time", "40.00", ("setup",)),
    ]


def test_the_message_names_the_group_and_its_lines() -> None:
    (violation,) = judged(mixed("30", "20")).violations

    assert violation.message == (
        "recurring (lines 1, 2): discount 25.00% exceeds the 20.00% allowed "
        "(rule GROUP, policy test-policy v3); needs Finance review"
    )


def test_a_group_of_many_lines_names_the_first_ten() -> None:
    (violation,) = judged(a_quote(*(a_line(f"{n:02}", off="30") for n in range(12)))).violations

    assert violation.message.startswith("recurring (lines 00, 01, 02, 03, 04, 05, 06, 07, 08, 09 and 2 more): ")
    assert len(violation.lines) == 12


def test_the_json_of_a_reason_names_the_group_and_its_lines() -> None:
    answer: dict[str, Any] = to_json(judged(mixed("30")))

    (shown,) = answer["violations"]

    assert (shown["line"], shown["group"], shown["lines"]) == (None, "recurring", ["1"])


def test_a_table_gives_each_group_its_own_limit() -> None:
    rows = [{"key": ["one_time"], "limit": "50"}, {"key": ["*"], "limit": "10"}]

    decision = judged(mixed("15", one_time="45"), by_group(keys=["charge_type"], rows=rows))

    assert [(x.group, x.limit, x.row) for x in decision.violations] == [("recurring", "10.00", 1)]


def test_lines_are_grouped_by_product_too() -> None:
    quote = a_quote(a_line("1", off="30"), a_line("2", off="10"), a_line("3", off="30", sku="EXTRA"))

    decision = judged(quote, by_group(by="sku"))

    assert [(x.group, x.lines, x.key) for x in decision.violations] == [("EXTRA", ("3",), (("sku", "EXTRA"),))]


def test_the_margin_of_a_group_is_that_of_its_lines_together() -> None:
    floor = by_group(fact="margin_pct", op="min", rows=[{"limit": "50"}])
    poor, rich = a_line("1", cost="7000"), a_line("2", cost="1000")

    assert judged(a_quote(poor, rich), floor).violations == ()
    assert [
        x.actual for x in judged(a_quote(poor, replace(rich, sku="B")), floor | {"group_by": "sku"}).violations
    ] == ["30.00"]


def test_a_condition_and_a_guard_read_the_figures_of_the_group() -> None:
    expr = "charge_type == 'recurring' && discount_pct > 20 && payment_days > 30"
    rule = by_group(kind="condition", expr=expr, name="Recurring, late")

    (violation,) = judged(replace(mixed("30", "20"), payment_terms_days=40), rule).violations

    assert (violation.group, violation.key) == ("recurring", (("charge_type", "recurring"),))
    assert "discount 25.00%" in violation.message
    assert not judged(mixed("30", one_time="90"), by_group(when="charge_type == 'usage'")).violations


@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(list(ChargeType))), min_size=1, max_size=6))
def test_a_group_is_judged_as_a_quote_of_its_lines_alone_would_be(given: list[tuple[int, ChargeType]]) -> None:
    lines = [a_line(str(number), off=str(off), charge=charge) for number, (off, charge) in enumerate(given)]
    whole = parse_policy(a_document(a_rule()))

    found = {x.group: x.actual for x in judged(a_quote(*lines)).violations}

    alone: dict[str, list[Line]] = {}
    for line in lines:
        alone.setdefault(line.charge_type.value, []).append(line)
    apart = {name: evaluate(a_quote(*group), whole, {}).violations for name, group in alone.items()}
    assert found == {name: violations[0].actual for name, violations in apart.items() if violations}


# -- what would pass


def test_what_would_pass_touches_only_the_lines_of_the_group() -> None:
    decision = judged(mixed("30", "20", one_time="15"))

    (lever,) = decision.counterfactual.levers
    assert (lever.change.lines, lever.outcome) == (("1", "2"), Outcome.AUTO_APPROVE)
    assert what_would_pass(decision) == "Passes at 20.00% discount or less on line 1, 2."


def test_two_groups_beyond_their_limits_pass_together() -> None:
    decision = judged(mixed("30", "20", one_time="60"))

    joint = decision.counterfactual.joint
    assert joint is not None
    assert {change.lines for change in joint.changes} == {("1", "2"), ("setup",)}
    assert joint.outcome is Outcome.AUTO_APPROVE


def test_a_margin_is_raised_by_the_lines_of_the_group_together() -> None:
    floor = by_group(fact="margin_pct", op="min", rows=[{"limit": "50"}])
    quote = a_quote(
        a_line("1", off="30", cost="5000"), a_line("2", off="30", cost="3000"), a_line("s", charge=ONE_TIME, cost="1")
    )

    decision = judged(quote, floor)

    assert [(lever.change.lines, lever.change.to) for lever in decision.counterfactual.levers] == [
        (("1", "2"), "20.00")
    ]


# -- approvals


def test_an_approver_accepts_each_group_by_itself() -> None:
    granted = limits_of(judged(mixed("30", one_time="40")), "finance")

    assert [(limit.group, limit.value) for limit in granted] == [("recurring", "30.00"), ("one_time", "40.00")]


@pytest.mark.parametrize(
    ("recurring", "one_time", "kept"), [("30", "40", True), ("29", "39", True), ("40", "30", False)]
)
def test_what_was_granted_for_one_group_is_not_granted_for_another(recurring: str, one_time: str, kept: bool) -> None:
    policy, before = parse_policy(a_document(by_group())), mixed("30", one_time="40")
    decision = evaluate(before, policy, {})
    grant = Grant("finance", "person-fin", NOW, "", limits_of(decision, "finance"), scope_of(before))
    after = mixed(recurring, one_time=one_time)

    assert survives(grant, before, after, evaluate(after, policy, {}), policy, {}) is kept


# -- reading and checks


@pytest.mark.parametrize(
    ("pointer", "members"),
    [
        ("/rules/0/group_by", {"scope": "line_group"}),
        ("/rules/0/group_by", {"scope": "line_group", "group_by": "risk_tier"}),
        ("/rules/0/group_by", {"scope": "line", "group_by": "sku"}),
        ("/rules/0/group_by", {"group_by": "sku"}),
        (
            "/rules/0/keys/0",
            {"scope": "line_group", "group_by": "charge_type", "keys": ["sku"], "rows": [{"key": ["*"], "limit": "1"}]},
        ),
        ("/rules/0/when", {"scope": "line_group", "group_by": "charge_type", "when": "sku == 'A'"}),
        (
            "/rules/0/fact",
            {"scope": "line_group", "group_by": "sku", "kind": "allowed", "fact": "charge_type", "op": None},
        ),
    ],
)
def test_a_group_that_is_none_is_refused_with_a_pointer(pointer: str, members: dict[str, Any]) -> None:
    rule = {name: value for name, value in a_rule(**members).items() if value is not None}
    if rule["kind"] == "allowed":
        rule["rows"] = [{"values": ["recurring"]}]

    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(a_document(rule))

    assert refused.value.pointer == pointer


def found(*rules: dict[str, Any]) -> list[tuple[Severity, str, str]]:
    executive = a_rule("EXEC", fact="term_months", rows=[{"limit": "60"}], action={"approve": "executive"})
    findings = check_document(a_document(*rules, executive))
    return [(finding.severity, finding.code, finding.pointer) for finding in findings]


def test_a_soft_limit_on_a_group_behind_a_hard_one_on_the_same_groups_is_an_error() -> None:
    hard = by_group("HARD", rows=[{"limit": "15"}], action={"block": True})

    assert (Severity.ERROR, "unreachable_limit", "/rules/0") in found(by_group(), hard)
    assert found(by_group(), hard | {"group_by": "sku"}, a_rule("F")) == []


def test_a_group_that_a_table_forgets_is_named() -> None:
    rows = [{"key": ["recurring"], "limit": "20"}, {"key": ["usage"], "limit": "10"}]

    assert found(by_group(keys=["charge_type"], rows=rows)) == [(Severity.WARNING, "forgotten_tier", "/rules/0/rows")]
