"""Answers a SOQL query from the twin's records."""

from collections.abc import Callable, Iterable
from operator import eq, ge, gt, le, lt
from typing import Any

from local.twins.salesforce_records import Record, Records
from local.twins.salesforce_schema import SCHEMA, Field, SObject, as_date, as_id, as_moment
from local.twins.salesforce_soql import Condition, Query, Value
from local.twins.salesforce_values import SalesforceRefused

LITERALS = {
    "string": {"string", "email", "id", "reference"},
    "number": {"double", "int"},
    "boolean": {"boolean"},
    "time": {"date", "datetime"},
}
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "IN": eq, "<": lt, ">": gt, "<=": le, ">=": ge}

Path = tuple[tuple[Field, ...], Field]


def wire(sobject: SObject, record: Record, version: str) -> Record:
    """The head of a record as the REST API shows it, without its fields."""
    url = f"/services/data/{version}/sobjects/{sobject.name}/{record['Id']}"
    return {"attributes": {"type": sobject.name, "url": url}}


def answer_query(records: Records, query: Query, version: str) -> list[Record]:
    """The matching records in the shape of the REST API; raises INVALID_TYPE and INVALID_FIELD."""
    sobject = next((known for known in SCHEMA.values() if known.name.lower() == query.sobject.lower()), None)
    if sobject is None:
        raise SalesforceRefused("INVALID_TYPE", f"sObject type '{query.sobject}' is not supported.")
    search = _Search(records, sobject, version)
    shown = [search.path(name) for name in query.fields]
    if len(set(shown)) != len(shown):
        raise SalesforceRefused("INVALID_FIELD", "duplicate field selected")
    tests = [search.test(condition) for condition in query.conditions]
    order = [(search.path(name), descending) for name, descending in query.order]
    found = [record for record in records.tables[sobject.name].values() if all(test(record) for test in tests)]
    for path, descending in reversed(order):
        found.sort(key=lambda record, path=path: search.rank(record, path), reverse=descending)  # type: ignore[misc]
    return [search.show(record, shown) for record in found[: query.limit]]


class _Search:
    def __init__(self, records: Records, sobject: SObject, version: str) -> None:
        self._records, self._sobject, self._version = records, sobject, version

    def path(self, text: str) -> Path:
        """The references to walk and the field at the end."""
        *steps, last = text.split(".")
        reached, walked = [self._sobject], []
        for step in steps:
            reference = _first(sobject.reference(step) for sobject in reached)
            if reference is None:
                raise SalesforceRefused(
                    "INVALID_FIELD", f"Didn't understand relationship '{step}' in field path {text}."
                )
            walked.append(reference)
            reached = [SCHEMA[name] for name in reference.refers_to]
        field = _first(sobject.field(last) for sobject in reached)
        if field is None:
            raise SalesforceRefused("INVALID_FIELD", f"No such column '{last}' on entity '{reached[0].name}'.")
        return tuple(walked), field

    def read(self, record: Record, path: Path) -> Any:
        """The value at the end of the path; None where a reference on the way is empty."""
        at = record
        for reference in path[0]:
            target = self._records.referred(at, reference)
            if target is None:
                return None
            at = target[1]
        return at.get(path[1].name)

    def rank(self, record: Record, path: Path) -> tuple[bool, Any]:
        """A sort key: empty values first, text without case."""
        value = self.read(record, path)
        return value is not None, value.casefold() if isinstance(value, str) else value or 0

    def test(self, condition: Condition) -> Callable[[Record], bool]:
        """The condition as a function of a record."""
        path = self.path(condition.path)
        field = path[1]
        wanted = [_literal(condition, field, value) for value in condition.values]
        if condition.operator == "!=":
            return lambda record: _comparable(field, self.read(record, path)) != wanted[0]
        compare = COMPARISONS[condition.operator]

        def holds(record: Record) -> bool:
            value = _comparable(field, self.read(record, path))
            if value is None or None in wanted:
                return compare is eq and value in wanted
            return any(compare(value, one) for one in wanted)

        return holds

    def show(self, record: Record, paths: list[Path]) -> Record:
        """The selected fields, nested along the relationships."""
        answer = wire(self._sobject, record, self._version)
        for references, field in paths:
            source, shown = record, answer
            for reference in references:
                target = self._records.referred(source, reference)
                if target is None:
                    shown[reference.path] = None
                    break
                source = target[1]
                shown = shown.setdefault(reference.path, wire(*target, self._version))
            else:
                shown[field.name] = source.get(field.name)
        return answer


def _first(fields: Iterable[Field | None]) -> Field | None:
    return next((field for field in fields if field is not None), None)


def _literal(condition: Condition, field: Field, value: Value) -> Any:
    """The literal as it compares with the field; raises where it is of another type."""
    if value.kind == "null":
        return None
    if field.kind == "long":
        raise SalesforceRefused("INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
    if field.kind not in LITERALS[value.kind]:
        quotes = "should be enclosed in quotes" if field.limit is not None else "should not be enclosed in quotes"
        raise SalesforceRefused(
            "INVALID_FIELD",
            f"value of filter criterion for field '{field.name}' must be of type {field.kind} and {quotes}",
        )
    comparable = _comparable(field, value.text)
    if comparable is None and field.kind in ("id", "reference"):
        raise SalesforceRefused("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {value.text}")
    if comparable is None:
        raise SalesforceRefused("INVALID_FIELD", f"'{value.text}' is no {field.kind} for '{condition.path}'")
    return comparable


def _comparable(field: Field, value: Any) -> Any:
    """A stored or literal value in the form in which Salesforce compares it: text without case."""
    if value is None:
        return None
    match field.kind:
        case "id" | "reference":
            return as_id(value)
        case "double" | "int":
            return float(value)
        case "boolean":
            return value if isinstance(value, bool) else value == "true"
        case "date":
            return as_date(value)
        case "datetime":
            return as_moment(value)
    return str(value).casefold()
