"""Policies by REST: a business person writes, another publishes, and the next decision follows without a deployment."""

from __future__ import annotations

import itertools
import json
from copy import deepcopy
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from dealdesk.policies import TEMPLATES, template_document
from local.schemas import schema_of
from tests.functions.quotes import a_line, a_quote, a_soft_breach
from tests.journeys.world import World

Json = dict[str, Any]
Who = dict[str, Any]
ANN: Who = {"user": "person-ann", "role": "revops"}
BEN: Who = {"user": "person-ben", "role": "admin"}
REP: Who = {"user": "person-rep", "role": "rep"}
CLASSIC = "pricing-guardrails"
_names = itertools.count(1)


def a_name() -> str:
    return f"policy-{next(_names)}"


def a_policy(limit: str = "20.00", **members: Any) -> Json:
    """Finance decides above `limit`, whatever the risk."""
    document = deepcopy(template_document("classic"))
    del document["policy_id"], document["version"]
    rows = [{"key": [], "limit": limit}]
    action = {"approve": "finance"}
    rule = {"id": "DISC", "kind": "limit", "fact": "discount_pct", "op": "max", "rows": rows, "action": action}
    terms = {"id": "TERMS", "kind": "limit", "fact": "payment_days", "op": "max", "rows": [{"limit": "60"}]}
    document["rules"] = [rule, terms | {"action": {"approve": "executive"}}]
    return document | members


def drafted(desk: World, name: str, as_: Who = ANN, **body: Any) -> Json:
    body = body or {"document": a_policy()}
    status, version = desk.rest("POST", "/policies", {"policy_id": name, **body}, **as_)
    assert status == 201, version
    return dict(version)


def published(desk: World, name: str, as_: Who = BEN, **body: Any) -> Json:
    status, version = desk.rest("POST", f"/policies/{name}/publish", body, **as_)
    assert status == 200, version
    return dict(version)


def edited(desk: World, name: str, seen: int, as_: Who = ANN, **body: Any) -> Json:
    status, version = desk.rest("PATCH", f"/policies/{name}", body, headers={"If-Match": f'"{seen}"'}, **as_)
    assert status == 200, version
    return dict(version)


def decision(desk: World, quote: Json) -> Json:
    status, preview = desk.rest("POST", "/guardrails/preview", quote, **REP)
    assert status == 200, preview
    return dict(preview["decision"])


def is_refused(answer: tuple[int, Any], status: int, title: str) -> Json:
    code, problem = answer
    assert (code, problem["title"]) == (status, title), problem
    return dict(problem)


# -- publishing


def test_pitfall_21_the_stored_policy_is_the_one_that_decides_at_once(desk: World) -> None:
    name, quote = a_name(), a_quote(lines=[a_line(net_unit_price="88.00")])
    drafted(desk, name, document=a_policy("10.00"))
    strict = published(desk, name)

    first = decision(desk, quote)
    edited(desk, name, 1, document=a_policy("15.00"))
    waiting = decision(desk, quote)
    loose = published(desk, name)
    second = decision(desk, quote)

    assert first["policy"] == {"id": name, "version": 1, "hash": strict["hash"]}
    assert first["outcome"] == waiting["outcome"] == "needs_approval"
    assert second["policy"] == {"id": name, "version": 2, "hash": loose["hash"]}
    assert second["outcome"] == "auto_approve"


