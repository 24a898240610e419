"""The QuickBooks twin keeps books as QuickBooks Online does: tokens rotate, numbers are unique, a retry is harmless."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from dealdesk.edge import proofs
from local.twins.quickbooks import QuickBooksTwin
from local.twins.server import Fault, Refused, RunningTwin
from tests.contract.twins.conftest import BOOKS_SEED, Receiver

Call = Callable[..., requests.Response]


def refresh(twin: QuickBooksTwin, token: str, secret: str = "s3cret", **form: str) -> requests.Response:
    return requests.post(
        f"{twin.url}/oauth2/v1/tokens/bearer",
        auth=("app", secret),
        data={"grant_type": "refresh_token", "refresh_token": token, **form},
        timeout=5,
    )


@pytest.fixture
def call(quickbooks: QuickBooksTwin) -> Call:
    """Call the company with a good token."""
    token = refresh(quickbooks, quickbooks.refresh_token).json()["access_token"]

    def call(method: str, path: str, body: object = None, realm: str = "4620", **query: object) -> requests.Response:
        return requests.request(
            method,
            f"{quickbooks.url}/v3/company/{realm}/{path}",
            params={"minorversion": 75, **query},  # type: ignore[arg-type]
            json=body,
            headers={"Authorization": f"Bearer {token}", "Accept": "application/json"},
            timeout=5,
        )

    return call


def a_line(amount: float = 1200.0, **detail: Any) -> dict[str, Any]:
    return {
        "Amount": amount,
        "DetailType": "SalesItemLineDetail",
        "SalesItemLineDetail": {"ItemRef": {"value": "11"}, "Qty": 12, "UnitPrice": amount / 12, **detail},
    }


def an_invoice(**changed: Any) -> dict[str, Any]:
    return {
        "CustomerRef": {"value": "1"},
        "Line": [a_line()],
        "DocNumber": "D-1",
        "TxnDate": "2026-11-22",
        "PrivateNote": "deal D-1",
        **changed,
    }


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["Fault"]["Error"][0]["code"]


def test_a_refresh_hands_out_a_new_refresh_token(quickbooks: QuickBooksTwin) -> None:
    answer = refresh(quickbooks, "RT1-first").json()

    assert answer["refresh_token"] not in ("", "RT1-first")
    assert (answer["expires_in"], answer["token_type"]) == (3_600, "bearer")
    assert {"access_token", "x_refresh_token_expires_in"} <= answer.keys()


def test_the_previous_refresh_token_dies_when_the_next_is_used(quickbooks: QuickBooksTwin) -> None:
    second = refresh(quickbooks, "RT1-first").json()["refresh_token"]

    assert refresh(quickbooks, "RT1-first").json()["refresh_token"] == second
    assert refresh(quickbooks, second).status_code == 200
    late = refresh(quickbooks, "RT1-first")
    assert (late.status_code, late.json()["error"]) == (400, "invalid_grant")


def test_a_wrong_secret_or_grant_gets_no_token(quickbooks: QuickBooksTwin) -> None:
    assert refresh(quickbooks, "RT1-first", secret="wrong").status_code == 401
    assert refresh(quickbooks, "RT1-first", grant_type="password").json()["error"] == "unsupported_grant_type"
    assert refresh(quickbooks, "").json()["error"] == "invalid_grant"


def test_an_access_token_lasts_an_hour(quickbooks: QuickBooksTwin, call: Call) -> None:
    later = datetime.now(UTC) + timedelta(seconds=3_601)

    assert call("GET", "query", query="select * from Item").status_code == 200
    quickbooks.clock = lambda: later
    answer = call("GET", "query", query="select * from Item")

    assert code(answer) == (401, "3200")
    assert answer.json()["Fault"]["type"] == "AUTHENTICATION"


def test_another_company_and_an_old_minor_version_are_refused(call: Call) -> None:
    assert code(call("GET", "query", realm="1", query="select * from Item")) == (403, "3100")
    assert code(call("GET", "query", query="select * from Item", minorversion=65)) == (400, "2010")


def test_an_invoice_is_totalled_and_found_by_its_number(call: Call) -> None:
    made = call("POST", "invoice", an_invoice(Line=[a_line(1200.0), a_line(0.36)])).json()["Invoice"]

    [found] = call("GET", "query", query="select * from Invoice where DocNumber = 'D-1'").json()["QueryResponse"][
        "Invoice"
    ]
    assert found == made == call("GET", f"invoice/{made['Id']}").json()["Invoice"]
    assert (made["TotalAmt"], made["Balance"], made["SyncToken"]) == (1200.36, 1200.36, "0")
    assert (made["TxnDate"], made["DueDate"]) == ("2026-11-22", "2026-12-22")
    assert made["CurrencyRef"] == {"value": "USD"}
    assert made["CustomerRef"] == {"value": "1", "name": "Express & Logistics"}
    assert {"CreateTime", "LastUpdatedTime"} == made["MetaData"].keys()


def test_tenths_of_cents_do_not_drift(call: Call) -> None:
    made = call("POST", "invoice", an_invoice(Line=[a_line(0.1, Qty=1, UnitPrice=0.1)] * 3)).json()["Invoice"]

    assert made["TotalAmt"] == 0.3


def test_a_repeated_request_id_gets_the_first_answer_whatever_it_says(call: Call) -> None:
    first = call("POST", "invoice", an_invoice(), requestid="k").json()["Invoice"]

    again = call("POST", "invoice", an_invoice(DocNumber="D-2", Line=[a_line(5.0)]), requestid="k")

    assert (again.status_code, again.json()["Invoice"]) == (200, first)
    assert call("GET", "query", query="select count(*) from Invoice").json()["QueryResponse"]["totalCount"] == 1


def test_a_refusal_is_not_replayed(call: Call) -> None:
    assert code(call("POST", "invoice", an_invoice(Line=[]), requestid="k")) == (400, "2020")

    assert call("POST", "invoice", an_invoice(), requestid="k").status_code == 200


def test_a_request_id_has_at_most_fifty_characters(call: Call) -> None:
    assert code(call("POST", "invoice", an_invoice(), requestid="k" * 51)) == (400, "2050")
    assert call("POST", "invoice", an_invoice(), requestid="k" * 50).status_code == 200


def test_a_document_number_is_used_once(call: Call) -> None:
    call("POST", "invoice", an_invoice())

    answer = call("POST", "invoice", an_invoice())

    assert code(answer) == (400, "6140")
    assert answer.json()["Fault"]["Error"][0]["Message"] == "Duplicate Document Number Error"
    assert answer.headers["intuit_tid"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Colour": "red"}, "2010"),
        ({"CustomerRef": {}}, "2020"),
        ({"CustomerRef": {"value": "99"}}, "2500"),
        ({"CustomerRef": {"value": "2"}, "CurrencyRef": {"value": "USD"}}, "6000"),
        ({"Line": []}, "2020"),
        ({"Line": [{**a_line(), "Amount": None}]}, "2090"),
        ({"Line": [{**a_line(), "Amount": "1200"}]}, "2090"),
        ({"Line": [{**a_line(), "DetailType": "Magic"}]}, "2010"),
        ({"Line": [{**a_line(), "Colour": "red"}]}, "2010"),
        ({"Line": [a_line(Colour="red")]}, "2010"),
        ({"Line": [a_line(ItemRef={"value": "99"})]}, "2500"),
        ({"Line": [a_line(Qty=11)]}, "6070"),
        ({"Line": [a_line(-12.0)]}, "6000"),
        ({"DocNumber": "D" * 22}, "2050"),
        ({"DocNumber": 7}, "2010"),
        ({"PrivateNote": "x" * 4_001}, "2050"),
        ({"TxnDate": "22.11.2026"}, "2010"),
        ({"DueDate": "2026-02-30"}, "2010"),
    ],
)
def test_an_invoice_that_quickbooks_would_refuse_is_refused(call: Call, changed: dict[str, Any], expected: str) -> None:
    assert code(call("POST", "invoice", an_invoice(**changed))) == (400, expected)


def test_an_invoice_without_customer_is_refused(call: Call) -> None:
    assert code(call("POST", "invoice", {"Line": [a_line()]})) == (400, "2020")


def test_a_cent_of_rounding_between_price_and_amount_is_allowed(call: Call) -> None:
    assert call("POST", "invoice", an_invoice(Line=[a_line(10.0, Qty=3, UnitPrice=3.33)])).status_code == 200
    assert code(call("POST", "invoice", an_invoice(Line=[a_line(10.0, Qty=3, UnitPrice=3.32)]))) == (400, "6070")


def test_a_void_invoice_stays_with_nothing_to_pay(call: Call) -> None:
    made = call("POST", "invoice", an_invoice()).json()["Invoice"]

    gone = call("POST", "invoice", {"Id": made["Id"], "SyncToken": "0"}, operation="void").json()["Invoice"]

    assert (gone["TotalAmt"], gone["Balance"], gone["SyncToken"], gone["DocNumber"]) == (0, 0, "1", "D-1")
    assert gone["PrivateNote"].startswith("Voided")


def test_a_stale_or_unknown_or_paid_invoice_is_not_voided(quickbooks: QuickBooksTwin, call: Call) -> None:
    made = call("POST", "invoice", an_invoice()).json()["Invoice"]

    def void(**body: str) -> tuple[int, str]:
        return code(call("POST", "invoice", body, operation="void"))

    assert void(Id="999", SyncToken="0") == (400, "610")
    assert void(Id=made["Id"]) == (400, "2020")
    quickbooks.act("receive_payment", {"invoice_id": made["Id"], "amount": "200.50"})
    assert void(Id=made["Id"], SyncToken="0") == (400, "5010")
    assert void(Id=made["Id"], SyncToken="1") == (400, "6000")


def test_more_than_the_open_balance_can_not_be_received(quickbooks: QuickBooksTwin, call: Call) -> None:
    made = call("POST", "invoice", an_invoice()).json()["Invoice"]

    with pytest.raises(Refused):
        quickbooks.act("receive_payment", {"invoice_id": made["Id"], "amount": "1200.01"})


def test_a_customer_is_made_once_by_name(call: Call) -> None:
    made = call("POST", "customer", {"DisplayName": "New & Co"}).json()["Customer"]

    assert made["Active"] is True
    assert code(call("POST", "customer", {"DisplayName": "new & co"})) == (400, "6240")
    assert code(call("POST", "customer", {"Notes": "x"})) == (400, "2020")
    assert code(call("POST", "customer", {"DisplayName": "y", "Colour": "red"})) == (400, "2010")
    assert call("GET", f"customer/{made['Id']}").json()["Customer"] == made


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("select * from Customer where DisplayName = 'Zoë O\\'Neil GmbH'", ["2"]),
        ("SELECT * FROM Customer WHERE Id = '1' AND Active = true", ["1"]),
        ("select * from Item where Name = 'Subscription'", ["11"]),
        ("select * from Customer startposition 2 maxresults 1", ["2"]),
        ("select * from Customer maxresults 1", ["1"]),
        ("select * from Customer where DisplayName = 'nobody'", None),
    ],
)
def test_a_query_finds_by_equality_and_in_pages(call: Call, query: str, found: list[str] | None) -> None:
    answer = call("GET", "query", query=query).json()["QueryResponse"]

    rows = next((rows for rows in answer.values() if isinstance(rows, list)), None)
    assert (None if rows is None else [row["Id"] for row in rows]) == found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select from Invoice", "4000"),
        ("select * from Invoice where DocNumber = 'O'Neil'", "4000"),
        ("select * from Invoice where DocNumber = 'D-1' or Id = '1'", "4000"),
        ("select * from Invoice where DocNumber = 'D-1' and ", "4000"),
        ("select * from Invoice maxresults 1001", "4000"),
        ("select * from Invoice where Colour = 'red'", "4001"),
        ("select * from Unicorn", "4001"),
    ],
)
def test_a_query_that_quickbooks_would_refuse_is_refused(call: Call, query: str, expected: str) -> None:
    assert code(call("GET", "query", query=query)) == (400, expected)


def test_a_lost_answer_has_written_and_the_same_request_id_heals_it(quickbooks: QuickBooksTwin, call: Call) -> None:
    quickbooks.faults = [Fault("POST /v3", "drop_answer")]

    lost = call("POST", "invoice", an_invoice(), requestid="k")
    again = call("POST", "invoice", an_invoice(), requestid="k")

    assert (lost.status_code, lost.json()["Fault"]["type"]) == (500, "SystemFault")
    assert again.status_code == 200
    assert len(quickbooks.state()["Invoice"]) == 1


def test_a_bookkeepers_edit_moves_the_version_and_a_reset_undoes_it(quickbooks: QuickBooksTwin, call: Call) -> None:
    call("POST", "invoice", an_invoice())

    edited = quickbooks.act("edit", {"type": "Customer", "id": "1", "fields": {"Active": False}})

    assert (edited["Active"], edited["SyncToken"]) == (False, "1")
    quickbooks.reset()
    assert quickbooks.state()["Invoice"] == []
    assert quickbooks.books.find("Customer", "1")["Active"] is True
    assert quickbooks.refresh_token == "RT1-first"


def test_who_listens_is_told_that_an_invoice_was_touched_and_nothing_of_what_it_says(
    running: Callable[..., RunningTwin], receiver: Receiver
) -> None:
    twin = QuickBooksTwin(
        client_id="app",
        client_secret="s3cret",
        realm_id="4620",
        refresh_token="RT1-first",
        verifier_token="verifier",
        webhook_url=receiver.url,
    )
    twin.load(BOOKS_SEED)
    running(twin)
    token = refresh(twin, twin.refresh_token).json()["access_token"]

    made = requests.post(
        f"{twin.url}/v3/company/4620/invoice",
        json=an_invoice(),
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    ).json()["Invoice"]
    twin.act("receive_payment", {"invoice_id": made["Id"], "amount": "200"})
    assert twin.webhooks.drain()

    events = [json.loads(body)[0] for body in receiver.bodies]
    assert [event["type"] for event in events] == ["qbo.invoice.created.v1", "qbo.invoice.updated.v1"]
    assert {(event["intuitentityid"], event["intuitaccountid"]) for event in events} == {(made["Id"], "4620")}
    assert events[0]["data"] == {}
    for body, headers in zip(receiver.bodies, receiver.headers, strict=True):
        proofs.intuit(headers["Intuit-Signature"], body, ["verifier"])


def test_a_credit_memo_is_the_customers_and_may_be_of_any_amount(call: Call) -> None:
    memo = {name: value for name, value in an_invoice(Line=[a_line(99.0)]).items() if name != "DueDate"}

    made = call("POST", "creditmemo", memo).json()["CreditMemo"]

    assert (made["TotalAmt"], made["RemainingCredit"], made["Balance"]) == (99, 99, 0)
    assert call("GET", f"creditmemo/{made['Id']}").json()["CreditMemo"] == made
    assert code(call("POST", "creditmemo", memo)) == (400, "6140")
    assert code(call("POST", "creditmemo", {**memo, "DueDate": "2026-12-22"})) == (400, "2010")


def test_a_closed_period_takes_nothing_and_the_tax_is_the_companys(quickbooks: QuickBooksTwin, call: Call) -> None:
    quickbooks.act("charge_tax", {"percent": "8.25"})
    made = call("POST", "invoice", an_invoice(Line=[a_line(100.0, Qty=1, UnitPrice=100)])).json()["Invoice"]
    assert (made["TotalAmt"], made["TxnTaxDetail"]) == (108.25, {"TotalTax": 8.25})

    quickbooks.act("close_books", {"through": "2026-11-22"})

    assert code(call("POST", "invoice", an_invoice(DocNumber="D-2"))) == (400, "6210")
    assert call("POST", "invoice", an_invoice(DocNumber="D-2", TxnDate="2026-11-23")).status_code == 200
