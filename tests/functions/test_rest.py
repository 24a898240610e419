"""REST, route by route: who may, what changes, what a repetition answers, and what is refused before it changes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from dealdesk.adapters.dynamo_deals import DynamoDeals
from dealdesk.domain import payments
from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.domain.stages import PaymentStatus, Stage
from dealdesk.ports import Cause
from dealdesk.usecases.change import change
from tests.functions.messages import happened, keep, rows, stored
from tests.functions.quotes import CONTACT, a_blocked_quote, a_line, a_quote, a_soft_breach
from tests.journeys.world import World
from tests.table import TABLE
from tests.unit.domain.deals import EXECUTIVE, FINANCE, NOW, OWNER

Json = dict[str, Any]
ROLES = ("rep", "deal_desk", "finance", "executive", "revops", "admin", "auditor", "service")
REP: Json = {"user": "person-rep", "role": "rep"}
DESK: Json = {"user": "person-desk", "role": "deal_desk"}
AUDITOR: Json = {"user": "person-aud", "role": "auditor"}
FIN: Json = {"user": FINANCE, "role": "finance"}
EXE: Json = {"user": EXECUTIVE, "role": "executive"}


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


def seen(version: int | str) -> dict[str, str]:
    return {"If-Match": f'"{version}"'}


def created(desk: World, quote: Json, as_: Json = REP) -> Json:
    status, deal = desk.rest("POST", "/deals", quote, **as_)
    assert status == 201, deal
    return dict(deal)


def approval(deal: Json, step: str, decision: str = "approve", **fields: Any) -> Json:
    return {"step": step, "decision": decision, "fingerprint": deal["fingerprint"], **fields}


def is_problem(answer: tuple[int, Any], status: int, *words: str) -> None:
    code, document = answer
    assert code == status, document
    assert document["status"] == status
    assert document["title"]
    for word in words:
        assert word in document["detail"]


# -- who may

ALL = frozenset(ROLES)
WRITES = frozenset({"rep", "deal_desk", "admin", "service"})
DECIDES = frozenset({"finance", "executive", "deal_desk", "revops"})
COLLECTS = frozenset({"deal_desk", "finance", "admin", "service"})
ANSWER = {"step": "finance", "decision": "approve", "fingerprint": "0" * 64}
ROUTES: list[tuple[str, str, Json | None, frozenset[str]]] = [
    ("GET", "/deals/nowhere", None, ALL),
    ("GET", "/deals/nowhere/timeline", None, ALL),
    ("PATCH", "/deals/nowhere", {"payment_terms_days": 20}, WRITES),
    ("POST", "/deals/nowhere/recall", None, WRITES),
    ("POST", "/deals/nowhere/approvals", ANSWER, DECIDES),
    ("POST", "/payments/process", {"deal_id": "nowhere"}, COLLECTS),
    ("GET", "/payments/pay_nowhere_1", None, ALL),
    ("POST", "/payments/pay_nowhere_1/rollback", None, COLLECTS),
    ("POST", "/invoices/stage", {"deal_id": "nowhere"}, COLLECTS),
    ("GET", "/invoices/inv_nowhere_1", None, ALL),
    ("POST", "/invoices/inv_nowhere_1/approve", None, DECIDES),
    ("POST", "/invoices/inv_nowhere_1/reject", {"reason": "no"}, DECIDES),
    ("POST", "/invoices/inv_nowhere_1/post", None, COLLECTS),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"), ROUTES, ids=[f"{route[0]} {route[1]}" for route in ROUTES]
)
def test_a_role_that_may_do_it_learns_that_there_is_no_such_deal_and_the_others_are_refused(
    desk: World, method: str, path: str, body: Json | None, allowed: frozenset[str]
) -> None:
    before = rows()

    for role in (*ROLES, "owner", "ADMIN"):
        answer = desk.rest(method, path, body, user="person-x", role=role, headers=seen(1))
        is_problem(answer, 404 if role in allowed else 403)

    assert rows() == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        *[route[:3] for route in ROUTES],
        ("GET", "/deals", None),
        ("POST", "/deals", a_quote()),
        ("POST", "/guardrails/preview", a_quote()),
    ],
)
def test_a_caller_whom_no_authorizer_vouches_for_is_refused(
    desk: World, method: str, path: str, body: Json | None
) -> None:
    before = rows()

    is_problem(desk.rest(method, path, body, headers=seen(1)), 403, "nobody vouches")

    assert rows() == before


def test_only_sellers_and_the_desk_create_deals_and_everybody_may_preview(desk: World) -> None:
    for role in ROLES:
        status, _ = desk.rest("POST", "/deals", a_quote(), user="person-x", role=role)
        assert status == (201 if role in WRITES else 403)
        status, _ = desk.rest("POST", "/guardrails/preview", a_quote(), user="person-x", role=role)
        assert status == 200


def test_a_rep_sees_only_the_deals_that_they_own_or_edited(desk: World) -> None:
    paid = keep(desk, Stage.CLOSED, "of-somebody-else")
    stranger: Json = {"user": "person-stranger", "role": "rep"}
    before = rows()

    for method, path in [
        ("GET", f"/deals/{paid.id}"),
        ("GET", f"/deals/{paid.id}/timeline"),
        ("PATCH", f"/deals/{paid.id}"),
        ("POST", f"/deals/{paid.id}/recall"),
        ("GET", f"/payments/pay_{paid.id}_1"),
        ("GET", f"/invoices/inv_{paid.id}_1"),
    ]:
        body = {"payment_terms_days": 1} if method == "PATCH" else None
        is_problem(desk.rest(method, path, body, headers=seen(paid.version), **stranger), 404, f"no deal {paid.id}")
        if method == "GET":
            assert desk.rest(method, path, user=OWNER, role="rep")[0] == 200

    assert rows() == before


def test_the_list_shows_a_rep_only_their_own(desk: World) -> None:
    created(desk, a_quote(owner_id="person-lone"))

    _, mine = desk.rest("GET", "/deals", user="person-lone", role="rep", query={"owner": "person-rep"})
    _, all_ = desk.rest("GET", "/deals", query={"owner": "person-lone"}, **AUDITOR)

    assert {deal["owner_id"] for deal in mine["deals"]} == {"person-lone"}
    assert [deal["deal_id"] for deal in all_["deals"]] == [deal["deal_id"] for deal in mine["deals"]]


def test_a_rep_cannot_touch_another_reps_deal_through_its_crm_record(desk: World) -> None:
    crm = {"system": "salesforce", "record_id": "0065g00000AbCdE"}
    created(desk, a_quote(crm=crm))
    before = rows()

    thief = {"name": "Thief", "email": "thief@evil.example"}
    answer = desk.rest("POST", "/deals", a_quote(crm=crm, contact=thief), user="person-stranger", role="rep")

    is_problem(answer, 404)
    assert rows() == before


# -- deals


def test_a_new_deal_is_evaluated_at_once(desk: World) -> None:
    deal = created(desk, a_quote())

    assert (deal["stage"], deal["decision"]["outcome"], deal["owner_id"]) == ("approved", "auto_approve", "person-rep")
    assert len(deal["fingerprint"]) == 64
    assert happened(desk, deal["deal_id"])[:2] == ["deal.received", "deal.evaluated"]


def test_a_deal_beyond_two_soft_limits_waits_for_both_approvals(desk: World) -> None:
    deal = created(desk, a_soft_breach())

    assert (deal["stage"], deal["open_steps"]) == ("pending_approval", ["finance"])
    assert deal["decision"]["required_steps"] == ["finance", "executive"]


def test_a_blocked_deal_says_every_reason_and_what_would_pass(desk: World) -> None:
    deal = created(desk, a_blocked_quote())

    decision = deal["decision"]
    assert (deal["stage"], decision["outcome"], decision["required_steps"]) == ("evaluated", "blocked", [])
    assert {v["rule"] for v in decision["violations"] if "block" in v["action"]} == {
        "DISC-RISK",
        "TERMS-MAX",
        "PRICE-FLOOR",
    }
    assert decision["counterfactual"]["joint"]["outcome"] in ("auto_approve", "needs_approval")


def test_a_deal_and_its_etag_are_read_back(desk: World) -> None:
    deal = created(desk, a_quote())

    status, again = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)

    assert (status, again) == (200, deal)


def test_a_crm_record_is_one_deal_in_either_form_of_its_id(desk: World) -> None:
    short = {"system": "salesforce", "record_id": "006aBcDeFgHiJkL"}
    first = created(desk, a_quote(crm=short))

    again = created(desk, a_quote(crm={**short, "record_id": first["deal_id"].removeprefix("sf-")}))

    assert (again["deal_id"], again["version"]) == (first["deal_id"], first["version"])


def test_a_changed_term_is_judged_again(desk: World) -> None:
    deal = created(desk, a_quote())

    status, after = desk.rest(
        "PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 40}, headers=seen(deal["version"]), **REP
    )

    assert (status, after["stage"], after["revision"]) == (200, "pending_approval", 2)
    assert after["open_steps"] == ["finance"]
    assert after["fingerprint"] != deal["fingerprint"]


def test_a_change_without_the_version_seen_is_refused(desk: World) -> None:
    deal = created(desk, a_quote())
    before = rows()

    answer = desk.rest("PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 40}, **REP)

    is_problem(answer, 428, "If-Match")
    assert rows() == before


@pytest.mark.parametrize("form", ['"{}"', 'W/"{}"', "{}", ' "{}" '])
def test_the_version_seen_is_taken_in_every_form_of_an_etag(desk: World, form: str) -> None:
    deal = created(desk, a_quote())

    status, _ = desk.rest(
        "PATCH",
        f"/deals/{deal['deal_id']}",
        {"payment_terms_days": 20},
        headers={"If-Match": form.format(deal["version"])},
        **REP,
    )

    assert status == 200


@pytest.mark.parametrize("etag", ["*", "abc", "-1", "1.0", "٣", "9" * 30, '"', ""])
def test_a_version_that_is_none_is_refused(desk: World, etag: str) -> None:
    deal = created(desk, a_quote())

    status, problem = desk.rest(
        "PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 20}, headers={"If-Match": etag}, **REP
    )

    assert (status, problem["errors"][0]["pointer"]) == (422, "If-Match")


def test_a_change_on_a_stale_version_is_refused(desk: World) -> None:
    deal = created(desk, a_quote())
    path = f"/deals/{deal['deal_id']}"
    desk.rest("PATCH", path, {"payment_terms_days": 20}, headers=seen(deal["version"]), **REP)
    before = rows()

    answer = desk.rest("PATCH", path, {"payment_terms_days": 10}, headers=seen(deal["version"]), **REP)

    is_problem(answer, 409, "read it again")
    assert rows() == before


@pytest.mark.parametrize("stage", [Stage.AWAITING_PAYMENT, Stage.PAID, Stage.CLOSED])
def test_signed_terms_cannot_be_changed(desk: World, stage: Stage) -> None:
    deal = keep(desk, stage, f"signed-{stage.value}")
    before = rows()

    answer = desk.rest(
        "PATCH", f"/deals/{deal.id}", {"payment_terms_days": 10}, headers=seen(deal.version), user=OWNER, role="rep"
    )

    is_problem(answer, 409, "signed")
    assert rows() == before


@pytest.mark.parametrize("field", ["stage", "version", "decision", "fingerprint", "submitted_at", "currency", "crm"])
def test_what_the_desk_decides_cannot_be_patched(desk: World, field: str) -> None:
    deal = created(desk, a_quote())
    before = rows()

    answer = desk.rest("PATCH", f"/deals/{deal['deal_id']}", {field: "paid"}, headers=seen(deal["version"]), **REP)

    is_problem(answer, 422, f"/{field}")
    assert rows() == before


def test_an_approved_deal_that_is_edited_loses_its_approval(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    for step, who in (("finance", FIN), ("executive", EXE)):
        desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, step), **who)
    _, approved = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)
    assert approved["stage"] == "approved"

    _, after = desk.rest(
        "PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 41}, headers=seen(approved["version"]), **REP
    )

    assert (after["stage"], after["open_steps"]) == ("pending_approval", ["finance"])


# -- approvals


def test_every_step_is_granted_in_its_order_and_then_the_deal_is_approved(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}/approvals"

    is_problem(desk.rest("POST", path, approval(deal, "executive"), **EXE), 409, "open steps: finance")
    _, first = desk.rest("POST", path, approval(deal, "finance"), **FIN)
    _, second = desk.rest("POST", path, approval(deal, "executive"), **EXE)

    assert (first["stage"], first["open_steps"]) == ("pending_approval", ["executive"])
    assert (second["stage"], second["open_steps"]) == ("approved", [])


def test_an_approver_of_another_group_is_refused(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    before = rows()

    answer = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "finance"), **EXE)

    is_problem(answer, 403, "grp-finance")
    assert rows() == before


def test_the_owner_cannot_approve_their_own_deal(desk: World) -> None:
    deal = created(desk, a_soft_breach(owner_id=FINANCE))
    before = rows()

    answer = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "finance"), **FIN)

    is_problem(answer, 403, "owns or edited")
    assert rows() == before


def test_a_click_on_terms_that_have_changed_is_refused(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    desk.rest("PATCH", f"/deals/{deal['deal_id']}", {"payment_terms_days": 41}, headers=seen(deal["version"]), **REP)
    before = rows()

    answer = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "finance"), **FIN)

    is_problem(answer, 409, "changed since you looked")
    assert rows() == before


@pytest.mark.parametrize("quote", [a_blocked_quote(), a_quote()], ids=["blocked", "approved by rule"])
def test_a_deal_that_asks_nobody_cannot_be_approved(desk: World, quote: Json) -> None:
    deal = created(desk, quote)

    answer = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "finance"), **FIN)

    is_problem(answer, 409, "asks for no approval")


def test_a_step_that_nobody_asks_for_cannot_be_approved(desk: World) -> None:
    deal = created(desk, a_soft_breach())

    answer = desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "legal"), **FIN)

    is_problem(answer, 409, "finance, executive")


def test_the_same_approval_twice_is_one_grant(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}/approvals"

    answers = [desk.rest("POST", path, approval(deal, "finance"), headers=key(f"twice-{n}"), **FIN) for n in range(3)]

    assert [status for status, _ in answers] == [200, 200, 200]
    assert happened(desk, deal["deal_id"]).count("approval.granted") == 1


def test_a_second_approver_of_a_granted_step_is_told_what_is_open(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}/approvals"
    desk.rest("POST", path, approval(deal, "finance"), **FIN)

    answer = desk.rest("POST", path, approval(deal, "finance"), user="person-fin-2", role="finance")

    is_problem(answer, 409, "open steps: executive")


def test_a_rejection_ends_the_round(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    path = f"/deals/{deal['deal_id']}/approvals"

    _, after = desk.rest("POST", path, approval(deal, "finance", "reject", comment="Not\nthis year"), **FIN)

    assert (after["stage"], after["open_steps"]) == ("rejected", [])
    is_problem(desk.rest("POST", path, approval(deal, "finance"), **FIN), 409, "asks for no approval")


# -- recall


@pytest.mark.parametrize("quote", [a_quote(), a_soft_breach(), a_blocked_quote()], ids=["approved", "asked", "blocked"])
def test_the_owner_recalls_until_the_contract_goes_out(desk: World, quote: Json) -> None:
    deal = created(desk, quote)

    status, after = desk.rest("POST", f"/deals/{deal['deal_id']}/recall", **REP)

    assert (status, after["stage"]) == (200, "recalled")
    assert stored(desk, deal["deal_id"]).certificate is None


def test_a_recalled_deal_is_judged_anew_when_it_comes_again(desk: World) -> None:
    crm = {"system": "hubspot", "record_id": "recalled-1"}
    deal = created(desk, a_quote(crm=crm))
    desk.rest("POST", f"/deals/{deal['deal_id']}/recall", **REP)

    again = created(desk, a_quote(crm=crm))

    assert (again["stage"], again["revision"]) == ("approved", 2)


@pytest.mark.parametrize("stage", [Stage.OUT_FOR_SIGNATURE, Stage.AWAITING_PAYMENT, Stage.CLOSED])
def test_a_deal_whose_contract_is_out_cannot_be_recalled(desk: World, stage: Stage) -> None:
    deal = keep(desk, stage, f"out-{stage.value}")

    is_problem(
        desk.rest("POST", f"/deals/{deal.id}/recall", user=OWNER, role="rep"), 409, "until its contract goes out"
    )


def test_an_editor_who_is_not_the_owner_cannot_recall_but_the_desk_can(desk: World) -> None:
    deal = created(desk, a_quote(owner_id="person-other"))

    is_problem(desk.rest("POST", f"/deals/{deal['deal_id']}/recall", **REP), 403, "only the owner")
    assert desk.rest("POST", f"/deals/{deal['deal_id']}/recall", **DESK)[0] == 200


# -- the past


def test_a_timeline_is_complete_and_names_cause_and_actor(desk: World) -> None:
    deal = created(desk, a_soft_breach())
    desk.rest("POST", f"/deals/{deal['deal_id']}/approvals", approval(deal, "finance"), headers=key("grant-1"), **FIN)

    status, timeline = desk.rest("GET", f"/deals/{deal['deal_id']}/timeline", **REP)

    granted = next(event for event in timeline["events"] if event["type"] == "approval.granted")
    assert (status, timeline["complete"]) == (200, True)
    assert [event["sequence"] for event in timeline["events"]] == list(range(1, len(timeline["events"]) + 1))
    assert (granted["cause"], granted["actor"]) == ("api:grant-1", FINANCE)


def test_a_timeline_holds_no_name_and_no_address(desk: World) -> None:
    deal = created(desk, a_quote())

    _, timeline = desk.rest("GET", f"/deals/{deal['deal_id']}/timeline", **REP)

    assert CONTACT["email"] not in str(timeline)
    assert CONTACT["name"] not in str(timeline)


def test_a_deal_is_shown_as_it_was(desk: World) -> None:
    deal = created(desk, a_quote())
    path = f"/deals/{deal['deal_id']}"
    moment = desk.now().isoformat()
    desk.sleep(seconds=5)
    desk.rest("PATCH", path, {"payment_terms_days": 60}, headers=seen(deal["version"]), **REP)

    _, then = desk.rest("GET", path, query={"as_of": moment}, **REP)
    _, now = desk.rest("GET", path, **REP)

    assert (then["version"], then["decision"]["outcome"]) == (deal["version"], "auto_approve")
    assert now["decision"]["outcome"] == "blocked"


def test_a_deal_is_not_shown_before_it_was(desk: World) -> None:
    deal = created(desk, a_quote())
    yesterday = (desk.now() - timedelta(days=1)).isoformat()

    is_problem(desk.rest("GET", f"/deals/{deal['deal_id']}", query={"as_of": yesterday}, **REP), 404)


@pytest.mark.parametrize(
    "moment", ["yesterday", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9" * 400, "\x00"]
)
@pytest.mark.parametrize(("path", "name"), [("/deals", "updated_since"), ("/deals/{}", "as_of")])
def test_a_time_that_is_none_is_refused_by_name(desk: World, path: str, name: str, moment: str) -> None:
    deal = created(desk, a_quote())

    status, problem = desk.rest("GET", path.format(deal["deal_id"]), query={name: moment}, **REP)

    assert (status, problem["errors"][0]["pointer"]) == (422, name)


# -- the list


def test_the_list_is_read_page_by_page_newest_first_without_gap_or_repetition(desk: World) -> None:
    made = []
    for number in range(7):
        made.append(created(desk, a_quote(name=f"Deal {number}", owner_id="person-paging"))["deal_id"])
        desk.sleep(seconds=1)

    read: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor:
        query = {"owner": "person-paging", "limit": "3"} | ({"cursor": cursor} if cursor else {})
        _, page = desk.rest("GET", "/deals", query=query, **AUDITOR)
        read += [deal["deal_id"] for deal in page["deals"]]
        cursor, pages = page["next_cursor"], pages + 1

    assert (pages, read) == (3, made[::-1])


def test_the_list_is_filtered_by_stage_owner_crm_and_time(desk: World) -> None:
    owner = "person-filter"
    old = created(desk, a_quote(owner_id=owner))["deal_id"]
    desk.sleep(seconds=2)
    middle = desk.now().isoformat()
    desk.sleep(seconds=2)
    asked = created(desk, a_soft_breach(owner_id=owner))["deal_id"]
    crm = {"system": "hubspot", "record_id": "filter-1"}
    hubspot = created(desk, a_quote(owner_id=owner, crm=crm))["deal_id"]

    def ids(**query: str) -> set[str]:
        _, page = desk.rest("GET", "/deals", query={"owner": owner, **query}, **AUDITOR)
        return {deal["deal_id"] for deal in page["deals"]}

    assert ids() == {old, asked, hubspot}
    assert ids(stage="pending_approval") == {asked}
    assert ids(crm="hubspot") == {hubspot}
    assert ids(updated_since=middle) == {asked, hubspot}
    assert ids(updated_since=middle, stage="approved") == {hubspot}
    assert ids(stage="no-such-stage") == set()


def test_a_time_far_ahead_lists_nothing(desk: World) -> None:
    assert desk.rest("GET", "/deals", query={"updated_since": "9999-12-31T00:00:00Z"}, **AUDITOR)[1]["deals"] == []


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "201"}, "limit"),
        ({"limit": "ten"}, "limit"),
        ({"limit": "9" * 5_000}, "limit"),
        ({"limit": "1e400"}, "limit"),
        ({"limit": "NaN"}, "limit"),
        ({"cursor": "none"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": "MjAyNi0xMS0yMg=="}, "cursor"),
        ({"cursor": "x" * 401}, "cursor"),
        ({"cursor": "\x00"}, "cursor"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_page_that_cannot_be_given_is_refused_by_name(desk: World, query: dict[str, str], pointer: str) -> None:
    status, problem = desk.rest("GET", "/deals", query=query, **AUDITOR)

    assert status == 422
    assert problem["errors"][0]["pointer"] == pointer


# -- preview


def test_a_preview_says_what_a_deal_would_get_and_saves_nothing(desk: World) -> None:
    before = rows()

    status, preview = desk.rest("POST", "/guardrails/preview", a_soft_breach(), **REP)

    assert (status, preview["decision"]["outcome"]) == (200, "needs_approval")
    assert preview["decision"]["required_steps"] == ["finance", "executive"]
    assert rows() == before
    assert preview["fingerprint"] == created(desk, a_soft_breach())["fingerprint"]


def test_a_preview_of_a_blocked_quote_tells_what_passes_and_that_passes(desk: World) -> None:
    quote = a_blocked_quote(lines=[a_line(list_unit_price="100.00", net_unit_price=None, discount_percent="35")])

    _, preview = desk.rest("POST", "/guardrails/preview", quote, **REP)
    joint = preview["decision"]["counterfactual"]["joint"]
    to = joint["change"]
    quote["lines"][0]["discount_percent"] = to["max_line_discount_pct"]
    quote["payment_terms_days"] = to["payment_days"]
    _, after = desk.rest("POST", "/guardrails/preview", quote, **REP)

    assert preview["decision"]["outcome"] == "blocked"
    assert to["max_line_discount_pct"] in preview["what_would_pass"]
    assert after["decision"]["outcome"] == joint["outcome"] != "blocked"


def test_a_quote_of_stacks_ramps_tiers_and_an_amount_off_is_judged_by_what_it_comes_to(desk: World) -> None:
    stack = [{"layer": "discretionary", "percent": "20"}, {"layer": "promo", "percent": "10"}]
    ramp = [{"periods": 12, "discount_percent": percent} for percent in ("50", "20", "0")]
    tiers = [{"from_quantity": "1", "unit_price": "100"}]
    quote = a_quote(
        lines=[
            a_line(1, net_unit_price=None, discounts=stack),
            a_line(2, net_unit_price=None, segments=ramp, periods=36),
            a_line(3, list_unit_price=None, list_tiers=tiers, net_unit_price="100", free_periods=3),
        ],
        amount_off="240.00",
        term_months=36,
        opt_out_after_months=24,
        payment_terms="EOM+15",
        starts_on="2027-01-01",
    )
    del quote["payment_terms_days"]

    _, preview = desk.rest("POST", "/guardrails/preview", quote, **REP)
    deal = created(desk, quote)

    # 12,000 at 28%, 36,000 at 23.33%, 12,000 with 3 of 12 periods free, and 240 off.
    facts = preview["decision"]["facts"]
    assert facts["total_contract_value"] == "45000.00"
    assert (facts["discount_pct"], facts["term_months"], facts["committed_months"]) == ("25.00", "36", "24")
    assert facts["payment_days"] == "45"
    assert preview["payment_terms_cost"] == {
        "amount_minor": 184_93,
        "currency": "USD",
        "days": 45,
        "standard_days": 30,
        "annual_percent": "10",
    }
    assert (deal["fingerprint"], deal["decision"]["facts"]) == (preview["fingerprint"], facts)


def test_an_amount_off_is_given_and_taken_back_by_patch(desk: World) -> None:
    deal = created(desk, a_quote())
    path = f"/deals/{deal['deal_id']}"

    _, given = desk.rest("PATCH", path, {"amount_off": "100.00"}, headers=seen(deal["version"]), **REP)
    _, taken = desk.rest("PATCH", path, {"amount_off": "0"}, headers=seen(given["version"]), **REP)

    assert given["decision"]["facts"]["total_contract_value"] == "10100.00"
    assert taken["fingerprint"] == deal["fingerprint"]


def test_typed_terms_and_days_replace_each_other_by_patch(desk: World) -> None:
    deal = created(desk, a_quote())
    path = f"/deals/{deal['deal_id']}"

    _, typed = desk.rest("PATCH", path, {"payment_terms": "eom 10"}, headers=seen(deal["version"]), **REP)
    _, days = desk.rest("PATCH", path, {"payment_terms_days": 30}, headers=seen(typed["version"]), **REP)

    assert typed["decision"]["facts"]["payment_days"] == "40"
    assert days["fingerprint"] == deal["fingerprint"]


def test_a_deal_shows_its_four_ends_and_the_earliest(desk: World) -> None:
    deal = created(desk, a_quote(valid_until="2036-12-31"))

    _, shown = desk.rest("GET", f"/deals/{deal['deal_id']}", **REP)

    ends = shown["expiries"]
    assert ends["quote_validity"].startswith("2036-12-31T23:59:59")
    assert (ends["approval"] is not None, ends["envelope"], ends["payment_link"]) == (True, None, None)
    assert ends["earliest"] == "approval"


# -- payments


def test_a_signed_deal_is_paid_by_the_amount_of_the_deal(desk: World) -> None:
    deal = keep(desk, Stage.SIGNED, "to-collect")

    status, payment = desk.rest("POST", "/payments/process", {"deal_id": deal.id, "provider": "stripe"}, **FIN)
    _, read = desk.rest("GET", f"/payments/{payment['payment_id']}", **AUDITOR)

    assert (status, payment["status"]) == (200, "PENDING")
    assert (payment["amount_minor"], payment["currency"]) == (1_000_000, "USD")
    assert read == payment


@pytest.mark.parametrize("field", ["amount", "amount_minor", "currency", "status", "outcome"])
def test_the_caller_chooses_neither_amount_nor_outcome(desk: World, field: str) -> None:
    deal = keep(desk, Stage.SIGNED, f"choose-{field}")
    before = rows()

    is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal.id, field: 1}, **FIN), 422, f"/{field}")

    assert rows() == before


@pytest.mark.parametrize(
    "stage", [Stage.DRAFT, Stage.EVALUATED, Stage.PENDING_APPROVAL, Stage.APPROVED, Stage.OUT_FOR_SIGNATURE]
)
def test_nothing_is_collected_before_signature(desk: World, stage: Stage) -> None:
    deal = keep(desk, stage, f"unsigned-{stage.value}")
    before = rows()

    is_problem(desk.rest("POST", "/payments/process", {"deal_id": deal.id}, **FIN), 409, "once it is signed")

    assert rows() == before


def test_eight_keys_one_after_the_other_are_one_payment(desk: World) -> None:
    deal = keep(desk, Stage.SIGNED, "eight-keys")

    answers = [
        desk.rest("POST", "/payments/process", {"deal_id": deal.id}, headers=key(f"eight-{n}"), **FIN) for n in range(8)
    ]

    assert {status for status, _ in answers} == {200}
    assert {payment["payment_id"] for _, payment in answers} == {f"pay_{deal.id}_1"}
    assert len(stored(desk, deal.id).payments) == 1


def test_eight_keys_at_the_same_moment_are_one_payment_and_eight_answers(desk: World) -> None:
    deal = keep(desk, Stage.SIGNED, "eight-at-once")
    together = threading.Barrier(8)

    class Simultaneous(DynamoDeals):
        """All read the deal before any of them writes."""

        def load(self, deal_id: str, cause: Cause | None = None, *, or_new: bool = False) -> Deal:
            loaded = super().load(deal_id, cause, or_new=or_new)
            if loaded.version == deal.version and not together.broken:
                together.wait(timeout=10)
            return loaded

    def ask(number: int) -> Deal:
        def decide(loaded: Deal) -> list[Event]:
            return payments.ask(loaded, NOW)

        cause = Cause("api", f"at-once-{number}", "hash")
        return change(
            Simultaneous(TABLE, 1200), deal.id, decide, cause=cause, actor=FINANCE, now=NOW, claim_anyway=True
        )

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))

    assert {answer.payments[0].id for answer in answers} == {f"pay_{deal.id}_1"}
    assert len(stored(desk, deal.id).payments) == 1
    assert happened(desk, deal.id).count("payment.requested") == 1


def test_a_failed_payment_is_asked_again_by_a_new_key_and_not_by_the_old_one(desk: World) -> None:
    deal = keep(desk, Stage.AWAITING_PAYMENT, "failed-once")
    deals = desk.port("receive_stripe", "deals")
    failed = payments.failed(deal, f"pay_{deal.id}_1", "expired", "the payment link expired unpaid")
    deals.save(deal, failed, cause=Cause("stripe", "evt_failed"), actor="vendor:stripe", now=NOW)

    _, second = desk.rest("POST", "/payments/process", {"deal_id": deal.id}, headers=key("again-1"), **FIN)
    _, replay = desk.rest("POST", "/payments/process", {"deal_id": deal.id}, headers=key("again-1"), **FIN)

    assert (second["payment_id"], second["status"]) == (f"pay_{deal.id}_2", "PENDING")
    assert replay == second
    assert [payment.status for payment in stored(desk, deal.id).payments] == [
        PaymentStatus.FAILED,
        PaymentStatus.PENDING,
    ]


def test_a_pending_payment_is_withdrawn_and_of_a_settled_one_only_a_refund_is_asked(desk: World) -> None:
    pending = keep(desk, Stage.AWAITING_PAYMENT, "to-withdraw")
    settled = keep(desk, Stage.PAID, "not-to-withdraw")

    status, _ = desk.rest("POST", f"/payments/pay_{pending.id}_1/rollback", **FIN)
    asked, refund = desk.rest("POST", f"/payments/pay_{settled.id}_1/rollback", **FIN)

    assert status == 202
    assert [intent.key for intent in stored(desk, pending.id).intents] == [f"cancel:payment:pay_{pending.id}_1"]
    assert (asked, refund["status"], stored(desk, settled.id).intents) == (202, "REQUESTED", ())


@pytest.mark.parametrize(
    "subject", ["pay_", "pay__", "pay_x", "pay_x_y", "inv_nowhere_1", "pay_nowhere_²", "pay_nowhere_99999999999999999"]
)
def test_a_payment_that_nobody_made_is_not_found(desk: World, subject: str) -> None:
    is_problem(desk.rest("GET", f"/payments/{subject}", **AUDITOR), 404)


# -- invoices


def test_a_draft_is_staged_approved_and_asked_to_be_posted_once(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "to-invoice")
    path = f"/invoices/inv_{deal.id}_1"

    _, staged = desk.rest("POST", "/invoices/stage", {"deal_id": deal.id, "ledger": "quickbooks"}, **DESK)
    status, approved = desk.rest("POST", f"{path}/approve", **FIN)
    again, _ = desk.rest("POST", f"{path}/approve", user="person-fin-2", role="finance")
    asked, _ = desk.rest("POST", f"{path}/post", **DESK)

    assert (staged["status"], staged["total_minor"], len(staged["lines"])) == ("DRAFT", 1_000_000, 1)
    assert sum(line["amount_minor"] for line in staged["lines"]) == staged["total_minor"]
    assert (status, approved["status"], again, asked) == (200, "APPROVED", 200, 202)
    assert happened(desk, deal.id).count("invoice.staged") == 1
    assert happened(desk, deal.id).count("invoice.posting_requested") == 1


def test_a_rejected_draft_is_followed_by_a_new_one(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "to-reject")
    path = f"/invoices/inv_{deal.id}_1"

    _, rejected = desk.rest("POST", f"{path}/reject", {"reason": "wrong entity"}, **FIN)
    refused = desk.rest("POST", f"{path}/approve", **FIN)
    _, second = desk.rest("POST", "/invoices/stage", {"deal_id": deal.id}, **FIN)

    assert (rejected["status"], rejected["reason"]) == ("REJECTED", "wrong entity")
    is_problem(refused, 409, "only a draft can be approved")
    assert (second["invoice_id"], second["status"]) == (f"inv_{deal.id}_2", "DRAFT")


def test_only_finance_decides_on_an_invoice_and_never_on_their_own_deal(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "own-invoice", owner_id=FINANCE)
    path = f"/invoices/inv_{deal.id}_1"
    before = rows()

    is_problem(desk.rest("POST", f"{path}/approve", **EXE), 403, "grp-finance")
    is_problem(desk.rest("POST", f"{path}/approve", **FIN), 403, "owns or edited")
    is_problem(desk.rest("POST", f"{path}/reject", {"reason": "x"}, **FIN), 403, "owns or edited")

    assert rows() == before


def test_nothing_is_staged_before_the_money_and_nothing_posted_before_the_approval(desk: World) -> None:
    unpaid = keep(desk, Stage.AWAITING_PAYMENT, "unpaid")
    draft = keep(desk, Stage.PAID, "unapproved")

    is_problem(desk.rest("POST", "/invoices/stage", {"deal_id": unpaid.id}, **FIN), 409, "once it is paid")
    is_problem(desk.rest("POST", f"/invoices/inv_{draft.id}_1/post", **FIN), 409, "finance must approve it")


def test_the_preview_of_an_invoice_opens_by_its_link_only(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "with-page")
    _, invoice = desk.rest("GET", f"/invoices/inv_{deal.id}_1", **FIN)
    address, _, query = invoice["preview_url"].partition("?")
    path = address.removeprefix("https://desk.test")
    given = dict(part.split("=") for part in query.split("&"))

    status, page = desk.rest("GET", path, query=given)

    assert (status, "10,000.00 USD" in page) == (200, True)
    is_problem(desk.rest("GET", path), 403)
    is_problem(desk.rest("GET", path, query={**given, "expires": "9999999999"}), 403)
    is_problem(desk.rest("GET", path, query={**given, "signature": "é" * 64}), 403)
    is_problem(desk.rest("GET", path.replace("with-page_1", "with-page_2"), query=given), 403)


# -- the same request again


@pytest.mark.parametrize(
    ("stage", "path", "body", "who"),
    [
        (Stage.SIGNED, "/payments/process", {"deal_id": "{}"}, FIN),
        (Stage.AWAITING_PAYMENT, "/payments/pay_{}_1/rollback", None, FIN),
        (Stage.PAID, "/invoices/stage", {"deal_id": "{}"}, FIN),
        (Stage.PAID, "/invoices/inv_{}_1/approve", None, FIN),
        (Stage.PAID, "/invoices/inv_{}_1/reject", {"reason": "no"}, FIN),
        (Stage.APPROVED, "/deals/{}/recall", None, {"user": OWNER, "role": "rep"}),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_request_with_its_key_is_answered_again_and_changes_nothing_more(
    desk: World, stage: Stage, path: str, body: dict[str, str] | None, who: Json
) -> None:
    name = path.replace("/", "-").replace("{}", "")
    first, other = (keep(desk, stage, f"replay{name}{number}") for number in (1, 2))

    def ask(deal: Deal, **fields: str) -> tuple[int, Any]:
        filled = {field: text.format(deal.id) for field, text in ({**(body or {}), **fields}).items()}
        return desk.rest("POST", path.format(deal.id), filled or None, headers=key(f"replay{name}"), **who)

    answer = ask(first)
    before = rows()
    again = ask(first)
    elsewhere = ask(other)

    assert answer[0] in (200, 202)
    assert again == answer
    is_problem(elsewhere, 409, "used before with another request")
    assert rows() == before


def test_a_new_deal_with_its_key_is_made_once(desk: World) -> None:
    first = desk.rest("POST", "/deals", a_quote(), headers=key("new-1"), **REP)
    before = rows()

    again = desk.rest("POST", "/deals", a_quote(), headers=key("new-1"), **REP)
    other = desk.rest("POST", "/deals", a_quote(name="Other", contact=None), headers=key("new-1"), **REP)
    thief = {"name": "Thief", "email": "thief@evil.example"}
    contact = desk.rest("POST", "/deals", a_quote(contact=thief), headers=key("new-1"), **REP)

    assert (first[0], again) == (201, first)
    is_problem(other, 409, "used before with another request")
    is_problem(contact, 409, "used before with another request")
    assert rows() == before


def test_a_replay_answers_as_it_was_then_and_not_as_it_is_now(desk: World) -> None:
    _, first = desk.rest("POST", "/deals", a_quote(), headers=key("then-1"), **REP)
    path = f"/deals/{first['deal_id']}"
    desk.rest("PATCH", path, {"payment_terms_days": 60}, headers=seen(first["version"]), **REP)

    _, again = desk.rest("POST", "/deals", a_quote(), headers=key("then-1"), **REP)

    assert again == first


def test_a_change_with_its_key_is_made_once(desk: World) -> None:
    deal = created(desk, a_quote())
    path, headers = f"/deals/{deal['deal_id']}", {**seen(deal["version"]), **key("patch-1")}

    answers = [desk.rest("PATCH", path, {"payment_terms_days": 20}, headers=headers, **REP) for _ in range(2)]

    assert answers[0] == answers[1]
    assert answers[0][0] == 200


def test_another_persons_key_is_not_ours(desk: World) -> None:
    desk.rest("POST", "/deals", a_quote(), headers=key("shared"), **REP)

    answer = desk.rest("POST", "/deals", a_quote(), headers=key("shared"), user="person-b", role="rep")

    is_problem(answer, 409)


@pytest.mark.parametrize("text", ["", " ", "a b", "é", "\x00", "x" * 201, "a\nb"])
def test_a_key_that_is_none_is_refused(desk: World, text: str) -> None:
    before = rows()

    status, problem = desk.rest("POST", "/deals", a_quote(), headers=key(text), **REP)

    assert (status, problem["errors"][0]["pointer"].lower()) == (422, "idempotency-key")
    assert rows() == before


# -- the desk itself


@pytest.mark.parametrize("path", ["/health", "/liveness", "/readiness"])
def test_health_needs_no_token(desk: World, path: str) -> None:
    assert desk.rest("GET", path)[0] == 200


def test_readiness_is_red_while_the_table_does_not_answer(desk: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(DynamoDeals, "load", unreachable)

    assert desk.rest("GET", "/readiness")[0] >= 500
    assert desk.rest("GET", "/liveness")[0] == 200


def test_the_schema_describes_every_route(desk: World) -> None:
    status, schema = desk.rest("GET", "/openapi.json")

    assert status == 200
    for method, path, _, _ in ROUTES:
        known = path.replace("pay_nowhere_1", "{payment_id}").replace("inv_nowhere_1", "{invoice_id}")
        assert method.lower() in schema["paths"][known.replace("nowhere", "{deal_id}")]


def test_a_route_that_is_none_is_said_to_be_none(desk: World) -> None:
    for method, path in [("GET", "/nowhere"), ("DELETE", "/deals"), ("GET", "/deals/a/b/c"), ("PUT", "/deals/x")]:
        is_problem(desk.rest(method, path, **AUDITOR), 404, "/openapi.json")
