"""Stripe's twin: checkout sessions, refunds and signed events of one test account."""

import hmac
import json
from collections.abc import Callable, Collection
from hashlib import sha256

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from local.twins import stripe_forms as forms
from local.twins import stripe_objects as objects
from local.twins.server import Action, Json, Refused, Twin, json_answer
from local.twins.stripe_calls import given, require_expandable, require_key
from local.twins.stripe_disputes import Disputes
from local.twins.stripe_keys import HEADER, IdempotencyKeys, Kept, key_of
from local.twins.stripe_lists import expanded, page, search
from local.twins.stripe_page import after_payment, hosted_page
from local.twins.stripe_params import Rule, StripeRefused
from local.twins.stripe_payments import Payments, found

SESSIONS, INTENTS = "/v1/checkout/sessions", "/v1/payment_intents"
REFUNDS, EVENTS, DISPUTES = "/v1/refunds", "/v1/events", "/v1/disputes"
HTML = "text/html;charset=UTF-8"
PARTS = ("payment_intent", "line_items")
LISTED_PARTS = tuple(f"data.{name}" for name in PARTS)
REQUEST_ID = "twin.request_id"
KEEP_SECONDS = 86_400

Answer = Callable[..., Json]


def stripe_signature(secret: str, timestamp: int, body: bytes) -> str:
    """The Stripe-Signature header; the secret is used as text, with its `whsec_`."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


class StripeTwin(Twin):
    """One account with one API key and at most one webhook endpoint."""

    name = "stripe"

    def __init__(self, *, api_key: str, webhook_secret: str, webhook_url: str | None = None) -> None:
        super().__init__()
        self.api_key, self.webhook_secret, self.webhook_url = api_key, webhook_secret, webhook_url
        self._asking: Request | None = None
        self.payments = Payments(lambda: self.clock(), self._emit)
        self.disputes = Disputes(self.payments, lambda: self.clock(), self._emit)
        self.events: dict[str, Json] = {}
        self.keys = IdempotencyKeys()
        self._parts: dict[str, Callable[[Json], Json | None]] = {
            "payment_intent": lambda session: self.payments.intents.get(session["payment_intent"] or ""),
            "line_items": lambda session: self.payments.lines[session["id"]],
        }
        self._add_routes()
        self._add_actions()

    def clear(self) -> None:
        self.payments.clear()
        self.disputes.held.clear()
        self.events.clear()
        self.keys.kept.clear()

    def state(self) -> Json:
        return {
            "sessions": list(self.payments.sessions.values()),
            "payment_intents": list(self.payments.intents.values()),
            "refunds": list(self.payments.refunds.values()),
            "disputes": list(self.disputes.held.values()),
            "events": [
                {"id": event["id"], "type": event["type"], "object": event["data"]["object"]["id"]}
                for event in self.events.values()
            ],
            "idempotency_keys": list(self.keys.kept),
        }

    def prune(self, older_than_seconds: float = KEEP_SECONDS) -> int:
        """Forget idempotency keys as Stripe may once they are a day old; says how many."""
        return self.keys.prune(self.clock().timestamp() - older_than_seconds)

    def vendor_error(self, status: int, code: str, message: str) -> Response:
        error = {"message": message, "type": "api_error" if status >= 500 else "invalid_request_error"}
        if status == 429:
            error["code"] = "rate_limit"
        if code.islower():
            error["code"] = code
        return json_answer({"error": error}, status)

    def refusal(self, refused: Refused) -> Response:
        if isinstance(refused, StripeRefused):
            return json_answer({"error": refused.error}, refused.status)
        return super().refusal(refused)

    def _visit(self, request: Request) -> Response | None:
        """A key is held until its answer is on the way, so that a second caller meets a conflict."""
        request.environ[REQUEST_ID] = request_id = objects.new_id("req", 14)
        with self.lock:
            self.keys.begin(request)
        try:
            answer = super()._visit(request)
            if answer is not None and answer.status_code == 500:
                self._keep(request, answer)
        finally:
            with self.lock:
                self.keys.end(request)
        if answer is not None:
            answer.headers["Request-Id"] = request_id
            answer.headers["Stripe-Version"] = request.headers.get("Stripe-Version", objects.API_VERSION)
            if key := key_of(request):
                answer.headers[HEADER] = key
        return answer

    def _add_routes(self) -> None:
        held, plain = self.payments, forms.ONLY_EXPAND
        self._serve("POST", SESSIONS, forms.SESSION, lambda p: held.open_session(p, self.url), PARTS)
        self._serve("GET", SESSIONS, forms.SESSIONS, self._list_sessions, LISTED_PARTS)
        self._serve("GET", f"{SESSIONS}/<key>", plain, lambda _, key: held.session(key), PARTS)
        self._serve("POST", f"{SESSIONS}/<key>/expire", plain, lambda _, key: held.expire(key), PARTS)
        self._serve("GET", f"{INTENTS}/search", forms.SEARCH, self._search_intents)
        self._serve("GET", f"{INTENTS}/<key>", plain, lambda _, key: held.intent(key))
        self._serve("POST", REFUNDS, forms.REFUND, held.refund)
        self._serve("GET", REFUNDS, forms.REFUNDS, self._list_refunds)
        self._serve("GET", f"{REFUNDS}/<key>", plain, lambda _, key: found(held.refunds, key, "refund", "id"))
        self._serve("GET", DISPUTES, forms.DISPUTES, self._list_disputes)
        self._serve("GET", f"{DISPUTES}/<key>", plain, lambda _, key: found(self.disputes.held, key, "dispute", "id"))
        self._serve("GET", EVENTS, forms.EVENTS, self._list_events)
        self._serve("GET", f"{EVENTS}/<key>", plain, lambda _, key: found(self.events, key, "event", "id"))
        self.route("GET", "/c/pay/<key>", self._show_page)
        self.route("POST", "/c/pay/<key>", self._pay_on_page)

    def _add_actions(self) -> None:
        held = self.payments
        self.action("pay", self._by_person(lambda body: held.pay(body["session_id"], body.get("method", "card"))))
        self.action("settle", self._by_person(lambda body: held.settle(body["session_id"], body["succeeded"])))
        self.action("expire", self._by_person(lambda body: held.expire(body["session_id"])))
        self.action("decline", self._by_person(lambda body: held.decline(body["session_id"])))
        self.action("dispute", lambda body: self.disputes.open(body["payment_intent"], body.get("amount")))
        self.action("close_dispute", lambda body: self.disputes.close(body["dispute_id"], body["won"]))
        self.action("resend", lambda body: self._send(found(self.events, body["event_id"], "event", "id")))
        self.action("prune", lambda body: {"pruned": self.prune(body.get("older_than_seconds", KEEP_SECONDS))})

    def _by_person(self, act: Action) -> Action:
        def acting(body: Json) -> Json:
            self._catch_up()
            return act(body)

        return acting

    def _catch_up(self) -> None:
        """Let time do its work before anybody looks; what follows is nobody's request until a call says so."""
        self._asking = None
        self.payments.expire_overdue()

    def _serve(self, method: str, path: str, rules: Rule, answer: Answer, parts: Collection[str] = ()) -> None:
        """A call of the API; `parts` are what it can expand."""

        def endpoint(request: Request, **ids: str) -> Response:
            require_key(request, self.api_key)
            self._catch_up()
            if (kept := self.keys.earlier(request)) is not None:
                return _again(kept)
            params = rules(given(request), "")
            expand = params.get("expand", [])
            require_expandable(expand, parts)
            self._asking = request
            try:
                response = json_answer(expanded(answer(params, **ids), expand, self._parts))
            except StripeRefused as refused:
                if refused.executed:
                    self._keep(request, self.refusal(refused))
                raise
            self._keep(request, response)
            return response

        self.route(method, path, endpoint)

    def _keep(self, request: Request, answer: Response) -> None:
        request_id = request.environ[REQUEST_ID]
        self.keys.keep(request, answer.status_code, answer.get_data(), request_id, self.clock().timestamp())

    def _list_sessions(self, params: Json) -> Json:
        intent, status = params.get("payment_intent"), params.get("status")
        email = params.get("customer_details", {}).get("email")

        def keeps(session: Json) -> bool:
            return (
                intent in (None, session["payment_intent"])
                and status in (None, session["status"])
                and email in (None, session["customer_email"])
            )

        return page(self.payments.sessions, params, SESSIONS, keeps)

    def _search_intents(self, params: Json) -> Json:
        return search(self.payments.intents, params, f"{INTENTS}/search")

    def _list_refunds(self, params: Json) -> Json:
        intent = params.get("payment_intent")
        return page(self.payments.refunds, params, REFUNDS, lambda row: intent in (None, row["payment_intent"]))

    def _list_disputes(self, params: Json) -> Json:
        intent, charge = params.get("payment_intent"), params.get("charge")

        def keeps(row: Json) -> bool:
            return intent in (None, row["payment_intent"]) and charge in (None, row["charge"])

        return page(self.disputes.held, params, DISPUTES, keeps)

    def _list_events(self, params: Json) -> Json:
        kinds = params.get("types", [params["type"]] if "type" in params else None)
        return page(self.events, params, EVENTS, lambda row: kinds is None or row["type"] in kinds)

    def _show_page(self, _request: Request, key: str) -> Response:
        self._catch_up()
        session = self.payments.session(key)
        status = 200 if session["status"] == "open" else 410
        return Response(hosted_page(session, self.payments.lines[key]), status, content_type=HTML)

    def _pay_on_page(self, request: Request, key: str) -> Response:
        self._catch_up()
        method = request.form.get("method", "card")
        if method == "decline":
            return Response(hosted_page(self.payments.decline(key), self.payments.lines[key]), 402, content_type=HTML)
        return redirect(after_payment(self.payments.pay(key, method)), 303)

    def _emit(self, kind: str, about: Json) -> None:
        asking = self._asking
        made = objects.event(
            kind,
            about,
            created=int(self.clock().timestamp()),
            pending=1 if self.webhook_url else 0,
            request_id=asking.environ[REQUEST_ID] if asking else None,
            key=(key_of(asking) or None) if asking else None,
        )
        self.events[made["id"]] = made
        self._send(made)

    def _send(self, made: Json) -> Json:
        """To the webhook endpoint, at first and when somebody asks for it again."""
        if self.webhook_url:
            body = json.dumps(made, indent=2, ensure_ascii=False).encode()
            signature = stripe_signature(self.webhook_secret, int(self.clock().timestamp()), body)
            headers = {"Content-Type": "application/json; charset=utf-8", "Stripe-Signature": signature}
            self.webhooks.deliver(self.webhook_url, body, headers)
        return made


def _again(kept: Kept) -> Response:
    headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
    return Response(kept.answer, kept.status, headers, content_type="application/json;charset=UTF-8")
