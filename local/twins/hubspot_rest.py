"""HubSpot's CRM API as the desk calls it: records, batches, search, associations and owners."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from werkzeug.wrappers import Request, Response

from local.twins.hubspot_records import Author, HubspotRefused, Record, Records, stamp
from local.twins.hubspot_schema import PRIMARY_COMPANY, ObjectType, default_link, type_named
from local.twins.hubspot_search import search
from local.twins.server import Endpoint, Json, json_answer

BATCH_LIMIT, HISTORY_BATCH_LIMIT, ASSOCIATION_PAGE_LIMIT, DEFAULT_LINK_LIMIT = 100, 50, 500, 2_000
OBJECTS = "/crm/v3/objects/<kind>"


class RestApi:
    """One account behind one private app's token."""

    def __init__(self, records: Records, token: str, app_id: int, now: Callable[[], datetime]) -> None:
        self._records, self._token, self._now = records, token, now
        self._app = Author("INTEGRATION", str(app_id))
        self.owners: list[Json] = []
        self.search_lag = timedelta(0)

    def routes(self) -> Iterator[tuple[str, str, Endpoint]]:
        yield "POST", OBJECTS, self._on(self._create)
        yield "POST", f"{OBJECTS}/batch/read", self._on(self._batch_read)
        yield "POST", f"{OBJECTS}/batch/upsert", self._on(self._batch_upsert)
        yield "POST", f"{OBJECTS}/search", self._on(self._search)
        yield "GET", f"{OBJECTS}/<key>", self._on(self._read)
        yield "PATCH", f"{OBJECTS}/<key>", self._on(self._update)
        yield "GET", "/crm/v4/objects/<kind>/<key>/associations/<to>", self._on(self._linked)
        associate = "/crm/v4/associations/<kind>/<to>/batch/associate/default"
        yield "POST", associate, self._on(self._associate)
        yield "GET", "/crm/v3/owners/<key>", self._owner

    def _on(self, answer: Callable[..., Response]) -> Endpoint:
        """With the token checked and the object type found."""

        def endpoint(request: Request, kind: str, **rest: str) -> Response:
            self._require_token(request)
            return answer(request, _kind(kind), **rest)

        return endpoint

    def _require_token(self, request: Request) -> None:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            told = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
            raise HubspotRefused(401, "INVALID_AUTHENTICATION", told)

    def _create(self, request: Request, kind: ObjectType) -> Response:
        body = _body(request, {"properties", "associations", "objectWriteTraceId"})
        record = self._records.create(kind, body.get("properties") or {}, self._app)
        return json_answer(record.shown(list(body.get("properties") or {})), 201)

    def _read(self, request: Request, kind: ObjectType, key: str) -> Response:
        record = self._found(kind, key, request.args.get("idProperty", ""))
        return json_answer(record.shown(_names(request, "properties"), _names(request, "propertiesWithHistory")))

    def _update(self, request: Request, kind: ObjectType, key: str) -> Response:
        body = _body(request, {"properties", "objectWriteTraceId"})
        record = self._found(kind, key, request.args.get("idProperty", ""))
        self._records.update(record, body.get("properties") or {}, self._app)
        return json_answer(record.shown(list(body.get("properties") or {})))

    def _batch_read(self, request: Request, kind: ObjectType) -> Response:
        body = _body(request, {"properties", "propertiesWithHistory", "idProperty", "inputs"})
        for name in ("properties", "propertiesWithHistory", "inputs"):
            if not isinstance(body.get(name), list):
                raise _invalid(f"Invalid input JSON: Some required fields were not set: [{name}]")
        history = body["propertiesWithHistory"]
        inputs = _inputs(body, HISTORY_BATCH_LIMIT if history else BATCH_LIMIT)
        keys = list(dict.fromkeys(str(one["id"]) for one in inputs))
        found = {key: self._records.find(kind, key, body.get("idProperty", "")) for key in keys}
        results = [record.shown(body["properties"], history) for record in found.values() if record]
        missing = [key for key, record in found.items() if record is None]
        return self._batch(results, [_not_found(kind, missing)] if missing else [])

    def _batch_upsert(self, request: Request, kind: ObjectType) -> Response:
        inputs = _inputs(_body(request, {"inputs"}), BATCH_LIMIT)
        for one in inputs:
            if one.keys() - {"idProperty", "id", "properties", "objectWriteTraceId"} or "properties" not in one:
                raise _invalid(f"Invalid input JSON: an upsert takes no {sorted(one)}")
            self._records.unique(kind, one.get("idProperty") or "hs_object_id")
        if len({(one["idProperty"], one["id"].lower()) for one in inputs}) != len(inputs):
            raise _invalid("Duplicate IDs found in batch input")
        return self._batch([self._upserted(kind, one) for one in inputs])

    def _upserted(self, kind: ObjectType, one: Json) -> Json:
        properties = {one["idProperty"]: one["id"]} | one["properties"]
        record = self._records.find(kind, one["id"], one["idProperty"])
        is_new = record is None
        if record is None:
            record = self._records.create(kind, properties, self._app)
        else:
            self._records.update(record, properties, self._app)
        return {**record.shown(list(one["properties"])), "new": is_new}

    def _search(self, request: Request, kind: ObjectType) -> Response:
        allowed = {"filterGroups", "sorts", "properties", "limit", "after", "query"}
        records = self._records.tables[kind.type_id].values()
        return json_answer(search(kind, records, _body(request, allowed), self._now() - self.search_lag))

    def _linked(self, request: Request, kind: ObjectType, key: str, to: str) -> Response:
        record, other = self._found(kind, key), _kind(to)
        limit, after = int(request.args.get("limit", ASSOCIATION_PAGE_LIMIT)), int(request.args.get("after", 0))
        if not 0 < limit <= ASSOCIATION_PAGE_LIMIT:
            raise _invalid(f"limit must be between 1 and {ASSOCIATION_PAGE_LIMIT}")
        links = self._records.linked(record, other)
        results = [
            {
                "toObjectId": int(other_id),
                "associationTypes": [_link(type_id, label) for type_id, label in sorted(kinds)],
            }
            for other_id, kinds in links[after : after + limit]
        ]
        more = {"paging": {"next": {"after": str(after + limit)}}} if after + limit < len(links) else {}
        return json_answer({"results": results, **more})

    def _associate(self, request: Request, kind: ObjectType, to: str) -> Response:
        other = _kind(to)
        inputs = _body(request, {"inputs"}).get("inputs") or []
        if not 0 < len(inputs) <= DEFAULT_LINK_LIMIT:
            raise _invalid(f"a batch has 1 to {DEFAULT_LINK_LIMIT} inputs")
        pairs = [(self._found(kind, one["from"]["id"]), self._found(other, one["to"]["id"])) for one in inputs]
        for left, right in pairs:
            self._records.link(left, right)
        spec = {
            "associationCategory": "HUBSPOT_DEFINED",
            "associationTypeId": default_link(kind.type_id, other.type_id),
        }
        return self._batch(
            [{"from": {"id": one.id}, "to": {"id": two.id}, "associationSpec": spec} for one, two in pairs]
        )

    def _owner(self, request: Request, key: str) -> Response:
        self._require_token(request)
        name = request.args.get("idProperty", "id")
        archived = request.args.get("archived", "false").lower() == "true"
        for owner in self.owners:
            if str(owner.get(name) or "") == key and bool(owner["archived"]) == archived:
                return json_answer(owner)
        raise HubspotRefused(404, "OBJECT_NOT_FOUND", f"Unable to find owner with {name} {key}")

    def _found(self, kind: ObjectType, key: str, id_property: str = "") -> Record:
        record = self._records.find(kind, str(key), id_property)
        if record is None:
            raise HubspotRefused(404, "OBJECT_NOT_FOUND", f"Object not found.  objectId are usually numeric: {key}.")
        return record

    def _batch(self, results: list[Json], errors: list[Json] | None = None) -> Response:
        now = stamp(self._now())
        answer: Json = {"status": "COMPLETE", "results": results, "startedAt": now, "completedAt": now}
        if errors:
            return json_answer({**answer, "numErrors": len(errors), "errors": errors}, 207)
        return json_answer(answer)


