"""What NetSuite asks of its adapter beyond the Ledger port: reading before writing, sign-ins, limits, decimals."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests

from dealdesk.adapters.netsuite import NetsuiteLedger, external_id
from dealdesk.adapters.netsuite_auth import Method, Secret, sign_in
from dealdesk.adapters.netsuite_rest import NetsuiteRest, translated
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from local.twins.netsuite import NetSuiteTwin
from local.twins.netsuite_login import Integration
from local.twins.server import Fault, serve
from tests.contract.ledgers.bench import CUSTOMERS, a_draft, a_line, a_memo
from tests.contract.ledgers.netsuite import ACCOUNT, CERTIFICATE, CLIENT, key_pair, records
from tests.unit.domain.deals import a_deal

DEAL = a_deal(Stage.PAID)
TODAY = date(2026, 11, 22)
TOKEN = {"consumer_key": "ck", "consumer_secret": "cs & more", "token_id": "tk", "token_secret": "ts"}


@pytest.fixture
def twin() -> Iterator[NetSuiteTwin]:
    twin = NetSuiteTwin(Integration(ACCOUNT, CLIENT, CERTIFICATE, key_pair()[1], **TOKEN))
    twin.load(records())
    with closing(serve(twin)):
        yield twin


def by_token(twin: NetSuiteTwin, *, calls_at_once: int = 1) -> NetsuiteRest:
    return NetsuiteRest(twin.url, sign_in(twin.url, Secret(ACCOUNT, **TOKEN)), calls_at_once=calls_at_once)


def by_certificate(twin: NetSuiteTwin, private_key: str = "") -> NetsuiteRest:
    secret = Secret(ACCOUNT, CLIENT, CERTIFICATE, private_key or key_pair()[0])
    return NetsuiteRest(twin.url, sign_in(twin.url, secret))


def post(rest: NetsuiteRest, **fields: Any) -> Any:
    return NetsuiteLedger(rest).post("invoice:inv_d-1_1", a_draft(**fields), DEAL, TODAY)


def lines_seen(twin: NetSuiteTwin, method: str) -> list[str]:
    return [record.path for record in twin.requests if record.method == method]


# -- reading before writing


def test_an_invoice_is_put_by_its_external_id_after_a_get_found_none(twin: NetSuiteTwin) -> None:
    post(by_token(twin))

    address = "/services/rest/record/v1/invoice/eid:inv_d-1_1"
    assert lines_seen(twin, "PUT") == [f"{address}?replace=item"]
    first_read, first_write = [r for r in twin.requests if r.path.startswith(address)][:2]
    assert (first_read.method, first_read.status, first_write.method) == ("GET", 404, "PUT")


def test_no_sync_post_makes_an_invoice(twin: NetSuiteTwin) -> None:
    post(by_token(twin))

    assert not [path for path in lines_seen(twin, "POST") if "/record/v1/invoice" in path]
    assert not any("X-Netsuite-Idempotency-Key" in record.headers for record in twin.requests)


def test_a_posted_invoice_is_never_edited_by_an_upsert(twin: NetSuiteTwin) -> None:
    first = post(by_token(twin))

    again = post(by_token(twin))

    assert again == first
    assert len(lines_seen(twin, "PUT")) == 1
    assert twin.state()["edits"] == 0


def test_two_workers_who_both_saw_nothing_leave_one_invoice(twin: NetSuiteTwin) -> None:
    class Late(NetsuiteRest):
        """Another worker posts between this one's look and its PUT."""

        def write(self, method: Method, path: str, body: Any) -> None:
            post(by_token(twin))
            super().write(method, path, body)

    made = post(Late(twin.url, sign_in(twin.url, Secret(ACCOUNT, **TOKEN))))

    [kept] = twin.state()["invoice"]
    assert (kept["id"], kept["total"], len(kept["item"]["items"])) == (made.ledger_id, kept["subtotal"], 1)
    assert made.total_minor == a_draft().total_minor


