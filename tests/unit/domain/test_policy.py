"""Policies are read strictly: what is not understood is refused with a pointer, never skipped."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from dealdesk.domain.findings import finding_of
from dealdesk.domain.guardrails import evaluate
from dealdesk.domain.policy import InvalidPolicy, parse_policy
from dealdesk.domain.quote import Billing, Risk
from dealdesk.policies import TEMPLATES, load_template, template_document
from tests.unit.domain.quotes import EXECUTIVE, a_document, a_line, a_quote, a_rule


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_shipped_template_loads(name: str) -> None:
    assert load_template(name).version == 1


def test_an_unknown_template_is_refused_with_the_names_that_ship() -> None:
    with pytest.raises(KeyError, match="classic, saas-standard"):
        template_document("../secret")


def test_key_order_and_spaces_never_change_the_hash() -> None:
    document = template_document("classic")
    shuffled = json.loads(json.dumps(dict(reversed(document.items())), indent=3))

    assert parse_policy(shuffled).hash == parse_policy(document).hash
    assert len(parse_policy(document).hash) == 64


def test_a_changed_limit_changes_the_hash() -> None:
    changed = a_document(a_rule(rows=[{"key": [], "limit": "20.01"}]))

    assert parse_policy(changed).hash != parse_policy(a_document()).hash


TREE = {"any": [{"not": {"fact": "term_months", "op": ">=", "value": 24}}, {"fact": "segment", "absent": True}]}


@pytest.mark.parametrize(
    ("pointer", "members"),
    [
        ("/rules/0/wehn", {"wehn": "new_logo"}),
        ("/rules/0/kind", {"kind": "limits"}),
        ("/rules/0/scope", {"scope": "quote"}),
        ("/rules/0/fact", {"fact": "discount"}),
        ("/rules/0/fact", {"fact": "billing"}),
        ("/rules/0/op", {"op": "exact"}),
        ("/rules/0/keys/0", {"keys": ["term_months"]}),
        ("/rules/0/keys/0", {"keys": ["sku"]}),
        ("/rules/0/rows", {"rows": []}),
        ("/rules/0/rows/0/limit", {"rows": [{"key": [], "limit": 20.5}]}),
        ("/rules/0/rows/0/limit", {"rows": [{"key": [], "limit": "NaN"}]}),
        ("/rules/0/rows/0/limit", {"rows": [{"key": [], "limit": True}]}),
        ("/rules/0/rows/0/limit", {"rows": [{"key": [], "limit": "20.001"}]}),
        ("/rules/0/rows/0/key", {"rows": [{"key": ["low"], "limit": "20"}]}),
        ("/rules/0/rows/0/key/0", {"keys": ["risk_tier"], "rows": [{"key": ["lo"], "limit": "20"}]}),
        ("/rules/0/action", {"action": {"approve": "finance", "block": True}}),
        ("/rules/0/action/approve", {"action": {}}),
        ("/rules/0/action/approve", {"action": {"approve": "legal"}}),
        ("/rules/0/action/block", {"action": {"block": False}}),
        ("/rules/0/when", {"when": "new_logo &&"}),
        ("/rules/0/when/any/0/op", {"when": {"any": [{"fact": "region", "op": "<", "value": "x"}]}}),
        ("/rules/0/when/all", {"when": {"all": []}}),
        ("/rules/0/id", {"id": "fx-rate"}),
        ("/rules/0/id", {"id": "a b"}),
    ],
)
def test_a_wrong_rule_is_refused_with_a_pointer(pointer: str, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(a_document(a_rule(**members)))

    assert refused.value.pointer == pointer, str(refused.value)
    assert finding_of(refused.value).suggestion


@pytest.mark.parametrize(
    ("pointer", "members"),
    [
        ("/schema_version", {"schema_version": 2}),
        ("/version", {"version": 0}),
        ("/policy_id", {"policy_id": "a/b"}),
        ("/currency", {"currency": "EURO"}),
        ("/currency", {"currency": "ZZZ"}),
        ("/rules", {"rules": []}),
        ("/rules/1/id", {"rules": [a_rule(), a_rule()]}),
        ("/colour", {"colour": "blue"}),
        ("", {"name": "\ud800"}),
        ("/approvals/route/0/steps/0", {"approvals": {"steps": {}, "route": [{"mode": "parallel", "steps": ["x"]}]}}),
        (
            "/approvals/route/0/steps/1",
            {
                "approvals": {
                    "steps": {"executive": EXECUTIVE},
                    "route": [{"mode": "parallel", "steps": ["executive", "executive"]}],
                }
            },
        ),
    ],
)
def test_a_wrong_policy_is_refused_with_a_pointer(pointer: str, members: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(a_document(**members))

    assert refused.value.pointer == pointer, str(refused.value)
    assert finding_of(refused.value).suggestion


@pytest.mark.parametrize("document", [None, [], "x", 1, {"schema_version": 1}])
def test_what_is_no_policy_is_refused(document: object) -> None:
    with pytest.raises(InvalidPolicy):
        parse_policy(document)


def test_a_misspelt_name_gets_a_suggestion_and_a_condition_its_characters() -> None:
    with pytest.raises(InvalidPolicy, match="did you mean when"):
        parse_policy(a_document(a_rule(wehn="new_logo")))
    with pytest.raises(InvalidPolicy) as refused:
        parse_policy(a_document(a_rule(when="new_logo && discont_pct > 1")))

    assert refused.value.span == (12, 23)


def test_a_tree_that_is_too_deep_is_refused() -> None:
    tree: dict[str, Any] = {"fact": "new_logo", "op": "==", "value": True}
    for _ in range(5_00):
        tree = {"not": tree}

    with pytest.raises(InvalidPolicy, match="24 levels"):
        parse_policy(a_document(a_rule(when=tree)))


def test_a_guard_from_the_form_editor_limits_where_a_rule_applies() -> None:
    policy = parse_policy(a_document(a_rule(when=TREE)))

    broken = [
        bool(evaluate(a_quote(off="25", term_months=months, segment=segment), policy, {}).violations)
        for months, segment in [(12, "smb"), (24, "smb"), (24, None)]
    ]

    assert broken == [True, False, True]


def test_the_first_matching_row_wins_and_the_wildcard_takes_the_rest() -> None:
    rows = [
        {"key": ["high", "*"], "limit": "5"},
        {"key": ["*", "EU"], "limit": "15"},
        {"key": ["*", "*"], "limit": "25"},
    ]
    policy = parse_policy(a_document(a_rule(keys=["risk_tier", "region"], rows=rows)))

    found = [
        evaluate(a_quote(off="30", risk=risk, region=region), policy, {}).violations[0].row
        for risk, region in [(Risk.HIGH, "EU"), (Risk.LOW, "EU"), (Risk.LOW, "US"), (Risk.LOW, None)]
    ]

    assert found == [0, 1, 2, 2]


@pytest.mark.parametrize("keys", [["risk_tier"], ["risk_tier", "billing"], ["risk_tier", "new_logo"]])
def test_a_deal_that_no_row_names_is_not_limited(keys: list[str]) -> None:
    value = {"risk_tier": "high", "billing": "monthly", "new_logo": True}
    rows = [{"key": [value[key] for key in keys], "limit": "5"}]
    policy = parse_policy(a_document(a_rule(keys=keys, rows=rows)))
    high = a_quote(off="30", risk=Risk.HIGH, billing=Billing.MONTHLY, new_logo=True)

    assert not evaluate(a_quote(off="30", new_logo=True), policy, {}).violations
    assert evaluate(high, policy, {}).violations


def test_a_line_rule_names_the_line_by_its_sku() -> None:
    rule = a_rule(scope="line", keys=["sku"], rows=[{"key": ["CORE-01"], "limit": "15.00"}])
    quote = a_quote(a_line("a", off="20"), a_line("b", off="20", sku="OTHER"), a_line("c", off="15"))

    decision = evaluate(quote, parse_policy(a_document(rule)), {})

    assert [(x.line, x.actual, x.key) for x in decision.violations] == [("a", "20.00", (("sku", "CORE-01"),))]
    assert decision.violations[0].message.startswith("line a: discount 20.00% exceeds the 15.00% allowed for SKU")


def test_steps_that_are_not_required_drop_out_of_the_route() -> None:
    document = deepcopy(a_document(a_rule(action={"approve": "executive"})))

    decision = evaluate(a_quote(off="25"), parse_policy(document), {})

    assert [(stage.mode, stage.steps) for stage in decision.route] == [("sequential", ("executive",))]
