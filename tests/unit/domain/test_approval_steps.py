"""Approval steps: how many must say yes, who stands in, and which yes answers for another step."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest

from dealdesk.domain.decision import Decision, Outcome
from dealdesk.domain.grants import limits_of
from dealdesk.domain.guardrails import evaluate, to_json
from dealdesk.domain.policy import InvalidPolicy, Policy, parse_policy
from dealdesk.domain.policy_checks import Severity, check_document
from dealdesk.policies import template_document
from tests.unit.domain.quotes import a_document, a_quote, a_rule

NAMES = ("revops", "finance", "cfo", "executive")


def a_step(group: str = "grp-finance", **members: Any) -> dict[str, Any]:
    return {"label": "Review", "group": group, "sla_hours": 24} | members


def with_steps(**members: dict[str, Any]) -> dict[str, Any]:
    """Four steps in a row, each asked by a rule of its own; the members are added to the steps of that name."""
    steps = {name: a_step(f"grp-{name}", label=name.title(), **members.get(name, {})) for name in NAMES}
    route = [{"mode": "sequential", "steps": [name]} for name in NAMES]
    rules = [
        a_rule(name.upper(), fact=fact, rows=[{"limit": limit}], action={"approve": name})
        for name, fact, limit in zip(
            NAMES,
            ("payment_days", "discount_pct", "term_months", "one_time_discount_pct"),
            (30, "20", 12, "0"),
            strict=True,
        )
    ]
    return a_document(*rules, approvals={"steps": steps, "route": route})


def a_policy(**members: dict[str, Any]) -> Policy:
    return parse_policy(with_steps(**members))


def refused(**members: dict[str, Any]) -> InvalidPolicy:
    with pytest.raises(InvalidPolicy) as found:
        a_policy(**members)
    return found.value


def judged(policy: Policy, *, days: int = 40, off: str = "25", months: int = 24) -> Decision:
    """Asks for revops, finance and the CFO unless the test says otherwise."""
    return evaluate(a_quote(off=off, payment_terms_days=days, term_months=months), policy, {})


# -- reading


def test_a_step_that_says_nothing_more_asks_any_one_of_its_group() -> None:
    step = parse_policy(template_document("classic")).steps["finance"]

    assert (step.needs, step.backups, step.covers) == (1, (), ())


@pytest.mark.parametrize(("written", "read"), [("any", 1), ("all", None), (1, 1), (3, 3)])
def test_how_many_must_say_yes(written: object, read: int | None) -> None:
    assert a_policy(finance={"needs": written}).steps["finance"].needs == read


def test_groups_that_stand_in_keep_their_order() -> None:
    backups = ["grp-cfo", "grp-revops", "grp-duty"]

    assert a_policy(finance={"backups": backups}).steps["finance"].backups == tuple(backups)


@pytest.mark.parametrize(
    ("pointer", "members"),
    [
        ("/approvals/steps/finance/needs", {"needs": 0}),
        ("/approvals/steps/finance/needs", {"needs": "some"}),
        ("/approvals/steps/finance/needs", {"needs": True}),
        ("/approvals/steps/finance/needs", {"needs": 1.5}),
        ("/approvals/steps/finance/needs", {"needs": None}),
        ("/approvals/steps/finance/backups", {"backups": "grp-duty"}),
        ("/approvals/steps/finance/backups", {"backups": [f"grp-{n}" for n in range(11)]}),
        ("/approvals/steps/finance/backups/0", {"backups": [7]}),
        ("/approvals/steps/finance/backups/1", {"backups": ["grp-a", "grp-a"]}),
        ("/approvals/steps/finance/covers/0", {"covers": ["legal"]}),
        ("/approvals/steps/finance/covers/1", {"covers": ["cfo", "cfo"]}),
        ("/approvals/steps/finance/cover", {"cover": ["cfo"]}),
    ],
)
def test_what_a_step_cannot_mean_is_refused_with_a_pointer(pointer: str, members: dict[str, Any]) -> None:
    assert refused(finance=members).pointer == pointer


def test_a_step_that_covers_itself_is_refused() -> None:
    assert refused(finance={"covers": ["finance"]}).pointer == "/approvals/steps/finance/covers"


def test_steps_that_cover_each_other_in_a_circle_are_refused_with_a_pointer() -> None:
    wrong = refused(revops={"covers": ["finance"]}, finance={"covers": ["cfo"]}, cfo={"covers": ["revops"]})

    assert wrong.pointer == "/approvals/steps/revops/covers"
    assert "covers itself" in wrong.message


@pytest.mark.parametrize(
    ("pointer", "approvals"),
    [
        ("/approvals/valid_days", {"valid_days": 0}),
        ("/approvals/valid_days", {"valid_days": "14"}),
        ("/approvals/fx_tolerance_pct", {"fx_tolerance_pct": 5.0}),
        ("/approvals/fx_tolerance_pct", {"fx_tolerance_pct": "100.01"}),
        ("/approvals/fx_tolerance_pct", {"fx_tolerance_pct": "0.001"}),
        ("/approvals/fx_tolerance_pct", {"fx_tolerance_pct": "-1"}),
    ],
)
def test_how_long_an_approval_holds_is_read_strictly(pointer: str, approvals: dict[str, Any]) -> None:
    document = a_document()

    with pytest.raises(InvalidPolicy) as found:
        parse_policy(document | {"approvals": document["approvals"] | approvals})

    assert found.value.pointer == pointer


def test_an_approval_holds_fourteen_days_and_five_percent_unless_the_policy_says_otherwise() -> None:
    document = a_document()
    said = document["approvals"] | {"valid_days": 30, "fx_tolerance_pct": "2.50"}

    usual, own = parse_policy(document), parse_policy(document | {"approvals": said})

    assert (usual.valid_days, usual.fx_tolerance_bps) == (14, 500)
    assert (own.valid_days, own.fx_tolerance_bps) == (30, 250)


# -- which yes answers for another step


def test_a_yes_covers_another_step_only_if_the_policy_says_so() -> None:
    assert judged(a_policy()).required_steps == ("revops", "finance", "cfo")


def test_a_required_step_answers_the_one_that_it_covers() -> None:
    decision = judged(a_policy(cfo={"covers": ["finance"]}))

    assert decision.required_steps == ("revops", "cfo")
    assert decision.covered == (("finance", "cfo"),)
    assert [stage.steps for stage in decision.route] == [("revops",), ("cfo",)]
    assert to_json(decision)["covered"] == [{"step": "finance", "covered_by": "cfo"}]


def test_pitfall_13_every_reason_keeps_its_own_step_when_another_step_covers_it() -> None:
    decision = judged(a_policy(cfo={"covers": ["finance"]}))

    assert [violation.step for violation in decision.violations] == ["revops", "finance", "cfo"]


def test_a_step_that_is_not_required_itself_answers_nothing() -> None:
    decision = judged(a_policy(executive={"covers": ["finance", "cfo", "revops"]}))

    assert decision.required_steps == ("revops", "finance", "cfo")
    assert decision.covered == ()


def test_a_step_covers_what_the_step_that_it_covers_covers() -> None:
    policy = a_policy(cfo={"covers": ["finance"]}, finance={"covers": ["revops"]})

    assert judged(policy).covered == (("revops", "cfo"), ("finance", "cfo"))
    assert judged(policy, off="0").covered == (("revops", "cfo"),)
    assert judged(policy, off="0").required_steps == ("cfo",)


def test_whoever_is_required_is_asked_or_covered_by_somebody_who_is_asked() -> None:
    policy = a_policy(executive={"covers": ["cfo", "revops"]}, cfo={"covers": ["finance"]}, finance={"covers": []})

    for count in range(len(NAMES) + 1):
        for required in map(frozenset, combinations(NAMES, count)):
            asked, covered = policy.asked(required), dict(policy.covered(required))
            assert asked | set(covered) == required
            assert not asked & set(covered)
            assert set(covered.values()) <= asked


def test_a_blocked_quote_asks_nobody_and_covers_nothing() -> None:
    document = with_steps(cfo={"covers": ["finance"]})
    document["rules"].append(a_rule("HARD", rows=[{"limit": "10"}], action={"block": True}))

    decision = judged(parse_policy(document))

    assert (decision.outcome, decision.required_steps, decision.covered) == (Outcome.BLOCKED, (), ())


def test_an_approver_accepts_the_limits_of_the_step_that_they_cover_too() -> None:
    policy = a_policy(cfo={"covers": ["finance"]})

    granted = limits_of(judged(policy), "cfo")

    assert [(limit.rule, limit.value) for limit in granted] == [("FINANCE", "25.00"), ("CFO", "24")]


def test_a_change_that_spares_nobody_is_no_suggestion() -> None:
    policy = a_policy(cfo={"covers": ["finance", "revops"]})

    levers = judged(policy).counterfactual.levers

    assert [lever.change.lever for lever in levers] == ["term_months"]


# -- the people there are


def found(groups: dict[str, list[str]] | None, **finance: Any) -> list[tuple[Severity, str, str]]:
    known = None if groups is None else {"grp-revops": ["a"], "grp-cfo": ["b"], "grp-executive": ["c"]} | groups
    return [(x.severity, x.code, x.pointer) for x in check_document(with_steps(finance=finance), known)]


def test_a_step_that_needs_more_than_its_group_has_is_an_error() -> None:
    groups = {"grp-finance": ["x", "y", "y"]}

    assert found(groups, needs=3) == [(Severity.ERROR, "too_few_approvers", "/approvals/steps/finance/needs")]
    assert found(groups, needs=2) == found(groups, needs="all") == []


def test_all_of_an_empty_group_is_an_error() -> None:
    assert found({"grp-finance": []}, needs="all") == [
        (Severity.ERROR, "empty_group", "/approvals/steps/finance/group")
    ]


def test_a_backup_that_is_empty_or_the_group_itself_is_a_warning() -> None:
    warned = found({"grp-finance": ["x"], "grp-duty": []}, backups=["grp-cfo", "grp-duty", "grp-finance"])

    assert warned == [
        (Severity.WARNING, "empty_backup", "/approvals/steps/finance/backups/1"),
        (Severity.WARNING, "backup_is_group", "/approvals/steps/finance/backups/2"),
    ]


def test_where_groups_are_not_known_only_the_document_itself_is_judged() -> None:
    backups = ["grp-finance", "grp-duty"]

    assert found(None, needs=40, backups=backups) == [
        (Severity.WARNING, "backup_is_group", "/approvals/steps/finance/backups/0")
    ]
