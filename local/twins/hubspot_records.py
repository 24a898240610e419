"""The HubSpot twin's database: checks every write, keeps each property's history and the links between records."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from itertools import count

from local.twins.hubspot_schema import PRIMARY_COMPANY, TEXT_LIMIT, TYPES, ObjectType, Property, default_link
from local.twins.server import Json, Refused

FIRST_ID = 21_000_000_001
MILLISECONDS = re.compile(r"-?\d{1,15}")


class HubspotRefused(Refused):
    """A refusal in HubSpot's shape: its category, and what is wrong with each property."""

    def __init__(self, status: int, category: str, message: str, errors: list[Json] | None = None, **more: str) -> None:
        super().__init__(status, category, message)
        self.errors, self.more = errors or [], more


@dataclass(frozen=True, slots=True)
class Author:
    """Who makes a change: a person in the app, or an app by the API."""

    source_type: str
    source_id: str
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """One value that a property has had."""

    value: str
    at: datetime
    author: Author

    def shown(self) -> Json:
        user = {} if self.author.user_id is None else {"updatedByUserId": self.author.user_id}
        source = {"sourceType": self.author.source_type, "sourceId": self.author.source_id}
        return {"value": self.value, "timestamp": stamp(self.at), **source, **user}


@dataclass(slots=True)
class Record:
    id: str
    kind: ObjectType
    created_at: datetime
    history: dict[str, list[Version]] = field(default_factory=dict)
    updated_at: datetime = datetime(1970, 1, 1, tzinfo=UTC)

    def value(self, name: str, at: datetime | None = None) -> str | None:
        """The property's text now, or as it was; an empty one is null."""
        known = [version for version in self.history.get(name, []) if at is None or version.at <= at]
        return (known[-1].value or None) if known else None

    def shown(self, names: list[str], history: list[str] | None = None) -> Json:
        """As the API shows it: unknown names are left out, the system's own are always there."""
        wanted = dict.fromkeys(["hs_object_id", "hs_createdate", "hs_lastmodifieddate", *names])
        shown = {
            "id": self.id,
            "properties": {name: self.value(name) for name in wanted if name in self.kind.properties},
            "createdAt": stamp(self.created_at),
            "updatedAt": stamp(self.updated_at),
            "archived": False,
        }
        if history:
            shown["propertiesWithHistory"] = {
                name: [version.shown() for version in reversed(self.history.get(name, []))]
                for name in history
                if name in self.kind.properties
            }
        return shown