def test_two_workers_who_both_credit_leave_one_memo(twin: NetSuiteTwin) -> None:
    invoice = post(by_token(twin))
    memo = a_memo(a_draft(), invoice.ledger_id)

    class Late(NetsuiteRest):
        """Another worker credits between this one's look and its transform."""

        def write(self, method: Method, path: str, body: Any) -> None:
            NetsuiteLedger(by_token(twin)).credit("c", memo, DEAL, TODAY)
            super().write(method, path, body)

    late = NetsuiteLedger(Late(twin.url, sign_in(twin.url, Secret(ACCOUNT, **TOKEN))))
    made = late.credit("c", memo, DEAL, TODAY)

    [kept] = twin.state()["creditMemo"]
    assert (kept["id"], kept["createdFrom"]["id"]) == (made.ledger_id, invoice.ledger_id)


def test_an_answer_that_was_lost_on_reading_back_is_found(twin: NetSuiteTwin) -> None:
    class Deaf(NetsuiteRest):
        """The line breaks when NetSuite has taken the invoice."""

        def write(self, method: Method, path: str, body: Any) -> None:
            super().write(method, path, body)
            twin.faults = [Fault("GET ", "drop_answer", 0)]

    with pytest.raises(VendorUnavailable):
        post(Deaf(twin.url, sign_in(twin.url, Secret(ACCOUNT, **TOKEN))))

    assert NetsuiteLedger(by_token(twin)).look_up(a_draft()) == post(by_token(twin))
    assert len(twin.state()["invoice"]) == 1


@pytest.mark.parametrize("answer", ["[]", '{"links": []}', '{"id": "7"}', '"done"'])
def test_an_answer_of_another_shape_is_a_doubt_and_never_an_absence(
    twin: NetSuiteTwin, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    post(by_token(twin))
    note = twin.state()["invoice"][0]["memo"]
    said = answer.replace('{"id"', f'{{"memo": {json.dumps(note)}, "id"')
    response = requests.Response()
    response.status_code, response._content = 200, said.encode()
    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: response)

    with pytest.raises(VendorUnavailable):
        post(by_token(twin))

    assert len(lines_seen(twin, "PUT")) == 1


# -- what the books know


def test_a_customer_is_found_by_the_account_of_the_crm_and_else_by_the_only_name(twin: NetSuiteTwin) -> None:
    twin.load({"customer": [{"companyname": "O'Neil & Sons", "entityid": "C-7"}]})

    post(by_token(twin), customer_id="acct-9", customer_name="O'Neil & Sons")

    assert twin.state()["invoice"][0]["entity"]["refName"] == "O'Neil & Sons"


def test_the_account_of_the_crm_comes_before_the_name(twin: NetSuiteTwin) -> None:
    twin.load({"customer": [{"companyname": CUSTOMERS["USD"][1]}]})

    post(by_token(twin))

    invoiced = twin.state()["invoice"][0]["entity"]["id"]
    assert twin.books.tables["customer"][invoiced]["externalId"] == "acct-1"


def test_two_customers_of_one_name_are_not_chosen_between(twin: NetSuiteTwin) -> None:
    twin.load({"customer": [{"companyname": "Twins Ltd"}, {"companyname": "Twins Ltd"}]})

    with pytest.raises(VendorRefused, match="2 customers Twins Ltd; give one the external id acct-9"):
        post(by_token(twin), customer_id="acct-9", customer_name="Twins Ltd")


def test_dinars_go_where_the_account_keeps_three_decimals(twin: NetSuiteTwin) -> None:
    currency = next(row for row in twin.books.tables["currency"].values() if row["symbol"] == "KWD")
    draft = a_draft(a_line(amount_minor=1_234_567, currency="KWD"), currency="KWD")
    ledger = NetsuiteLedger(by_token(twin))

    with pytest.raises(VendorRefused, match="NetSuite keeps 2 decimals, KWD has 3"):
        ledger.post("k", draft, DEAL, TODAY)
    currency["currencyPrecision"] = {"id": "3", "refName": "3"}

    assert ledger.post("k", draft, DEAL, TODAY).total_minor == 1_234_567


def test_no_tax_of_ours_is_sent(twin: NetSuiteTwin) -> None:
    post(by_token(twin))

    [sent] = [json.loads(record.body) for record in twin.requests if record.method == "PUT"]
    assert not [name for name in (*sent, *sent["item"]["items"][0]) if "tax" in name.lower()]


def test_an_amount_is_sent_with_exactly_its_digits(twin: NetSuiteTwin) -> None:
    NetsuiteLedger(by_token(twin)).post("k", a_draft(a_line(amount_minor=999_999_999_999_99)), DEAL, TODAY)

    [sent] = [record.body for record in twin.requests if record.method == "PUT"]
    assert '"amount":999999999999.99' in sent


