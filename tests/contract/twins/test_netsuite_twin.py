"""The NetSuite twin keeps books as NetSuite does: it checks every proof, upserts by external id, and adds its tax."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA1, SIGNATURE_HMAC_SHA256, Client

from local.twins.netsuite import NetSuiteTwin
from local.twins.netsuite_login import Integration
from local.twins.server import RunningTwin
from tests.contract.ledgers.netsuite import key_pair

ACCOUNT, CLIENT, CERTIFICATE = "1234567-sb1", "client-1", "certificate-1"
RECORDS, SUITEQL = "/services/rest/record/v1", "/services/rest/query/v1/suiteql"
SEED: dict[str, list[dict[str, Any]]] = {
    "currency": [{"id": "1", "symbol": "USD", "name": "US Dollar", "currencyPrecision": {"id": "2", "refName": "2"}}],
    "customer": [
        {"id": "11", "companyname": "Express & Logistics", "entityid": "C-11", "externalId": "acct-1"},
        {"id": "12", "companyname": "O'Neil", "entityid": "C-12"},
        {"id": "13", "companyname": "Gone", "isinactive": "T"},
    ],
    "item": [{"id": "21", "itemid": "CORE-01"}, {"id": "22", "itemid": "SETUP-01"}],
}
Call = Callable[..., requests.Response]


@pytest.fixture
def netsuite(running: Callable[..., RunningTwin]) -> NetSuiteTwin:
    twin = NetSuiteTwin(Integration(ACCOUNT, CLIENT, CERTIFICATE, key_pair()[1], "ck", "cs&1", "tk", "ts/2"))
    twin.load(SEED)
    running(twin)
    return twin


def signed(twin: NetSuiteTwin, method: Any, path: str, **changed: Any) -> dict[str, str]:
    known = {
        "client_key": "ck",
        "client_secret": "cs&1",
        "resource_owner_key": "tk",
        "resource_owner_secret": "ts/2",
        "realm": "1234567_SB1",
        "signature_method": SIGNATURE_HMAC_SHA256,
    }
    _, headers, _ = Client(**(known | changed)).sign(twin.url + path, http_method=method)
    return {"Authorization": str(headers["Authorization"])}


@pytest.fixture
def call(netsuite: NetSuiteTwin) -> Call:
    """Call the account with a good signature."""

    def call(method: str, path: str, body: object = None, **headers: str) -> requests.Response:
        proof = signed(netsuite, method, path)
        return requests.request(method, netsuite.url + path, json=body, headers={**proof, **headers}, timeout=5)

    return call


def assertion(
    twin: NetSuiteTwin, *, algorithm: str = "PS256", kid: str = CERTIFICATE, key: str = "", **claims: Any
) -> str:
    now = int(time.time())
    known = {
        "iss": CLIENT,
        "scope": ["rest_webservices"],
        "aud": f"{twin.url}/services/rest/auth/oauth2/v1/token",
        "iat": now,
        "exp": now + 300,
    }
    return jwt.encode(known | claims, key or key_pair()[0], algorithm=algorithm, headers={"kid": kid})


def ask_token(twin: NetSuiteTwin, proof: str, **form: str) -> requests.Response:
    known = {
        "grant_type": "client_credentials",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": proof,
    }
    return requests.post(f"{twin.url}/services/rest/auth/oauth2/v1/token", data=known | form, timeout=5)


def a_line(amount: float = 1200.0, **fields: Any) -> dict[str, Any]:
    return {"item": {"id": "21"}, "quantity": 12, "rate": amount / 12, "amount": amount, **fields}


def an_invoice(*lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "entity": {"id": "11"},
        "tranId": "DD-1",
        "tranDate": "2026-11-22",
        "item": {"items": list(lines) or [a_line()]},
        **changed,
    }


def code(answer: requests.Response) -> tuple[int, str]:
    document = answer.json()
    assert {"type", "title", "status", "o:errorDetails"} == document.keys()
    assert document["status"] == answer.status_code
    return answer.status_code, document["o:errorDetails"][0]["o:errorCode"]


# -- signing in


def test_an_assertion_buys_a_token_for_an_hour(netsuite: NetSuiteTwin) -> None:
    token = ask_token(netsuite, assertion(netsuite)).json()

    def read() -> int:
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return requests.get(f"{netsuite.url}{RECORDS}/currency/1", headers=headers, timeout=5).status_code

    assert (token["token_type"], int(token["expires_in"]), read()) == ("Bearer", 3_600, 200)
    later = datetime.now(UTC) + timedelta(seconds=3_601)
    netsuite.clock = lambda: later
    assert read() == 401


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithm": "RS256"},
        {"kid": "another"},
        {"iss": "another"},
        {"aud": "https://example.test/token"},
        {"scope": ["restlets"]},
        {"exp": 4_102_444_800},
        {"exp": 1},
    ],
)
def test_an_assertion_that_netsuite_would_refuse_buys_nothing(netsuite: NetSuiteTwin, wrong: dict[str, Any]) -> None:
    answer = ask_token(netsuite, assertion(netsuite, **wrong))

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_a_short_key_or_another_grant_buys_nothing(running: Callable[..., RunningTwin]) -> None:
    private, public = key_pair(2_048)
    twin = NetSuiteTwin(Integration(ACCOUNT, CLIENT, CERTIFICATE, public))
    running(twin)

    assert ask_token(twin, assertion(twin, key=private)).status_code == 401
    assert ask_token(twin, "", grant_type="password").json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize(
    "wrong",
    [
        {"client_secret": "wrong"},
        {"resource_owner_secret": "wrong"},
        {"client_key": "wrong"},
        {"resource_owner_key": "wrong"},
        {"realm": "1234567-sb1"},
        {"signature_method": SIGNATURE_HMAC_SHA1},
        {"timestamp": "1795378476"},
    ],
)
def test_a_signature_that_netsuite_would_refuse_passes_no_door(netsuite: NetSuiteTwin, wrong: dict[str, Any]) -> None:
    path = f"{RECORDS}/currency/1"

    answer = requests.get(netsuite.url + path, headers=signed(netsuite, "GET", path, **wrong), timeout=5)

    assert code(answer) == (401, "INVALID_LOGIN_ATTEMPT")


def test_a_signature_is_for_one_address_and_one_call(netsuite: NetSuiteTwin) -> None:
    path = f"{RECORDS}/invoice/eid:D-1?replace=item"
    proof = signed(netsuite, "PUT", path)

    def put(query: str) -> int:
        address = f"{netsuite.url}{RECORDS}/invoice/eid:D-1{query}"
        return requests.put(address, json=an_invoice(), headers=proof, timeout=5).status_code

    assert put("") == 401
    assert put("?replace=item") == 204
    assert put("?replace=item") == 401


# -- records


def test_an_upsert_makes_an_invoice_and_says_nothing_but_where(call: Call) -> None:
    made = call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice(a_line(0.1), a_line(0.2)))

    assert (made.status_code, made.text) == (204, "")
    read = call("GET", made.headers["Location"]).json()
    assert read == call("GET", f"{RECORDS}/invoice/eid:D-1").json()
    assert (read["externalId"], read["subtotal"], read["total"]) == ("D-1", 0.3, 0.3)
    assert read["entity"] == {"id": "11", "refName": "Express & Logistics"}
    assert read["item"] == {"links": []}
    whole = call("GET", f"{RECORDS}/invoice/eid:D-1?expandSubResources=true").json()
    assert [line["amount"] for line in whole["item"]["items"]] == [0.1, 0.2]


def test_a_second_upsert_edits_and_without_replace_adds_lines(netsuite: NetSuiteTwin, call: Call) -> None:
    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice())
    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice(a_line(60.0)))
    assert netsuite.state()["invoice"][0]["total"] == 60

    call("PUT", f"{RECORDS}/invoice/eid:D-1", an_invoice(a_line(6.0)))

    assert [row["total"] for row in netsuite.state()["invoice"]] == [66]
    assert netsuite.state()["edits"] == 2


def test_an_insert_takes_no_external_id_twice(netsuite: NetSuiteTwin, call: Call) -> None:
    assert call("POST", f"{RECORDS}/invoice", an_invoice(externalId="D-1")).status_code == 204
    assert code(call("POST", f"{RECORDS}/invoice", an_invoice(externalId="D-1", tranId="DD-2"))) == (400, "USER_ERROR")
    assert code(call("PUT", f"{RECORDS}/invoice/77", an_invoice())) == (400, "USER_ERROR")
    assert len(netsuite.state()["invoice"]) == 1


def test_what_is_not_there_is_404(call: Call) -> None:
    assert code(call("GET", f"{RECORDS}/invoice/eid:none")) == (404, "NONEXISTENT_ID")
    assert code(call("GET", f"{RECORDS}/unicorn/1"))[0] == 404
    assert code(call("POST", f"{RECORDS}/invoice/9/!transform/creditMemo", {})) == (404, "NONEXISTENT_ID")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"colour": "red"}, "INVALID_CONTENT"),
        ({"entity": {"id": "99"}}, "USER_ERROR"),
        ({"entity": {}}, "USER_ERROR"),
        ({"currency": {"id": "99"}}, "USER_ERROR"),
        ({"item": {"items": []}}, "USER_ERROR"),
        ({"item": []}, "INVALID_CONTENT"),
        ({"item": {"items": [7]}}, "INVALID_CONTENT"),
        ({"item": {"items": [a_line(colour="red")]}}, "INVALID_CONTENT"),
        ({"item": {"items": [a_line(item={"id": "99"})]}}, "USER_ERROR"),
        ({"item": {"items": [a_line() | {"amount": "1200"}]}}, "INVALID_CONTENT"),
        ({"tranDate": "22.11.2026"}, "INVALID_CONTENT"),
        ({"dueDate": 7}, "INVALID_CONTENT"),
        ({"tranId": "TAKEN"}, "USER_ERROR"),
        ({"tranDate": "2026-10-31"}, "USER_ERROR"),
    ],
)
def test_an_invoice_that_netsuite_would_refuse_is_refused(
    netsuite: NetSuiteTwin, call: Call, changed: dict[str, Any], expected: str
) -> None:
    netsuite.act("enter", {"invoice": an_invoice(tranId="TAKEN")})
    netsuite.act("close_books", {"through": "2026-10-31"})

    assert code(call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice(**changed))) == (400, expected)
    assert len(netsuite.state()["invoice"]) == 1


def test_a_body_must_be_json_and_an_external_id_plain(netsuite: NetSuiteTwin, call: Call) -> None:
    path = f"{RECORDS}/invoice/eid:D-1?replace=item"
    as_text = requests.put(
        netsuite.url + path,
        data="{}",
        headers={**signed(netsuite, "PUT", path), "Content-Type": "text/plain"},
        timeout=5,
    )

    assert code(as_text) == (415, "INVALID_CONTENT_TYPE")
    assert code(call("PUT", path, [])) == (400, "INVALID_CONTENT")
    assert code(call("PUT", f"{RECORDS}/invoice/eid:D%7C1", an_invoice())) == (400, "USER_ERROR")


def test_the_tax_is_netsuites(netsuite: NetSuiteTwin, call: Call) -> None:
    netsuite.act("charge_tax", {"percent": "8.25"})

    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice(a_line(100.0)))

    [kept] = netsuite.state()["invoice"]
    assert [str(kept[name]) for name in ("subtotal", "taxTotal", "total")] == ["100.00", "8.25", "108.25"]


def test_a_transform_takes_the_lines_of_the_invoice_unless_they_are_replaced(
    netsuite: NetSuiteTwin, call: Call
) -> None:
    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice(a_line(100.0), a_line(20.0)))
    transform = f"{RECORDS}/invoice/eid:D-1/!transform/creditMemo"

    part = {"item": {"items": [a_line(5.0)]}}
    assert call("POST", f"{transform}?replace=item", part | {"externalId": "C-1"}).status_code == 204
    assert call("POST", transform, {"externalId": "C-2"}).status_code == 204
    assert code(call("POST", transform, {"externalId": "C-2"})) == (400, "USER_ERROR")

    [invoice], memos = netsuite.state()["invoice"], netsuite.state()["creditMemo"]
    assert [memo["total"] for memo in memos] == [5, 120]
    assert {memo["createdFrom"]["id"] for memo in memos} == {invoice["id"]}
    assert invoice["amountRemaining"] == 0


# -- queries


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("SELECT id FROM customer WHERE externalid = 'acct-1'", ["11"]),
        ("select id from customer where companyname = 'O''Neil'", ["12"]),
        ("SELECT id FROM customer WHERE isinactive = 'F' AND (externalid = 'x' OR companyname = 'O''Neil')", ["12"]),
        ("SELECT id FROM customer WHERE companyname = 'Gone' AND isinactive = 'F'", []),
        ("SELECT id, itemid FROM item WHERE itemid IN ('CORE-01', 'SETUP-01', 'x')", ["21", "22"]),
        ("SELECT id FROM item WHERE itemid LIKE 'C%1'", ["21"]),
        ("SELECT id FROM item WHERE itemid LIKE 'C_1'", []),
        ("SELECT id FROM transaction WHERE type = 'CustInvc' AND tranid = 'DD-1'", ["23"]),
        ("SELECT id FROM transaction WHERE type = 'CustCred' AND tranid = 'DD-1'", []),
    ],
)
def test_a_query_finds_rows(call: Call, query: str, found: list[str]) -> None:
    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice())

    answer = call("POST", SUITEQL, {"q": query}, Prefer="transient").json()

    assert [row["id"] for row in answer["items"]] == found
    assert (answer["count"], answer["totalResults"], answer["hasMore"]) == (len(found), len(found), False)


def test_a_query_comes_in_pages(call: Call) -> None:
    answer = call("POST", f"{SUITEQL}?limit=1&offset=0", {"q": "SELECT id FROM item"}, Prefer="transient").json()

    assert ([row["id"] for row in answer["items"]], answer["hasMore"], answer["totalResults"]) == (["21"], True, 2)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM customer",
        "SELECT id FROM unicorn",
        "SELECT colour FROM customer",
        "SELECT id FROM customer WHERE colour = 'red'",
        "SELECT id FROM customer WHERE companyname = 'O'Neil'",
        "SELECT id FROM customer WHERE companyname = O",
        "SELECT id FROM customer WHERE (companyname = 'O'",
        "SELECT id FROM customer WHERE companyname = 'O' AND",
        "SELECT id FROM customer WHERE companyname = 'O' companyname",
        "SELECT id FROM customer WHERE companyname IN ()",
        "SELECT id FROM customer WHERE companyname ; 'O'",
        "DELETE FROM customer",
    ],
)
def test_a_query_that_netsuite_would_refuse_is_refused(call: Call, query: str) -> None:
    assert code(call("POST", SUITEQL, {"q": query}, Prefer="transient")) == (400, "INVALID_PARAMETER")


def test_a_query_says_that_it_is_transient(call: Call) -> None:
    assert code(call("POST", SUITEQL, {"q": "SELECT id FROM item"})) == (400, "INVALID_HEADER")


# -- limits


def test_more_calls_at_once_than_the_account_may_have_are_refused(netsuite: NetSuiteTwin, call: Call) -> None:
    netsuite.seconds_a_call = 0.1

    with ThreadPoolExecutor(8) as workers:
        answers = list(workers.map(lambda _: call("GET", f"{RECORDS}/currency/1"), range(8)))

    refused = [answer for answer in answers if answer.status_code == 429]
    assert 1 <= len(refused) <= 3
    assert code(refused[0]) == (429, "CONCURRENCY_LIMIT_EXCEEDED")


def test_a_reset_brings_back_the_first_day(netsuite: NetSuiteTwin, call: Call) -> None:
    call("PUT", f"{RECORDS}/invoice/eid:D-1?replace=item", an_invoice())

    netsuite.reset()

    assert netsuite.state()["invoice"] == []
    assert len(netsuite.state()["customer"]) == 3
