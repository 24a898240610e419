"""QuickBooks Online's twin: one company's customers, items and documents, behind tokens that rotate."""

import base64
import hmac
import json
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

from werkzeug.wrappers import Request, Response

from local.twins.quickbooks_books import HOME_CURRENCY, Books
from local.twins.quickbooks_query import answer_query
from local.twins.server import Json, Refused, Twin, json_answer

ACCESS_SECONDS = 3_600
REFRESH_SECONDS = 8_640_000
REQUEST_ID_LIMIT = 50
MINOR_VERSION = 75
TITLES = {
    "610": "Object Not Found",
    "2010": "Request has invalid or unsupported property",
    "2020": "Required param missing, need to supply the required value for the API",
    "2050": "String length is either shorter or longer than supported by specification",
    "2090": "Invalid Number",
    "2500": "Invalid Reference Id",
    "3100": "message=ApplicationAuthorizationFailed; errorCode=003100; statusCode=403",
    "3200": "message=AuthenticationFailed; errorCode=003200; statusCode=401",
    "4000": "Error parsing query",
    "4001": "Invalid query",
    "5010": "Stale Object Error",
    "6000": "A business validation error has occurred while processing your request",
    "6070": "Amount calculation incorrect in the request.",
    "6140": "Duplicate Document Number Error",
    "6210": "Account Period Closed, Cannot Update Through Services Error",
    "6240": "Duplicate Name Exists Error",
}
TYPES = {
    401: "AUTHENTICATION",
    403: "AuthorizationFault",
    429: "THROTTLING",
    500: "SystemFault",
    503: "SystemFault",
}


