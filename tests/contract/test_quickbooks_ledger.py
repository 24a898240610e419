"""What QuickBooks asks of its adapter beyond the Ledger port: numbers, customers, currencies, classes of faults."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from dealdesk.adapters.quickbooks import QuickbooksLedger, translated
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from local.twins.server import Fault
from tests.contract.ledgers.bench import a_draft, a_line, a_memo
from tests.contract.ledgers.quickbooks import QuickbooksBench, quickbooks_books
from tests.unit.domain.deals import a_deal

DEAL = a_deal(Stage.PAID)
TODAY = date(2026, 11, 22)


@pytest.fixture
def bench() -> Iterator[QuickbooksBench]:
    with quickbooks_books() as bench:
        assert isinstance(bench, QuickbooksBench)
        yield bench


def post(ledger: QuickbooksLedger, **fields: Any) -> Any:
    return ledger.post("invoice:inv_d-1_1", a_draft(**fields), DEAL, TODAY)


def answering(ledger: QuickbooksLedger, monkeypatch: pytest.MonkeyPatch, *answers: tuple[int, object]) -> None:
    """QuickBooks says this, one after the other."""
    responses = []
    for status, document in answers:
        response = requests.Response()
        response.status_code, response._content = status, json.dumps(document).encode()
        responses.append(response)
    monkeypatch.setattr(ledger._http, "request", lambda *_, **__: responses.pop(0))


def test_the_request_carries_a_key_made_from_the_fact(bench: QuickbooksBench) -> None:
    post(bench.ledger())

    [posted] = [r.path for r in bench.twin.requests if r.method == "POST" and "/invoice" in r.path]
    assert "requestid=invoice%3Ainv_d-1_1" in posted


def test_a_number_is_looked_for_before_a_call_because_uniqueness_is_a_setting_of_the_company(
    bench: QuickbooksBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the setting were off and the request id forgotten: only the look keeps the invoice single."""
    post(bench.ledger())
    monkeypatch.setattr(bench.company.books, "_document_number", lambda _, body: body["DocNumber"])
    bench.company._answers.clear()

    post(bench.ledger())

    assert len(bench.invoices()) == 1


def test_a_new_customer_is_made_in_the_currency_of_the_quote(bench: QuickbooksBench) -> None:
    post(bench.ledger(), currency="JPY", customer_name="Nihon KK", customer_id="acct-7")

    made = next(row for row in bench.twin.state()["Customer"] if row["DisplayName"] == "Nihon KK")
    assert (made["CurrencyRef"], made["Notes"]) == ({"value": "JPY"}, "CRM account acct-7")


def test_a_customer_in_another_currency_is_refused_by_name_of_the_rule(bench: QuickbooksBench) -> None:
    with pytest.raises(VendorRefused, match="6000"):
        post(bench.ledger(), currency="JPY", customer_name="Acme Inc")

    assert bench.invoices() == []


def test_an_amount_is_sent_with_exactly_its_digits(bench: QuickbooksBench) -> None:
    bench.ledger().post("k", a_draft(a_line(amount_minor=999_999_999_999_99)), DEAL, TODAY)

    [sent] = [r.body for r in bench.twin.requests if r.method == "POST" and "/invoice" in r.path]
    assert '"Amount":999999999999.99' in sent


def test_a_memo_names_its_invoice_because_quickbooks_does_not(bench: QuickbooksBench) -> None:
    made = post(bench.ledger())

    bench.ledger().credit("c", a_memo(a_draft(), made.ledger_id), DEAL, TODAY)

    [memo] = bench.twin.state()["CreditMemo"]
    assert memo["PrivateNote"].split()[:5] == ["Deal", "Desk", "d-1", "cm_d-1_1", "inv_d-1_1"]


def test_another_invoices_memos_leave_this_ones_rest_alone(bench: QuickbooksBench) -> None:
    first = post(bench.ledger())
    second_draft = a_draft(invoice_id="inv_d-1_2", number="DD-0123456789AB-2")
    second = bench.ledger().post("k2", second_draft, DEAL, TODAY)
    bench.ledger().credit("c1", a_memo(a_draft(), first.ledger_id), DEAL, TODAY)

    made = bench.ledger().credit("c2", a_memo(second_draft, second.ledger_id, number=2), DEAL, TODAY)

    assert made.total_minor == second.total_minor


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        {"QueryResponse": {"Invoice": [{"Id": "7"}]}},
        {"QueryResponse": {"Invoice": [{"Id": "7", "TotalAmt": "much"}]}},
        {"Fault": {"Error": []}},
    ],
)
def test_an_answer_of_another_shape_is_a_doubt_and_posts_nothing(
    bench: QuickbooksBench, monkeypatch: pytest.MonkeyPatch, document: Any
) -> None:
    ledger, draft = bench.ledger(), a_draft()
    if isinstance(document, dict):
        for row in document.get("QueryResponse", {}).get("Invoice", []):
            row["PrivateNote"] = f"Deal Desk d-1 {draft.invoice_id} {draft.digest[:16]}"
    answering(ledger, monkeypatch, (200, document))

    with pytest.raises(VendorUnavailable):
        ledger.post("k", draft, DEAL, TODAY)


@pytest.mark.parametrize("answer", [{}, {"Customer": {}}, {"Customer": None}, {"Customer": "1"}])
def test_a_customer_without_an_id_is_a_doubt(
    bench: QuickbooksBench, monkeypatch: pytest.MonkeyPatch, answer: object
) -> None:
    ledger = bench.ledger()
    none: dict[str, Any] = {"QueryResponse": {}}
    answering(ledger, monkeypatch, (200, none), (200, none), (200, answer))

    with pytest.raises(VendorUnavailable):
        post(ledger)


def test_one_refused_token_is_met_by_a_new_one_and_two_are_tried_again_later(bench: QuickbooksBench) -> None:
    bench.twin.faults = [Fault("/query", "status", 401, times=2)]
    with pytest.raises(VendorUnavailable):
        post(bench.ledger())

    bench.twin.faults = [Fault("/query", "status", 401)]
    assert post(bench.ledger()).total_minor == a_draft().total_minor


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "610", VendorRefused),
        (400, "2010", VendorRefused),
        (400, "2500", VendorRefused),
        (400, "6000", VendorRefused),
        (400, "6070", VendorRefused),
        (400, "6140", VendorUnavailable),
        (400, "6210", VendorRefused),
        (400, "6240", VendorRefused),
        (400, "6540", VendorRefused),
        (400, "5010", VendorUnavailable),
        (401, "3200", VendorUnavailable),
        (403, "3100", VendorUnavailable),
        (408, "", VendorUnavailable),
        (429, "3001", VendorUnavailable),
        (500, "10000", VendorUnavailable),
        (503, "", VendorUnavailable),
    ],
)
def test_every_fault_of_quickbooks_has_its_class(status: int, code: str, expected: type[Exception]) -> None:
    """Among them the stale version (5010), the number that is taken (6140) and the closed period (6210)."""
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps({"Fault": {"Error": [{"Message": "no", "Detail": "why", "code": code}]}}).encode()

    assert type(translated(response)) is expected


def test_a_fault_in_no_known_shape_is_told_apart_by_its_status() -> None:
    for status, expected in ((400, VendorRefused), (502, VendorUnavailable)):
        response = requests.Response()
        response.status_code, response._content = status, b"<html>"

        assert type(translated(response)) is expected
