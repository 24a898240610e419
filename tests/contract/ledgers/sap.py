"""The bench of SAP: the adapter over the twin's books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, ClassVar
from unittest.mock import patch

from dealdesk.adapters import sap_session
from dealdesk.adapters.sap import SapLedger
from dealdesk.adapters.sap_auth import SapUser
from dealdesk.adapters.sap_orders import SapCustomizing
from dealdesk.adapters.sap_session import SapSession
from dealdesk.domain.money import minor_units
from local.twins.sap import SapTwin
from local.twins.server import serve
from tests.contract.ledgers.bench import CUSTOMERS, PATIENCE_SECONDS, SKUS, Bench, Effect, Kept, TwinBench

USER, PASSWORD = "DEALDESK", "s3cret"
CUSTOMIZING = SapCustomizing(
    sales_organization="1010",
    distribution_channel="10",
    division="00",
    order_type="OR",
    billing_type="F2",
    credit_request_type="CR",
    credit_billing_type="G2",
    credit_reason="101",
    condition_type="ZDD0",
    payment_terms={0: "0001", 30: "NT30"},
)
BILLING = "POST /sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001/BillingDocument/"


class SapBench(TwinBench):
    carries = frozenset(CUSTOMERS)
    makes_customers = False
    calls: ClassVar[dict[Effect, str]] = {
        "post": f"{BILLING}SAP__self.CreateFromSDDocument",
        "credit": f"{BILLING}SAP__self.CreateFromSDDocument",
    }

    def __init__(self) -> None:
        self.twin = self.company = SapTwin(user=USER, password=PASSWORD, condition_type="ZDD0")
        self.company.load(
            {
                "BusinessPartner": [
                    {
                        "BusinessPartner": str(1_000_001 + index),
                        "BusinessPartnerFullName": name,
                        "BusinessPartnerIDByExtSystem": customer,
                    }
                    for index, (customer, name) in enumerate(CUSTOMERS.values())
                ],
                "Material": [{"Material": sku} for sku in SKUS],
            }
        )

    def ledger(self) -> SapLedger:
        return SapLedger(SapSession(self.twin.url, authorization=SapUser(USER, PASSWORD)), CUSTOMIZING)

    def invoices(self) -> list[Kept]:
        return self._kept("F2")

    def credits(self) -> list[Kept]:
        return self._kept("G2")

    def tax(self, percent: int) -> None:
        self.twin.act("charge_tax", {"percent": percent})

    def close_books(self) -> None:
        self.twin.act("close_books", {"through": "2026-11-30"})

    def take_number(self, number: str) -> None:
        order = self.twin.act("order", an_order(number))
        self.twin.act("bill", a_billing(order["SalesOrder"]))

    def expire_session(self) -> None:
        self.company.expire_sessions()

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.twin.state()["A_SalesOrder"]
        return found

    def _kept(self, billing_type: str) -> list[Kept]:
        return [
            Kept(row["PurchaseOrderByCustomer"], int(Decimal(row["TotalNetAmount"]).scaleb(minor_units(currency))))
            for row in self.twin.state()["A_BillingDocument"]
            if row["BillingDocumentType"] == billing_type and not row["BillingDocumentIsCancelled"]
            for currency in [row["TransactionCurrency"]]
        ]


def an_order(number: str, **fields: Any) -> dict[str, Any]:
    """What a person enters by hand: one CORE-01 for 1.00 USD."""
    price = {"ConditionType": "ZDD0", "ConditionRateValue": "1.00", "ConditionCurrency": "USD"}
    item = {"SalesOrderItem": "10", "Material": "CORE-01", "RequestedQuantity": "1", "to_PricingElement": [price]}
    order = {
        "SalesOrderType": "OR",
        "SalesOrganization": "1010",
        "DistributionChannel": "10",
        "OrganizationDivision": "00",
        "SoldToParty": "1000001",
        "PurchaseOrderByCustomer": number,
        "TransactionCurrency": "USD",
        "to_Item": [item],
    }
    return order | fields


def a_billing(document: str, category: str = "C", on: str = "2026-11-22") -> dict[str, Any]:
    return {
        "_Control": {
            "DefaultBillingDocumentDate": on,
            "DefaultBillingDocumentType": "F2" if category == "C" else "G2",
            "AutomPostingToAcctgIsDisabled": False,
        },
        "_Reference": [{"SDDocument": document, "SDDocumentCategory": category}],
    }


@contextmanager
def sap_books() -> Iterator[Bench]:
    with sap_bench() as bench:
        yield bench


@contextmanager
def sap_bench() -> Iterator[SapBench]:
    bench = SapBench()
    with closing(serve(bench.twin)), patch.object(sap_session, "TIMEOUT_SECONDS", (3.05, PATIENCE_SECONDS)):
        yield bench
