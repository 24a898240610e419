"""Credit memos over REST: who asks, who decides, what a repetition answers, and never more than was billed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import Stage
from tests.functions.messages import happened, keep, rows, stored
from tests.functions.test_approvers import a_person, nobody_known, put
from tests.functions.test_rest import COLLECTS, DECIDES, FIN, ROLES, is_problem, key
from tests.journeys.world import World
from tests.unit.domain.deals import FINANCE

__all__ = ["nobody_known"]

Json = dict[str, Any]
SUPPORT: Json = {"user": "person-sup", "role": "deal_desk"}
OTHER: Json = {"user": "person-fin-2", "role": "finance"}
ROUTES: list[tuple[str, str, Json | None, frozenset[str]]] = [
    ("POST", "/invoices/inv_nowhere_1/credits", {"reason": "less was sold"}, COLLECTS),
    ("GET", "/credits/crd_nowhere_1", None, frozenset(ROLES)),
    ("POST", "/credits/crd_nowhere_1/approve", None, DECIDES),
    ("POST", "/credits/crd_nowhere_1/reject", {"reason": "no"}, DECIDES | COLLECTS),
]


def ask(desk: World, deal: Deal, who: Json = SUPPORT, *, keyed: str | None = None, **body: Any) -> tuple[int, Any]:
    given = {"reason": "less was sold", **body}
    return desk.rest("POST", f"/invoices/inv_{deal.id}_1/credits", given, headers=key(keyed) if keyed else {}, **who)


def decide(desk: World, deal: Deal, act: str, who: Json, **body: Any) -> tuple[int, Any]:
    return desk.rest("POST", f"/credits/crd_{deal.id}_1/{act}", body or None, **who)


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"), ROUTES, ids=[f"{route[0]} {route[1]}" for route in ROUTES]
)
def test_a_role_that_may_do_it_learns_that_there_is_no_such_deal_and_the_others_are_refused(
    desk: World, method: str, path: str, body: Json | None, allowed: frozenset[str]
) -> None:
    before = rows()

    for role in (*ROLES, "owner"):
        is_problem(desk.rest(method, path, body, user="person-x", role=role), 404 if role in allowed else 403)
    is_problem(desk.rest(method, path, body), 403, "nobody vouches")

    assert rows() == before


def test_a_memo_goes_from_the_question_to_the_ledger_and_the_invoice_stays(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "credited")
    assert desk.rest("POST", f"/invoices/inv_{deal.id}_1/approve", **FIN)[0] == 200
    desk.settle()
    posted = stored(desk, deal.id).invoices

    status, asked = ask(desk, deal, lines=[{"line_id": "1", "amount_minor": 40_000}])
    assert (status, asked["status"], asked["total_minor"]) == (202, "REQUESTED", 40_000)
    desk.settle()
    assert desk.twins["quickbooks"].state()["CreditMemo"] == []
    assert decide(desk, deal, "approve", FIN)[0] == 200
    desk.settle(times=2)

    [kept] = desk.twins["quickbooks"].state()["CreditMemo"]
    _, memo = desk.rest("GET", f"/credits/crd_{deal.id}_1", **SUPPORT)
    assert (memo["status"], memo["ledger_id"], memo["number"]) == ("POSTED", kept["Id"], kept["DocNumber"])
    assert (memo["posted_total_minor"], memo["approved_by"]) == (40_000, FINANCE)
    assert stored(desk, deal.id).invoices == posted
    _, invoice = desk.rest("GET", f"/invoices/inv_{deal.id}_1", **SUPPORT)
    assert invoice["credits"] == [memo]
    assert happened(desk, deal.id)[-1] == "credit_memo.posted"


def test_the_same_key_asks_once_and_answers_the_same(desk: World) -> None:
    deal = keep(desk, Stage.CLOSED, "memo-replayed")
    lines = [{"line_id": "1", "amount_minor": 5}]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(desk, deal, keyed="k-memo", lines=lines), range(4)))

    assert [answer for answer in answers if answer != answers[0]] == []
    assert happened(desk, deal.id).count("credit_memo.requested") == 1
    is_problem(ask(desk, deal, keyed="k-memo"), 409, "another request")


def test_two_who_ask_at_once_for_the_whole_invoice_do_not_both_get_it(desk: World) -> None:
    deal = keep(desk, Stage.CLOSED, "memo-race")

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: ask(desk, deal, keyed=f"race-{number}"), range(4)))

    assert sorted(status for status, _ in answers) == [202, 409, 409, 409]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"lines": []}, 422),
        ({"lines": [{"line_id": "1", "amount_minor": 0}]}, 422),
        ({"lines": [{"line_id": "1", "amount_minor": "5"}]}, 422),
        ({"lines": [{"line_id": "1"}, {"line_id": "1"}]}, 422),
        ({"lines": [{"line_id": "9"}]}, 404),
        ({"lines": [{"line_id": "1", "amount_minor": 1_000_001}]}, 409),
        ({"reason": ""}, 422),
        ({"refund_id": "ref_memo-bad_9"}, 404),
    ],
    ids=str,
)
def test_what_cannot_be_taken_back_is_refused_and_changes_nothing(desk: World, body: Json, status: int) -> None:
    deal_id = "memo-bad"
    known = any('"DEAL#memo-bad"' in row for row in rows())
    deal = stored(desk, deal_id) if known else keep(desk, Stage.CLOSED, deal_id)
    before = rows()

    is_problem(ask(desk, deal, **body), status)

    assert rows() == before


def test_who_asked_does_not_approve_under_any_of_their_names(desk: World) -> None:
    put(desk, a_person("person-one", "grp-finance", aliases=["person-sf-one"]))
    deal = keep(desk, Stage.CLOSED, "memo-alias")
    ask(desk, deal, {"user": "person-sf-one", "role": "finance"})

    for name in ("person-one", "person-sf-one"):
        is_problem(decide(desk, deal, "approve", {"user": name, "role": "finance"}), 403, "asked for it")

    assert decide(desk, deal, "approve", OTHER)[0] == 200


def test_a_memo_can_be_rejected_with_a_reason(desk: World) -> None:
    deal = keep(desk, Stage.CLOSED, "memo-rejected")
    ask(desk, deal)

    status, memo = decide(desk, deal, "reject", FIN, reason="billed as agreed")

    assert (status, memo["status"], memo["problem"]) == (200, "REJECTED", "billed as agreed")
    is_problem(decide(desk, deal, "approve", OTHER), 409, "ask for a new one")
