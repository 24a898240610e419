"""Every slip in a policy is found while it is edited, with its place and what would be right."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.domain.policy_checks import Finding, Severity, check_document, errors_of
from dealdesk.policies import TEMPLATES, template_document
from tests.unit.domain.quotes import a_document, a_rule

ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
RISKS = ("low", "medium", "high")


def by_risk(*limits: str, tiers: tuple[str, ...] = RISKS) -> list[dict[str, Any]]:
    return [{"key": [tier], "limit": limit} for tier, limit in zip(tiers, limits, strict=True)]


def always(limit: str) -> list[dict[str, Any]]:
    return [{"key": [], "limit": limit}]


def executive() -> dict[str, Any]:
    """Asks for the executive's step far beyond everything else, so that the step is no finding of its own."""
    return a_rule("EXEC", fact="term_months", rows=always("60"), action={"approve": "executive"})


def found(*rules: dict[str, Any], **members: Any) -> list[tuple[Severity, str, str]]:
    findings = check_document(a_document(*rules, executive(), **members))
    return [(finding.severity, finding.code, finding.pointer) for finding in findings]


def only(*rules: dict[str, Any]) -> Finding:
    (finding,) = check_document(a_document(*rules, executive()))
    return finding


# -- what ships


@pytest.mark.parametrize("name", [name for name in TEMPLATES if name != "classic"])
def test_the_checks_find_nothing_in_a_template_that_ships(name: str) -> None:
    assert check_document(template_document(name)) == ()


def test_classic_has_one_note_where_the_ceiling_blocks_before_the_executive_is_reached() -> None:
    (finding,) = check_document(template_document("classic"))

    assert (finding.severity, finding.code, finding.pointer) == (NOTE, "unreachable_limit", "/rules/1")
    assert finding.message == (
        "at risk tier medium and high, DISC-RISK blocks before rule DISC-EXEC can ask for Executive approval"
    )


# -- what cannot be read


