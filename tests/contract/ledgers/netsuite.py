"""The bench of NetSuite: the adapter over the twin's books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from functools import cache
from typing import Any, ClassVar
from unittest.mock import patch

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from dealdesk.adapters import netsuite_rest
from dealdesk.adapters.netsuite import NetsuiteLedger
from dealdesk.adapters.netsuite_auth import Secret, sign_in
from dealdesk.adapters.netsuite_rest import NetsuiteRest
from local.twins.netsuite import RECORDS, NetSuiteTwin
from local.twins.netsuite_login import Integration
from local.twins.server import serve
from tests.contract.ledgers.bench import CUSTOMERS, PATIENCE_SECONDS, SKUS, Bench, Effect, Kept, TwinBench

ACCOUNT = "1234567-sb1"
CLIENT, CERTIFICATE = "client-1", "certificate-1"
# The decimals are a setting of each currency; here somebody has left the dinar at two.
PRECISION = {"USD": 2, "JPY": 0, "KWD": 2}
DECIMALS = {"USD": 2, "JPY": 0, "KWD": 3}


class NetsuiteBench(TwinBench):
    carries = frozenset({"USD", "JPY"})
    makes_customers = False
    calls: ClassVar[dict[Effect, str]] = {"post": f"PUT {RECORDS}/invoice", "credit": f"POST {RECORDS}/invoice"}

    def __init__(self) -> None:
        public_key = key_pair()[1]
        self.twin = self.account = NetSuiteTwin(Integration(ACCOUNT, CLIENT, CERTIFICATE, public_key))
        self.account.load(records())

    def ledger(self) -> NetsuiteLedger:
        secret = Secret(ACCOUNT, CLIENT, CERTIFICATE, key_pair()[0])
        return NetsuiteLedger(NetsuiteRest(self.twin.url, sign_in(self.twin.url, secret)))

    def invoices(self) -> list[Kept]:
        return [self._kept(row) for row in self.twin.state()["invoice"]]

    def credits(self) -> list[Kept]:
        return [self._kept(row) for row in self.twin.state()["creditMemo"]]

    def tax(self, percent: int) -> None:
        self.twin.act("charge_tax", {"percent": percent})

    def close_books(self) -> None:
        self.twin.act("close_books", {"through": "2026-11-30"})

    def take_number(self, number: str) -> None:
        line = {"item": {"id": self._id("item", "itemid", SKUS[0])}, "quantity": 1, "rate": 1}
        customer = {"id": self._id("customer", "externalId", "acct-1")}
        self.twin.act("enter", {"invoice": {"tranId": number, "entity": customer, "item": {"items": [line]}}})

    def expire_session(self) -> None:
        self.account.door.clear()

    def _id(self, table: str, field: str, value: str) -> str:
        return next(str(row["id"]) for row in self.twin.state()[table] if row.get(field) == value)

    def _kept(self, row: dict[str, Any]) -> Kept:
        currency = self.account.books.tables["currency"][row["currency"]["id"]]["symbol"]
        return Kept(row["tranId"], int(Decimal(row["subtotal"]).scaleb(DECIMALS[currency])))


@cache
def key_pair(bits: int = 3_072) -> tuple[str, str]:
    """A private and a public key; NetSuite takes none that is shorter."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=bits)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


def records() -> dict[str, list[dict[str, Any]]]:
    return {
        "currency": [
            {"symbol": symbol, "name": symbol, "currencyPrecision": {"id": str(decimals), "refName": str(decimals)}}
            for symbol, decimals in PRECISION.items()
        ],
        "customer": [{"externalId": id_, "companyname": name, "entityid": name} for id_, name in CUSTOMERS.values()],
        "item": [{"itemid": sku} for sku in SKUS],
    }


@contextmanager
def netsuite_books() -> Iterator[Bench]:
    bench = NetsuiteBench()
    with closing(serve(bench.twin)), patch.object(netsuite_rest, "TIMEOUT_SECONDS", (3.05, PATIENCE_SECONDS)):
        yield bench
