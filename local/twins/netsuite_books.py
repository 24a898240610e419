"""The NetSuite twin's books: which invoices and credit memos it takes, and what it makes of them."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NoReturn

from local.twins.server import Json, Refused

EXTERNAL_ID = re.compile(r"[A-Za-z0-9_-]+")
DOCUMENT_FIELDS = {"entity", "tranId", "externalId", "tranDate", "dueDate", "memo", "currency", "item", "otherRefNum"}
FIELDS = {"invoice": DOCUMENT_FIELDS, "creditMemo": DOCUMENT_FIELDS - {"dueDate"}}
LINE_FIELDS = {"item", "quantity", "rate", "amount", "description", "price"}
TYPES = {"invoice": "CustInvc", "creditMemo": "CustCred"}


class Books:
    """Customers, items, currencies, invoices and credit memos of one account, by internal id."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self.tables: dict[str, dict[str, Json]] = {}
        self.clear()

    def clear(self) -> None:
        """Empty the books."""
        self.tables = {name: {} for name in ("customer", "item", "currency", "invoice", "creditMemo")}
        self.closed_through = date.min
        self.tax_percent = Decimal(0)
        self.edits = 0

    def keep(self, table: str, record: Json) -> Json:
        made = str(max((int(one) for rows in self.tables.values() for one in rows), default=0) + 1)
        kept = {"id": made, **record}
        self.tables[table][kept["id"]] = kept
        return kept

    def find(self, table: str, key: str) -> Json:
        """By internal id or `eid:`; 404 for a record that is not there."""
        found = self._by_key(table, key)
        if found is None:
            raise Refused(
                404, "NONEXISTENT_ID", "The record instance does not exist. Provide a valid record instance ID."
            )
        return found

    def upsert(self, table: str, key: str, body: Json, *, replace: bool) -> Json:
        """A PUT by external id: it makes the record, or edits it, and adds to its lines unless they are replaced."""
        if not key.startswith("eid:"):
            _user_error("Use an external ID in the format eid:externalId to upsert a record.")
        wanted = {**body, "externalId": key.removeprefix("eid:")}
        found = self._by_key(table, key)
        if found is None:
            return self.keep(table, self._document(table, wanted, {}))
        lines = [] if replace else found["item"]["items"]
        changed = self._document(table, {**_editable(found), **wanted}, found, lines)
        self.edits += 1
        found.update(changed)
        return found

    def insert(self, table: str, body: Json) -> Json:
        """A POST: no two records of a kind have one external id."""
        if self._by_key(table, f"eid:{body.get('externalId')}"):
            _user_error("This record already exists.")
        return self.keep(table, self._document(table, body, {}))

    def credit(self, key: str, body: Json, *, replace: bool) -> Json:
        """A credit memo transformed from an invoice: with its customer, currency and, unless replaced, its lines."""
        invoice = self.find("invoice", key)
        lines = [] if replace and "item" in body else invoice["item"]["items"]
        known = {"entity": invoice["entity"], "currency": invoice["currency"], "item": {"items": []}}
        if self._by_key("creditMemo", f"eid:{body.get('externalId')}"):
            _user_error("This record already exists.")
        made = self._document("creditMemo", {**known, **body}, {}, lines)
        invoice["amountRemaining"] = max(Decimal(0), invoice["amountRemaining"] - made["total"])
        return self.keep("creditMemo", {**made, "createdFrom": {"id": invoice["id"]}})

    def _by_key(self, table: str, key: str) -> Json | None:
        if not key.startswith("eid:"):
            return self.tables[table].get(key)
        wanted = key.removeprefix("eid:")
        return next((row for row in self.tables[table].values() if row.get("externalId") == wanted), None)

    def _document(self, table: str, body: Json, found: Json, lines_before: Iterable[Json] = ()) -> Json:
        _only(body, FIELDS[table])
        if not EXTERNAL_ID.fullmatch(str(body.get("externalId", "x"))):
            _user_error("An external ID can contain letters, numbers, underscores and hyphens.")
        customer = self._referred("customer", body, "entity")
        currency = self._referred("currency", body, "currency") if "currency" in body else self._first("currency")
        cent = Decimal(1).scaleb(-int(currency["currencyPrecision"]["id"]))
        lines = [*lines_before, *(self._line(line, index, cent) for index, line in enumerate(_lines(body)))]
        if not lines:
            _user_error("You must enter at least one line item for this transaction.")
        issued = _day(body, "tranDate") or self._now().date()
        if issued <= self.closed_through:
            _user_error("The transaction date is in an accounting period that is closed.")
        self._require_free_number(table, body, found)
        net = sum((line["amount"] for line in lines), Decimal(0))
        tax = (net * self.tax_percent / 100).quantize(cent, ROUND_HALF_UP)
        return {
            **{name: value for name, value in body.items() if name != "item"},
            "entity": {"id": customer["id"], "refName": customer["companyname"]},
            "currency": {"id": currency["id"], "refName": currency["name"]},
            "tranDate": issued.isoformat(),
            **({"dueDate": (_day(body, "dueDate") or issued).isoformat()} if table == "invoice" else {}),
            "item": {"items": lines},
            "subtotal": net,
            "taxTotal": tax,
            "total": net + tax,
            "amountRemaining": net + tax,
            "lastModifiedDate": self._now().isoformat(timespec="seconds"),
        }

    def _line(self, line: Any, index: int, cent: Decimal) -> Json:
        if not isinstance(line, dict):
            _invalid("item.items")
        _only(line, LINE_FIELDS)
        path = f"item.items[{index}]"
        item = self._referred("item", line, "item", path)
        quantity = _number(line, "quantity", Decimal(1))
        rate = _number(line, "rate", Decimal(0))
        amount = _number(line, "amount", quantity * rate)
        return {
            **line,
            "item": {"id": item["id"], "refName": item["itemid"]},
            "amount": amount.quantize(cent, ROUND_HALF_UP),
        }

    def _require_free_number(self, table: str, body: Json, found: Json) -> None:
        for other in self.tables[table].values():
            if other is not found and "tranId" in body and other.get("tranId") == body["tranId"]:
                _user_error(f"The transaction number {body['tranId']} is already used.")

    def _first(self, table: str) -> Json:
        return next(iter(self.tables[table].values()))

    def _referred(self, table: str, body: Json, field: str, path: str = "") -> Json:
        reference = body.get(field)
        if not isinstance(reference, dict) or "id" not in reference:
            _user_error(f"Please enter value(s) for: {field}", path)
        if reference["id"] not in self.tables[table]:
            _user_error(
                f"You have entered an Invalid Field Value {reference['id']} for the following field: {field}", path
            )
        return self.tables[table][reference["id"]]


