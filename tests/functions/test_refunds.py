"""Refunds over REST: who asks, who decides, what a repetition answers, and what is refused before it changes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import PaymentStatus, Stage
from tests.functions.messages import happened, keep, rows, stored
from tests.functions.test_approvers import a_person, nobody_known, put, window
from tests.functions.test_rest import COLLECTS, DECIDES, FIN, ROLES, is_problem, key
from tests.journeys.world import World
from tests.unit.domain.deals import FINANCE, OWNER

__all__ = ["nobody_known"]

Json = dict[str, Any]
SUPPORT: Json = {"user": "person-sup", "role": "deal_desk"}
OTHER: Json = {"user": "person-fin-2", "role": "finance"}
ALL = frozenset(ROLES)
ROUTES: list[tuple[str, str, Json | None, frozenset[str]]] = [
    ("POST", "/payments/pay_nowhere_1/rollback", None, COLLECTS),
    ("POST", "/payments/pay_nowhere_1/refunds", {"reason": "overpaid"}, COLLECTS),
    ("GET", "/refunds/ref_nowhere_1", None, ALL),
    ("POST", "/refunds/ref_nowhere_1/approve", None, DECIDES),
    ("POST", "/refunds/ref_nowhere_1/reject", {"reason": "no"}, DECIDES | COLLECTS),
]


def ask(desk: World, deal: Deal, who: Json = SUPPORT, *, keyed: str | None = None, **body: Any) -> tuple[int, Any]:
    given = {"reason": "overpaid", **body}
    return desk.rest("POST", f"/payments/pay_{deal.id}_1/refunds", given, headers=key(keyed) if keyed else {}, **who)


def decide(desk: World, deal: Deal, act: str, who: Json, **body: Any) -> tuple[int, Any]:
    return desk.rest("POST", f"/refunds/ref_{deal.id}_1/{act}", body or None, **who)


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


def test_one_person_asks_and_another_of_finance_approves_and_only_then_money_is_to_go_back(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "two-people")

    status, asked = ask(desk, deal, amount_minor=40_000)
    assert (status, asked["status"], asked["amount_minor"]) == (202, "REQUESTED", 40_000)
    assert stored(desk, deal.id).intents == ()
    status, approved = decide(desk, deal, "approve", FIN)

    assert (status, approved["status"], approved["approved_by"]) == (200, "APPROVED", FINANCE)
    assert [intent.key for intent in stored(desk, deal.id).intents] == [f"refund:ref_{deal.id}_1"]
    assert desk.rest("GET", f"/refunds/ref_{deal.id}_1", **SUPPORT) == (200, approved)


def test_without_an_amount_all_that_is_left_is_asked_back(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "all-left")
    ask(desk, deal, amount_minor=40_000)

    _, rest = ask(desk, deal)

    assert rest["amount_minor"] == 960_000
    is_problem(ask(desk, deal), 409, "nothing of pi_1 is left")
    is_problem(ask(desk, deal, amount_minor=1), 409, "nothing of pi_1 is left")


@pytest.mark.parametrize("amount", [0, -1, "5", 1.5, True, 10**15])
def test_an_amount_that_is_none_is_refused(desk: World, amount: Any) -> None:
    before = rows()

    is_problem(desk.rest("POST", "/payments/pay_x_1/refunds", {"amount_minor": amount, "reason": "r"}, **SUPPORT), 422)

    assert rows() == before


@pytest.mark.parametrize("stage", [Stage.SIGNED, Stage.AWAITING_PAYMENT])
def test_money_that_has_not_arrived_is_not_given_back(desk: World, stage: Stage) -> None:
    deal = keep(desk, stage, f"not-arrived-{stage}")

    is_problem(ask(desk, deal), 404)


def test_the_same_key_asks_once_and_answers_the_same(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "replayed")
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: ask(desk, deal, keyed="k-replayed", amount_minor=5), range(4)))
    decide(desk, deal, "approve", FIN)

    assert ask(desk, deal, keyed="k-replayed", amount_minor=5) == answers[0]
    assert [answer for answer in answers if answer != answers[0]] == []
    assert happened(desk, deal.id).count("refund.requested") == 1
    is_problem(ask(desk, deal, keyed="k-replayed", amount_minor=6), 409, "another request")


def test_who_asked_does_not_decide_under_any_of_their_names(desk: World) -> None:
    put(desk, a_person("person-one", "grp-finance", aliases=["person-sf-one", "person-hs-one"]))
    deal = keep(desk, Stage.PAID, "by-alias")
    ask(desk, deal, {"user": "person-sf-one", "role": "finance"})

    for name in ("person-one", "person-sf-one", "person-hs-one"):
        is_problem(decide(desk, deal, "approve", {"user": name, "role": "finance"}), 403, "asked for it")

    assert stored(desk, deal.id).intents == ()
    assert decide(desk, deal, "approve", OTHER)[0] == 200


def test_nobody_who_acts_for_who_asked_decides(desk: World) -> None:
    put(desk, a_person("person-one", "grp-finance"), a_person("person-aide"))
    delegation = {"from": "person-one", "to": "person-aide", **window()}
    assert desk.rest("POST", "/delegations", delegation, user="person-admin", role="admin")[0] == 201
    deal = keep(desk, Stage.PAID, "by-delegate")
    ask(desk, deal, {"user": "person-one", "role": "finance"})

    is_problem(decide(desk, deal, "approve", {"user": "person-aide", "role": "deal_desk"}), 403, "asked for it")


@pytest.mark.parametrize(
    ("who", "words"),
    [
        ({"user": OWNER, "role": "finance"}, "owns or edited"),
        ({"user": "person-exe", "role": "executive"}, "not in grp-finance"),
        ({"user": "service:n8n", "role": "finance"}, "is a program"),
    ],
    ids=["the owner", "an executive", "a program"],
)
@pytest.mark.parametrize("act", ["approve", "reject"])
def test_only_finance_without_an_interest_decides(desk: World, act: str, who: Json, words: str) -> None:
    deal = keep(desk, Stage.PAID, f"{act}-{who['user'].replace(':', '-')}")
    ask(desk, deal)

    is_problem(decide(desk, deal, act, who, **({"reason": "no"} if act == "reject" else {})), 403, words)


def test_who_asked_takes_it_back_and_its_amount_is_free_again(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "taken-back")
    ask(desk, deal)

    status, rejected = decide(desk, deal, "reject", SUPPORT, reason="a mistake")

    assert (status, rejected["status"], rejected["reason"]) == (200, "REJECTED", "a mistake")
    is_problem(decide(desk, deal, "approve", FIN), 409, "ask for a new one")
    assert ask(desk, deal)[1]["amount_minor"] == 1_000_000


def test_a_settled_payment_that_is_rolled_back_is_asked_back_in_full_and_once(desk: World) -> None:
    deal = keep(desk, Stage.CLOSED, "rolled-back")
    path = f"/payments/pay_{deal.id}_1/rollback"

    answers = [desk.rest("POST", path, **SUPPORT) for _ in range(2)]

    assert answers[0] == answers[1]
    status, refund = answers[0]
    assert (status, refund["status"], refund["amount_minor"]) == (202, "REQUESTED", 1_000_000)
    assert happened(desk, deal.id).count("refund.requested") == 1
    assert stored(desk, deal.id).payments[0].status is PaymentStatus.SUCCEEDED


def test_the_deal_and_the_payment_show_what_went_back_beside_the_payment(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "shown")
    ask(desk, deal, amount_minor=7)

    _, payment = desk.rest("GET", f"/payments/pay_{deal.id}_1", **FIN)
    _, whole = desk.rest("GET", f"/deals/{deal.id}", **FIN)

    assert payment["status"] == "SUCCEEDED"
    assert [refund["amount_minor"] for refund in payment["refunds"]] == [7]
    assert (payment["disputes"], payment["unapplied"]) == ([], [])
    assert whole["refunds"] == payment["refunds"]


def test_a_rep_sees_no_refund_of_somebody_elses_deal(desk: World) -> None:
    deal = keep(desk, Stage.PAID, "hidden")
    ask(desk, deal)

    is_problem(desk.rest("GET", f"/refunds/ref_{deal.id}_1", user="person-stranger", role="rep"), 404)
    assert desk.rest("GET", f"/refunds/ref_{deal.id}_1", user=OWNER, role="rep")[0] == 200