def _kind(name: str) -> ObjectType:
    kind = type_named(name)
    if kind is None:
        raise _invalid(f"Unable to infer object type from: {name}")
    return kind


def _names(request: Request, name: str) -> list[str]:
    """A list in the query, repeated or with commas."""
    return [one for given in request.args.getlist(name) for one in given.split(",") if one]


def _body(request: Request, allowed: set[str]) -> Json:
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise _invalid(f"Invalid input JSON: {error}") from error
    if not isinstance(body, dict) or body.keys() - allowed:
        raise _invalid(f"Invalid input JSON: an object with {', '.join(sorted(allowed))} is wanted")
    return body


def _inputs(body: Json, limit: int) -> list[Json]:
    inputs = body.get("inputs") or []
    if not 0 < len(inputs) <= limit:
        raise _invalid(f"The maximum number of inputs supported in a batch request is {limit}.")
    return list(inputs)


def _link(type_id: int, label: str) -> Json:
    category = "HUBSPOT_DEFINED" if not label or type_id == PRIMARY_COMPANY else "USER_DEFINED"
    return {"category": category, "typeId": type_id, "label": label or None}


def _not_found(kind: ObjectType, ids: list[str]) -> Json:
    told = f"Could not get some {kind.names[0]} objects, they may be deleted or not exist. Check that ids are valid."
    return {"status": "error", "category": "OBJECT_NOT_FOUND", "message": told, "context": {"ids": ids}}


def _invalid(message: str) -> HubspotRefused:
    return HubspotRefused(400, "VALIDATION_ERROR", message)
