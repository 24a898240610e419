"""SAP S/4HANA's twin: sales documents and billing documents of one company, behind sessions with CSRF tokens."""

import json
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

from werkzeug.wrappers import Request, Response

from local.twins.sap_books import Books
from local.twins.sap_metadata import metadata
from local.twins.sap_query import answer_query, entry
from local.twins.server import Json, Refused, Twin, json_answer

V2 = "/sap/opu/odata/sap"
V4 = "/sap/opu/odata4/sap/api_billingdocument/srvd_a2x/sap/billingdocument/0001"
SERVICES = {
    f"{V2}/API_SALES_ORDER_SRV": ("A_SalesOrder", "A_SalesOrderItem"),
    f"{V2}/API_CREDIT_MEMO_REQUEST_SRV": ("A_CreditMemoRequest", "A_CreditMemoRequestItem"),
    f"{V2}/API_BILLING_DOCUMENT_SRV": ("A_BillingDocument", "A_BillingDocumentItem"),
    f"{V2}/API_BUSINESS_PARTNER": ("A_BusinessPartner",),
}
CREATABLE = ("A_SalesOrder", "A_CreditMemoRequest")
COOKIE = "SAP_SESSIONID_S4H_100"
TOKEN_SECONDS = 3_600
REQUEST_ID = re.compile(r"[0-9A-Fa-f]{32}")


