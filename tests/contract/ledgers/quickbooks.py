"""The bench of QuickBooks: the adapter over the twin's books."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from typing import Any, ClassVar
from unittest.mock import patch

import requests

from dealdesk.adapters import quickbooks
from local.twins.quickbooks import QuickBooksTwin
from local.twins.server import serve
from tests.contract.ledgers.bench import CUSTOMERS, PATIENCE_SECONDS, SKUS, Bench, Effect, Kept, TwinBench

REALM = "4620"
DECIMALS = {"USD": 2, "JPY": 0, "KWD": 3}


class QuickbooksBench(TwinBench):
    carries = frozenset({"USD", "JPY"})
    makes_customers = True
    calls: ClassVar[dict[Effect, str]] = {
        "post": f"POST /v3/company/{REALM}/invoice",
        "credit": f"POST /v3/company/{REALM}/creditmemo",
    }

    def __init__(self) -> None:
        self.twin = self.company = QuickBooksTwin(
            client_id="app", client_secret="s3cret", realm_id=REALM, refresh_token="RT1-first"
        )
        self.company.load(
            {
                "Customer": [
                    {"DisplayName": name, "CurrencyRef": {"value": currency}}
                    for currency, (_, name) in CUSTOMERS.items()
                ],
                "Item": [{"Name": sku, "Type": "Service"} for sku in SKUS],
            }
        )
        self._lock = threading.Lock()
        self._token = ""

    def ledger(self) -> quickbooks.QuickbooksLedger:
        return quickbooks.QuickbooksLedger(self.twin.url, realm_id=REALM, access_token=self._access_token)

    def invoices(self) -> list[Kept]:
        return [_kept(row) for row in self.twin.state()["Invoice"]]

    def credits(self) -> list[Kept]:
        return [_kept(row) for row in self.twin.state()["CreditMemo"]]

    def tax(self, percent: int) -> None:
        self.twin.act("charge_tax", {"percent": percent})

    def close_books(self) -> None:
        self.twin.act("close_books", {"through": "2026-11-30"})

    def take_number(self, number: str) -> None:
        line = {
            "Amount": Decimal(1),
            "DetailType": "SalesItemLineDetail",
            "SalesItemLineDetail": {"ItemRef": {"value": self.company.state()["Item"][0]["Id"]}},
        }
        customer = self.company.state()["Customer"][0]["Id"]
        self.company.books.add_invoice({"DocNumber": number, "CustomerRef": {"value": customer}, "Line": [line]})

    def expire_session(self) -> None:
        self.company.expire_tokens()

    def _access_token(self, renew: bool) -> str:
        with self._lock:
            if renew or not self._token:
                answer = requests.post(
                    f"{self.twin.url}/oauth2/v1/tokens/bearer",
                    auth=("app", "s3cret"),
                    data={"grant_type": "refresh_token", "refresh_token": self.company.refresh_token},
                    timeout=5,
                )
                self._token = str(answer.json()["access_token"])
            return self._token


def _kept(row: dict[str, Any]) -> Kept:
    net = sum(line["Amount"] for line in row["Line"] if line["DetailType"] == "SalesItemLineDetail")
    return Kept(row.get("DocNumber", ""), int(Decimal(net).scaleb(DECIMALS[row["CurrencyRef"]["value"]])))


@contextmanager
def quickbooks_books() -> Iterator[Bench]:
    bench = QuickbooksBench()
    with closing(serve(bench.twin)), patch.object(quickbooks, "TIMEOUT_SECONDS", (3.05, PATIENCE_SECONDS)):
        yield bench
