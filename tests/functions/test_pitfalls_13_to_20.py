"""How desks like this one go wrong over decisions and approvals, each by its number; here none of it is possible."""

from __future__ import annotations

from typing import Any

import pytest

from dealdesk.domain.stages import Stage
from tests.functions.messages import keep, rows, stored
from tests.functions.quotes import a_blocked_quote, a_line, a_quote, a_soft_breach
from tests.functions.test_approvers import decide, put
from tests.functions.test_approvers import nobody_known as nobody_known
from tests.functions.test_rest import DESK, EXE, FIN, REP, approval, created, is_problem, seen
from tests.journeys.world import World
from tests.unit.domain.deals import FINANCE, OWNER

Json = dict[str, Any]


def test_pitfall_13_executives_do_not_replace_finance(desk: World) -> None:
    deal = created(desk, a_soft_breach())

    assert deal["decision"]["required_steps"] == ["finance", "executive"]
    assert [stage["steps"] for stage in deal["decision"]["route"]] == [["finance"], ["executive"]]


def test_pitfall_14_every_reason_is_told_and_none_says_that_a_figure_exceeds_itself(desk: World) -> None:
    quote = a_quote(
        risk="low",
        payment_terms_days=60,
        lines=[a_line(quantity="1", periods=1, list_unit_price="100000.01", net_unit_price="70000.00")],
    )

    decision = created(desk, quote)["decision"]

    assert {violation["rule"] for violation in decision["violations"]} == {
        "DISC-RISK",
        "DISC-EXEC",
        "TERMS-MAX",
        "TERMS-FINANCE",
    }
    told = {violation["rule"]: violation for violation in decision["violations"]}
    assert (told["DISC-RISK"]["actual"], told["DISC-RISK"]["limit"]) == ("30.01", "30.00")
    assert all(violation["actual"] != violation["limit"] for violation in decision["violations"])


def test_pitfall_14_what_was_judged_is_what_is_stored(desk: World) -> None:
    line = a_line(quantity="1", periods=1, list_unit_price="99999.99", discount_percent="20")
    quote = a_quote(lines=[{name: value for name, value in line.items() if name != "net_unit_price"}])

    deal = created(desk, quote)

    assert deal["decision"]["facts"]["discount_pct"] == "20.00"
    assert deal["decision"]["outcome"] == "auto_approve"
    assert dict(stored(desk, deal["deal_id"]).decision.facts)["discount_pct"] == "20.00"  # type: ignore[union-attr]


@pytest.mark.parametrize(("price", "passes"), [("5000", False), ("700000", False), ("1000000", True)])
def test_pitfall_15_a_floor_in_dollars_is_converted_and_not_applied_to_yen(
    desk: World, price: str, passes: bool
) -> None:
    line = a_line(quantity="1", periods=1, list_unit_price=price, net_unit_price=price)

    decision = created(desk, a_quote(currency="JPY", lines=[line]))["decision"]

    assert ("PRICE-FLOOR" not in {violation["rule"] for violation in decision["violations"]}) is passes
    assert decision["fx"]["currency"] == "JPY"
    assert decision["fx"]["as_of"]


@pytest.mark.parametrize("body", [{"stage": "signed"}, {"stage": "closed"}, {"decision": {"outcome": "auto_approve"}}])
def test_pitfall_16_no_patch_goes_around_the_stages(desk: World, body: Json) -> None:
    deal = created(desk, a_blocked_quote())
    before = rows()

    is_problem(desk.rest("PATCH", f"/deals/{deal['deal_id']}", body, headers=seen(deal["version"]), **REP), 422)

    assert rows() == before


def test_pitfall_16_no_discount_comes_back_after_the_payment(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "paid-then-ninety")
    before = rows()
    discount = {"lines": [a_line(net_unit_price="10.00")]}

    answer = desk.rest("PATCH", f"/deals/{deal.id}", discount, headers=seen(deal.version), user=OWNER, role="rep")

    is_problem(answer, 409, "signed")
    assert rows() == before


def test_pitfall_17_an_approval_cannot_be_brought_along_already_given(desk: World) -> None:
    before = rows()

    for field in ("approvals", "round", "certificate", "stage"):
        is_problem(desk.rest("POST", "/deals", a_soft_breach(**{field: "approved"}), **REP), 422, f"/{field}")

    assert rows() == before


