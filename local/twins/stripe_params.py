"""Reads Stripe's bracketed parameters and refuses what Stripe refuses: unknown, missing, empty, mistyped."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from local.twins.server import Refused

Rule = Callable[[Any, str], Any]

METADATA_KEYS, METADATA_KEY_CHARS, METADATA_VALUE_CHARS = 50, 40, 500
PAGE_LIMIT = 100
_INDEX = re.compile(r"\[([^\[\]]*)\]")
_WHOLE = re.compile(r"-?\d{1,18}")


class StripeRefused(Refused):
    """Stripe's error object; `executed` says that the request got past validation, so its key keeps the no."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        executed: bool = False,
    ) -> None:
        super().__init__(status, code or kind, message)
        self.executed = executed
        stated = {"code": code, "message": message, "param": param, "type": kind}
        self.error = {name: value for name, value in stated.items() if value is not None}


def refuse(message: str, code: str | None, param: str) -> StripeRefused:
    return StripeRefused(400, message, code=code, param=param)


def nested(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][0]=c` as {"a": {"b": {"0": "c"}}}; `a[]=c` counts up by itself."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        head, bracket, tail = name.partition("[")
        parts = [head, *_INDEX.findall(bracket + tail)]
        if _INDEX.sub("", bracket + tail):
            raise refuse(f"Invalid parameter name: {name}", "parameter_unknown", name)
        spot = tree
        for at, part in enumerate(parts):
            key = part or str(len(spot))
            if at == len(parts) - 1:
                spot[key] = value
                break
            spot = spot.setdefault(key, {})
            if not isinstance(spot, dict):
                raise refuse(f"Invalid object: {name}", None, name)
    return tree


def text(limit: int = 5_000) -> Rule:
    def read(value: Any, path: str) -> str:
        if not isinstance(value, str):
            raise refuse("Invalid string: {...}", None, path)
        if not value:
            raise refuse(
                f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a "
                f"parameter; however '{path}' cannot be unset. You should remove '{path}' from your request "
                "or supply a non-empty value.",
                "parameter_invalid_empty",
                path,
            )
        if len(value) > limit:
            raise refuse(f"Invalid string: {value[:9]}...{value[-4:]}; must be at most {limit} characters", None, path)
        return value

    return read


def url(value: Any, path: str) -> str:
    address: str = text()(value, path)
    if not re.fullmatch(r"https?://[^\s/]+\S*", address):
        raise refuse("Not a valid URL", "url_invalid", path)
    return address


def email(value: Any, path: str) -> str:
    address: str = text(512)(value, path)
    if not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", address):
        raise refuse(f"Invalid email address: {address}", "email_invalid", path)
    return address


def whole(least: int | None = None, most: int | None = None) -> Rule:
    def read(value: Any, path: str) -> int:
        number = int(value) if isinstance(value, str) and _WHOLE.fullmatch(value) else None
        if number is None:
            raise refuse(f"Invalid integer: {value}", "parameter_invalid_integer", path)
        if least is not None and number < least:
            said = "non-negative integer" if least == 0 else f"integer, at least {least} needed"
            raise refuse(f"Invalid {said}: {value}", "parameter_invalid_integer", path)
        if most is not None and number > most:
            raise refuse(f"This value must be less than or equal to {most}.", None, path)
        return number

    return read


def one_of(*choices: str) -> Rule:
    def read(value: Any, path: str) -> str:
        if value not in choices:
            raise refuse(f"Invalid {path}: must be one of {', '.join(choices)}", None, path)
        return str(value)

    return read


def many(rule: Rule, most: int = 100) -> Rule:
    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, dict) or any(not key.isdigit() for key in value):
            raise refuse("Invalid array", None, path)
        if len(value) > most:
            raise refuse(f"Array {path} exceeded maximum {most} allowed elements.", None, path)
        return [rule(value[key], f"{path}[{key}]") for key in sorted(value, key=int)]

    return read


def fields(rules: Mapping[str, Rule], required: Iterable[str] = ()) -> Rule:
    """An object with these members and no others; unknown names are told before missing ones."""
    needed = tuple(required)

    def read(value: Any, path: str) -> dict[str, Any]:
        def inner(name: str) -> str:
            return f"{path}[{name}]" if path else name

        if not isinstance(value, dict):
            raise refuse("Invalid object", None, path)
        for name in value:
            if name not in rules:
                at = inner(name)
                raise refuse(f"Received unknown parameter: {at}", "parameter_unknown", at)
        for name in needed:
            if name not in value:
                raise refuse(f"Missing required param: {inner(name)}.", "parameter_missing", inner(name))
        return {name: rules[name](given, inner(name)) for name, given in value.items()}

    return read


def metadata(value: Any, path: str) -> dict[str, str]:
    """Up to 50 keys of 40 characters, values of 500; an empty value leaves the key out. Source: api/metadata."""
    if value == "":
        return {}
    if not isinstance(value, dict) or any(not isinstance(held, str) for held in value.values()):
        raise refuse("Invalid hash: metadata values are strings", None, path)
    if len(value) > METADATA_KEYS:
        raise refuse(f"Metadata can have up to {METADATA_KEYS} keys, but you passed {len(value)}.", None, path)
    for key, held in value.items():
        for what, given, limit in (("keys", key, METADATA_KEY_CHARS), ("values", held, METADATA_VALUE_CHARS)):
            if len(given) > limit:
                raise refuse(
                    f"Metadata {what} can have up to {limit} characters, but you passed in a {what[:-1]} that "
                    f"is {len(given)} characters. Invalid {what[:-1]}: {given}",
                    None,
                    path,
                )
    return {key: held for key, held in value.items() if held}


def _moments(value: Any, path: str) -> dict[str, int]:
    """`created=1` is the same as from 1 to 1."""
    if isinstance(value, str):
        moment = whole()(value, path)
        return {"gte": moment, "lte": moment}
    read = fields(dict.fromkeys(("gt", "gte", "lt", "lte"), whole()))
    return dict(read(value, path))


EXPAND = {"expand": many(text())}
PAGE: dict[str, Rule] = {
    **EXPAND,
    "limit": whole(1, PAGE_LIMIT),
    "starting_after": text(),
    "ending_before": text(),
}
CREATED: dict[str, Rule] = {"created": _moments}