class InvalidContent(Refused):
    """Refused with the place in the body."""

    def __init__(self, code: str, message: str, path: str = "") -> None:
        super().__init__(400, code, message)
        self.path = path


def _editable(record: Json) -> Json:
    return {name: value for name, value in record.items() if name in DOCUMENT_FIELDS - {"item"}} | {
        "item": {"items": []}
    }


def _lines(body: Json) -> list[Any]:
    item = body.get("item", {})
    if not isinstance(item, dict) or not isinstance(item.get("items"), list):
        _invalid("item")
    lines: list[Any] = item["items"]
    return lines


def _only(body: Json, known: Iterable[str]) -> None:
    for name in body:
        if name not in known:
            _invalid(name)


def _invalid(name: str) -> NoReturn:
    raise InvalidContent(
        "INVALID_CONTENT", f"Invalid content in the request body. Unknown reference or field: {name}.", name
    )


def _user_error(message: str, path: str = "") -> NoReturn:
    raise InvalidContent("USER_ERROR", f"Error while accessing a resource. {message}", path)


def _number(body: Json, name: str, default: Decimal) -> Decimal:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        _invalid(name)
    return Decimal(value)


def _day(body: Json, name: str) -> date | None:
    text = body.get(name)
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except (TypeError, ValueError):
        _invalid(name)
