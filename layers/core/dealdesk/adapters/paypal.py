"""PayPal's orders by a thin client: the payer approves, the desk captures once, and an unwanted order just lapses.

An order alone moves no money. PayPal keeps a create's request id for six hours and has no list of orders; after that a
repeated create makes a second order for the same payment. The two can never both be captured: the desk captures the one
order whose id the payment has recorded, and only while the payment is pending; and both have the payment's id as
`invoice_id`, which PayPal lets one captured payment have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TypeVar

import msgspec
import requests

from dealdesk.adapters.paypal_login import PaypalLogin, translated
from dealdesk.contracts import paypal, paypal_disputes
from dealdesk.contracts.paypal_money import to_paypal
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from dealdesk.errors import Malformed, VendorRefused, VendorUnavailable
from dealdesk.ports import DisputeState, PaymentLink, PaymentState, RefundState

TIMEOUT_SECONDS = (3.05, 10)
REQUEST_ID_LIMIT = 108
DESCRIPTION_LIMIT = 127
DISPUTES_A_PAGE = 50
# A request whose answer was lost may still be at work: what is refused before it has landed proves nothing about it.
LANDS_WITHIN_SECONDS = 60
# The payer has three hours to open the link, and from then three more to approve and be captured.
LINK_LIVES = timedelta(hours=3)
ORDER_LIVES = timedelta(hours=6)

Shape = TypeVar("Shape", bound=msgspec.Struct)


class PaypalPayments:
    """The `Payments` port. `clock` says whether an order has outlived the time that PayPal gives its payer."""

    def __init__(
        self, url: str, *, client_id: str, client_secret: str, return_url: str, clock: Callable[[], datetime]
    ) -> None:
        self._url = url.rstrip("/")
        self._http = requests.Session()
        self._login = PaypalLogin(self._http, self._url, client_id, client_secret)
        self._return_url = return_url
        self._clock = clock

    def create_link(self, key: str, payment_id: str, deal: Deal, amount: Money, now: datetime) -> PaymentLink:
        """The same order again for the same key within six hours; nothing in the request depends on `now`.

        Raises `VendorRefused` for an amount that PayPal cannot carry, and for a key that made something else.
        """
        assert deal.quote is not None
        unit = {
            "amount": to_paypal(amount),
            "custom_id": paypal.custom_id_of(payment_id, deal.id),
            "invoice_id": payment_id,
            "description": deal.quote.name[:DESCRIPTION_LIMIT],
        }
        experience = {
            "return_url": f"{self._return_url}/console/payments/done",
            "cancel_url": f"{self._return_url}/console/payments/open",
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
        }
        body = {
            "intent": "CAPTURE",
            "purchase_units": [unit],
            "payment_source": {"paypal": {"experience_context": experience}},
        }
        order = self._read(self._call("POST", "/v2/checkout/orders", key, body), paypal.Order)
        if (order.unit.custom_id, order.unit.amount.money) != (unit["custom_id"], amount):
            raise VendorRefused(f"PayPal answered {key} with order {order.id}, which is for something else")
        pages = (link.href for link in order.links if link.rel in ("payer-action", "approve"))
        return PaymentLink(order.id, next(pages, ""), (order.create_time or now) + LINK_LIVES)

    def look_up(self, key: str, payment_id: str, opened_at: datetime) -> PaymentLink | None:
        """Always None: PayPal lists no orders. To create with the same key again is the look-up, and is safe."""
        return None

    def state(self, session_id: str) -> PaymentState:
        response = self._call("GET", f"/v2/checkout/orders/{session_id}")
        if response.status_code == 404:
            return PaymentState(session_id, "", "expired", Money(0, "USD"), session_id, "PayPal knows no such order")
        return self._state(response)

    def capture(self, session_id: str, key: str) -> PaymentState:
        """Takes the order's amount once: PayPal allows one capture of an order, whatever the request id."""
        response = self._call("POST", f"/v2/checkout/orders/{session_id}/capture", key, {})
        if response.status_code == 422 and "ORDER_ALREADY_CAPTURED" in response.text:
            return self.state(session_id)
        return self._state(response)

    def cancel(self, session_id: str, key: str) -> PaymentState:
        """How the order has ended. PayPal cannot void one that nobody has paid; it is given up instead.

        That is safe because only the desk's own capture moves money, and it never captures for a payment that is no
        longer pending: what the payer may still approve lapses. Money that was faster stays.
        """
        state = self.state(session_id)
        if state.outcome in ("open", "approved"):
            return replace(state, outcome="expired", reason="the order was given up")
        return state

    def refund(self, key: str, reference: str, amount: Money, deal_id: str) -> RefundState:
        """A refund of a capture; its `invoice_id` is the key, which PayPal refuses to take for a second one."""
        body = {"amount": to_paypal(amount), "invoice_id": key, "custom_id": deal_id}
        response = self._call("POST", f"/v2/payments/captures/{reference}/refund", key, body)
        if response.status_code == 422 and "DUPLICATE_INVOICE_ID" in response.text:
            made = self.look_up_refund(key, reference)
            if made:
                return made
        return paypal.refund_state_of(self._read(response, paypal.Refund))

    def look_up_refund(self, key: str, reference: str) -> RefundState | None:
        """The refund with our key."""
        return next((refund for refund in self.refunds_of(reference) if refund.key == key), None)

    def refunds_of(self, reference: str) -> list[RefundState]:
        """Those of the capture, from its order: PayPal has no list of refunds."""
        return [paypal.refund_state_of(refund) for refund in self._refunds(reference)]

    def disputes_of(self, reference: str) -> list[DisputeState]:
        """Those of the capture; a refund at PayPal by hand settles a dispute, and is no part of it any more."""
        asked = f"/v1/customer/disputes?disputed_transaction_id={reference}&page_size={DISPUTES_A_PAGE}"
        listed = self._read(self._call("GET", asked), paypal_disputes.Listed)
        if not listed.items:
            return []
        if any(link.rel == "next" for link in listed.links):
            raise VendorRefused(f"PayPal has more than {DISPUTES_A_PAGE} disputes about {reference}")
        refunds = self._refunds(reference)
        shown = [
            self._read(self._call("GET", f"/v1/customer/disputes/{one.dispute_id}"), paypal_disputes.Dispute)
            for one in listed.items
        ]
        return paypal_disputes.states_of(shown, refunds)

    def _refunds(self, reference: str) -> list[paypal.Refund]:
        capture = self._read(self._call("GET", f"/v2/payments/captures/{reference}"), paypal.Capture)
        order = self._read(self._call("GET", f"/v2/checkout/orders/{capture.order_id}"), paypal.Order)
        return [refund for refund in order.unit.payments.refunds if refund.capture_id in ("", reference)]

    def _state(self, response: requests.Response) -> PaymentState:
        order = self._read(response, paypal.Order)
        state = paypal.state_of(order)
        if state is None:
            raise VendorRefused(f"PayPal's order {order.id} is none of the desk's")
        outlived = order.create_time is not None and order.create_time + ORDER_LIVES <= self._clock()
        return replace(state, outcome="expired") if state.outcome == "open" and outlived else state

    def _read(self, response: requests.Response, kind: type[Shape]) -> Shape:
        """What the desk reads of an answer; one that cannot be read leaves the call in doubt."""
        if not response.ok:
            raise translated(response)
        try:
            return paypal.read(response.content, kind, f"PayPal {kind.__name__.lower()}")
        except Malformed as malformed:
            raise VendorUnavailable(f"PayPal's answer cannot be read: {malformed}") from malformed

    def _call(
        self, method: str, path: str, key: str = "", body: Mapping[str, object] | None = None
    ) -> requests.Response:
        response = self._send(method, path, key, body)
        if response.status_code == 401:
            self._login.forget()
            response = self._send(method, path, key, body)
        return response

    def _send(self, method: str, path: str, key: str, body: Mapping[str, object] | None) -> requests.Response:
        headers = {"Authorization": f"Bearer {self._login.token()}", "Prefer": "return=representation"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "PayPal-Request-Id": _request_id(key)}
        try:
            return self._http.request(
                method,
                self._url + path,
                data=None if body is None else msgspec.json.encode(body),
                headers=headers,
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            wait_seconds = None if body is None else LANDS_WITHIN_SECONDS
            raise VendorUnavailable(
                f"PayPal did not answer: {type(error).__name__}", retry_after_seconds=wait_seconds
            ) from error


def _request_id(key: str) -> str:
    return key if len(key) <= REQUEST_ID_LIMIT else sha256(key.encode()).hexdigest()
