"""What Salesforce lets into a field: the right type, not too long, an id of the right object."""

from typing import Any

from local.twins.salesforce_schema import SCHEMA, Field, as_date, as_id, as_moment, rest_datetime
from local.twins.server import Refused


class SalesforceRefused(Refused):
    """A refusal that names fields."""

    def __init__(self, code: str, message: str, *fields: str, status: int = 400) -> None:
        super().__init__(status, code, message)
        self.fields = list(fields)


def typed_value(field: Field, value: Any) -> Any:
    """The value as stored: numbers as floats, ids in the long form; raises where the type is wrong."""
    match field.kind, value:
        case "double" | "int", int() | float() if not isinstance(value, bool):
            return float(value) if field.kind == "double" else int(value)
        case "boolean", bool():
            return value
        case "string" | "email" | "long", str():
            return _text(field, value)
        case "date", str() if (day := as_date(value)) is not None:
            return day
        case "datetime", str() if (moment := as_moment(value)) is not None:
            return rest_datetime(moment)
        case "id" | "reference", str():
            return _identifier(field, value)
    shown = {bool: "VALUE_TRUE" if value else "VALUE_FALSE", str: "VALUE_STRING"}.get(type(value), "VALUE_NUMBER")
    raise SalesforceRefused(
        "JSON_PARSER_ERROR",
        f"Cannot deserialize instance of {field.kind} from {shown} value {value} "
        f"or request may be missing a required field: {field.name}",
    )


def _text(field: Field, value: str) -> str:
    if field.limit is not None and len(value) > field.limit:
        raise SalesforceRefused(
            "STRING_TOO_LONG", f"{field.name}: data value too large: (max length={field.limit})", field.name
        )
    local, at, host = value.partition("@")
    if field.kind == "email" and not (local and at and "." in host):
        raise SalesforceRefused("INVALID_EMAIL_ADDRESS", f"{field.name}: invalid email address: {value}", field.name)
    return value


def _identifier(field: Field, value: str) -> str:
    full = as_id(value)
    if full is None:
        raise SalesforceRefused("MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", field.name)
    if field.refers_to and full[:3] not in {SCHEMA[name].prefix for name in field.refers_to}:
        raise SalesforceRefused(
            "FIELD_INTEGRITY_EXCEPTION", f"{field.name}: id value of incorrect type: {value}", field.name
        )
    return full