class SapTwin(Twin):
    """A communication user and an OAuth client may call; writes need the token of their session."""

    name = "sap"

    def __init__(
        self, *, user: str, password: str, area: tuple[str, str, str] = ("1010", "10", "00"), condition_type: str
    ) -> None:
        super().__init__()
        self.user, self.password = user, password
        self._seeds: list[Mapping[str, Sequence[Json]]] = []
        self.books = Books(lambda: self.clock(), area=area, condition_type=condition_type)
        self.clear()
        self.route("POST", "/sap/bc/sec/oauth2/token", self._grant)
        for service, entities in SERVICES.items():
            self.route("GET", f"{service}/", self._allowed(self._root))
            self.route("GET", f"{service}/$metadata", self._allowed(_describer(service, entities)))
            for name in entities:
                self.route("GET", f"{service}/{name}", self._allowed(self._reader(service, name)))
            if entities[0] in CREATABLE:
                self.route("POST", f"{service}/{entities[0]}", self._written(self._creator(service, entities[0])))
        self.route("GET", f"{V4}/", self._allowed(self._root))
        billing_document = f"{V4}/BillingDocument('<number>')"
        self.route("GET", billing_document, self._allowed(self._read_billing))
        self.route("POST", f"{V4}/BillingDocument/SAP__self.CreateFromSDDocument", self._written(self._bill))
        self.route("POST", f"{billing_document}/SAP__self.PostToAccounting", self._written(self._post_to_accounting))
        self._offer_actions()

    def load(self, records: Mapping[str, Sequence[Json]]) -> None:
        """Business partners (`BusinessPartner`, name, `BusinessPartnerIDByExtSystem`) and materials (`Material`)."""
        with self.lock:
            self._import(records)
            self._seeds.append(records)

    def clear(self) -> None:
        self.books.clear()
        self.repeatability = "accepted"
        self._sessions: dict[str, str] = {}
        self._tokens: dict[str, datetime] = {}
        self._answers: dict[str, tuple[int, bytes]] = {}
        for seed in self._seeds:
            self._import(seed)

    def state(self) -> Json:
        return {name: list(rows) for name, rows in self.books.tables.items()}

    def expire_sessions(self) -> None:
        """All cookies, their CSRF tokens and all bearer tokens end."""
        self._sessions.clear()
        self._tokens.clear()

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        """The error of OData V2; `_v4_error` says it in V4's words."""
        detail = {"code": code, "message": message, "propertyref": "", "severity": "error", "target": ""}
        inner = {"transactionid": secrets.token_hex(16).upper(), "errordetails": [detail]}
        error = {"code": code, "message": {"lang": "en", "value": message}, "innererror": inner}
        return json_answer({"error": error}, status)

    def _import(self, records: Mapping[str, Sequence[Json]]) -> None:
        for name, rows in records.items():
            for row in rows:
                if name == "Material":
                    self.books.materials.add(row["Material"])
                elif name == "BusinessPartner":
                    self.books.add_partner(
                        row["BusinessPartner"], row["BusinessPartnerFullName"], row["BusinessPartnerIDByExtSystem"]
                    )
                else:
                    raise ValueError(f"the twin of SAP has no {name}")

    def _grant(self, request: Request) -> Response:
        given = request.authorization
        if given is None or (given.username, given.password) != (self.user, self.password):
            return json_answer({"error": "invalid_client"}, 401)
        if request.form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        token = secrets.token_urlsafe(32)
        self._tokens[token] = self.clock() + timedelta(seconds=TOKEN_SECONDS)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _allowed(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        def checked(request: Request, **params: str) -> Response:
            given = request.authorization
            token = str(given.token) if given and given.type == "bearer" else ""
            basic = given is not None and (given.username, given.password) == (self.user, self.password)
            if not basic and (token not in self._tokens or self._tokens[token] <= self.clock()):
                return Response("<html>Logon failed</html>", 401, {"WWW-Authenticate": 'Basic realm="SAP"'})
            try:
                return endpoint(request, **params)
            except Refused as refused:
                return _v4_error(refused) if request.path.startswith(V4) else self.refusal(refused)

        return checked

    def _written(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        """A write: with the token of the session that its cookie names, and once for a RequestID."""

        def checked(request: Request, **params: str) -> Response:
            session = request.cookies.get(COOKIE, "")
            token = request.headers.get("X-CSRF-Token", "")
            if session not in self._sessions or self._sessions[session] != token:
                return Response("CSRF token validation failed", 403, {"x-csrf-token": "Required"})
            if not str(request.content_type).startswith("application/json"):
                raise Refused(415, "/IWBEP/CM_MGW_RT/415", f"{request.content_type} is not supported")
            if request.path.startswith(V4) or "RepeatabilityCreation" not in request.headers:
                return endpoint(request, **params)
            return self._repeatable(request, lambda: endpoint(request, **params))

        return self._allowed(checked)

    def _repeatable(self, request: Request, endpoint: Callable[[], Response]) -> Response:
        """SAP Gateway's idempotent services: a repeat gets the first answer, be it a success or a refusal."""
        request_id = request.headers.get("RequestID", "")
        if not REQUEST_ID.fullmatch(request_id):
            raise Refused(400, "/IWBEP/CM_COS/002", "RequestID is not a GUID of 32 characters")
        if self.repeatability == "unsupported":
            answer = self.vendor_error(400, "/IWBEP/CM_COS/001", "Idempotent Service Framework: Check configuration")
            answer.headers["RepeatabilityResult"] = "unsupported"
            return answer
        if request_id not in self._answers:
            try:
                answer = endpoint()
            except Refused as refused:
                answer = self.refusal(refused)
            self._answers[request_id] = answer.status_code, answer.get_data()
        status, body = self._answers[request_id]
        return Response(body, status, {"RepeatabilityResult": "accepted"}, content_type="application/json")

    def _root(self, request: Request) -> Response:
        if not request.path.endswith("/"):
            return Response("", 307, {"Location": f"{request.path}/"})
        answer = json_answer({"d": {"EntitySets": []}})
        if request.headers.get("X-CSRF-Token", "").lower() == "fetch":
            session = request.cookies.get(COOKIE, "")
            if session not in self._sessions:
                session = secrets.token_urlsafe(24)
                self._sessions[session] = secrets.token_urlsafe(18)
            answer.headers["X-CSRF-Token"] = self._sessions[session]
            answer.set_cookie(COOKIE, session, httponly=True)
        return answer

    def _reader(self, service: str, name: str) -> Callable[[Request], Response]:
        def read(request: Request) -> Response:
            rows = self.books.tables[name]
            return json_answer({"d": answer_query(name, rows, request.args, f"https://sap.internal:44300{service}")})

        return read

    def _creator(self, service: str, name: str) -> Callable[[Request], Response]:
        def create(request: Request) -> Response:
            made = self.books.add_sales_document(name, _body(request))
            return json_answer({"d": entry(name, made, f"https://sap.internal:44300{service}")}, 201)

        return create

    def _bill(self, request: Request) -> Response:
        made = self.books.bill(_body(request))
        return json_answer({"@odata.context": "../$metadata#BillingDocument", "value": [self._v4(request, made)]})

    def _read_billing(self, request: Request, number: str) -> Response:
        row = self.books.billing_document(number)
        return json_answer({"@odata.context": "$metadata#BillingDocument/$entity", **self._v4(request, row)})

    def _post_to_accounting(self, request: Request, number: str) -> Response:
        self.books.billing_document(number)
        wanted = request.headers.get("If-Match")
        if wanted is None:
            raise Refused(428, "/IWBEP/CM_V4_RUNTIME/428", "The request must have the version that it is meant for")
        if wanted not in ("*", self.books.etag(number)):
            raise Refused(412, "/IWBEP/CM_V4_RUNTIME/412", "Precondition failed: the document has changed")
        self.books.post_to_accounting(number)
        return Response(status=204)

    def _v4(self, request: Request, row: Json) -> Json:
        """Amounts are JSON numbers, unless the caller asks for text: IEEE754Compatible."""
        as_text = "ieee754compatible=true" in request.headers.get("Accept", "").lower()
        shown = {name: f"{value:f}" if as_text and isinstance(value, Decimal) else value for name, value in row.items()}
        fields = ("BillingDocument", "BillingDocumentType", "SDDocumentCategory", "TotalNetAmount", "TaxAmount")
        return {"@odata.etag": self.books.etag(row["BillingDocument"]), **{name: shown[name] for name in fields}}

    def _offer_actions(self) -> None:
        books = self.books

        def sets(field: str, read: Callable[[Json], object]) -> Callable[[Json], Json]:
            def act(body: Json) -> Json:
                setattr(books, field, read(body))
                return body

            return act

        self.action("close_books", sets("closed_through", lambda body: date.fromisoformat(body["through"])))
        self.action("open_books", sets("closed_through", lambda _: date.min))
        self.action("hold_posting", sets("holds_posting", lambda body: bool(body["hold"])))
        self.action("charge_tax", sets("tax_percent", lambda body: Decimal(str(body["percent"]))))
        self.action("add_surcharge", sets("surcharge_percent", lambda body: Decimal(str(body["percent"]))))
        self.action("lock", self._lock)
        self.action("unlock", lambda body: {"unlocked": books.locks.pop(body["document"])})
        self.action("reject", lambda body: _reject(books, body["document"]))
        self.action("cancel", lambda body: books.cancel(body["billing_document"]))
        self.action("bill", books.bill)
        self.action("touch", lambda body: books.change(books.billing_document(body["billing_document"]), {}))
        self.action("order", lambda body: books.add_sales_document("A_SalesOrder", body))

    def _lock(self, body: Json) -> Json:
        self.books.locks[body["document"]] = body["by"]
        return body


def _describer(service: str, entities: Sequence[str]) -> Callable[[Request], Response]:
    return lambda _: Response(metadata(service.rsplit("/", 1)[-1], entities), content_type="application/xml")


def _reject(books: Books, number: str) -> Json:
    """A person rejects all items of a sales document."""
    for name in CREATABLE:
        for row in books.tables[name]:
            if row[name.removeprefix("A_")] == number:
                row["OverallSDDocumentRejectionSts"] = "C"
                return row
    raise KeyError(number)


def _v4_error(refused: Refused) -> Response:
    detail = {"code": refused.code, "message": refused.message, "@SAP__common.numericSeverity": 4}
    error = {"code": refused.code, "message": refused.message, "details": [detail]}
    return json_answer({"error": error}, refused.status)


def _body(request: Request) -> Json:
    try:
        body = json.loads(request.get_data(), parse_float=Decimal)
    except ValueError as error:
        raise Refused(400, "/IWBEP/CM_MGW_RT/021", f"Invalid payload: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "/IWBEP/CM_MGW_RT/021", "Invalid payload: the body must be an object")
    return body
