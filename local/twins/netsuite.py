"""NetSuite's twin: one account's customers, items, invoices and credit memos behind REST, SuiteQL and two sign-ins."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal

from werkzeug.wrappers import Request, Response

from local.twins.netsuite_books import TYPES, Books
from local.twins.netsuite_login import Door, Integration
from local.twins.netsuite_query import answer_suiteql
from local.twins.server import Json, Refused, Twin, json_answer

RECORDS = "/services/rest/record/v1"
CONCURRENCY_LIMIT = 5
JSON_TYPES = {"application/json", "application/vnd.oracle.resource+json"}
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Too Many Requests"}


class NetSuiteTwin(Twin):
    """One account; more than five calls at once are refused, whoever makes them."""

    name = "netsuite"

    def __init__(self, integration: Integration) -> None:
        super().__init__()
        self.books = Books(lambda: self.clock())
        self.door = Door(integration, lambda: self.clock())
        self.concurrency_limit = CONCURRENCY_LIMIT
        self.seconds_a_call = 0.0
        self._at_work = 0
        self._seeds: list[Mapping[str, Sequence[Json]]] = []
        self.route("POST", "/services/rest/auth/oauth2/v1/token", self.door.give_token)
        self.route("POST", "/services/rest/query/v1/suiteql", self._allowed(self._query))
        for table in ("invoice", "creditMemo"):
            self.route("GET", f"{RECORDS}/{table}/<key>", self._allowed(self._reader(table)))
            self.route("PUT", f"{RECORDS}/{table}/<key>", self._allowed(self._upserter(table)))
            self.route("POST", f"{RECORDS}/{table}", self._allowed(self._inserter(table)))
        self.route("GET", f"{RECORDS}/currency/<key>", self._allowed(self._read_currency))
        self.route("POST", f"{RECORDS}/invoice/<key>/!transform/creditMemo", self._allowed(self._transform))
        self.action("close_books", self._close_books)
        self.action("charge_tax", self._charge_tax)
        self.action("enter", self._enter)

    def load(self, records: Mapping[str, Sequence[Json]]) -> None:
        """Import customers, items and currencies; ids are kept, missing ones made."""
        with self.lock:
            self._import(records)
            self._seeds.append(records)

    def clear(self) -> None:
        self.books.clear()
        self.door.clear()
        for seed in self._seeds:
            self._import(seed)

    def state(self) -> Json:
        return {name: list(table.values()) for name, table in self.books.tables.items()} | {"edits": self.books.edits}

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return self._problem(status, {"detail": message, "o:errorCode": code})

    def refusal(self, refused: Refused) -> Response:
        path = getattr(refused, "path", "")
        where = {"o:errorPath": path} if path else {}
        return self._problem(refused.status, {"detail": refused.message, "o:errorCode": refused.code, **where})

    def _problem(self, status: int, detail: Json) -> Response:
        body = {
            "type": f"https://www.rfc-editor.org/rfc/rfc9110.html#section-15.{str(status)[0]}",
            "title": TITLES.get(status, "Internal Server Error"),
            "status": status,
            "o:errorDetails": [detail],
        }
        answer = json_answer(body, status)
        answer.content_type = "application/vnd.oracle.resource+json; type=error; charset=UTF-8"
        return answer

    def _import(self, records: Mapping[str, Sequence[Json]]) -> None:
        for table, rows in records.items():
            for row in rows:
                self.books.keep(table, {"isinactive": "F", **row})

    def _visit(self, request: Request) -> Response | None:
        with self.lock:
            self._at_work += 1
            crowded = self._at_work > self.concurrency_limit
        try:
            time.sleep(self.seconds_a_call)
            if crowded:
                message = "Concurrent request limit exceeded. Request blocked."
                return self.vendor_error(429, "CONCURRENCY_LIMIT_EXCEEDED", message)
            return super()._visit(request)
        finally:
            with self.lock:
                self._at_work -= 1

    def _allowed(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        def checked(request: Request, **params: str) -> Response:
            self.door.require(request)
            return endpoint(request, **params)

        return checked

    def _query(self, request: Request) -> Response:
        if "transient" not in request.headers.get("Prefer", ""):
            raise Refused(400, "INVALID_HEADER", "The Prefer header must be transient.")
        transactions = [
            {name.lower(): value for name, value in row.items()} | {"type": type_}
            for table, type_ in TYPES.items()
            for row in self.books.tables[table].values()
        ]
        tables = {
            name: [_lower(row) for row in self.books.tables[name].values()] for name in ("customer", "item", "currency")
        }
        rows = answer_suiteql(str(_body(request).get("q", "")), {**tables, "transaction": transactions})
        limit, offset = int(request.args.get("limit", "1000")), int(request.args.get("offset", "0"))
        page = [{"links": [], **row} for row in rows[offset : offset + limit]]
        more = offset + limit < len(rows)
        return json_answer(
            {
                "links": [],
                "count": len(page),
                "hasMore": more,
                "items": page,
                "offset": offset,
                "totalResults": len(rows),
            }
        )

    def _reader(self, table: str) -> Callable[..., Response]:
        def read(request: Request, key: str) -> Response:
            record = self.books.find(table, key)
            lines = record["item"] if request.args.get("expandSubResources") == "true" else {"links": []}
            return json_answer({"links": [], **record, "item": lines})

        return read

    def _read_currency(self, _request: Request, key: str) -> Response:
        return json_answer({"links": [], **self.books.find("currency", key)})

    def _upserter(self, table: str) -> Callable[..., Response]:
        def upsert(request: Request, key: str) -> Response:
            replace = "item" in request.args.get("replace", "").split(",")
            return _made(table, self.books.upsert(table, key, _body(request), replace=replace))

        return upsert

    def _inserter(self, table: str) -> Callable[..., Response]:
        return lambda request: _made(table, self.books.insert(table, _body(request)))

    def _transform(self, request: Request, key: str) -> Response:
        replace = "item" in request.args.get("replace", "").split(",")
        return _made("creditMemo", self.books.credit(key, _body(request), replace=replace))

    def _close_books(self, body: Json) -> Json:
        """The accountant closes all periods up to and with a day."""
        self.books.closed_through = date.fromisoformat(body["through"])
        return {"closed_through": body["through"]}

    def _charge_tax(self, body: Json) -> Json:
        """SuiteTax is set up: new documents carry so much tax."""
        self.books.tax_percent = Decimal(str(body["percent"]))
        return {"percent": str(self.books.tax_percent)}

    def _enter(self, body: Json) -> Json:
        """A person enters an invoice by hand."""
        return self.books.insert("invoice", _exact(body["invoice"]))


def _made(table: str, record: Json) -> Response:
    return Response(status=204, headers={"Location": f"{RECORDS}/{table}/{record['id']}"})


def _lower(row: Json) -> Json:
    return {name.lower(): value for name, value in row.items()}


def _exact(record: Json) -> Json:
    """The record with decimals for floats."""
    exact: Json = json.loads(json.dumps(record, default=float), parse_float=Decimal)
    return exact


def _body(request: Request) -> Json:
    if request.mimetype not in JSON_TYPES:
        raise Refused(415, "INVALID_CONTENT_TYPE", f"the content type {request.mimetype} is not supported")
    try:
        body = json.loads(request.get_data(), parse_float=Decimal)
    except ValueError as error:
        raise Refused(400, "INVALID_CONTENT", f"Invalid content in the request body. {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "INVALID_CONTENT", "Invalid content in the request body. An object is expected.")
    return body
