"""The Salesforce twin's database: checks every write against the schema, and answers queries."""

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any, NoReturn

from local.twins.salesforce_schema import (
    SCHEMA,
    Field,
    SObject,
    as_id,
    long_id,
    rest_datetime,
)
from local.twins.salesforce_values import SalesforceRefused, typed_value
from local.twins.server import Refused

Record = dict[str, Any]


class SeveralMatch(Refused):
    """An external id that several records carry."""

    def __init__(self, records: list[Record]) -> None:
        super().__init__(300, "MULTIPLE_CHOICES", "more than one record matches the external id")
        self.records = records


def sobject_named(name: str) -> SObject:
    """The object of that name; the REST paths and SOQL refuse an unknown one differently."""
    if name not in SCHEMA:
        raise SalesforceRefused("NOT_FOUND", "The requested resource does not exist", status=404)
    return SCHEMA[name]


class Records:
    """Every record by object and 18-character id; stamps are whole seconds, as Salesforce keeps them."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self.tables: dict[str, dict[str, Record]] = {}
        self._now = now
        self._made = 0
        self.clear()

    def clear(self) -> None:
        """Drop every record."""
        self.tables = {name: {} for name in SCHEMA}

    def snapshot(self) -> dict[str, dict[str, Record]]:
        """A copy to roll back to, by assigning it to `tables`."""
        return copy.deepcopy(self.tables)

    def seed(self, sobject: SObject, given: Record, user_id: str) -> str:
        """Store a record as an import would: read-only fields may be given, references may not exist yet."""
        values = {}
        for name, value in given.items():
            field = sobject.fields.get(name) or _no_such_column(name, sobject)
            values[field.name] = None if value is None else typed_value(field, value)
        return self._store(sobject, values, user_id)

    def create(self, sobject: SObject, body: Record, user_id: str) -> str:
        """Insert a record and return its id."""
        values = self._checked(sobject, body)
        missing = [field.name for field in sobject.fields.values() if field.required and values.get(field.name) is None]
        if missing:
            _missing(missing)
        return self._store(sobject, values, user_id)

    def update(self, sobject: SObject, record_id: str, body: Record, user_id: str) -> None:
        """Change a record in place."""
        record = self.find(sobject, record_id)
        values = self._checked(sobject, body, record["Id"])
        cleared = [name for name in values if sobject.fields[name].required and values[name] is None]
        if cleared:
            _missing(cleared)
        record.update(values)
        self._stamp(record, user_id)

    def upsert(self, sobject: SObject, field_name: str, key: str, body: Record, user_id: str) -> tuple[str, bool]:
        """Insert or change the record with that external id; its id and whether it is new."""
        field = _external_id(sobject, field_name)
        for name in ("Id", field.name):
            if name in body:
                raise SalesforceRefused(
                    "INVALID_FIELD", f"The {name} field should not be specified in the sobject data.", name
                )
        found = self.keyed(sobject, field.name, key)
        if found is not None:
            self.update(sobject, found["Id"], body, user_id)
            return str(found["Id"]), False
        return self.create(sobject, {**body, field.name: key}, user_id), True

    def find(self, sobject: SObject, record_id: str) -> Record:
        """The record, or a NOT_FOUND refusal."""
        record = self.tables[sobject.name].get(as_id(record_id) or "")
        if record is None:
            raise SalesforceRefused("NOT_FOUND", "The requested resource does not exist", status=404)
        return record

    def keyed(self, sobject: SObject, field_name: str, key: str) -> Record | None:
        """The record with that external id, if there is one; raises `SeveralMatch`."""
        field = _external_id(sobject, field_name)
        found = [record for record in self.tables[sobject.name].values() if record[field.name] == key]
        if len(found) > 1:
            raise SeveralMatch(found)
        return found[0] if found else None

    def referred(self, record: Record, field: Field) -> tuple[SObject, Record] | None:
        """What the record's reference points at."""
        for name in field.refers_to:
            if (target := self.tables[name].get(record[field.name] or "")) is not None:
                return SCHEMA[name], target
        return None

    def _checked(self, sobject: SObject, body: Record, own_id: str = "") -> Record:
        values: Record = {}
        for name, value in body.items():
            field = sobject.reference(name) if isinstance(value, dict) else sobject.field(name)
            if field is None:
                _no_such_column(name, sobject)
            if field.read_only:
                raise SalesforceRefused(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {field.name}. Please check the security settings of "
                    "this field and verify that it is read/write for your profile or permission set.",
                    field.name,
                )
            if field.name in values:
                raise SalesforceRefused("INVALID_FIELD", f"Duplicate field specified: {field.name}", field.name)
            values[field.name] = self._resolved(field, value)
            if field.external_id:
                self._must_be_unique(sobject, field, values[field.name], own_id)
        return values

    def _resolved(self, field: Field, value: Any) -> Any:
        if value is None or (value == "" and field.limit is not None):
            return False if field.kind == "boolean" else None
        if isinstance(value, dict):
            return self._by_external_id(field, value)
        target = typed_value(field, value)
        if field.kind == "reference" and not any(target in self.tables[name] for name in field.refers_to):
            raise SalesforceRefused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", field.name)
        return target

    def _by_external_id(self, field: Field, value: Record) -> str:
        target = SCHEMA[field.refers_to[0]]
        for name, key in value.items():
            keyed = target.field(name)
            if len(value) != 1 or keyed is None or not keyed.external_id:
                break
            for record in self.tables[target.name].values():
                if record[keyed.name] == key:
                    return str(record["Id"])
            raise SalesforceRefused(
                "INVALID_FIELD",
                f"Foreign key external ID: {key} not found for field {keyed.name} in entity {target.name}",
            )
        raise SalesforceRefused("INVALID_FIELD", f"{field.path} takes one external id of {target.name}", field.path)

    def _must_be_unique(self, sobject: SObject, field: Field, value: Any, own_id: str) -> None:
        for record in self.tables[sobject.name].values():
            if value is not None and record[field.name] == value and record["Id"] != own_id:
                raise SalesforceRefused(
                    "DUPLICATE_VALUE",
                    f"duplicate value found: {field.name} duplicates value on record with id: {record['Id']}",
                )

    def _store(self, sobject: SObject, values: Record, user_id: str) -> str:
        record: Record = {field.name: False if field.kind == "boolean" else None for field in sobject.fields.values()}
        record["Id"] = self._new_id(sobject)
        record["CreatedById"], record["CreatedDate"] = user_id, self._stamp(record, user_id)
        if "OwnerId" in record:
            record["OwnerId"] = user_id
        if sobject.name.endswith("__c"):
            record["Name"] = f"{sobject.prefix}-{self._made:06d}"
        record.update(values)
        self.tables[sobject.name][record["Id"]] = record
        return str(record["Id"])

    def _new_id(self, sobject: SObject) -> str:
        while True:
            self._made += 1
            made = long_id(f"{sobject.prefix}Tw{self._made:010d}")
            if made not in self.tables[sobject.name]:
                return made

    def _stamp(self, record: Record, user_id: str) -> str:
        stamp = rest_datetime(self._now().replace(microsecond=0))
        record["LastModifiedById"] = user_id
        record["LastModifiedDate"] = record["SystemModstamp"] = stamp
        return stamp


def _external_id(sobject: SObject, name: str) -> Field:
    field = sobject.field(name)
    if field is None or not field.external_id:
        message = f"Provided external ID field does not exist or is not accessible: {name}"
        raise SalesforceRefused("NOT_FOUND", message, status=404)
    return field


def _no_such_column(name: str, sobject: SObject) -> NoReturn:
    raise SalesforceRefused("INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject.name}")


def _missing(names: list[str]) -> NoReturn:
    raise SalesforceRefused("REQUIRED_FIELD_MISSING", f"Required fields are missing: {names}", *names)
