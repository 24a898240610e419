"""HubSpot's search: filters over an index that lags behind the records."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal

from local.twins.hubspot_records import HubspotRefused, Record
from local.twins.hubspot_schema import ObjectType, Property
from local.twins.server import Json

PAGE_LIMIT, RESULT_LIMIT = 200, 10_000
GROUP_LIMIT, FILTER_LIMIT, ALL_FILTERS_LIMIT = 5, 6, 18
OPERATORS = {"EQ", "NEQ", "LT", "LTE", "GT", "GTE", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "IN"}
Comparable = Decimal | datetime | str


def search(kind: ObjectType, records: Iterable[Record], asked: Json, as_of: datetime) -> Json:
    """One page of what the index knows: each record as it was at `as_of`."""
    groups = asked.get("filterGroups") or []
    filters = [one for group in groups for one in group.get("filters") or []]
    if len(groups) > GROUP_LIMIT or len(filters) > ALL_FILTERS_LIMIT:
        raise _invalid(f"a search takes up to {GROUP_LIMIT} groups and {ALL_FILTERS_LIMIT} filters")
    if any(len(group.get("filters") or []) > FILTER_LIMIT for group in groups):
        raise _invalid(f"a group takes up to {FILTER_LIMIT} filters")
    for one in filters:
        if one.get("operator") not in OPERATORS:
            raise _invalid(f"{one.get('operator')} is no operator")
        if one.get("propertyName") not in kind.properties:
            raise _invalid(f"There was a problem with the request: {one.get('propertyName')} is no property")
    limit, after = int(asked.get("limit") or 10), int(asked.get("after") or 0)
    if not 0 < limit <= PAGE_LIMIT or after + limit > RESULT_LIMIT:
        raise _invalid(f"limit is 1 to {PAGE_LIMIT}, and a search ends at {RESULT_LIMIT} results")
    found = [record for record in records if record.created_at <= as_of and _matches(record, groups, as_of)]
    for sort in reversed(asked.get("sorts") or []):
        found.sort(key=lambda record: _key(record, sort, as_of), reverse=sort.get("direction") == "DESCENDING")
    page = found[after : after + limit]
    answer: Json = {"total": len(found), "results": [record.shown(asked.get("properties") or []) for record in page]}
    if after + limit < len(found):
        answer["paging"] = {"next": {"after": str(after + limit)}}
    return answer


def _matches(record: Record, groups: list[Json], as_of: datetime) -> bool:
    return not groups or any(all(_holds(record, one, as_of) for one in group.get("filters") or []) for group in groups)


def _holds(record: Record, one: Json, as_of: datetime) -> bool:
    name, operator = str(one["propertyName"]), str(one["operator"])
    known, text = record.kind.properties[name], record.value(name, as_of)
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return (text is None) is (operator == "NOT_HAS_PROPERTY")
    if text is None:
        return operator == "NEQ"
    value = _comparable(known, text)
    if operator == "IN":
        return value in [_comparable(known, str(other)) for other in one["values"]]
    other = _comparable(known, str(one["value"]))
    if isinstance(value, Decimal) and isinstance(other, Decimal):
        return _compared(operator, (value > other) - (value < other))
    if isinstance(value, datetime) and isinstance(other, datetime):
        return _compared(operator, (value > other) - (value < other))
    return _compared(operator, (str(value) > str(other)) - (str(value) < str(other)))


def _compared(operator: str, order: int) -> bool:
    return {
        "EQ": order == 0,
        "NEQ": order != 0,
        "LT": order < 0,
        "LTE": order <= 0,
        "GT": order > 0,
        "GTE": order >= 0,
    }[operator]


def _key(record: Record, sort: Json, as_of: datetime) -> str:
    return record.value(sort["propertyName"], as_of) or ""


def _comparable(known: Property, text: str) -> Comparable:
    if known.kind == "number":
        return Decimal(text)
    if known.kind in ("datetime", "date"):
        if text.isdigit():
            return datetime.fromtimestamp(int(text) / 1000, UTC)
        return datetime.fromisoformat(text if "T" in text else f"{text}T00:00:00+00:00")
    return text.lower()


def _invalid(message: str) -> HubspotRefused:
    return HubspotRefused(400, "VALIDATION_ERROR", message)