def test_pitfall_21_what_decides_is_the_same_for_quotes_from_the_crm(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    version = published(desk, name)

    current = desk.port("read_crm", "policies").current(desk.now())

    assert (current.policy_id, current.hash) == (name, version["hash"])


def test_a_medium_risk_discount_of_27_50_percent_needs_finance_under_saas_standard(desk: World) -> None:
    name = a_name()
    drafted(desk, name, template_id="saas-standard")
    published(desk, name)

    found = decision(desk, a_quote(risk="medium", lines=[a_line(net_unit_price="72.50")]))

    assert (found["outcome"], found["required_steps"]) == ("needs_approval", ["finance"])
    assert "27.50% exceeds the 20.00% allowed for risk tier medium" in found["violations"][0]["message"]


def test_pitfall_13_a_deal_that_needs_finance_and_executives_needs_both(desk: World) -> None:
    name = a_name()
    drafted(desk, name, template_id="classic")
    published(desk, name)

    found = decision(desk, a_soft_breach())

    assert found["required_steps"] == ["finance", "executive"]


def test_the_author_of_a_draft_does_not_publish_it(desk: World) -> None:
    name = a_name()
    drafted(desk, name)

    answer = desk.rest("POST", f"/policies/{name}/publish", **ANN)

    is_refused(answer, 403, "Author and publisher are one person")


def test_whoever_edited_a_draft_does_not_publish_it_either(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    edited(desk, name, 1, as_=BEN, comment="one more thing")

    for person in (ANN, BEN):
        is_refused(desk.rest("POST", f"/policies/{name}/publish", **person), 403, "Author and publisher are one person")


def test_pitfall_23_a_policy_that_cannot_be_evaluated_is_not_published(desk: World) -> None:
    name, broken = a_name(), a_policy()
    broken["rules"][0]["fact"] = "discont_pct"
    draft = drafted(desk, name, document=broken)

    problem = is_refused(desk.rest("POST", f"/policies/{name}/publish", **BEN), 422, "The policy has errors")

    assert problem["errors"][0]["pointer"] == "/rules/0/fact"
    assert draft["findings"][0]["suggestion"] == "did you mean discount_pct?"
    assert decision(desk, a_quote())["policy"]["id"] != name


def test_pitfall_25_a_policy_whose_executive_step_can_never_fire_is_not_published(desk: World) -> None:
    name, document = a_name(), template_document("classic")
    document["rules"][0]["rows"][0]["limit"] = "20.00"  # type: ignore[index]
    drafted(desk, name, document=document)

    problem = is_refused(desk.rest("POST", f"/policies/{name}/publish", **BEN), 422, "The policy has errors")

    assert {error["pointer"] for error in problem["errors"]} == {"/rules/1", "/approvals/steps/executive"}


def test_a_version_that_is_not_the_newest_is_not_published(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    edited(desk, name, 1, comment="again")

    answer = desk.rest("POST", f"/policies/{name}/publish", {"version": 1}, **BEN)

    is_refused(answer, 409, "Somebody moved first")


def test_a_repeated_publishing_answers_the_same_and_changes_nothing(desk: World) -> None:
    name = a_name()
    key = {"Idempotency-Key": f"publish-{name}"}
    drafted(desk, name)

    first = desk.rest("POST", f"/policies/{name}/publish", {}, headers=key, **BEN)
    again = desk.rest("POST", f"/policies/{name}/publish", {}, headers=key, **BEN)
    other = desk.rest("POST", f"/policies/{name}/publish", {"comment": "x"}, headers=key, **BEN)

    assert first[0] == 200
    assert again == first
    is_refused(other, 409, "Same key, other request")


def test_pitfall_23_a_policy_decides_from_the_day_that_its_publisher_named(desk: World) -> None:
    name, later = a_name(), a_name()
    drafted(desk, name)
    published(desk, name)
    drafted(desk, later)
    tomorrow = (desk.now().replace(microsecond=0)).isoformat().replace("+00:00", "Z")
    tomorrow = str(int(tomorrow[:4]) + 1) + tomorrow[4:]

    version = published(desk, later, effective_from=tomorrow)

    assert version["effective_from"] == tomorrow
    assert not version["in_force"]
    assert decision(desk, a_quote())["policy"]["id"] == name


# -- deals in flight


def test_the_publisher_chooses_what_happens_to_deals_in_flight_and_the_version_shows_it(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    first = published(desk, name, in_flight={"mode": "grandfather", "until": "2099-12-31"})
    edited(desk, name, 1, document=a_policy("15.00"))
    second = published(desk, name, in_flight={"mode": "re_evaluate"})
    third = desk.rest("POST", f"/policies/{name}/rollback", {"version": 1}, **BEN)[1]

    shown = desk.rest("GET", f"/policies/{name}/versions", **REP)[1]["versions"]

    assert first["in_flight"] == {"mode": "grandfather", "until": "2099-12-31"}
    assert second["in_flight"] == {"mode": "re_evaluate", "until": None}
    assert third["in_flight"]["mode"] == "grandfather"
    assert third["in_flight"]["until"] > third["effective_from"][:10]
    assert [version["in_flight"] for version in shown] == [v["in_flight"] for v in (first, second, third)]


@pytest.mark.parametrize(
    "choice",
    [
        {"mode": "ignore"},
        {"mode": "re_evaluate", "until": "2099-12-31"},
        {"mode": "grandfather", "until": "soon"},
        {"mode": "grandfather", "until": "2020-01-01"},
        {},
        "re_evaluate",
    ],
)
def test_a_choice_for_deals_in_flight_that_means_nothing_is_refused(desk: World, choice: Any) -> None:
    name = a_name()
    drafted(desk, name)

    problem = is_refused(
        desk.rest("POST", f"/policies/{name}/publish", {"in_flight": choice}, **BEN), 422, "Cannot be read"
    )

    assert problem["errors"][0]["pointer"].startswith("/in_flight")


# -- rolling back


def test_pitfall_22_a_rollback_publishes_the_old_content_under_a_new_number(desk: World) -> None:
    name, quote = a_name(), a_quote(lines=[a_line(net_unit_price="88.00")])
    drafted(desk, name, document=a_policy("10.00"))
    published(desk, name)
    edited(desk, name, 1, document=a_policy("15.00"))
    published(desk, name)

    status, version = desk.rest("POST", f"/policies/{name}/rollback", {"version": 1, "comment": "too loose"}, **BEN)

    assert (status, version["version"], version["parent_version"]) == (200, 3, 1)
    assert version["comment"] == "rollback to version 1: too loose"
    assert version["document"]["rules"] == a_policy("10.00")["rules"]
    assert version["document"]["version"] == 3
    found = decision(desk, quote)
    assert found["policy"] == {"id": name, "version": 3, "hash": version["hash"]}
    assert found["outcome"] == "needs_approval"


def test_the_shipped_policy_is_version_1_and_can_be_rolled_back_to(desk: World) -> None:
    first = desk.rest("GET", f"/policies/{CLASSIC}/versions/1", **REP)[1]

    status, version = desk.rest("POST", f"/policies/{CLASSIC}/rollback", {"version": 1}, **BEN)

    assert status == 200
    assert version["version"] == 2
    assert version["document"]["rules"] == first["document"]["rules"]
    assert decision(desk, a_quote())["policy"]["version"] == 2


def test_a_draft_is_not_rolled_back_to(desk: World) -> None:
    name = a_name()
    drafted(desk, name)

    is_refused(desk.rest("POST", f"/policies/{name}/rollback", {"version": 1}, **BEN), 409, "Not possible now")


# -- editing


def test_pitfall_22_numbers_have_no_gaps_and_stand_in_their_documents(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    for seen in (1, 2, 3):
        edited(desk, name, seen, comment=f"edit {seen}")

    versions = desk.rest("GET", f"/policies/{name}/versions", **REP)[1]["versions"]
    documents = [desk.rest("GET", f"/policies/{name}/versions/{n}", **REP)[1]["document"] for n in (1, 2, 3, 4)]

    assert [version["version"] for version in versions] == [1, 2, 3, 4]
    assert [document["version"] for document in documents] == [1, 2, 3, 4]
    assert [version["parent_version"] for version in versions] == [None, 1, 2, 3]


def test_an_edit_names_the_version_that_its_author_saw(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    edited(desk, name, 1, comment="first")

    stale = desk.rest("PATCH", f"/policies/{name}", {"comment": "second"}, headers={"If-Match": "1"}, **ANN)
    blind = desk.rest("PATCH", f"/policies/{name}", {"comment": "second"}, **ANN)

    is_refused(stale, 409, "Somebody moved first")
    is_refused(blind, 428, "Precondition required")


def test_a_document_is_checked_before_it_is_saved(desk: World) -> None:
    name, document = a_name(), a_policy()
    document["rules"][0]["when"] = "risk_tier == 'hihg'"

    status, found = desk.rest("POST", f"/policies/{name}/validate", {"document": document}, **ANN)

    assert (status, found["valid"]) == (200, False)
    (finding,) = found["findings"]
    assert (finding["pointer"], finding["span"]) == ("/rules/0/when", [13, 19])
    assert finding["suggestion"] == "did you mean high?"


def test_validating_without_a_document_checks_the_newest_version(desk: World) -> None:
    name = a_name()
    drafted(desk, name, document=a_policy(name="ok"))

    assert desk.rest("POST", f"/policies/{name}/validate", **ANN)[1] == {"valid": True, "findings": []}


# -- what it would change


def a_deal(desk: World, price: str) -> str:
    status, deal = desk.rest("POST", "/deals", a_quote(lines=[a_line(net_unit_price=price)]), **REP)
    assert status == 201, deal
    return str(deal["deal_id"])


def test_pitfall_24_the_impact_is_that_of_the_draft_and_nothing_decides_by_it(desk: World) -> None:
    name = a_name()
    drafted(desk, name, document=a_policy("20.00"))
    published(desk, name)
    kept, flipped = a_deal(desk, "95.00"), a_deal(desk, "85.00")
    draft = edited(desk, name, 1, document=a_policy("10.00"))

    status, found = desk.rest("POST", f"/policies/{name}/impact", {"deals": 2}, **BEN)

    assert (status, found["hash"], found["deals"]) == (200, draft["hash"], 2)
    assert found["gained"] == {"DISC": 1}
    (flip,) = found["flips"]
    assert (flip["deal_id"], flip["before"], flip["after"]) == (flipped, "auto_approve", "needs_approval")
    assert flip["decided_by"]["version"] == 1
    assert "exceeds the 10.00% allowed" in flip["reasons_after"][0]
    assert {(part["before"], part["after"]): part["deals"] for part in found["moved"]} == {
        ("auto_approve", "auto_approve"): 1,
        ("auto_approve", "needs_approval"): 1,
    }
    assert found["caution"]
    for deal_id in (kept, flipped):
        assert desk.deal(deal_id)["decision"]["policy"]["version"] == 1


def test_the_impact_of_a_document_or_of_an_earlier_version_is_told_without_saving_it(desk: World) -> None:
    name = a_name()
    drafted(desk, name, document=a_policy("20.00"))
    published(desk, name)
    a_deal(desk, "85.00")

    document = desk.rest("POST", f"/policies/{name}/impact", {"document": a_policy("5.00"), "deals": 1}, **ANN)[1]
    same = desk.rest("POST", f"/policies/{name}/impact", {"version": 1, "deals": 1}, **ANN)[1]

    assert (document["gained"], document["complete"]) == ({"DISC": 1}, False)
    assert (same["gained"], same["lost"], same["flips"]) == ({}, {}, [])
    assert [line["version"] for line in desk.rest("GET", f"/policies/{name}/versions", **REP)[1]["versions"]] == [1]


def test_pitfall_24_no_history_is_taken_from_the_caller(desk: World) -> None:
    name, broken = a_name(), a_policy()
    broken["rules"][0]["op"] = "less"
    drafted(desk, name)

    is_refused(desk.rest("POST", f"/policies/{name}/impact", {"deals": [a_quote()]}, **ANN), 422, "Cannot be read")
    is_refused(desk.rest("POST", f"/policies/{name}/impact", {"history": []}, **ANN), 422, "Cannot be read")
    unreadable = desk.rest("POST", f"/policies/{name}/impact", {"document": broken}, **ANN)
    assert is_refused(unreadable, 422, "The policy has errors")["errors"][0]["pointer"] == "/rules/0/op"
    is_refused(desk.rest("POST", f"/policies/{name}/impact", {}, **REP), 403, "Not allowed")


# -- what others hear of it


def test_n8n_hears_of_a_published_policy_and_not_of_drafts(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    version = published(desk, name, comment="from Monday", in_flight={"mode": "re_evaluate"})

    desk.settle()

    sent = [event for event in desk.published if event["data"].get("policy_id") == name]
    assert [(event["type"], event["sequence"], event["deal_id"]) for event in sent] == [
        ("policy.drafted", 1, ""),
        ("policy.published", 2, ""),
    ]
    for event in sent:
        Draft202012Validator(schema_of(event["type"])).validate(event)
    heard = [call for call in desk.twins["n8n"].requests if name in call.body]
    (event,) = [json.loads(call.body) for call in heard]
    assert (event["id"], event["type"]) == (f"policy:{name}:000002", "policy.published")
    assert event["data"]["hash"] == version["hash"]
    assert (event["data"]["by"], event["data"]["comment"]) == ("person-ben", "from Monday")
    assert event["data"]["in_flight"] == {"mode": "re_evaluate", "until": None}


def test_the_timeline_of_a_policy_says_who_did_what(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    published(desk, name)

    status, timeline = desk.rest("GET", f"/policies/{name}/timeline", user="person-aud", role="auditor")

    assert (status, timeline["complete"]) == (200, True)
    assert [(event["type"], event["actor"]) for event in timeline["events"]] == [
        ("policy.drafted", "person-ann"),
        ("policy.published", "person-ben"),
    ]


# -- who and what


@pytest.mark.parametrize("role", ["rep", "deal_desk", "finance", "executive", "auditor", "service"])
def test_only_revenue_operations_and_admins_change_policies(desk: World, role: str) -> None:
    caller: Who = {"user": "person-x", "role": role}
    calls: list[tuple[str, str, Json]] = [
        ("POST", "/policies", {"template_id": "classic"}),
        ("PATCH", f"/policies/{CLASSIC}", {"comment": "x"}),
        ("POST", f"/policies/{CLASSIC}/publish", {}),
        ("POST", f"/policies/{CLASSIC}/rollback", {"version": 1}),
    ]

    answers = [desk.rest(*call, headers={"If-Match": "1"}, **caller) for call in calls]

    assert [status for status, _ in answers] == [403] * 4
    assert desk.rest("GET", f"/policies/{CLASSIC}", **caller)[0] == 200


def test_the_templates_are_listed_with_a_line_about_each(desk: World) -> None:
    status, answer = desk.rest("GET", "/policies/templates", **REP)

    assert status == 200
    assert [template["template_id"] for template in answer["templates"]] == list(TEMPLATES)
    assert all(template["description"] for template in answer["templates"])


def test_every_policy_is_listed_and_the_one_in_force_is_named(desk: World) -> None:
    name = a_name()
    drafted(desk, name)
    version = published(desk, name)

    listed = desk.rest("GET", "/policies", **REP)[1]

    assert (listed["in_force"]["policy_id"], listed["in_force"]["hash"]) == (name, version["hash"])
    assert [line["policy_id"] for line in listed["policies"] if line["in_force"]] == [name]
    assert CLASSIC in {line["policy_id"] for line in listed["policies"]}


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/policies/nothing", None),
        ("GET", "/policies/nothing/versions", None),
        ("GET", "/policies/nothing/timeline", None),
        ("GET", f"/policies/{CLASSIC}/versions/99", None),
        ("PATCH", "/policies/nothing", {"comment": "x"}),
        ("POST", "/policies/nothing/publish", {}),
        ("POST", "/policies/nothing/impact", {}),
        ("POST", "/policies/nothing/rollback", {"version": 1}),
    ],
)
def test_a_policy_that_is_not_there_is_said_to_be_unknown(desk: World, method: str, path: str, body: Any) -> None:
    is_refused(desk.rest(method, path, body, headers={"If-Match": "1"}, **ANN), 404, "No such policy")


@pytest.mark.parametrize(
    ("pointer", "body"),
    [
        ("/document", {"policy_id": "p"}),
        ("/template_id", {"template_id": "nothing"}),
        ("/policy_id", {"policy_id": "templates", "template_id": "classic"}),
        ("/policy_id", {"document": {"name": "without an id"}}),
        ("/document", {"policy_id": "p", "document": "text"}),
        (
            "/effective_to",
            {
                "template_id": "classic",
                "effective_from": "2030-01-02T00:00:00Z",
                "effective_to": "2030-01-01T00:00:00Z",
            },
        ),
    ],
)
def test_a_draft_that_cannot_be_read_is_refused_with_a_pointer(desk: World, pointer: str, body: Json) -> None:
    problem = is_refused(desk.rest("POST", "/policies", body, **ANN), 422, "Cannot be read")

    assert problem["errors"][0]["pointer"].startswith(pointer)


def test_pitfall_15_a_floor_is_applied_in_its_own_currency(desk: World) -> None:
    name = a_name()
    floor = {"id": "FLOOR", "kind": "limit", "fact": "total_contract_value", "op": "min", "rows": [{"limit": "9000"}]}
    document = a_policy(currency="EUR")
    document["rules"].append(floor | {"action": {"block": True}})
    drafted(desk, name, document=document)
    published(desk, name)

    low, high = (
        decision(desk, a_quote(currency="USD", lines=[a_line(list_unit_price=price, net_unit_price=price)]))
        for price in ("82.49", "82.51")
    )

    assert (low["outcome"], low["fx"]["rate"]) == ("blocked", "0.9090909091")
    assert low["facts"]["total_contract_value"] == "8998.91"
    assert (high["outcome"], high["facts"]["total_contract_value"]) == ("auto_approve", "9001.09")
