"""PayPal's twin: one merchant's orders, captures and refunds, and messages signed with a certificate."""

import html
import json
import secrets
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.twins.paypal_disputes import Disputes
from local.twins.paypal_forms import body_of, order_form, refund_form
from local.twins.paypal_orders import Orders
from local.twins.paypal_refusals import PayPalRefused, error_answer, malformed, not_found, refuse
from local.twins.paypal_signing import Signer, new_signer
from local.twins.server import Json, Refused, Twin, json_answer

ORDERS, CAPTURES, REFUNDS = "/v2/checkout/orders", "/v2/payments/captures", "/v2/payments/refunds"
DISPUTES = "/v1/customer/disputes"
CERTIFICATES = "/v1/notifications/certs"
KEY_HEADER, KEY_CHARS = "PayPal-Request-Id", 108
ORDER_KEYS_LIVE, PAYMENT_KEYS_LIVE = timedelta(hours=6), timedelta(days=45)
TOKEN_SECONDS = 32_400
MINIMAL = ("id", "status", "links")


class PayPalTwin(Twin):
    """One application of one account, with at most one webhook."""

    name = "paypal"

    def __init__(self, *, client_id: str, client_secret: str, webhook_id: str, webhook_url: str | None = None) -> None:
        super().__init__()
        self.client_id, self.client_secret = client_id, client_secret
        self.webhook_id, self.webhook_url = webhook_id, webhook_url
        self.held = Orders(lambda: self.clock(), self._emit)
        self.disputes = Disputes(self.held, lambda: self.clock(), self._emit)
        self.signer: Signer | None = None
        self.certificate_id = f"CERT-{secrets.token_hex(4)}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"
        self._tokens: dict[str, datetime] = {}
        self._keys: dict[tuple[str, str], tuple[str, datetime]] = {}
        self.events: list[Json] = []
        self._add_routes()
        self._add_actions()

    def clear(self) -> None:
        self.held.clear()
        self.disputes.held.clear()
        self._tokens.clear()
        self._keys.clear()
        self.events.clear()

    def state(self) -> Json:
        return {
            "orders": list(self.held.orders.values()),
            "captures": list(self.held.captures.values()),
            "refunds": list(self.held.refunds.values()),
            "disputes": list(self.disputes.held.values()),
            "events": [{"id": event["id"], "event_type": event["event_type"]} for event in self.events],
            "request_ids": [key for _, key in self._keys],
        }

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        return error_answer(status, code, message)

    def refusal(self, refused: Refused) -> Response:
        field = refused.field if isinstance(refused, PayPalRefused) else ""
        return error_answer(refused.status, refused.code, refused.message, field)

    def _add_routes(self) -> None:
        held = self.held
        self.route("POST", "/v1/oauth2/token", self._give_token)
        self.route("GET", f"{CERTIFICATES}/<certificate_id>", self._show_certificate)
        self.route("POST", ORDERS, self._allowed(self._open_order))
        self.route("GET", f"{ORDERS}/<key>", self._allowed(lambda _, key: json_answer(held.order(key))))
        self.route("POST", f"{ORDERS}/<key>/capture", self._allowed(self._capture))
        self.route("GET", f"{CAPTURES}/<key>", self._allowed(lambda _, key: json_answer(held.find_capture(key))))
        self.route("POST", f"{CAPTURES}/<key>/refund", self._allowed(self._refund))
        self.route("GET", f"{REFUNDS}/<key>", self._allowed(self._show_refund))
        self.route("GET", DISPUTES, self._allowed(self._list_disputes))
        self.route("GET", f"{DISPUTES}/<key>", self._allowed(lambda _, key: json_answer(self.disputes.find(key))))
        self.route("GET", "/checkoutnow", self._show_page)
        self.route("POST", "/checkoutnow", self._approve_on_page)

    def _add_actions(self) -> None:
        held = self.held
        self.action("approve", lambda body: held.approve(body["order_id"], body.get("funding", "wallet")))
        self.action("settle", lambda body: held.settle(body["order_id"], body["succeeded"]))
        self.action("forget", lambda body: {"forgotten": bool(held.orders.pop(body["order_id"]))})
        self.action("dispute", lambda body: self.disputes.open(body["capture_id"], body.get("value")))
        self.action("resolve", self._resolve)
        self.action("resend", self._resend)
        self.action("prune", lambda _: {"left": self._prune()})

    def _give_token(self, request: Request) -> Response:
        given = request.authorization
        if given is None or (given.username, given.password) != (self.client_id, self.client_secret):
            said = {"error": "invalid_client", "error_description": "Client Authentication failed"}
            return json_answer(said, 401)
        if request.form.get("grant_type") != "client_credentials":
            return json_answer({"error": "unsupported_grant_type", "error_description": "Grant Type is NULL"}, 400)
        token = f"A21AA{secrets.token_urlsafe(48)}"
        self._tokens[token] = self.clock() + timedelta(seconds=TOKEN_SECONDS)
        return json_answer({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})

    def _allowed(self, endpoint: Callable[..., Response]) -> Callable[..., Response]:
        def checked(request: Request, **ids: str) -> Response:
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if self._tokens.get(token, self.clock()) <= self.clock():
                return json_answer({"error": "invalid_token", "error_description": "Token signature invalid"}, 401)
            return endpoint(request, **ids)

        return checked

    def _open_order(self, request: Request) -> Response:
        form = order_form(body_of(request))
        if "payment_source" in form and not request.headers.get(KEY_HEADER):
            said = "A PayPal-Request-Id is required if you are trying to process payment for an Order."
            raise refuse("PAYPAL_REQUEST_ID_REQUIRED", said)
        return self._once(request, self.held.order, lambda: self.held.open_order(form, self.url), ORDER_KEYS_LIVE)

    def _capture(self, request: Request, key: str) -> Response:
        body_of(request)
        return self._once(request, self.held.order, lambda: self.held.capture(key, self.url), ORDER_KEYS_LIVE)

    def _refund(self, request: Request, key: str) -> Response:
        form = refund_form(body_of(request))
        refunds = self.held.refunds
        return self._once(request, refunds.__getitem__, lambda: self._give_back(key, form), PAYMENT_KEYS_LIVE)

    def _give_back(self, capture_id: str, form: Json) -> Json:
        self.disputes.require_refundable(capture_id)
        return self.held.refund(capture_id, form, self.url)

    def _once(
        self, request: Request, find: Callable[[str], Json], make: Callable[[], Json], lives: timedelta
    ) -> Response:
        """A request id that has worked gives the latest state of what it made, whatever the body says now."""
        key = (request.path, request.headers.get(KEY_HEADER, ""))
        if len(key[1]) > KEY_CHARS:
            raise malformed("INVALID_STRING_LENGTH", "PayPal-Request-Id is too long.", "")
        self._prune()
        if key[1] and key in self._keys:
            return _shown(request, find(self._keys[key][0]), 200)
        made = make()
        if key[1]:
            self._keys[key] = (made["id"], self.clock() + lives)
        return _shown(request, made, 201)

    def _prune(self) -> int:
        self._keys = {key: kept for key, kept in self._keys.items() if kept[1] > self.clock()}
        return len(self._keys)

    def _show_refund(self, _request: Request, key: str) -> Response:
        if key not in self.held.refunds:
            raise not_found()
        return json_answer(self.held.refunds[key])

    def _list_disputes(self, request: Request) -> Response:
        return json_answer(self.disputes.listed(request.args.to_dict(), self.url))

    def _resolve(self, body: Json) -> Json:
        by_refund = bool(body.get("by_refund"))
        return self.disputes.resolve(body["dispute_id"], body["outcome"], by_refund=by_refund, at=self.url)

    def _show_certificate(self, _request: Request, certificate_id: str) -> Response:
        if certificate_id != self.certificate_id:
            raise not_found()
        return Response(self._signs().pem, content_type="application/x-pem-file")

    def _show_page(self, request: Request) -> Response:
        order = self.held.order(request.args.get("token", ""))
        unit = order["purchase_units"][0]
        asked = html.escape(
            f"{unit.get('description', '')}: {unit['amount']['value']} {unit['amount']['currency_code']}"
        )
        button = "<form method=post><button>Pay now</button></form>" if order["status"] != "COMPLETED" else "Paid."
        return Response(f"<!doctype html><title>PayPal's twin</title><p>{asked}</p>{button}", content_type="text/html")

    def _approve_on_page(self, request: Request) -> Response:
        order_id = request.args.get("token", "")
        self.held.approve(order_id, request.form.get("funding", "wallet"))
        back = self.held.return_urls.get(order_id) or f"{self.url}/checkoutnow"
        return redirect(f"{back}?token={order_id}&PayerID=PAYER23456789", 303)

    def _signs(self) -> Signer:
        """Made when it is first needed: a key takes a while."""
        self.signer = self.signer or new_signer()
        return self.signer

    def _emit(self, kind: str, resource_type: str, resource: Json) -> None:
        event = {
            "id": f"WH-{secrets.token_hex(9).upper()}-{secrets.token_hex(9).upper()}",
            "event_version": "1.0",
            "create_time": self.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "resource_type": resource_type,
            "resource_version": "2.0",
            "event_type": kind,
            "summary": kind.replace(".", " ").capitalize(),
            "resource": resource,
            "links": [],
        }
        self.events.append(event)
        self._send(event)

    def _resend(self, body: Json) -> Json:
        for event in self.events:
            if event["id"] == body["event_id"]:
                return self._send(event)
        raise not_found()

    def _send(self, event: Json) -> Json:
        """To the webhook, at first and when somebody asks for it again."""
        if self.webhook_url:
            body = json.dumps(event, ensure_ascii=False).encode()
            self.webhooks.deliver(self.webhook_url, body, self.headers_of(body))
        return event

    def headers_of(self, body: bytes) -> dict[str, str]:
        """The headers of a delivery of `body` at this moment."""
        transmission_id, moment = str(uuid.uuid4()), self.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "Content-Type": "application/json",
            "Paypal-Transmission-Id": transmission_id,
            "Paypal-Transmission-Time": moment,
            "Paypal-Transmission-Sig": self._signs().sign(transmission_id, moment, self.webhook_id, body),
            "Paypal-Cert-Url": f"{self.url}{CERTIFICATES}/{self.certificate_id}",
            "Paypal-Auth-Algo": "SHA256withRSA",
        }


def _shown(request: Request, made: Json, status: int) -> Response:
    """All of it if the caller prefers that, else what PayPal shows by default."""
    whole = "return=representation" in request.headers.get("Prefer", "")
    return json_answer(made if whole else {name: made[name] for name in MINIMAL if name in made}, status)
