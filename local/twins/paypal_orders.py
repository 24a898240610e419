"""PayPal's side of a payment: orders that a payer approves, one capture each, refunds of it."""

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from local.twins.paypal_forms import money_of, shown
from local.twins.paypal_refusals import not_found, refuse
from local.twins.server import Json

# Three hours to send the payer, three more to approve and capture; what nobody has paid is forgotten after three days.
# A captured order stays: WooCommerce's PayPal Payments, for one, reads it when it refunds, months later.
APPROVABLE, CAPTURABLE, REMEMBERED = timedelta(hours=6), timedelta(hours=3), timedelta(days=3)
ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"

Emit = Callable[[str, str, Json], None]


def new_id() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(17))


@dataclass(slots=True)
class Orders:
    """All objects by id; `emit` hears of every event with a copy of its resource."""

    now: Callable[[], datetime]
    emit: Emit
    orders: dict[str, Json] = field(default_factory=dict)
    captures: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    approved_at: dict[str, datetime] = field(default_factory=dict)
    funding: dict[str, str] = field(default_factory=dict)
    return_urls: dict[str, str] = field(default_factory=dict)

    def clear(self) -> None:
        for held in (self.orders, self.captures, self.refunds, self.approved_at, self.funding, self.return_urls):
            held.clear()

    def open_order(self, form: Json, at: str) -> Json:
        """A new order; with a wallet as its source it waits for the payer at once."""
        order_id, wallet = new_id(), form.get("payment_source", {}).get("paypal")
        page = f"{at}/checkoutnow?token={order_id}"
        units = [{"reference_id": "default", **unit, "amount": _exact(unit)} for unit in form["purchase_units"]]
        order: Json = {
            "id": order_id,
            "intent": form["intent"],
            "status": "CREATED" if wallet is None else "PAYER_ACTION_REQUIRED",
            "purchase_units": units,
            "create_time": self._stamp(),
            "links": [
                _link(f"{at}/v2/checkout/orders/{order_id}", "self", "GET"),
                _link(page, "approve" if wallet is None else "payer-action", "GET"),
            ],
        }
        if wallet is not None:
            order["payment_source"] = {"paypal": {}}
            self.return_urls[order_id] = wallet.get("experience_context", {}).get("return_url", "")
        self.orders[order_id] = order
        return order

    def order(self, order_id: str) -> Json:
        order = self.orders.get(order_id)
        if order is None or (order["status"] != "COMPLETED" and self._age(order) > REMEMBERED):
            raise not_found()
        return order

    def approve(self, order_id: str, funding: str) -> Json:
        """The payer agrees; `funding` is `wallet`, `echeck` (pends) or `declined` (refused when it is captured)."""
        order = self.order(order_id)
        if order["status"] not in ("CREATED", "PAYER_ACTION_REQUIRED", "APPROVED"):
            raise refuse("ORDER_ALREADY_CAPTURED", "Order already captured.")
        if self._age(order) > APPROVABLE:
            raise refuse("ORDER_EXPIRED", "The payer is too late; the order can be approved no more.")
        order["status"] = "APPROVED"
        order["payer"] = {"payer_id": "PAYER23456789", "email_address": "payer@customer.example"}
        self.approved_at[order_id], self.funding[order_id] = self.now(), funding
        self._tell("CHECKOUT.ORDER.APPROVED", "checkout-order", order)
        return order

    def capture(self, order_id: str, at: str) -> Json:
        order = self.order(order_id)
        if order["status"] == "COMPLETED":
            said = "Order already captured.If 'intent=CAPTURE' only one capture per order is allowed."
            raise refuse("ORDER_ALREADY_CAPTURED", said)
        late = order_id in self.approved_at and self.now() - self.approved_at[order_id] > CAPTURABLE
        if order["status"] != "APPROVED" or late:
            raise refuse("ORDER_NOT_APPROVED", "Payer has not yet approved the Order for payment.")
        unit, funding = order["purchase_units"][0], self.funding[order_id]
        self._require_new_invoice(unit.get("invoice_id"))
        if funding == "declined":
            order["status"] = "PAYER_ACTION_REQUIRED"
            raise refuse(
                "INSTRUMENT_DECLINED", "The instrument presented was either declined by the processor or bank."
            )
        taken = self._capture_of(order_id, unit, at, "PENDING" if funding == "echeck" else "COMPLETED")
        unit["payments"] = {"captures": [taken]}
        order.update(status="COMPLETED", update_time=self._stamp())
        self._tell("CHECKOUT.ORDER.COMPLETED", "checkout-order", order)
        self._tell(f"PAYMENT.CAPTURE.{taken['status']}", "capture", taken)
        return order

    def settle(self, order_id: str, succeeded: bool) -> Json:
        """The bank's answer to a pending capture."""
        (taken,) = [c for c in self.captures.values() if _order_of(c) == order_id and c["status"] == "PENDING"]
        taken.pop("status_details", None)
        taken.update(status="COMPLETED" if succeeded else "DECLINED", update_time=self._stamp())
        self._tell(f"PAYMENT.CAPTURE.{'COMPLETED' if succeeded else 'DENIED'}", "capture", taken)
        return taken

    def find_capture(self, capture_id: str) -> Json:
        if capture_id not in self.captures:
            raise not_found()
        return self.captures[capture_id]

    def refund(self, capture_id: str, form: Json, at: str) -> Json:
        taken = self.find_capture(capture_id)
        if taken["status"] == "PENDING":
            raise refuse("PENDING_CAPTURE", "Cannot initiate a refund as the capture is pending.")
        if taken["status"] == "DECLINED":
            raise refuse("REFUND_NOT_ALLOWED", "Capture cannot be refunded.")
        currency, _ = money_of(taken, "amount", "")
        given, left = self._given_back(capture_id), self.left_of(taken)
        if not left:
            raise refuse("CAPTURE_FULLY_REFUNDED", "The capture has already been fully refunded")
        asked, amount = money_of(form, "amount", "") if "amount" in form else (currency, left)
        if asked != currency:
            raise refuse("REFUND_CAPTURE_CURRENCY_MISMATCH", "Refund must be in the same currency as the capture")
        if any(form.get("invoice_id") == r.get("invoice_id") for r in given if "invoice_id" in r):
            raise refuse("DUPLICATE_INVOICE_ID", "Invoice ID was previously used to refund a capture.")
        if amount > left:
            said = "The refund amount must be less than or equal to the capture amount that has not yet been refunded."
            raise refuse("REFUND_AMOUNT_EXCEEDED", said, "/amount/value")
        return self._refund_of(taken, form, shown(currency, amount), at, whole=amount == left)

    def left_of(self, taken: Json) -> Decimal:
        """What of a capture was not given back."""
        _, total = money_of(taken, "amount", "")
        return total - sum((Decimal(r["amount"]["value"]) for r in self._given_back(taken["id"])), Decimal(0))

    def _given_back(self, capture_id: str) -> list[Json]:
        return [r for r in self.refunds.values() if _capture_of(r) == capture_id and r["status"] != "FAILED"]

    def _refund_of(self, taken: Json, form: Json, amount: Json, at: str, *, whole: bool) -> Json:
        refund_id = new_id()
        made: Json = {
            "id": refund_id,
            "status": "COMPLETED",
            "amount": amount,
            **{name: form[name] for name in ("invoice_id", "custom_id", "note_to_payer") if name in form},
            "create_time": self._stamp(),
            "links": [
                _link(f"{at}/v2/payments/refunds/{refund_id}", "self", "GET"),
                _link(f"{at}/v2/payments/captures/{taken['id']}", "up", "GET"),
            ],
        }
        self.refunds[refund_id] = made
        taken["status"] = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
        payments = self.orders[_order_of(taken)]["purchase_units"][0]["payments"]
        payments.setdefault("refunds", []).append(made)
        self._tell("PAYMENT.CAPTURE.REFUNDED", "refund", made)
        return made

    def _capture_of(self, order_id: str, unit: Json, at: str, status: str) -> Json:
        capture_id = new_id()
        taken: Json = {
            "id": capture_id,
            "status": status,
            "amount": unit["amount"],
            **{name: unit[name] for name in ("custom_id", "invoice_id") if name in unit},
            "final_capture": True,
            "supplementary_data": {"related_ids": {"order_id": order_id}},
            "create_time": self._stamp(),
            "links": [
                _link(f"{at}/v2/payments/captures/{capture_id}", "self", "GET"),
                _link(f"{at}/v2/payments/captures/{capture_id}/refund", "refund", "POST"),
                _link(f"{at}/v2/checkout/orders/{order_id}", "up", "GET"),
            ],
        }
        if status == "PENDING":
            taken["status_details"] = {"reason": "ECHECK"}
        self.captures[capture_id] = taken
        return taken

    def _require_new_invoice(self, invoice_id: str | None) -> None:
        """As accounts are set up at first: payments with an invoice id that was paid before are blocked."""
        if invoice_id and any(c.get("invoice_id") == invoice_id for c in self.captures.values()):
            raise refuse("DUPLICATE_INVOICE_ID", "Duplicate Invoice ID detected.", "/purchase_units/0/invoice_id")

    def _age(self, order: Json) -> timedelta:
        return self.now() - datetime.fromisoformat(order["create_time"])

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%SZ")

    def _tell(self, kind: str, resource_type: str, resource: Json) -> None:
        self.emit(kind, resource_type, copy.deepcopy(resource))


def _exact(unit: Json) -> Json:
    return shown(*money_of(unit, "amount", ""))


def _order_of(capture: Json) -> str:
    return str(capture["supplementary_data"]["related_ids"]["order_id"])


def _capture_of(refund: Json) -> str:
    return str(refund["links"][1]["href"].rpartition("/")[2])


def _link(href: str, rel: str, method: str) -> Json:
    return {"href": href, "rel": rel, "method": method}
