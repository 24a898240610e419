"""The Salesforce twin's REST API: queries, single records, upserts and composites."""

import json
import re
import secrets
from collections.abc import Callable, Iterator
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from local.twins.salesforce_login import Login
from local.twins.salesforce_query import answer_query, wire
from local.twins.salesforce_records import Record, Records, SeveralMatch
from local.twins.salesforce_schema import SCHEMA, SObject
from local.twins.salesforce_soql import parse_soql
from local.twins.salesforce_values import SalesforceRefused
from local.twins.server import Json, Refused, json_answer

PAGE_SIZE = 2_000
COMPOSITE_LIMIT = 25
USAGE = {"Sforce-Limit-Info": "api-usage=1/100000"}
HALTED = [
    {
        "errorCode": "PROCESSING_HALTED",
        "message": "The transaction was rolled back since another operation in the same transaction failed.",
    }
]
REFERENCE = re.compile(r"@\{(\w+)\.id\}")


class RestApi:
    """Every endpoint runs as the user of its session; `dispatch` answers a subrequest of a composite."""

    def __init__(self, records: Records, login: Login, dispatch: Callable[[Request], Response]) -> None:
        self._records, self._login, self._dispatch = records, login, dispatch
        self.pages: dict[str, list[Record]] = {}

    def routes(self) -> Iterator[tuple[str, str, Callable[..., Response]]]:
        """Method, path and endpoint of every resource."""
        for method, rule, endpoint in (
            ("GET", "/query", self._query),
            ("GET", "/query/<locator>", self._query_more),
            ("POST", "/composite", self._composite),
            ("POST", "/sobjects/<kind>", self._create),
            ("GET", "/sobjects/<kind>/<record_id>", self._read),
            ("PATCH", "/sobjects/<kind>/<record_id>", self._update),
            ("GET", "/sobjects/<kind>/<field>/<path:key>", self._read_by_key),
            ("PATCH", "/sobjects/<kind>/<field>/<path:key>", self._upsert),
        ):
            yield method, f"/services/data/<version>{rule}", self._signed_in(endpoint)

    def _signed_in(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        def checked(request: Request, version: str, **params: Any) -> Response:
            self._login.user_of(request)
            if not re.fullmatch(r"v[1-9]\d\.0", version):
                raise _not_found()
            if "kind" in params:
                params["kind"] = _sobject(params["kind"])
            try:
                answer = endpoint(request, version, **params)
            except SeveralMatch as several:
                urls = [wire(params["kind"], one, version)["attributes"]["url"] for one in several.records]
                answer = json_answer(urls, 300)
            answer.headers.update(USAGE)
            return answer

        return checked

    def _query(self, request: Request, version: str) -> Response:
        if "q" not in request.args:
            raise Refused(400, "MALFORMED_QUERY", "the query is missing")
        found = answer_query(self._records, parse_soql(request.args["q"]), version)
        return self._page(f"01g{secrets.token_hex(6)}", found, 0, version)

    def _query_more(self, _request: Request, version: str, locator: str) -> Response:
        name, _, start = locator.rpartition("-")
        if name not in self.pages or not start.isdigit():
            raise Refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._page(name, self.pages[name], int(start), version)

    def _page(self, name: str, found: list[Record], start: int, version: str) -> Response:
        end = start + PAGE_SIZE
        page: Json = {"totalSize": len(found), "done": end >= len(found), "records": found[start:end]}
        if not page["done"]:
            self.pages[name] = found
            page["nextRecordsUrl"] = f"/services/data/{version}/query/{name}-{end}"
        return json_answer(page)

    def _create(self, request: Request, _version: str, kind: SObject) -> Response:
        made = self._records.create(kind, _body(request), self._login.user_of(request))
        return json_answer({"id": made, "success": True, "errors": []}, 201)

    def _read(self, request: Request, version: str, kind: SObject, record_id: str) -> Response:
        return _shown(request, kind, self._records.find(kind, record_id), version)

    def _read_by_key(self, request: Request, version: str, kind: SObject, field: str, key: str) -> Response:
        record = self._records.keyed(kind, field, key)
        if record is None:
            raise _not_found()
        return _shown(request, kind, record, version)

    def _update(self, request: Request, _version: str, kind: SObject, record_id: str) -> Response:
        self._records.update(kind, record_id, _body(request), self._login.user_of(request))
        return Response(status=204)

    def _upsert(self, request: Request, _version: str, kind: SObject, field: str, key: str) -> Response:
        user_id = self._login.user_of(request)
        made, is_new = self._records.upsert(kind, field, key, _body(request), user_id)
        answer = {"id": made, "success": True, "errors": [], "created": is_new}
        return json_answer(answer, 201 if is_new else 200)

    def _composite(self, request: Request, _version: str) -> Response:
        body = _body(request)
        parts = body.get("compositeRequest")
        if not isinstance(parts, list) or not 0 < len(parts) <= COMPOSITE_LIMIT:
            raise Refused(400, "INVALID_INPUT", f"compositeRequest takes 1 to {COMPOSITE_LIMIT} subrequests")
        before, made = self._records.snapshot(), dict[str, str]()
        answers = [self._part(request, part, made) for part in parts]
        if body.get("allOrNone") is True and any(answer["httpStatusCode"] >= 300 for answer in answers):
            self._records.tables = before
            answers = [answer if _failed(answer) else _halted(answer) for answer in answers]
        return json_answer({"compositeResponse": answers})

    def _part(self, request: Request, part: Json, made: dict[str, str]) -> Json:
        """Do one subrequest; `@{reference.id}` in it stands for the id that an earlier one made."""
        if not isinstance(part, dict) or not {"method", "url", "referenceId"} <= part.keys():
            raise Refused(400, "JSON_PARSER_ERROR", "a subrequest needs method, url and referenceId")
        filled = json.loads(REFERENCE.sub(lambda match: made.get(match[1], match[0]), json.dumps(part)))
        if filled["url"].rstrip("/").endswith("/composite"):
            raise Refused(400, "INVALID_INPUT", "a composite takes no composite")
        headers = [("Authorization", request.headers["Authorization"])]
        builder = EnvironBuilder(filled["url"], method=filled["method"], json=filled.get("body"), headers=headers)
        try:
            answer = self._dispatch(builder.get_request(Request))
        finally:
            builder.close()
        body = answer.get_json() if answer.get_data() else None
        if isinstance(body, dict) and "id" in body:
            made[filled["referenceId"]] = body["id"]
        return {
            "body": body,
            "httpHeaders": {},
            "httpStatusCode": answer.status_code,
            "referenceId": filled["referenceId"],
        }


def _failed(answer: Json) -> bool:
    return int(answer["httpStatusCode"]) >= 300


def _halted(answer: Json) -> Json:
    return {**answer, "body": HALTED, "httpStatusCode": 400}


def _not_found() -> SalesforceRefused:
    return SalesforceRefused("NOT_FOUND", "The requested resource does not exist", status=404)


def _sobject(name: str) -> SObject:
    if name not in SCHEMA:
        raise _not_found()
    return SCHEMA[name]


def _body(request: Request) -> Record:
    try:
        body = json.loads(request.get_data())
    except ValueError as error:
        raise Refused(400, "JSON_PARSER_ERROR", f"The HTTP entity body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "JSON_PARSER_ERROR", "The HTTP entity body must be an object")
    return body


def _shown(request: Request, sobject: SObject, record: Record, version: str) -> Response:
    names = request.args["fields"].split(",") if "fields" in request.args else list(sobject.fields)
    fields = {name: sobject.field(name.strip()) for name in names}
    for name, field in fields.items():
        if field is None:
            raise SalesforceRefused("INVALID_FIELD", f"No such column '{name}' on entity '{sobject.name}'")
    shown = {field.name: record[field.name] for field in fields.values() if field is not None}
    return json_answer({**wire(sobject, record, version), **shown})
