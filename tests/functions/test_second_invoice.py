"""A second invoice over REST: asked for in place of one that was taken back, decided by another person, posted once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from dealdesk.domain.deal import Deal
from dealdesk.domain.stages import InvoiceStatus, Stage
from tests.functions.messages import happened, keep, rows, stored
from tests.functions.test_rest import COLLECTS, FIN, ROLES, is_problem, key
from tests.journeys.world import World

Json = dict[str, Any]
SUPPORT: Json = {"user": "person-sup", "role": "deal_desk"}
STAGER: Json = {"user": "person-fin-2", "role": "finance"}


def posted(desk: World, deal_id: str) -> Deal:
    """A closed deal whose invoice is at the ledger."""
    deal = keep(desk, Stage.PAID, deal_id)
    assert desk.rest("POST", f"/invoices/inv_{deal.id}_1/approve", **FIN)[0] == 200
    desk.settle()
    return stored(desk, deal.id)


def taken_back(desk: World, deal_id: str) -> Deal:
    deal = posted(desk, deal_id)
    assert desk.rest("POST", f"/invoices/inv_{deal.id}_1/credits", {"reason": "wrong company"}, **SUPPORT)[0] == 202
    assert desk.rest("POST", f"/credits/crd_{deal.id}_1/approve", **FIN)[0] == 200
    desk.settle()
    return stored(desk, deal.id)


def stage(desk: World, deal_id: str, who: Json = STAGER, keyed: str = "", **body: Any) -> tuple[int, Any]:
    given = {"deal_id": deal_id, "replaces": f"inv_{deal_id}_1", **body}
    return desk.rest("POST", "/invoices/stage", given, headers=key(keyed) if keyed else {}, **who)


def test_the_second_goes_from_the_question_to_the_ledger_and_the_first_stays(desk: World) -> None:
    deal = taken_back(desk, "anew")
    first = deal.invoices[0]

    status, draft = stage(desk, deal.id)
    path = f"/invoices/inv_{deal.id}_2"
    is_problem(desk.rest("POST", f"{path}/approve", **STAGER), 403)
    assert desk.rest("POST", f"{path}/approve", **FIN)[0] == 200
    desk.settle(times=2)

    after = stored(desk, deal.id)
    kept = [row for row in desk.twins["quickbooks"].state()["Invoice"] if deal.id in row["PrivateNote"].split()]
    assert (status, draft["status"], draft["replaces"]) == (200, "DRAFT", f"inv_{deal.id}_1")
    assert [invoice.status for invoice in after.invoices] == [InvoiceStatus.POSTED] * 2
    assert after.invoices[0] == first
    assert [row["DocNumber"] for row in kept] == [invoice.draft.number for invoice in after.invoices]
    assert kept[1]["PrivateNote"].endswith(f"replaces {first.draft.number}")
    _, shown = desk.rest("GET", f"/invoices/inv_{deal.id}_1", **SUPPORT)
    assert (shown["replaced_by"], shown["total_minor"]) == (f"inv_{deal.id}_2", 1_000_000)
    assert (after.stage, happened(desk, deal.id).count("deal.closed")) == (Stage.CLOSED, 1)


def test_the_page_of_the_second_names_the_first(desk: World) -> None:
    deal = taken_back(desk, "anew-page")
    _, draft = stage(desk, deal.id)

    path, _, query = draft["preview_url"].removeprefix("https://desk.test").partition("?")
    _, page = desk.rest("GET", path, query=dict(part.split("=") for part in query.split("&")))

    assert f"<dt>Replaces</dt><dd>{deal.invoices[0].draft.number}</dd>" in page


def test_an_invoice_that_still_stands_is_not_billed_again(desk: World) -> None:
    deal = posted(desk, "anew-stands")
    before = rows()

    is_problem(stage(desk, deal.id), 409, "still stands")
    assert rows() == before

    lines = [{"line_id": "1", "amount_minor": 999_999}]
    desk.rest("POST", f"/invoices/inv_{deal.id}_1/credits", {"reason": "less", "lines": lines}, **SUPPORT)
    desk.rest("POST", f"/credits/crd_{deal.id}_1/approve", **FIN)
    desk.settle()
    is_problem(stage(desk, deal.id), 409, "still stands")


def test_the_same_key_stages_once_and_another_request_under_it_is_refused(desk: World) -> None:
    deal = taken_back(desk, "anew-replayed")

    answers = [stage(desk, deal.id, keyed="k-anew") for _ in range(3)]

    assert [answer for answer in answers if answer != answers[0]] == []
    is_problem(stage(desk, deal.id, keyed="k-anew", ledger="sap"), 409, "another request")
    assert happened(desk, deal.id).count("invoice.staged") == 2


def test_many_who_stage_at_once_make_one_draft(desk: World) -> None:
    deal = taken_back(desk, "anew-race")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: stage(desk, deal.id, keyed=f"anew-race-{number}"), range(6)))

    assert {(status, draft["invoice_id"]) for status, draft in answers} == {(200, f"inv_{deal.id}_2")}
    assert len(stored(desk, deal.id).invoices) == 2


def test_an_invoice_of_another_deal_is_not_found(desk: World) -> None:
    deal = taken_back(desk, "anew-other")
    before = rows()

    is_problem(stage(desk, deal.id, replaces="inv_elsewhere_1"), 404)

    assert rows() == before


@pytest.mark.parametrize("role", sorted(set(ROLES) - COLLECTS))
def test_who_does_not_collect_does_not_stage(desk: World, role: str) -> None:
    is_problem(stage(desk, "anew", {"user": "person-x", "role": role}), 403)
