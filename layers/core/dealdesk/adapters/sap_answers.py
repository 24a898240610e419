"""What S/4HANA's OData services answer: rows and amounts as they are, and what each refusal means for the desk."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import requests

from dealdesk.errors import VendorRefused, VendorUnavailable

Row = dict[str, Any]

# What the part of SAP that repeats answers says of itself: that it is not set up, or with the other numbers, that the
# request has been done or is being done by an earlier call.
REPEATING = "/IWBEP/CM_COS/"
NOT_REPEATING = "/IWBEP/CM_COS/001"
# SAP has a message for every kind of lock; "blocked for billing" is none, a person has to lift that.
LOCKED = re.compile(r"\blocked (by|for)\b|\bcurrently locked\b|\bbeing (processed|edited|changed) by\b", re.IGNORECASE)
WHAT_TO_DO = (
    (re.compile(r"posting period .*not open", re.I), "the period is closed; open it, then post again"),
    (re.compile(r"\bblocked\b", re.I), "lift the block in SAP, then post again"),
    (re.compile(r"\bmaterial\b", re.I), "extend the material to the sales area, then post again"),
    (re.compile(r"\b(customer|sold-to party)\b", re.I), "extend the customer to the sales area, then post again"),
)
_V2_DATE = re.compile(r"/Date\((-?\d+)\)/")


def document(response: requests.Response) -> Row:
    """The JSON of a success; raises what `translated` says of anything else."""
    if not response.ok:
        raise translated(response)
    if response.status_code == 204:
        return {}
    try:
        answer = response.json(parse_float=Decimal)
    except requests.JSONDecodeError as error:
        raise VendorUnavailable("SAP answered with something that is no JSON") from error
    if not isinstance(answer, dict):
        raise VendorUnavailable("SAP answered with JSON that is no document")
    return answer


def translated(response: requests.Response) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of SAP means for the desk."""
    status = response.status_code
    codes, said = problems(response)
    if csrf_required(response) or status in (401, 408, 409, 412, 423, 428, 429) or status >= 500:
        after = response.headers.get("Retry-After", "")
        return VendorUnavailable(
            f"SAP did not do it: {status} {said}"[:300].rstrip(),
            retry_after_seconds=int(after) if after.isdigit() else None,
        )
    if LOCKED.search(said):
        return VendorUnavailable(f"SAP has the document locked: {said}"[:300])
    if any(code.startswith(REPEATING) for code in codes):
        return VendorUnavailable(f"SAP has this request from an earlier call: {said}"[:300])
    hint = next((f"{hint}: " for pattern, hint in WHAT_TO_DO if pattern.search(said)), "")
    return VendorRefused(f"SAP refused: {hint}{' '.join(codes)} {said or f'status {status}'}"[:300])


def problems(response: requests.Response) -> tuple[list[str], str]:
    """The codes and the messages of an error, in the shape of OData V2 or V4; empty when it has neither."""
    try:
        error = response.json()["error"]
        inner = error.get("innererror") or {}
        details = inner.get("errordetails") or error.get("details") or []
        found = [(str(one.get("code") or ""), _text(one.get("message"))) for one in [error, *details]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return [], ""
    codes = dict.fromkeys(code for code, _ in found if code)
    return list(codes), "; ".join(dict.fromkeys(text for _, text in found if text))


def csrf_required(response: requests.Response) -> bool:
    return response.status_code == 403 and response.headers.get("X-CSRF-Token", "").lower() == "required"


def quoted(value: str) -> str:
    """A string literal of OData, for `$filter` and keys."""
    return "'" + value.replace("'", "''") + "'"


def to_v2_date(day: date) -> str:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return f"/Date({int(midnight.timestamp()) * 1000})/"


def from_v2_date(text: object) -> date:
    found = _V2_DATE.fullmatch(str(text))
    if found is None:
        raise VendorUnavailable(f"SAP answered with {str(text)[:40]!r} for a date")
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(found[1]))).date()


def complete(row: object, fields: Iterable[str]) -> Row:
    """The row, when it has all that was asked for."""
    if not isinstance(row, dict) or not row.keys() >= set(fields):
        raise VendorUnavailable(f"SAP answered without all of {', '.join(fields)}")
    return row


def amount(row: Row, name: str) -> Decimal:
    """An Edm.Decimal, which V2 sends as text; never by way of a float."""
    try:
        return Decimal(str(row[name]).strip())
    except (KeyError, ArithmeticError) as error:
        raise VendorUnavailable(f"SAP answered without a number in {name}") from error


def _text(message: object) -> str:
    return str(message.get("value") if isinstance(message, dict) else message or "").strip()