def test_pitfall_17_only_those_asked_decide_in_their_order_and_never_the_owner(desk: World) -> None:
    deal = created(desk, a_soft_breach(owner_id=FINANCE))
    before = rows()

    is_problem(decide(desk, deal, "executive", EXE), 409)
    is_problem(decide(desk, deal, "finance", EXE), 403)
    is_problem(decide(desk, deal, "finance", FIN), 403)
    is_problem(decide(desk, deal, "finance", {"user": "person-n8n", "role": "service"}), 403)

    assert rows() == before


def test_pitfall_17_two_users_with_one_address_are_two_people(desk: World) -> None:
    """The desk compares ids; an address is never looked at."""
    contact = {"name": "Shared Box", "email": "deals@acme.example"}
    deal = created(desk, a_soft_breach(contact=contact, owner_id="person-sf-one"))

    assert decide(desk, deal, "finance", {"user": "person-sf-two", "role": "finance"})[0] == 200


def test_pitfall_18_an_edit_after_approval_needs_a_new_one(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    for step, who in (("finance", FIN), ("executive", EXE)):
        deal = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, step), **who)[1]

    edit = {"lines": [a_line(net_unit_price="71.00")]}
    _, after = desk.rest("PATCH", f"/deals/{deal['deal_id']}", edit, headers=seen(deal["version"]), **REP)

    assert (deal["stage"], after["stage"]) == ("approved", "pending_approval")


def test_pitfall_18_a_duplicate_of_an_approved_quote_needs_its_own(desk: World) -> None:
    first = created(desk, a_soft_breach())
    for step, who in (("finance", FIN), ("executive", EXE)):
        first = desk.rest("POST", f"/deals/{first['deal_id']}/approvals", approval(first, step), **who)[1]

    assert (first["stage"], created(desk, a_soft_breach())["stage"]) == ("approved", "pending_approval")


def test_pitfall_18_nothing_is_collected_when_the_customer_signs_before_the_check(desk: World) -> None:
    deal = created(desk, a_soft_breach())

    is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal["deal_id"]}, **DESK), 409)


def test_pitfall_19_nobody_absent_inactive_or_unknown_strands_a_quote(desk: World) -> None:
    gone: Json = {"person_id": FINANCE, "groups": ["grp-finance"], "active": False, "manager_id": "person-boss"}
    absent: Json = {"person_id": "person-away", "groups": ["grp-finance"], "away_from": "2020-01-01T00:00:00Z"}
    boss: Json = {"person_id": "person-boss"}
    assert put(desk, gone, absent, boss)[0] == 200
    deal = created(desk, a_soft_breach())

    is_problem(decide(desk, deal, "finance", FIN), 403, "no longer active")
    assert decide(desk, deal, "finance", {"user": "person-boss", "role": "executive"})[0] == 200


def test_pitfall_19_delegations_in_a_circle_end(desk: World) -> None:
    window = {"begins_at": "2026-01-01T00:00:00Z", "ends_at": "2026-12-31T00:00:00Z"}
    admin: Json = {"user": "person-admin", "role": "admin"}
    for giver, taker in (("person-a", "person-b"), ("person-b", "person-a")):
        assert desk.rest("POST", "/delegations", {"from": giver, "to": taker, **window}, **admin)[0] == 201
    deal = created(desk, a_soft_breach())

    is_problem(decide(desk, deal, "finance", {"user": "person-a", "role": "executive"}), 403, "acts for nobody")


@pytest.mark.parametrize(
    "field", ["submitted_at", "touched_at", "created_at", "updated_at", "occurred_at", "signed_at"]
)
def test_pitfall_20_no_time_that_feeds_a_figure_can_be_written(desk: World, field: str) -> None:
    moment = "2026-01-01T00:00:00Z"
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}"
    before = rows()

    is_problem(desk.rest("POST", "/deals", a_quote(**{field: moment}), **REP), 422, field)
    is_problem(desk.rest("PATCH", path, {field: moment}, headers=seen(deal["version"]), **REP), 422, field)
    is_problem(decide(desk, deal, "finance", FIN, **{field: moment}), 422, field)

    assert rows() == before
