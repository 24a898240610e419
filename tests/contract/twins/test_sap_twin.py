"""The SAP twin answers as S/4HANA does: V2 to SAP's own Python client, V4 to a careful caller, no to a careless one."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyodata
import pytest
import requests
from pyodata.exceptions import HttpError

from local.twins.sap import COOKIE, V2, V4, SapTwin
from local.twins.server import Refused, RunningTwin

ORDERS = f"{V2}/API_SALES_ORDER_SRV"
CREDITS = f"{V2}/API_CREDIT_MEMO_REQUEST_SRV"
READING = f"{V2}/API_BILLING_DOCUMENT_SRV"
CREATE = f"{V4}/BillingDocument/SAP__self.CreateFromSDDocument"


@pytest.fixture
def sap(running: Callable[..., RunningTwin]) -> SapTwin:
    twin = SapTwin(user="DESK", password="s3cret", condition_type="ZDD0")
    partner = {"BusinessPartner": "1000001", "BusinessPartnerFullName": "Zoë O'Neil GmbH"}
    twin.load(
        {
            "BusinessPartner": [{**partner, "BusinessPartnerIDByExtSystem": "acct-1"}],
            "Material": [{"Material": "CORE-01"}],
        }
    )
    running(twin)
    return twin


class Caller(requests.Session):
    """A caller with a session and its token; `token` may be replaced."""

    def __init__(self, twin: SapTwin, service: str = ORDERS) -> None:
        super().__init__()
        self.twin, self.auth = twin, ("DESK", "s3cret")
        answer = self.get(f"{twin.url}{service}/", headers={"X-CSRF-Token": "Fetch"}, timeout=5)
        self.token = answer.headers["X-CSRF-Token"]

    def write(self, path: str, body: object, **headers: str) -> requests.Response:
        given = {"X-CSRF-Token": self.token, **headers}
        return self.post(f"{self.twin.url}{path}", json=body, headers=given, timeout=5)

    def read(self, path: str, **headers: str) -> requests.Response:
        return self.get(f"{self.twin.url}{path}", headers=headers, timeout=5)


@pytest.fixture
def caller(sap: SapTwin) -> Caller:
    return Caller(sap)


def an_order(**changed: Any) -> dict[str, Any]:
    price = {"ConditionType": "ZDD0", "ConditionRateValue": "10.50", "ConditionCurrency": "USD"}
    item = {"SalesOrderItem": "10", "Material": "CORE-01", "RequestedQuantity": "2", "to_PricingElement": [price]}
    return {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
        "SoldToParty": "1000001",
        "PurchaseOrderByCustomer": "PO-1",
        "TransactionCurrency": "USD",
        "to_Item": [item | changed.pop("item", {})],
    } | changed


def a_billing(document: str = "1", **control: Any) -> dict[str, Any]:
    known = {
        "DefaultBillingDocumentDate": "2026-11-22",
        "DefaultBillingDocumentType": "F2",
        "AutomPostingToAcctgIsDisabled": False,
    }
    return {"_Control": known | control, "_Reference": [{"SDDocument": document, "SDDocumentCategory": "C"}]}


def code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# -- SAP's own client


@pytest.fixture
def client(sap: SapTwin, caller: Caller) -> pyodata.Client:
    caller.headers["X-CSRF-Token"] = caller.token
    return pyodata.Client(f"{sap.url}{ORDERS}/", caller)


def test_saps_client_makes_an_order_and_finds_it_by_its_reference(client: pyodata.Client) -> None:
    made = client.entity_sets.A_SalesOrder.create_entity().set(**an_order(PurchaseOrderByCustomer="O'Neil 7")).execute()

    [found] = client.entity_sets.A_SalesOrder.get_entities().filter(PurchaseOrderByCustomer="O'Neil 7").execute()

    assert (found.SalesOrder, found.TotalNetAmount) == (made.SalesOrder, "10.50")


def test_saps_client_reads_what_the_metadata_says(client: pyodata.Client) -> None:
    entity = client.schema.entity_type("A_SalesOrderType")

    assert [key.name for key in entity.key_proprties] == ["SalesOrder"]
    assert entity.proprty("PurchaseOrderByCustomer").max_length == 35
    assert {leads.name for leads in entity.nav_proprties} == {"to_Item"}


def test_saps_client_is_told_why_an_order_is_refused(client: pyodata.Client) -> None:
    wrong = client.entity_sets.A_SalesOrder.create_entity().set(**an_order(item={"Material": "NOWHERE-9"}))

    with pytest.raises(HttpError) as refused:
        wrong.execute()
    assert "NOWHERE-9 is not defined for sales org.1010" in refused.value.response.text


# -- sessions


def test_nobody_reads_without_signing_in(sap: SapTwin) -> None:
    for auth in (None, ("DESK", "wrong")):
        answer = requests.get(f"{sap.url}{ORDERS}/A_SalesOrder", auth=auth, timeout=5)
        assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


def test_a_bearer_token_lasts_an_hour(sap: SapTwin) -> None:
    grant = {"grant_type": "client_credentials"}
    token_url = f"{sap.url}/sap/bc/sec/oauth2/token"
    token = requests.post(token_url, auth=("DESK", "s3cret"), data=grant, timeout=5).json()["access_token"]

    def read() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        return requests.get(f"{sap.url}{ORDERS}/A_SalesOrder", headers=headers, timeout=5).status_code

    assert read() == 200
    sap.clock = lambda: datetime.now(UTC) + timedelta(seconds=3_601)
    assert read() == 401
    assert requests.post(token_url, auth=("DESK", "wrong"), data=grant, timeout=5).status_code == 401
    assert requests.post(token_url, auth=("DESK", "s3cret"), data={}, timeout=5).status_code == 400


@pytest.mark.parametrize("missing", ["token", "cookie", "both"])
def test_a_write_needs_the_token_and_its_cookie(sap: SapTwin, caller: Caller, missing: str) -> None:
    if missing in ("token", "both"):
        caller.token = Caller(sap).token
    if missing in ("cookie", "both"):
        caller.cookies.clear()

    answer = caller.write(f"{ORDERS}/A_SalesOrder", an_order())

    assert (answer.status_code, answer.headers["x-csrf-token"]) == (403, "Required")
    assert sap.state()["A_SalesOrder"] == []


def test_one_session_has_one_token_for_all_its_services(sap: SapTwin, caller: Caller) -> None:
    again = caller.read(f"{CREDITS}/", **{"X-CSRF-Token": "Fetch"})

    assert again.headers["X-CSRF-Token"] == caller.token
    assert caller.cookies[COOKIE]


def test_a_root_without_its_slash_redirects_and_gives_no_token(caller: Caller) -> None:
    answer = caller.get(
        f"{caller.twin.url}{ORDERS}", headers={"X-CSRF-Token": "Fetch"}, timeout=5, allow_redirects=False
    )

    assert (answer.status_code, "X-CSRF-Token" in answer.headers) == (307, False)


# -- orders


def test_an_order_is_shown_in_the_shape_of_v2(caller: Caller) -> None:
    made = caller.write(f"{ORDERS}/A_SalesOrder", an_order(SalesOrderDate="/Date(1795305600000)/"))

    row = made.json()["d"]
    assert made.status_code == 201
    assert (row["SalesOrder"], row["TotalNetAmount"], row["SalesOrderDate"]) == ("1", "10.50", "/Date(1795305600000)/")
    assert row["__metadata"]["type"] == "API_SALES_ORDER_SRV.A_SalesOrderType"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"Colour": "red"}, "/IWBEP/CM_MGW_RT/021"),
        ({"TotalNetAmount": "5.00"}, "/IWBEP/CM_MGW_RT/021"),
        ({"PurchaseOrderByCustomer": "x" * 36}, "/IWBEP/CM_MGW_RT/022"),
        ({"SalesOrderDate": "2026-11-22"}, "CX_SXML_PARSE_ERROR/001"),
        ({"SoldToParty": ""}, "V1/801"),
        ({"SoldToParty": "7"}, "VP/199"),
        ({"SalesOrganization": "9999"}, "V1/327"),
        ({"to_Item": []}, "/IWBEP/CM_MGW_RT/021"),
        ({"item": {"Material": "NOWHERE-9"}}, "V1/382"),
        ({"item": {"RequestedQuantity": 2}}, "CX_SXML_PARSE_ERROR/001"),
        ({"item": {"RequestedQuantity": "2.1234"}}, "CX_SXML_PARSE_ERROR/001"),
        ({"item": {"RequestedQuantity": "0"}}, "V1/115"),
        ({"item": {"to_PricingElement": [{"ConditionType": "PR00"}]}}, "V1/260"),
        ({"item": {"ReferenceSDDocument": "90000000"}}, "V1/302"),
    ],
)
def test_an_order_that_sap_would_refuse_is_refused(caller: Caller, changed: dict[str, Any], expected: str) -> None:
    answer = caller.write(f"{ORDERS}/A_SalesOrder", an_order(**changed))

    assert code(answer) == (400, expected)
    assert answer.json()["error"]["message"]["value"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("$filter=Colour eq 'red'", "005056A509B11EE1B9A8FEC11C21D78E"),
        ("$select=Colour", "005056A509B11EE1B9A8FEC11C21D78E"),
        ("$filter=PurchaseOrderByCustomer eq PO-1", "/IWBEP/CM_MGW_RT/104"),
        ("$filter=PurchaseOrderByCustomer ne 'PO-1'", "/IWBEP/CM_MGW_RT/104"),
        ("$filter=PurchaseOrderByCustomer eq 'O'Neil'", "/IWBEP/CM_MGW_RT/104"),
        ("$filter=PurchaseOrderByCustomer eq 'PO-1' and", "/IWBEP/CM_MGW_RT/104"),
        ("$filter=contains(PurchaseOrderByCustomer,'PO')", "/IWBEP/CM_MGW_RT/104"),
        (f"$filter=PurchaseOrderByCustomer eq '{'x' * 36}'", "/IWBEP/CM_MGW_RT/022"),
        ("$top=many", "/IWBEP/CM_MGW_RT/175"),
        ("$count=true", "/IWBEP/CM_MGW_RT/176"),
    ],
)
def test_a_query_that_the_twin_cannot_answer_truly_is_refused(caller: Caller, query: str, expected: str) -> None:
    assert code(caller.read(f"{ORDERS}/A_SalesOrder?{query}")) == (400, expected)


def test_and_binds_more_tightly_than_or(caller: Caller) -> None:
    for number in ("PO-1", "PO-2", "PO-3"):
        caller.write(f"{ORDERS}/A_SalesOrder", an_order(PurchaseOrderByCustomer=number))
    where = "PurchaseOrderByCustomer eq 'PO-1' or PurchaseOrderByCustomer eq 'PO-2' and SalesOrder eq '3'"

    answer = caller.read(f"{ORDERS}/A_SalesOrder?$select=SalesOrder&$filter={where}")

    assert [row["SalesOrder"] for row in answer.json()["d"]["results"]] == ["1"]


def test_a_long_answer_comes_in_pages_whose_links_name_saps_own_host(caller: Caller) -> None:
    item = an_order()["to_Item"][0]
    caller.write(f"{ORDERS}/A_SalesOrder", an_order(to_Item=[item | {"SalesOrderItem": str(n)} for n in range(1, 131)]))

    first = caller.read(f"{ORDERS}/A_SalesOrderItem?$select=SalesOrderItem").json()["d"]
    rest = caller.read(first["__next"].removeprefix("https://sap.internal:44300")).json()["d"]

    assert (len(first["results"]), len(rest["results"]), "__next" in rest) == (100, 30, False)


# -- repeatable requests


def test_a_repeat_gets_the_first_answer_be_it_yes_or_no(sap: SapTwin, caller: Caller) -> None:
    def ask(request_id: str, **changed: Any) -> requests.Response:
        headers = {"RequestID": request_id, "RepeatabilityCreation": "2026-11-22T10:00:00"}
        return caller.write(f"{ORDERS}/A_SalesOrder", an_order(**changed), **headers)

    made, again = ask("A" * 32), ask("A" * 32)
    refused, still = ask("B" * 32, SoldToParty="7"), ask("B" * 32)

    assert made.content == again.content
    assert (refused.status_code, still.status_code) == (400, 400)
    assert {one.headers["RepeatabilityResult"] for one in (made, again, refused, still)} == {"accepted"}
    assert len(sap.state()["A_SalesOrder"]) == 1
    assert code(ask("short")) == (400, "/IWBEP/CM_COS/002")


# -- billing


def test_a_billing_document_is_made_once_and_shown_to_both_versions(caller: Caller) -> None:
    caller.twin.act("charge_tax", {"percent": 19})
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())

    [made] = caller.write(CREATE, a_billing()).json()["value"]
    again = caller.write(CREATE, a_billing())

    [row] = caller.read(f"{READING}/A_BillingDocument").json()["d"]["results"]
    assert (made["BillingDocument"], row["BillingDocumentType"], row["AccountingTransferStatus"]) == (
        "90000000",
        "F2",
        "C",
    )
    assert (row["TotalNetAmount"], row["TaxAmount"], row["PurchaseOrderByCustomer"]) == ("10.50", "2.00", "PO-1")
    assert code(again) == (400, "VF/018")
    assert isinstance(again.json()["error"]["message"], str)


def test_v4_sends_amounts_as_numbers_unless_it_is_asked_for_text(caller: Caller) -> None:
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())
    caller.write(CREATE, a_billing())
    path = f"{V4}/BillingDocument('90000000')"

    assert caller.read(path).json()["TotalNetAmount"] == 10.5
    exact = caller.read(path, Accept="application/json;IEEE754Compatible=true").json()
    assert (exact["TotalNetAmount"], exact["@odata.etag"][:2]) == ("10.50", "W/")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (a_billing("7"), (400, "VF/045")),
        (a_billing(DefaultBillingDocumentType="ZZ"), (400, "VF/016")),
        (a_billing(DefaultBillingDocumentDate="22.11.2026"), (400, "/IWBEP/CM_V4_RUNTIME/021")),
        (a_billing(Colour="red"), (400, "/IWBEP/CM_V4_RUNTIME/021")),
        ({"_Control": {}, "_Reference": []}, (400, "/IWBEP/CM_V4_RUNTIME/021")),
        (a_billing() | {"Colour": "red"}, (400, "/IWBEP/CM_V4_RUNTIME/021")),
    ],
)
def test_what_cannot_be_billed_is_refused(caller: Caller, body: dict[str, Any], expected: tuple[int, str]) -> None:
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())

    assert code(caller.write(CREATE, body)) == expected
    assert caller.twin.state()["A_BillingDocument"] == []


def test_locked_blocked_rejected_and_late_orders_are_not_billed(sap: SapTwin, caller: Caller) -> None:
    for block in ("", "08", "", ""):
        caller.write(f"{ORDERS}/A_SalesOrder", an_order(HeaderBillingBlockReason=block))
    sap.act("lock", {"document": "1", "by": "MUELLER"})
    sap.act("reject", {"document": "3"})
    sap.act("close_books", {"through": "2026-11-30"})

    answers = [code(caller.write(CREATE, a_billing(number))) for number in ("1", "2", "3", "4")]

    assert answers == [(423, "V1/042"), (400, "VF/030"), (400, "VF/019"), (400, "F5/201")]


def test_a_held_document_is_posted_by_a_caller_that_saw_its_version(sap: SapTwin, caller: Caller) -> None:
    sap.act("hold_posting", {"hold": True})
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())
    caller.write(CREATE, a_billing())
    path = f"{V4}/BillingDocument('90000000')"
    posting = f"{path}/SAP__self.PostToAccounting"
    seen = caller.read(path).json()["@odata.etag"]
    sap.act("touch", {"billing_document": "90000000"})

    assert caller.write(posting, {}).status_code == 428
    assert caller.write(posting, {}, **{"If-Match": seen}).status_code == 412
    now = caller.read(path).json()["@odata.etag"]
    assert caller.write(posting, {}, **{"If-Match": now}).status_code == 204
    assert sap.state()["A_BillingDocument"][0]["AccountingTransferStatus"] == "C"


def test_a_credit_memo_request_points_at_what_was_billed(sap: SapTwin, caller: Caller) -> None:
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())
    caller.write(CREATE, a_billing())
    body = an_order(ReferenceSDDocument="90000000") | {"CreditMemoRequestType": "CR"}
    del body["SalesOrderType"], body["to_Item"][0]["SalesOrderItem"]

    def ask(**item: str) -> requests.Response:
        return caller.write(f"{CREDITS}/A_CreditMemoRequest", body | {"to_Item": [body["to_Item"][0] | item]})

    assert code(ask(ReferenceSDDocument="90000000", ReferenceSDDocumentItem="20")) == (400, "V1/302")
    assert code(ask(ReferenceSDDocumentCategory="M")) == (400, "/IWBEP/CM_MGW_RT/021")
    assert ask(ReferenceSDDocument="90000000", ReferenceSDDocumentItem="10").json()["d"]["TotalNetAmount"] == "10.50"


def test_a_reset_leaves_the_customers_and_nothing_else(sap: SapTwin, caller: Caller) -> None:
    caller.write(f"{ORDERS}/A_SalesOrder", an_order())

    sap.reset()

    assert sap.state()["A_SalesOrder"] == []
    assert [row["Customer"] for row in sap.state()["A_BusinessPartner"]] == ["1000001"]
    assert caller.write(f"{ORDERS}/A_SalesOrder", an_order()).status_code == 403
    with pytest.raises(Refused):
        sap.act("cancel", {"billing_document": "90000000"})