def test_a_name_that_is_no_external_id_gets_one() -> None:
    assert external_id("inv_d-1_1") == "inv_d-1_1"
    assert external_id("inv|d 1") == external_id("inv|d 1") != external_id("inv|d 2")
    assert external_id("x" * 61).startswith("dd-")


# -- signing in


def test_a_token_is_bought_once_and_used_until_it_ends(twin: NetSuiteTwin) -> None:
    rest = by_certificate(twin)
    for _ in range(3):
        rest.query("SELECT id FROM item")

    assert len([path for path in lines_seen(twin, "POST") if path.endswith("/oauth2/v1/token")]) == 1


def test_a_token_that_nears_its_end_is_bought_anew(twin: NetSuiteTwin, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = by_certificate(twin)
    rest.query("SELECT id FROM item")
    later = datetime.now(UTC) + timedelta(minutes=59)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return later

    monkeypatch.setattr("dealdesk.adapters.netsuite_auth.datetime", Clock)
    monkeypatch.setattr("jwt.api_jwt.datetime", Clock)
    twin.clock = lambda: later
    rest.query("SELECT id FROM item")

    assert len([path for path in lines_seen(twin, "POST") if path.endswith("/oauth2/v1/token")]) == 2


def test_one_refused_token_is_met_by_a_new_one_and_two_are_no_proof_of_bad_credentials(twin: NetSuiteTwin) -> None:
    rest = by_certificate(twin)
    rest.query("SELECT id FROM item")
    twin.door.clear()
    rest.query("SELECT id FROM item")

    twin.faults = [Fault("suiteql", "status", 401, times=2)]
    with pytest.raises(VendorUnavailable):
        rest.query("SELECT id FROM item")


def test_a_certificate_that_netsuite_does_not_know_gets_no_token(twin: NetSuiteTwin) -> None:
    stranger = key_pair(3_073)[0]

    with pytest.raises(VendorUnavailable, match="invalid_client"):
        by_certificate(twin, stranger).query("SELECT id FROM item")


# -- limits


def test_calls_at_once_stay_within_the_desks_share(twin: NetSuiteTwin) -> None:
    twin.concurrency_limit, twin.seconds_a_call = 2, 0.03
    rest = by_token(twin, calls_at_once=2)

    with ThreadPoolExecutor(8) as workers:
        answers = list(workers.map(lambda _: rest.query("SELECT id FROM item"), range(16)))

    assert len(answers) == 16
    assert {record.status for record in twin.requests} == {200}


def test_an_account_at_its_limit_is_asked_again_later(twin: NetSuiteTwin) -> None:
    twin.concurrency_limit = 0

    with pytest.raises(VendorUnavailable, match="CONCURRENCY_LIMIT_EXCEEDED") as busy:
        by_token(twin).query("SELECT id FROM item")

    assert busy.value.retry_after_seconds == 10


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "USER_ERROR", VendorRefused),
        (400, "INVALID_CONTENT", VendorRefused),
        (404, "NONEXISTENT_ID", VendorRefused),
        (415, "INVALID_CONTENT_TYPE", VendorRefused),
        (400, "RCRD_HAS_BEEN_CHANGED", VendorUnavailable),
        (400, "WS_CONCUR_SESSION_DISALLWD", VendorUnavailable),
        (400, "SSS_REQUEST_LIMIT_EXCEEDED", VendorUnavailable),
        (429, "CONCURRENCY_LIMIT_EXCEEDED", VendorUnavailable),
        (401, "INVALID_LOGIN_ATTEMPT", VendorUnavailable),
        (403, "INSUFFICIENT_PERMISSION", VendorUnavailable),
        (408, "", VendorUnavailable),
        (500, "UNEXPECTED_ERROR", VendorUnavailable),
        (503, "", VendorUnavailable),
    ],
)
def test_every_failure_of_netsuite_has_its_class(status: int, code: str, expected: type[Exception]) -> None:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps({"o:errorDetails": [{"detail": "why", "o:errorCode": code}]}).encode()

    assert type(translated(response)) is expected


def test_a_failure_in_no_known_shape_is_told_apart_by_its_status() -> None:
    for status, expected in ((400, VendorRefused), (502, VendorUnavailable)):
        response = requests.Response()
        response.status_code, response._content = status, b"<html>"

        assert type(translated(response)) is expected
