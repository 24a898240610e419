"""Reads the part of QuickBooks' query language that a ledger needs: equality, AND, and pages."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from local.twins.server import Json, Refused

QUERYABLE = {
    "Invoice": ("Id", "DocNumber", "TxnDate", "DueDate", "Balance", "TotalAmt", "CustomerRef"),
    "CreditMemo": ("Id", "DocNumber", "TxnDate", "Balance", "TotalAmt", "CustomerRef"),
    "Customer": ("Id", "DisplayName", "CompanyName", "Active"),
    "Item": ("Id", "Name", "Active"),
}
PAGE_LIMIT = 1_000
DEFAULT_PAGE = 100
QUERY = re.compile(
    r"""\s*select\s+(?P<what>\*|count\(\*\))\s+from\s+(?P<entity>\w+)
    (?:\s+where\s+(?P<where>.+?))?
    (?:\s+startposition\s+(?P<start>\d+))?
    (?:\s+maxresults\s+(?P<size>\d+))?\s*""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
CONDITION = re.compile(r"\s*(?P<field>\w+)\s*=\s*(?:'(?P<text>(?:[^'\\]|\\.)*)'|(?P<word>true|false))", re.I | re.S)
AND = re.compile(r"\s+and\s+", re.IGNORECASE)


def answer_query(text: str, tables: Mapping[str, Mapping[str, Json]]) -> Json:
    """The QueryResponse to a query; raises `Refused` 4000 if unreadable, 4001 for an unknown field."""
    match = QUERY.fullmatch(text)
    if match is None:
        raise _unreadable(text)
    entity = next((name for name in QUERYABLE if name.lower() == match["entity"].lower()), None)
    if entity is None:
        raise Refused(400, "4001", f"QueryValidationError: Invalid context declaration: {match['entity']}")
    wanted = _conditions(entity, match["where"] or "")
    found = [one for one in tables[entity].values() if all(_equal(one, *pair) for pair in wanted)]
    if match["what"] != "*":
        return {"totalCount": len(found)}
    start, size = int(match["start"] or 1), int(match["size"] or DEFAULT_PAGE)
    if start < 1 or not 1 <= size <= PAGE_LIMIT:
        raise _unreadable(text)
    page = found[start - 1 : start - 1 + size]
    return {entity: page, "startPosition": start, "maxResults": len(page)} if page else {}


def _conditions(entity: str, where: str) -> list[tuple[str, str]]:
    wanted, at = [], 0
    while at < len(where):
        match = CONDITION.match(where, at)
        if match is None:
            raise _unreadable(where)
        field = next((name for name in QUERYABLE[entity] if name.lower() == match["field"].lower()), None)
        if field is None:
            message = f"QueryValidationError: Property {match['field']} not found for Entity {entity}"
            raise Refused(400, "4001", message)
        text = match["word"] if match["text"] is None else re.sub(r"\\(.)", r"\1", match["text"])
        wanted.append((field, text))
        at = match.end()
        if at < len(where):
            joint = AND.match(where, at)
            if joint is None or joint.end() == len(where):
                raise _unreadable(where)
            at = joint.end()
    return wanted


def _equal(record: Json, field: str, wanted: str) -> bool:
    value: Any = record.get(field)
    if isinstance(value, dict):
        value = value["value"]
    if isinstance(value, bool):
        return str(value).lower() == wanted.lower()
    if isinstance(value, Decimal):
        try:
            return value == Decimal(wanted)
        except InvalidOperation:
            return False
    return isinstance(value, str) and value.casefold() == wanted.casefold()


def _unreadable(text: str) -> Refused:
    return Refused(400, "4000", f"QueryParserError: Encountered unexpected text in: {text}")
