"""Reads the part of OData V2's queries that a ledger needs: `eq` with `and` or `or`, `$select`, and pages."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from local.twins.sap_entities import ENTITIES, shown_v2
from local.twins.server import Json, Refused

OPTIONS = {"$filter", "$select", "$top", "$skip", "$skiptoken", "$format", "sap-client"}
PAGE = 100
CONDITION = re.compile(r"\s*(?P<field>\w+)\s+eq\s+'(?P<text>(?:[^']|'')*)'\s*")
JOINT = re.compile(r"(and|or)\b")


def answer_query(name: str, rows: Iterable[Json], args: Mapping[str, str], url: str) -> Json:
    """The `d` of a page of the entity set; raises `Refused` for an option or a field that the service lacks."""
    for option in args:
        if option not in OPTIONS:
            raise Refused(400, "/IWBEP/CM_MGW_RT/176", f"The query option '{option}' is not supported")
    fields = ENTITIES[name].fields
    chosen = [one.strip() for one in args["$select"].split(",")] if "$select" in args else list(fields)
    for field in chosen:
        _require(name, field)
    wanted = _alternatives(name, args.get("$filter", ""))
    found = [row for row in rows if any(all(row[field] == text for field, text in one) for one in wanted)]
    start = _number(args, "$skiptoken", _number(args, "$skip", 0))
    size = min(_number(args, "$top", PAGE), PAGE)
    answer: Json = {"results": [_shown(name, row, chosen, url) for row in found[start : start + size]]}
    if "$top" not in args and start + size < len(found):
        rest = "&".join(f"{option}={value}" for option, value in args.items() if option != "$skiptoken")
        answer["__next"] = f"{url}/{name}?{rest}&$skiptoken={start + size}"
    return answer


def entry(name: str, row: Json, url: str) -> Json:
    """An entity with all its properties."""
    return _shown(name, row, list(ENTITIES[name].fields), url)


def _shown(name: str, row: Json, chosen: Iterable[str], url: str) -> Json:
    predicate = ",".join(f"{key}='{row[key]}'" for key in ENTITIES[name].keys)
    if len(ENTITIES[name].keys) == 1:
        predicate = predicate.partition("=")[2]
    uri = f"{url}/{name}({predicate})"
    meta = {"id": uri, "uri": uri, "type": f"{url.rsplit('/', 1)[-1]}.{name}Type"}
    return {"__metadata": meta, **{field: shown_v2(row[field]) for field in chosen}}


def _alternatives(name: str, text: str) -> list[list[tuple[str, str]]]:
    """The filter as a disjunction of conjunctions, as `and` binds more tightly than `or`."""
    if not text:
        return [[]]
    wanted: list[list[tuple[str, str]]] = [[]]
    at = 0
    while True:
        condition = CONDITION.match(text, at)
        if condition is None:
            raise _unreadable(text)
        _require(name, condition["field"])
        wanted[-1].append((condition["field"], _literal(name, condition["field"], condition["text"])))
        at = condition.end()
        if at == len(text):
            return wanted
        joint = JOINT.match(text, at)
        if joint is None:
            raise _unreadable(text)
        if joint[0] == "or":
            wanted.append([])
        at = joint.end()


def _literal(name: str, field: str, text: str) -> str:
    literal, length = text.replace("''", "'"), ENTITIES[name].fields[field]
    if isinstance(length, int) and len(literal) > length:
        raise Refused(400, "/IWBEP/CM_MGW_RT/022", f"'{literal}' is longer than {length}, the length of '{field}'")
    return literal


def _require(name: str, field: str) -> None:
    if field not in ENTITIES[name].fields:
        raise Refused(400, "005056A509B11EE1B9A8FEC11C21D78E", f"Resource not found for the segment '{field}'")


def _number(args: Mapping[str, Any], option: str, otherwise: int) -> int:
    text = str(args.get(option, otherwise))
    if not text.isdigit():
        raise Refused(400, "/IWBEP/CM_MGW_RT/175", f"Invalid value for '{option}'")
    return int(text)


def _unreadable(text: str) -> Refused:
    return Refused(400, "/IWBEP/CM_MGW_RT/104", f"Invalid filter expression: {text}")
