"""What is SAP's own about its ledger: two documents for one invoice, sessions, locks, what accounting keeps back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import requests

from dealdesk.adapters.ledger_notes import digest_of
from dealdesk.adapters.sap import SapLedger, SapSecret, connected
from dealdesk.adapters.sap_answers import amount, complete, from_v2_date, quoted, to_v2_date, translated
from dealdesk.adapters.sap_orders import Known, SapOrders
from dealdesk.domain.events import InvoiceDraft, InvoiceLine
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import LedgerInvoice
from local.twins import sap_query
from local.twins.server import Fault
from tests.contract.ledgers.bench import Trouble, a_draft, a_line, a_memo
from tests.contract.ledgers.sap import (
    BILLING,
    CUSTOMIZING,
    PASSWORD,
    USER,
    SapBench,
    a_billing,
    an_order,
    sap_bench,
)
from tests.unit.domain.deals import a_deal

DEAL = a_deal(Stage.PAID)
TODAY = date(2026, 11, 22)
KEY, MEMO_KEY = "invoice:inv_d-1_1", "credit:cm_d-1_1"
ORDERING = "POST /sap/opu/odata/sap/API_SALES_ORDER_SRV/A_SalesOrder"
REQUESTING_CREDIT = "POST /sap/opu/odata/sap/API_CREDIT_MEMO_REQUEST_SRV/A_CreditMemoRequest"
CREATING = f"{BILLING}SAP__self.CreateFromSDDocument"


@pytest.fixture
def bench() -> Iterator[SapBench]:
    with sap_bench() as bench:
        yield bench


def post(bench: SapBench, draft: InvoiceDraft | None = None, ledger: SapLedger | None = None) -> LedgerInvoice:
    return (ledger or bench.ledger()).post(KEY, draft or a_draft(), DEAL, TODAY)


def asked(bench: SapBench, line: str) -> list[Any]:
    return [one for one in bench.twin.requests if line in f"{one.method} {one.path}"]


def ordered(bench: SapBench) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(asked(bench, ORDERING)[-1].body)
    return body


# -- one order, one billing document


def test_an_order_without_its_billing_document_is_billed_and_never_made_again(bench: SapBench) -> None:
    bench.trouble("post", Trouble.BROKEN)
    with pytest.raises(VendorUnavailable):
        post(bench)

    assert bench.ledger().look_up(a_draft()) is None
    made = post(bench)

    assert made.total_minor == 100_050
    assert (len(bench.orders()), len(bench.invoices())) == (1, 1)


@pytest.mark.parametrize("step", [ORDERING, CREATING])
def test_three_tries_with_lost_answers_make_one_order_and_one_invoice(bench: SapBench, step: str) -> None:
    for _ in range(3):
        bench.twin.faults = [Fault(step, "drop_answer", 0)]
        try:
            post(bench)
        except VendorUnavailable:
            continue

    assert post(bench) == bench.ledger().look_up(a_draft())
    assert (len(bench.orders()), len(bench.invoices())) == (1, 1)


def test_a_billing_run_that_was_faster_has_made_our_invoice(bench: SapBench) -> None:
    bench.trouble("post", Trouble.BROKEN)
    with pytest.raises(VendorUnavailable):
        post(bench)
    billed = bench.twin.act("bill", a_billing(bench.orders()[0]["SalesOrder"]))

    assert post(bench).ledger_id == billed["BillingDocument"]
    assert len(bench.invoices()) == 1


def test_billed_already_is_looked_up_and_not_believed(bench: SapBench) -> None:
    already = Fault(CREATING, "drop_answer", 400, code="VF/018", message="Sales document 1 has already been billed")
    bench.twin.faults = [already]

    assert post(bench).total_minor == 100_050
    assert len(bench.invoices()) == 1


def test_a_rejected_order_is_begun_anew(bench: SapBench) -> None:
    bench.twin.act("add_surcharge", {"percent": 5})
    with pytest.raises(VendorRefused):
        post(bench)
    bench.twin.act("add_surcharge", {"percent": 0})
    bench.twin.act("reject", {"document": bench.orders()[0]["SalesOrder"]})

    assert post(bench).total_minor == 100_050
    assert (len(bench.orders()), len(bench.invoices())) == (2, 1)


def test_rejecting_an_order_that_is_billed_makes_no_second_invoice(bench: SapBench) -> None:
    made = post(bench)
    bench.twin.act("reject", {"document": bench.orders()[0]["SalesOrder"]})

    assert bench.ledger().look_up(a_draft()) == made
    assert post(bench) == made
    assert len(bench.invoices()) == 1


def test_a_rejected_order_of_somebody_else_is_in_nobodys_way(bench: SapBench) -> None:
    order = bench.twin.act("order", an_order(a_draft().number))
    bench.twin.act("bill", a_billing(order["SalesOrder"]))
    bench.twin.act("reject", {"document": order["SalesOrder"]})

    assert post(bench).total_minor == 100_050


def test_a_cancelled_billing_document_is_billed_again_from_its_order(bench: SapBench) -> None:
    first = post(bench)
    bench.twin.act("cancel", {"billing_document": first.ledger_id})

    assert bench.ledger().look_up(a_draft()) is None
    assert post(bench).ledger_id != first.ledger_id
    assert (len(bench.orders()), len(bench.invoices())) == (1, 1)


def test_two_orders_for_one_invoice_stop_the_posting(bench: SapBench) -> None:
    for _ in range(2):
        bench.twin.act("order", an_order(a_draft().number, AssignmentReference=digest_of(a_draft())))

    with pytest.raises(VendorRefused, match="more than once: 1, 2"):
        post(bench)
    assert bench.invoices() == []


def test_an_order_that_was_split_into_two_invoices_stops_the_posting(bench: SapBench) -> None:
    post(bench)
    books = bench.company.books
    for name in ("A_BillingDocument", "A_BillingDocumentItem"):
        books.tables[name].append(books.tables[name][0] | {"BillingDocument": "90000001"})

    with pytest.raises(VendorRefused, match="90000000, 90000001; cancel all"):
        post(bench)
    with pytest.raises(VendorRefused, match="90000000, 90000001; cancel all"):
        bench.ledger().look_up(a_draft())


def test_a_credit_memo_that_a_person_wrote_for_our_order_is_no_second_invoice(bench: SapBench) -> None:
    made = post(bench)
    books = bench.company.books
    by_hand = {"BillingDocument": "90000001", "BillingDocumentType": "G2", "SDDocumentCategory": "O"}
    for name in ("A_BillingDocument", "A_BillingDocumentItem"):
        known = {field: value for field, value in by_hand.items() if field in books.tables[name][0]}
        books.tables[name].append(books.tables[name][0] | known)

    assert bench.ledger().look_up(a_draft()) == made


# -- prices and tax


def test_five_thousand_yen_are_ordered_as_five_thousand(bench: SapBench) -> None:
    post(bench, a_draft(a_line(amount_minor=5_000, currency="JPY"), currency="JPY"))

    [item] = ordered(bench)["to_Item"]
    assert item["to_PricingElement"] == [
        {"ConditionType": "ZDD0", "ConditionRateValue": "5000", "ConditionCurrency": "JPY"}
    ]


def test_the_order_has_the_net_amount_of_each_line_and_neither_cost_nor_tax(bench: SapBench) -> None:
    draft = a_draft(a_line("1", 100_050), a_line("2", 33, quantity="7", unit_price="0.0476", sku="SEAT-01"))

    post(bench, draft)

    body = ordered(bench)
    prices = [price for item in body["to_Item"] for price in item["to_PricingElement"]]
    assert sum(Decimal(price["ConditionRateValue"]) for price in prices) == Decimal("1000.83")
    assert {price["ConditionType"] for price in prices} == {"ZDD0"}
    assert not [name for item in body["to_Item"] for name in item if "Cost" in name or "Tax" in name]


def test_an_order_that_sap_prices_otherwise_is_not_billed(bench: SapBench) -> None:
    bench.twin.act("add_surcharge", {"percent": 5})

    for _ in range(2):
        with pytest.raises(VendorRefused, match=r"priced DD-0123456789AB-1 \(document 1\) at 1050\.53 USD"):
            post(bench)

    assert (len(bench.orders()), bench.invoices()) == (1, [])


def test_what_was_billed_at_another_price_than_its_order_is_named(bench: SapBench) -> None:
    bench.trouble("post", Trouble.BROKEN)
    with pytest.raises(VendorUnavailable):
        post(bench)
    bench.company.books.tables["A_SalesOrderItem"][0]["NetAmount"] = Decimal("999.00")

    with pytest.raises(VendorRefused, match=r"at 999\.00 USD before tax; cancel billing document 90000000"):
        post(bench)
    with pytest.raises(VendorRefused, match="cancel billing document 90000000"):
        bench.ledger().look_up(a_draft())


def test_amounts_are_asked_for_as_text(bench: SapBench) -> None:
    bench.twin.act("hold_posting", {"hold": True})
    post(bench)

    accepted = {"odata4" in one.path: one.headers["Accept"] for one in asked(bench, "/sap/opu/")}
    assert accepted == {True: "application/json;IEEE754Compatible=true", False: "application/json"}


def test_the_largest_amount_arrives_to_the_cent(bench: SapBench) -> None:
    draft = a_draft(a_line(amount_minor=899_999_999_999_999))

    assert post(bench, draft).total_minor == 899_999_999_999_999


def test_a_quantity_that_sap_would_round_is_refused(bench: SapBench) -> None:
    line = replace(a_line(), quantity="1.2345")

    with pytest.raises(VendorRefused, match=r"CORE-01 has 1\.2345"):
        post(bench, a_draft(line))
    assert bench.orders() == []


def test_net_days_without_terms_of_payment_are_refused_before_anything_is_made(bench: SapBench) -> None:
    with pytest.raises(VendorRefused, match="net 37 days"):
        post(bench, a_draft(terms_days=37))
    assert bench.orders() == []


def test_the_order_says_whose_it_is(bench: SapBench) -> None:
    post(bench)

    body = ordered(bench)
    assert body["PurchaseOrderByCustomer"] == "DD-0123456789AB-1"
    assert body["AssignmentReference"] == digest_of(a_draft())
    assert (body["PurchaseOrderByShipToParty"], body["CustomerPaymentTerms"]) == ("d-1", "NT30")


def test_two_customers_with_one_external_number_are_not_guessed_between(bench: SapBench) -> None:
    bench.company.books.add_partner("1000099", "Acme Inc (old)", "acct-1")

    with pytest.raises(VendorRefused, match="SAP has 2 customers for Acme Inc"):
        post(bench)


def test_an_account_id_that_is_too_long_for_sap_is_an_unknown_customer(bench: SapBench) -> None:
    with pytest.raises(VendorRefused, match=r"no customers for Acme Inc.*0123456789012345678901"):
        post(bench, a_draft(customer_id="0123456789012345678901"))


# -- accounting


def test_what_accounting_kept_back_is_posted_when_the_period_is_open_again(bench: SapBench) -> None:
    bench.twin.act("hold_posting", {"hold": True})
    bench.close_books()
    with pytest.raises(VendorRefused, match="closed"):
        post(bench)
    assert bench.ledger().look_up(a_draft()) is None
    bench.twin.act("open_books", {})

    made = post(bench)

    assert bench.ledger().look_up(a_draft()) == made
    assert len(bench.invoices()) == 1
    assert asked(bench, "PostToAccounting")[-1].headers["If-Match"].startswith('W/"SADL-')


def test_a_document_that_changed_meanwhile_is_read_again_first(bench: SapBench) -> None:
    bench.twin.act("hold_posting", {"hold": True})
    stale = Fault("PostToAccounting", "status", 412, code="/IWBEP/CM_V4_RUNTIME/412", message="Precondition failed")
    bench.twin.faults = [stale]

    with pytest.raises(VendorUnavailable):
        post(bench)
    assert post(bench).total_minor == 100_050


# -- sessions


def test_a_stale_token_is_renewed_once_together_with_its_cookies(bench: SapBench) -> None:
    ledger = bench.ledger()
    post(bench, ledger=ledger)
    bench.expire_session()

    other = a_draft(number="DD-0123456789AB-2")
    ledger.post("invoice:inv_d-1_2", other, DEAL, TODAY)

    refused = [one for one in bench.twin.requests if one.status == 403]
    assert [one.path.rsplit("/", 1)[-1] for one in refused] == ["A_SalesOrder"]
    assert len(bench.invoices()) == 2


def test_a_token_that_is_refused_twice_is_not_fetched_forever(bench: SapBench) -> None:
    required = Fault(ORDERING, "status", 403, {"x-csrf-token": "Required"}, times=3)
    bench.twin.faults = [required]

    with pytest.raises(VendorUnavailable):
        post(bench)
    assert len(asked(bench, ORDERING)) == 2


def test_an_oauth_client_gets_a_new_token_when_the_old_one_has_ended(bench: SapBench) -> None:
    token_url = f"{bench.twin.url}/sap/bc/sec/oauth2/token"
    ledger = connected(bench.twin.url, SapSecret(USER, PASSWORD, CUSTOMIZING, token_url))
    made = post(bench, ledger=ledger)
    bench.expire_session()

    assert ledger.look_up(a_draft()) == made
    assert len(asked(bench, "POST /sap/bc/sec/oauth2/token")) == 2


def test_a_wrong_password_is_no_verdict_on_the_invoice(bench: SapBench) -> None:
    ledger = connected(bench.twin.url, SapSecret(USER, "wrong", CUSTOMIZING))

    with pytest.raises(VendorUnavailable):
        post(bench, ledger=ledger)


def test_the_client_of_a_system_with_several_is_named(bench: SapBench) -> None:
    post(bench, ledger=connected(bench.twin.url, SapSecret(USER, PASSWORD, CUSTOMIZING, client="100")))

    assert {one.headers.get("Sap-Client") for one in bench.twin.requests} == {"100"}


# -- repeated writes


def test_a_write_repeated_after_doubt_has_the_same_request_id(bench: SapBench) -> None:
    for _ in range(2):
        bench.twin.faults = [Fault(ORDERING, "status", 503)]
        with pytest.raises(VendorUnavailable):
            post(bench)

    first, second = (one.headers["Requestid"] for one in asked(bench, ORDERING))
    assert first == second
    assert len(first) == 32


def test_an_order_that_sap_does_not_show_yet_is_not_made_again(
    bench: SapBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.twin.faults = [Fault(ORDERING, "drop_answer", 0)]
    with pytest.raises(VendorUnavailable):
        post(bench)
    monkeypatch.setattr(SapOrders, "find", lambda *_: Known(None, ()))

    post(bench)

    assert len(bench.orders()) == 1


def test_a_refusal_whose_cause_has_gone_is_not_repeated_from_memory(bench: SapBench) -> None:
    draft = a_draft(a_line(sku="LATER-01"))
    with pytest.raises(VendorRefused, match="LATER-01"):
        post(bench, draft)
    bench.company.load({"Material": [{"Material": "LATER-01"}]})

    assert post(bench, draft).total_minor == 100_050


def test_a_system_without_repeatable_requests_is_asked_without(bench: SapBench) -> None:
    bench.company.repeatability = "unsupported"

    post(bench)

    assert ["Requestid" in one.headers for one in asked(bench, ORDERING)] == [True, False]
    assert len(bench.orders()) == 1


@pytest.mark.parametrize("number", ["003", "005"])
def test_a_request_that_sap_has_from_an_earlier_call_is_not_sent_again(bench: SapBench, number: str) -> None:
    forgotten = Fault(ORDERING, "status", 400, {"RepeatabilityResult": "accepted"}, code=f"/IWBEP/CM_COS/{number}")
    bench.twin.faults = [forgotten]

    with pytest.raises(VendorUnavailable):
        post(bench)
    assert len(asked(bench, ORDERING)) == 1


# -- locks and errors


def test_a_locked_order_is_tried_again_later(bench: SapBench) -> None:
    bench.twin.act("lock", {"document": "1", "by": "MUELLER"})
    with pytest.raises(VendorUnavailable, match="MUELLER"):
        post(bench)
    bench.twin.act("unlock", {"document": "1"})

    assert post(bench).total_minor == 100_050
    assert len(bench.orders()) == 1


def v2(code: str, message: str, *details: tuple[str, str]) -> dict[str, Any]:
    inner = {"errordetails": [{"code": one, "message": text, "severity": "error"} for one, text in details]}
    return {"error": {"code": code, "message": {"lang": "en", "value": message}, "innererror": inner}}


def v4(code: str, message: str, *details: tuple[str, str]) -> dict[str, Any]:
    more = [{"code": one, "message": text} for one, text in details]
    return {"error": {"code": code, "message": message, "details": more}}


def answer(status: int, body: object, **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


GENERIC = ("/IWBEP/CX_MGW_BUSI_EXCEPTION", "An exception was raised")
TRY_AGAIN = [
    (401, "<html>Logon failed</html>", "401"),
    (403, "CSRF token validation failed", "403"),
    (408, "", "408"),
    (409, v2("", "Conflict"), "Conflict"),
    (412, v4("", "Precondition failed"), "Precondition failed"),
    (423, v4("V1/042", "Document 1 is currently being processed by MUELLER"), "MUELLER"),
    (428, v4("", "Precondition required"), "Precondition required"),
    (429, "", "429"),
    (500, v2(*GENERIC), "An exception was raised"),
    (502, "<html>", "502"),
    (503, "", "503"),
    (504, "", "504"),
    (400, v2("V1/042", "Document 1 is being processed by MUELLER"), "locked"),
    (400, v2("MC/601", "Object requested is currently locked by user MUELLER"), "locked"),
    (400, v4("VF/001", "Error", ("MC/601", "Sales document 1 is locked by user MUELLER")), "locked"),
    (400, v2("/IWBEP/CM_COS/005", "RequestID is outdated"), "from an earlier call: RequestID is outdated"),
]
REFUSED = [
    (400, v2("V1/382", "Material X-1 is not defined for sales org.1010", GENERIC), "extend the material.*X-1"),
    (400, v2("VP/199", "Customer 7 is not defined in sales area 1010 10 00"), "extend the customer.*Customer 7"),
    (400, v4("F5/201", "Posting period 011 2026 is not open"), "period is closed"),
    (400, v4("VF/001", "Not billed", ("F5/201", "Posting period 011 2026 is not open")), "period is closed.*F5/201"),
    (400, v4("VF/030", "Sales document 1 is blocked for billing"), "lift the block"),
    (403, v2("/IWFND/CM_CONSUMER/101", "No authorization to access Service"), "No authorization"),
    (404, v2("/IWFND/MED/170", "No service found for API_SALES_ORDER_SRV"), "No service found"),
    (400, "<html>Bad Request</html>", "status 400"),
    (400, ["not", "an", "object"], "status 400"),
]


@pytest.mark.parametrize(("status", "body", "said"), TRY_AGAIN)
def test_what_may_pass_is_tried_again(status: int, body: object, said: str) -> None:
    required = {"X_CSRF_Token": "Required"} if status == 403 else {}

    error = translated(answer(status, body, Retry_After="7", **required))

    assert isinstance(error, VendorUnavailable)
    assert said in str(error)
    assert error.retry_after_seconds in (7, None)
    assert (error.retry_after_seconds == 7) == (status != 400)


@pytest.mark.parametrize(("status", "body", "said"), REFUSED)
def test_what_sap_will_never_take_is_refused_with_what_to_do(status: int, body: object, said: str) -> None:
    with pytest.raises(VendorRefused, match=said):
        raise translated(answer(status, body))


def test_a_date_in_words_is_no_retry_after() -> None:
    error = translated(answer(503, "", Retry_After="Sun, 22 Nov 2026 10:00:00 GMT"))

    assert isinstance(error, VendorUnavailable)
    assert error.retry_after_seconds is None


@pytest.mark.parametrize("day", [date(1970, 1, 1), date(2026, 11, 22), date(2028, 2, 29), date(1969, 12, 31)])
def test_a_date_survives_the_way_to_sap_and_back(day: date) -> None:
    assert from_v2_date(to_v2_date(day)) == day
    midnight = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(to_v2_date(day)[6:-2]))
    assert (midnight.date(), midnight.hour) == (day, 0)


@pytest.mark.parametrize("text", ["", "NaN?", "12,50"])
def test_an_amount_that_is_none_is_no_answer(text: str) -> None:
    with pytest.raises(VendorUnavailable, match="TaxAmount"):
        amount({"TaxAmount": text}, "TaxAmount")


def test_a_billing_document_without_its_tax_is_no_answer(bench: SapBench, monkeypatch: pytest.MonkeyPatch) -> None:
    post(bench)

    def without_tax(*asked: Any) -> dict[str, Any]:
        page = sap_query.answer_query(*asked)
        for row in page["results"]:
            row.pop("TaxAmount", None)
        return page

    monkeypatch.setattr("local.twins.sap.answer_query", without_tax)

    with pytest.raises(VendorUnavailable, match=r"without all of .*TaxAmount"):
        bench.ledger().look_up(a_draft())


@pytest.mark.parametrize("row", [None, "text", {}, {"SalesOrder": "1"}])
def test_a_row_that_lacks_what_was_asked_for_is_no_answer(row: object) -> None:
    with pytest.raises(VendorUnavailable, match="SalesOrder, TotalNetAmount"):
        complete(row, ("SalesOrder", "TotalNetAmount"))


# -- taking back


def test_a_credit_memo_points_at_the_items_of_its_billing_document(bench: SapBench) -> None:
    lines = (a_line("1"), a_line("a" * 64, 20_000, sku="SETUP-01"))
    made = post(bench, a_draft(*lines))

    bench.ledger().credit(MEMO_KEY, a_memo(a_draft(*lines), made.ledger_id, lines[1]), DEAL, TODAY)

    body = json.loads(asked(bench, REQUESTING_CREDIT)[-1].body)
    [item] = body["to_Item"]
    assert body["ReferenceSDDocument"] == item["ReferenceSDDocument"] == made.ledger_id
    assert (item["ReferenceSDDocumentItem"], item["Material"]) == ("20", "SETUP-01")


def test_the_line_of_a_long_invoice_is_found_on_its_page(bench: SapBench) -> None:
    lines = [a_line(f"line-{number}", 100 + number) for number in range(1, 251)]
    made = post(bench, a_draft(*lines))

    credit = bench.ledger().credit(MEMO_KEY, a_memo(a_draft(*lines), made.ledger_id, lines[-1]), DEAL, TODAY)

    assert credit.total_minor == 350
    assert [one for one in asked(bench, "GET") if "skiptoken" in one.path]


def test_an_item_that_was_never_billed_is_nobodys_reference(bench: SapBench) -> None:
    made = post(bench)
    items = bench.company.books.tables["A_SalesOrderItem"]
    items.append(items[0] | {"SalesOrderItem": "990", "PurchaseOrderByCustomer": "by hand"})

    assert bench.ledger().credit(MEMO_KEY, a_memo(a_draft(), made.ledger_id), DEAL, TODAY).total_minor == 100_050


def test_a_request_that_sap_prices_otherwise_is_not_billed(bench: SapBench) -> None:
    memo = a_memo(a_draft(), post(bench).ledger_id)
    bench.twin.act("add_surcharge", {"percent": 5})

    with pytest.raises(VendorRefused, match="priced DC-0123456789AB-1"):
        bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)
    assert bench.credits() == []


def test_a_memo_for_a_line_that_was_never_billed_is_refused(bench: SapBench) -> None:
    made = post(bench)
    stranger: InvoiceLine = a_line("99", 1)

    with pytest.raises(VendorRefused, match="no line 99"):
        bench.ledger().credit(MEMO_KEY, a_memo(a_draft(), made.ledger_id, stranger), DEAL, TODAY)


def test_a_memo_for_an_unknown_billing_document_is_refused(bench: SapBench) -> None:
    with pytest.raises(VendorRefused, match="no billing document 90009999"):
        bench.ledger().credit(MEMO_KEY, a_memo(a_draft(), "90009999"), DEAL, TODAY)


@pytest.mark.parametrize("step", [REQUESTING_CREDIT, CREATING])
def test_a_credit_with_lost_answers_makes_one_request_and_one_memo(bench: SapBench, step: str) -> None:
    memo = a_memo(a_draft(), post(bench).ledger_id)
    bench.twin.faults = [Fault(step, "drop_answer", 0)]
    with pytest.raises(VendorUnavailable):
        bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    made = bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)

    assert bench.ledger().look_up_credit(memo) == made
    assert (len(bench.twin.state()["A_CreditMemoRequest"]), len(bench.credits())) == (1, 1)


def test_a_rejected_request_gives_back_what_it_would_have_taken(bench: SapBench) -> None:
    memo = a_memo(a_draft(), post(bench).ledger_id)
    bench.trouble("credit", Trouble.BROKEN)
    with pytest.raises(VendorUnavailable):
        bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY)
    bench.twin.act("reject", {"document": bench.twin.state()["A_CreditMemoRequest"][0]["CreditMemoRequest"]})

    assert bench.ledger().credit(MEMO_KEY, memo, DEAL, TODAY).total_minor == 100_050


def test_rejecting_a_request_that_is_billed_gives_nothing_back(bench: SapBench) -> None:
    ledger_id = post(bench).ledger_id
    bench.ledger().credit(MEMO_KEY, a_memo(a_draft(), ledger_id), DEAL, TODAY)
    bench.twin.act("reject", {"document": bench.twin.state()["A_CreditMemoRequest"][0]["CreditMemoRequest"]})

    with pytest.raises(VendorRefused, match="0 left to take back"):
        bench.ledger().credit("credit:cm_d-1_2", a_memo(a_draft(), ledger_id, number=2), DEAL, TODAY)


def test_a_quote_in_a_reference_is_only_text(bench: SapBench) -> None:
    draft = a_draft(number="DD-' or 1 eq 1")

    assert post(bench, draft) == bench.ledger().look_up(draft)
    assert quoted("O'Neil") == "'O''Neil'"