class QuickBooksTwin(Twin):
    """One realm; the latest refresh token works, and the one before it until the latest has been used."""

    name = "quickbooks"

    def __init__(
        self,
        *,
        client_id: str,
        client_secret: str,
        realm_id: str,
        refresh_token: str,
        verifier_token: str = "",
        webhook_url: str = "",
    ) -> None:
        super().__init__()
        self._verifier_token, self._webhook_url = verifier_token, webhook_url
        self.client_id, self.client_secret, self.realm_id = client_id, client_secret, realm_id
        self._first_token = refresh_token
        self._seeds: list[Mapping[str, Sequence[Json]]] = []
        self.books = Books(lambda: self.clock())
        self.clear()
        self.route("POST", "/oauth2/v1/tokens/bearer", self._refresh)
        company = "/v3/company/<realm>"
        self.route("GET", f"{company}/query", self._allowed(self._query))
        self.route("GET", f"{company}/invoice/<record_id>", self._allowed(self._read_invoice))
        self.route("GET", f"{company}/customer/<record_id>", self._allowed(self._read_customer))
        self.route("POST", f"{company}/invoice", self._allowed(self._once(self._write_invoice)))
        self.route("POST", f"{company}/customer", self._allowed(self._once(self._write_customer)))
        self.route("GET", f"{company}/creditmemo/<record_id>", self._allowed(self._read_credit_memo))
        self.route("POST", f"{company}/creditmemo", self._allowed(self._once(self._write_credit_memo)))
        self.action("close_books", self._close_books)
        self.action("charge_tax", self._charge_tax)
        self.action("receive_payment", self._receive_payment)
        self.action("edit", self._edit)

    def load(self, records: Mapping[str, Sequence[Json]]) -> None:
        """Import customers and items (and invoices, whole); ids are kept, missing ones made."""
        with self.lock:
            self._import(records)
            self._seeds.append(records)

    def clear(self) -> None:
        self.books.clear()
        self.refresh_token, self._previous_token = self._first_token, ""
        self._access: dict[str, datetime] = {}
        self._answers: dict[str, Json] = {}
        for seed in self._seeds:
            self._import(seed)

    def expire_tokens(self) -> None:
        """No access token that was handed out is good any more."""
        with self.lock:
            self._access.clear()

    def state(self) -> Json:
        return {name: list(table.values()) for name, table in self.books.tables.items()}

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        error = {"Message": TITLES.get(code, message), "Detail": message, "code": code, "element": ""}
        fault = {"Error": [error], "type": TYPES.get(status, "ValidationFault")}
        return self._stamped({"Fault": fault}, status)

    def _import(self, records: Mapping[str, Sequence[Json]]) -> None:
        for name, rows in records.items():
            for row in rows:
                extra = {"CurrencyRef": {"value": HOME_CURRENCY}} if name == "Customer" else {}
                if name not in self.books.tables:
                    raise ValueError(f"the twin of QuickBooks has no {name}")
                self.books.keep(name, _exact({"Active": True, **extra, **row} if name != "Invoice" else row))

    def _stamped(self, payload: Json, status: int = 200) -> Response:
        stamp = self.clock().isoformat(timespec="milliseconds")
        return json_answer({**payload, "time": stamp}, status, {"intuit_tid": f"1-{secrets.token_hex(12)}"})

    def _refresh(self, request: Request) -> Response:
        given = request.authorization
        if given is None or (given.username, given.password) != (self.client_id, self.client_secret):
            return json_answer({"error": "invalid_client"}, 401)
        if request.form.get("grant_type") != "refresh_token":
            return json_answer({"error": "unsupported_grant_type"}, 400)
        token = request.form.get("refresh_token", "")
        if not token or token not in (self.refresh_token, self._previous_token):
            return json_answer(
                {"error": "invalid_grant", "error_description": "Incorrect or invalid refresh token"}, 400
            )
        if token == self.refresh_token:
            self._previous_token, self.refresh_token = token, f"RT1-{secrets.token_hex(16)}"
        access = secrets.token_urlsafe(32)
        self._access[access] = self.clock() + timedelta(seconds=ACCESS_SECONDS)
        return json_answer(
            {
                "access_token": access,
                "refresh_token": self.refresh_token,
                "expires_in": ACCESS_SECONDS,
                "x_refresh_token_expires_in": REFRESH_SECONDS,
                "token_type": "bearer",
            }
        )

    def _allowed(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        def checked(request: Request, realm: str, **params: str) -> Response:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if token not in self._access or self._access[token] <= self.clock():
                raise Refused(401, "3200", "Token expired or invalid")
            if realm != self.realm_id:
                raise Refused(403, "3100", "the application is not connected to this company")
            version = request.args.get("minorversion", str(MINOR_VERSION))
            if not version.isdigit() or int(version) < MINOR_VERSION:
                raise Refused(400, "2010", f"minorversion {version} is no longer supported")
            return endpoint(request, **params)

        return checked

    def _once(self, write: Callable[[Request], Json]) -> Callable[..., Response]:
        """A request id that has written once gets the first answer again, whatever the body says now."""

        def written(request: Request) -> Response:
            request_id = request.args.get("requestid", "")
            if len(request_id) > REQUEST_ID_LIMIT:
                raise Refused(400, "2050", f"requestid: Min:0 Max:{REQUEST_ID_LIMIT} supported")
            if request_id in self._answers:
                return self._stamped(self._answers[request_id])
            answer = write(request)
            if request_id:
                self._answers[request_id] = {name: dict(record) for name, record in answer.items()}
            return self._stamped(answer)

        return written

    def _query(self, request: Request) -> Response:
        return self._stamped({"QueryResponse": answer_query(request.args.get("query", ""), self.books.tables)})

    def _read_invoice(self, _request: Request, record_id: str) -> Response:
        return self._stamped({"Invoice": self.books.find("Invoice", record_id)})

    def _read_customer(self, _request: Request, record_id: str) -> Response:
        return self._stamped({"Customer": self.books.find("Customer", record_id)})

    def _read_credit_memo(self, _request: Request, record_id: str) -> Response:
        return self._stamped({"CreditMemo": self.books.find("CreditMemo", record_id)})

    def _write_credit_memo(self, request: Request) -> Json:
        return {"CreditMemo": self.books.add_credit_memo(_body(request))}

    def _write_invoice(self, request: Request) -> Json:
        operation = request.args.get("operation")
        if operation == "void":
            return self._told("voided", self.books.void_invoice(_body(request)))
        if operation is not None:
            raise Refused(400, "2010", f"Operation {operation} is not supported")
        return self._told("created", self.books.add_invoice(_body(request)))

    def _told(self, operation: str, invoice: Json) -> Json:
        """The answer about an invoice, after those who listen have been told that it was touched."""
        if self._webhook_url:
            event = {
                "specversion": "1.0",
                "id": str(uuid.uuid4()),
                "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
                "type": f"qbo.invoice.{operation}.v1",
                "datacontenttype": "application/json",
                "time": self.clock().isoformat(),
                "intuitentityid": invoice["Id"],
                "intuitaccountid": self.realm_id,
                "data": {},
            }
            body = json.dumps([event]).encode()
            proof = hmac.new(self._verifier_token.encode(), body, sha256).digest()
            headers = {"Content-Type": "application/json", "intuit-signature": base64.b64encode(proof).decode()}
            self.webhooks.deliver(self._webhook_url, body, headers)
        return {"Invoice": invoice}

    def _write_customer(self, request: Request) -> Json:
        return {"Customer": self.books.add_customer(_body(request))}

    def _receive_payment(self, body: Json) -> Json:
        """A bookkeeper applies a payment to an invoice."""
        invoice = self.books.find("Invoice", body["invoice_id"])
        amount = Decimal(str(body["amount"]))
        if not 0 < amount <= invoice["Balance"]:
            raise Refused(400, "6000", f"the open balance is {invoice['Balance']}")
        paid = self.books.change("Invoice", invoice, {"Balance": invoice["Balance"] - amount})
        return dict(self._told("updated", paid)["Invoice"])

    def _close_books(self, body: Json) -> Json:
        """The accountant closes the books up to and with a day."""
        self.books.closed_through = date.fromisoformat(body["through"])
        return {"closed_through": body["through"]}

    def _charge_tax(self, body: Json) -> Json:
        """The company's tax settings change: new documents carry so much tax."""
        self.books.tax_percent = Decimal(str(body["percent"]))
        return {"percent": str(self.books.tax_percent)}

    def _edit(self, body: Json) -> Json:
        """A bookkeeper edits an object by hand."""
        record = self.books.find(body["type"], body["id"])
        edited = self.books.change(body["type"], record, _exact(body["fields"]))
        return dict(self._told("updated", edited)["Invoice"]) if body["type"] == "Invoice" else edited


def _exact(record: Json) -> Json:
    """The record with decimals for floats."""
    exact: Json = json.loads(json.dumps(record, default=float), parse_float=Decimal)
    return exact


def _body(request: Request) -> Json:
    try:
        body = json.loads(request.get_data(), parse_float=Decimal)
    except ValueError as error:
        raise Refused(400, "2010", f"the body is no JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refused(400, "2010", "the body must be an object")
    return body