class Records:
    """Every record by type and id; `changed` hears of each property that took another value."""

    def __init__(
        self, now: Callable[[], datetime], changed: Callable[[Record, str, Version], None] = lambda *_: None
    ) -> None:
        self._now, self._changed = now, changed
        self.clear()

    def clear(self) -> None:
        self.tables: dict[str, dict[str, Record]] = {type_id: {} for type_id in TYPES}
        self.links: dict[tuple[str, str], dict[str, tuple[str, set[tuple[int, str]]]]] = {}
        self._ids = count(FIRST_ID)

    def find(self, kind: ObjectType, key: str, id_property: str = "") -> Record | None:
        """By record id, or by a unique property."""
        if not id_property or id_property == "hs_object_id":
            return self.tables[kind.type_id].get(key)
        self.unique(kind, id_property)
        records = self.tables[kind.type_id].values()
        return next((one for one in records if (one.value(id_property) or "").lower() == key.lower()), None)

    def unique(self, kind: ObjectType, name: str) -> None:
        """Raises what HubSpot says of a property by which nothing can be found."""
        known = kind.properties.get(name)
        if known is None or not known.unique:
            message = f"Unable to perform update/upsert by non-unique {kind.type_id} property {name}"
            raise HubspotRefused(400, "VALIDATION_ERROR", message)

    def create(self, kind: ObjectType, given: Mapping[str, object], author: Author, record_id: str = "") -> Record:
        values = _checked(kind, given)
        missing = [name for name in kind.required if not values.get(name)]
        if missing:
            message = f"Error creating {kind.names[0]}. Some required properties were not set."
            raise HubspotRefused(400, "VALIDATION_ERROR", message, [{"message": message, "properties": missing}])
        self._require_unique(kind, values, "")
        record = Record(record_id or str(next(self._ids)), kind, self._now())
        self.tables[kind.type_id][record.id] = record
        self._set(record, {"hs_object_id": record.id, "hs_createdate": stamp(record.created_at)}, author)
        self._set(record, values, author)
        return record

    def update(self, record: Record, given: Mapping[str, object], author: Author) -> None:
        values = _checked(record.kind, given)
        self._require_unique(record.kind, values, record.id)
        self._set(record, values, author)

    def link(self, one: Record, other: Record, label: str = "", type_id: int = 0) -> None:
        """Links two records in both directions; to link what is linked changes nothing."""
        for left, right in ((one, other), (other, one)):
            kind = default_link(left.kind.type_id, right.kind.type_id)
            there = self.links.setdefault((left.kind.type_id, left.id), {})
            _, labels = there.setdefault(right.id, (right.kind.type_id, set()))
            labels.add((kind, ""))
            if label:
                labels.add((type_id or (PRIMARY_COMPANY if label == "Primary" else 7), label))

    def linked(self, record: Record, kind: ObjectType) -> list[tuple[str, set[tuple[int, str]]]]:
        there = self.links.get((record.kind.type_id, record.id), {})
        return [(other, labels) for other, (type_id, labels) in sorted(there.items()) if type_id == kind.type_id]

    def _set(self, record: Record, values: Mapping[str, str], author: Author) -> None:
        """Only another value is a change, with a place in the history and a word to those who listen."""
        now = self._now()
        changes = {name: value for name, value in values.items() if (record.value(name) or "") != value}
        stamps = {"hs_lastmodifieddate": stamp(now)}
        if author.user_id is not None:
            stamps["hs_updated_by_user_id"] = str(author.user_id)
        for name, value in (changes | stamps if changes else {}).items():
            version = Version(value, now, author)
            record.history.setdefault(name, []).append(version)
            record.updated_at = now
            if name in changes:
                self._changed(record, name, version)

    def _require_unique(self, kind: ObjectType, values: Mapping[str, str], own_id: str) -> None:
        for name, value in values.items():
            if kind.properties[name].unique and value:
                other = self.find(kind, value, name)
                if other is not None and other.id != own_id:
                    message = f"Cannot set PropertyValueCoordinates; {other.id} already has that value."
                    raise HubspotRefused(400, "VALIDATION_ERROR", message)


def stamp(moment: datetime) -> str:
    """As HubSpot writes a time: with milliseconds only where there are some."""
    cut = moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)
    text = cut.isoformat(timespec="milliseconds" if cut.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _checked(kind: ObjectType, given: Mapping[str, object]) -> dict[str, str]:
    values: dict[str, str] = {}
    errors: list[Json] = []
    for name, value in given.items():
        known = kind.properties.get(name)
        if known is None:
            errors.append(_error(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
        elif known.read_only:
            errors.append(_error(name, "READ_ONLY_VALUE", f'"{name}" is a read only property'))
        elif (text := _taken(known, value)) is None:
            errors.append(_error(name, f"INVALID_{known.kind.upper()}", f"{value!r} was not a valid {known.kind}."))
        else:
            values[name] = text
    if errors:
        told = ", ".join(f'{{"name":"{one["context"]["propertyName"][0]}","error":"{one["code"]}"}}' for one in errors)
        raise HubspotRefused(400, "VALIDATION_ERROR", f"Property values were not valid: [{told}]", errors)
    return values


def _error(name: str, code: str, message: str) -> Json:
    return {"message": message, "code": code, "context": {"propertyName": [name]}}


def _taken(known: Property, value: object) -> str | None:
    """The text that is stored, or None where HubSpot does not take the value; empty text clears."""
    if value is None or isinstance(value, (dict, list)):
        return "" if value is None else None
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if not text:
        return ""
    match known.kind:
        case "number":
            return text if _is_number(text) else None
        case "datetime" | "date":
            return _time(text, known.kind)
        case "enumeration" if known.options:
            return text if text in known.options else None
    return text.strip() if len(text) <= TEXT_LIMIT else None


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _time(text: str, kind: str) -> str | None:
    try:
        if kind == "date" and len(text) == len("2027-01-31"):
            return date.fromisoformat(text).isoformat()
        if MILLISECONDS.fullmatch(text):
            moment = datetime.fromtimestamp(int(text) / 1000, UTC)
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    if kind == "date":
        return moment.date().isoformat() if moment.timetz().replace(tzinfo=None).isoformat() == "00:00:00" else None
    return stamp(moment)