@pytest.mark.parametrize(
    ("members", "code", "pointer", "suggestion"),
    [
        ({"fact": "discont_pct"}, "unknown_fact", "/rules/0/fact", "did you mean discount_pct?"),
        ({"keys": ["sku"]}, "wrong_scope", "/rules/0/keys/0", 'give the rule "scope": "line"'),
        ({"fact": "billing"}, "wrong_type", "/rules/0/fact", 'use "kind": "allowed"'),
        ({"rows": always("20.005")}, "wrong_unit", "/rules/0/rows/0/limit", "write it like 27.50"),
        ({"rows": [{"key": [], "limit": 20.5}]}, "wrong_type", "/rules/0/rows/0/limit", None),
        (
            {"keys": ["risk_tier"], "rows": by_risk("20", tiers=("hihg",))},
            "unknown_value",
            "/rules/0/rows/0/key/0",
            "did you mean high?",
        ),
        ({"action": {"approve": "finanse"}}, "unknown_name", "/rules/0/action/approve", "did you mean finance?"),
        ({"rows": []}, "malformed", "/rules/0/rows", "it must be a list of 1 to 5000 items"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_place_and_a_suggestion(
    members: dict[str, Any], code: str, pointer: str, suggestion: str | None
) -> None:
    finding = only(a_rule(**members))

    assert (finding.severity, finding.code, finding.pointer) == (ERROR, code, pointer)
    assert suggestion is None or finding.suggestion == suggestion


def test_a_slip_in_a_condition_is_pointed_at_by_its_characters() -> None:
    finding = only(a_rule(kind="condition", expr="new_logo && risk_teir == 'low'"))

    assert (finding.code, finding.pointer, finding.span) == ("unknown_fact", "/rules/0/expr", (12, 21))


def test_every_rule_that_cannot_be_read_is_found_at_once() -> None:
    bad = [a_rule("A", fact="x"), a_rule("B"), a_rule("C", op="exact"), a_rule("D", when="new_logo &&")]

    pointers = [finding.pointer for finding in check_document(a_document(*bad))]

    assert pointers == ["/rules/0/fact", "/rules/2/op", "/rules/3/when"]


@pytest.mark.parametrize("document", [None, [], "policy", {}, {"rules": "x"}, {"rules": [None]}])
def test_what_is_no_policy_at_all_is_an_error_and_no_crash(document: object) -> None:
    assert errors_of(check_document(document))


# -- tables


def test_a_forgotten_tier_is_named() -> None:
    finding = only(a_rule(keys=["risk_tier"], rows=by_risk("30", "20", tiers=("low", "medium"))))

    assert (finding.severity, finding.code, finding.pointer) == (WARNING, "forgotten_tier", "/rules/0/rows")
    assert "no row for risk tier high" in finding.message


def test_a_tier_that_another_rule_or_the_guard_covers_is_not_forgotten() -> None:
    low = a_rule("A", keys=["risk_tier"], rows=by_risk("30", tiers=("low",)), when="risk_tier == 'low'")
    rest = a_rule("B", keys=["risk_tier"], rows=by_risk("20", "10", tiers=("medium", "high")))
    calm = a_rule("C", keys=["risk_tier"], rows=by_risk("30", tiers=("low",)))

    assert found(low) == []
    assert found(rest, calm) == []


def test_a_value_of_an_open_list_is_not_forgotten() -> None:
    rows = [{"key": ["EU"], "limit": "20"}, {"key": ["US"], "limit": "30"}]

    assert found(a_rule(keys=["region"], rows=rows)) == []


def test_a_row_behind_a_more_general_one_never_applies() -> None:
    rows = [
        {"key": ["low", "*"], "limit": "30"},
        {"key": ["low", "EU"], "limit": "20"},
        {"key": ["*", "*"], "limit": "9"},
    ]

    finding = only(a_rule(keys=["risk_tier", "region"], rows=rows))

    assert (finding.severity, finding.code, finding.pointer) == (WARNING, "shadowed_row", "/rules/0/rows/1")
    assert "row 1 matches the same deals first" in finding.message


@pytest.mark.parametrize(
    ("fact", "op", "limits"),
    [("discount_pct", "max", ("30", "10", "20")), ("margin_pct", "min", ("50", "70", "60"))],
)
def test_a_limit_that_loosens_with_the_risk_is_a_warning(fact: str, op: str, limits: tuple[str, ...]) -> None:
    finding = only(a_rule(fact=fact, op=op, keys=["risk_tier"], rows=by_risk(*limits)))

    assert (finding.severity, finding.code, finding.pointer) == (WARNING, "non_monotone_tiers", "/rules/0/rows/2")


def test_a_fraction_where_a_percentage_is_meant_is_a_warning() -> None:
    finding = only(a_rule(rows=always("0.2")))

    assert (finding.code, finding.pointer) == ("odd_unit", "/rules/0/rows/0/limit")
    assert finding.suggestion == "did you mean 20.00?"


# -- rules against each other


def hard(limit: str, **members: Any) -> dict[str, Any]:
    return a_rule("HARD", rows=always(limit), action={"block": True}, **members)


@pytest.mark.parametrize(("ceiling", "unreachable"), [("19.99", True), ("20.00", True), ("20.01", False)])
def test_a_soft_limit_behind_a_hard_one_is_an_error(ceiling: str, unreachable: bool) -> None:
    codes = [(severity, code, pointer) for severity, code, pointer in found(a_rule(), hard(ceiling))]

    assert ((ERROR, "unreachable_limit", "/rules/0") in codes) is unreachable


def test_a_floor_shadows_a_floor_the_other_way_round() -> None:
    soft = a_rule(fact="margin_pct", op="min", rows=always("40"))
    floor = a_rule("HARD", fact="margin_pct", op="min", rows=always("40"), action={"block": True})

    assert (ERROR, "unreachable_limit", "/rules/0") in found(soft, floor)


def test_pitfall_25_a_step_that_can_never_fire_is_said_to_be_one() -> None:
    document = a_document(
        a_rule(action={"approve": "executive"}), a_rule("F", fact="payment_days", rows=always("30")), hard("15")
    )

    codes = [(finding.severity, finding.code, finding.pointer) for finding in check_document(document)]

    assert codes == [
        (ERROR, "step_never_fires", "/approvals/steps/executive"),
        (ERROR, "unreachable_limit", "/rules/0"),
    ]


def test_a_step_that_fires_at_some_tiers_only_is_a_note() -> None:
    ceiling = a_rule("HARD", keys=["risk_tier"], rows=by_risk("30", "30", "10"), action={"block": True})

    finding = only(a_rule(), ceiling)

    assert (finding.severity, finding.pointer) == (NOTE, "/rules/0")
    assert "at risk tier high, HARD blocks" in finding.message


def test_a_ceiling_that_is_guarded_does_not_hide_the_deals_outside_its_guard() -> None:
    assert found(a_rule(), hard("15", when="term_months < 12")) == []
    (finding,) = found(a_rule(), hard("15", when="region == 'EU'"))
    assert finding == (NOTE, "unreachable_limit", "/rules/0")


def test_a_condition_is_compared_with_the_ceilings_too() -> None:
    soft = a_rule(kind="condition", expr="discount_pct > 25 && payment_days > 40")

    assert (ERROR, "unreachable_limit", "/rules/0") in found(soft, hard("20"))
    assert found(soft, hard("30")) == []


def test_allowed_values_that_another_rule_blocks_are_not_reached() -> None:
    soft = a_rule(kind="allowed", fact="billing", rows=[{"values": ["upfront", "annual"]}])
    block = a_rule(
        "HARD", kind="allowed", fact="billing", rows=[{"values": ["annual", "upfront"]}], action={"block": True}
    )

    assert (ERROR, "unreachable_limit", "/rules/0") in found(soft, block)


@pytest.mark.parametrize(
    "expr",
    [
        "discount_pct > 30 && discount_pct < 20",
        "risk_tier == 'low' && risk_tier == 'high'",
        "discount_pct > 100",
        "payment_days < 0",
        "region == 'EU' && region == null",
    ],
)
def test_a_condition_that_nothing_satisfies_is_a_contradiction(expr: str) -> None:
    assert (ERROR, "contradiction", "/rules/0/expr") in found(a_rule(kind="condition", expr=expr), a_rule("F"))


def test_a_condition_between_two_basis_points_is_satisfiable() -> None:
    expr = "discount_pct > 20.00 && discount_pct < 20.01"

    assert found(a_rule(kind="condition", expr=expr)) == []


def test_a_floor_above_a_ceiling_is_a_contradiction() -> None:
    low = a_rule("MIN", fact="payment_days", op="min", rows=always("45"), action={"block": True})
    high = a_rule("MAX", fact="payment_days", rows=always("30"), action={"block": True})

    assert found(a_rule(), low, high) == [(ERROR, "contradiction", "/rules/2")]


def test_a_rule_that_blocks_every_deal_is_an_error() -> None:
    rule = a_rule("ALL", kind="condition", expr="risk_tier != 'low' || risk_tier != 'high'", action={"block": True})

    assert found(a_rule(), rule) == [(ERROR, "blocks_every_deal", "/rules/1")]


def test_a_table_that_blocks_every_deal_by_itself_contradicts_nobody() -> None:
    least = a_rule("MIN", fact="payment_days", op="min", rows=always("10"), action={"block": True})
    none = a_rule("MAX", fact="payment_days", rows=always("-1"), action={"block": True})

    assert found(a_rule(), least, none) == [(ERROR, "blocks_every_deal", "/rules/2")]


def test_a_step_that_no_rule_asks_for_is_a_warning() -> None:
    (finding,) = check_document(a_document(a_rule()))

    assert (finding.severity, finding.code, finding.pointer) == (
        WARNING,
        "step_never_asked",
        "/approvals/steps/executive",
    )


def test_an_approver_group_without_members_is_an_error_where_groups_are_known() -> None:
    document = a_document(a_rule(), executive())

    found = check_document(document, {"grp-finance": ["person-fin"], "grp-executive": []})

    assert [(finding.code, finding.pointer) for finding in found] == [
        ("empty_group", "/approvals/steps/executive/group")
    ]
    assert check_document(document) == ()


def test_a_table_of_a_thousand_products_is_checked_product_by_product() -> None:
    rows = [{"key": [f"SKU-{n}"], "limit": f"{n % 40 + 5}"} for n in range(1_000)]
    hard_rows = [{"key": [f"SKU-{n}"], "limit": f"{n % 40 + (4 if n == 7 else 6)}"} for n in range(1_000)]
    soft = a_rule("SOFT", scope="line", keys=["sku"], rows=rows)
    block = a_rule("HARD", scope="line", keys=["sku"], rows=hard_rows, action={"block": True})

    finding = only(soft, block)

    assert "at SKU SKU-7, HARD blocks" in finding.message
