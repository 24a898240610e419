"""PayPal's disputes: a payer asks money back, PayPal decides, and the seller's account moves."""

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from local.twins.paypal_forms import money_of, shown
from local.twins.paypal_orders import Emit, Orders
from local.twins.paypal_refusals import malformed, not_found, refuse
from local.twins.server import Json

FEE = "15.00"
OUTCOMES = ("RESOLVED_BUYER_FAVOUR", "RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "ACCEPTED")
TO_THE_PAYER = ("RESOLVED_BUYER_FAVOUR", "ACCEPTED")
SUMMARY = ("dispute_id", "reason", "status", "dispute_amount", "create_time", "update_time", "links")
QUERY = frozenset({"disputed_transaction_id", "start_time", "page_size", "next_page_token", "dispute_state"})
LARGEST_PAGE = 50


@dataclass(slots=True)
class Disputes:
    orders: Orders
    now: Callable[[], datetime]
    emit: Emit
    held: dict[str, Json] = field(default_factory=dict)

    def open(self, capture_id: str, value: str | None = None, reason: str = "UNAUTHORISED") -> Json:
        """The payer's bank asks for a part or for all that is left of a capture; PayPal holds it and takes its fee."""
        capture = self.orders.find_capture(capture_id)
        currency, _ = money_of(capture, "amount", "")
        left = self.orders.left_of(capture)
        if not left or self._hold(capture_id):
            raise refuse("TRANSACTION_NOT_DISPUTABLE", "Nothing of the transaction can be disputed.")
        amount = shown(currency, min(Decimal(value), left) if value else left)
        dispute_id = f"PP-R-{secrets.token_hex(4).upper()}"
        opened: Json = {
            "dispute_id": dispute_id,
            "create_time": self._stamp(),
            "update_time": self._stamp(),
            "disputed_transactions": [
                {
                    "seller_transaction_id": capture_id,
                    "gross_amount": capture["amount"],
                    "custom": capture.get("custom_id", ""),
                }
            ],
            "reason": reason,
            "status": "WAITING_FOR_SELLER_RESPONSE",
            "dispute_state": "REQUIRED_ACTION",
            "dispute_amount": amount,
            "dispute_life_cycle_stage": "CHARGEBACK",
            "dispute_channel": "EXTERNAL",
            "fund_movements": [self._moved("DEBIT", "CHARGEBACK_FEE", {"currency_code": currency, "value": FEE})],
            "links": [{"href": f"/v1/customer/disputes/{dispute_id}", "rel": "self", "method": "GET"}],
        }
        self.held[dispute_id] = opened
        self._tell("CREATED", opened)
        return opened

    def resolve(self, dispute_id: str, outcome: str, *, by_refund: bool = False, at: str = "") -> Json:
        """`by_refund` shows what the payer gets as a refund of the capture, as PayPal does for an accepted claim."""
        ended = self.find(dispute_id)
        if ended["status"] == "RESOLVED" or outcome not in OUTCOMES:
            raise refuse("ACTION_NOT_ALLOWED_IN_CURRENT_DISPUTE_STATE", "The dispute is decided.")
        ended.update(status="RESOLVED", dispute_state="RESOLVED", update_time=self._stamp())
        ended["dispute_outcome"] = {"outcome_code": outcome}
        if outcome in TO_THE_PAYER:
            ended["dispute_outcome"]["amount_refunded"] = ended["dispute_amount"]
            ended["fund_movements"].append(self._moved("DEBIT", "DISPUTE_SETTLEMENT", ended["dispute_amount"]))
            if by_refund:
                capture_id = ended["disputed_transactions"][0]["seller_transaction_id"]
                self.orders.refund(capture_id, {"amount": ended["dispute_amount"]}, at)
        self._tell("RESOLVED", ended)
        return ended

    def require_refundable(self, capture_id: str) -> None:
        """Raises PayPal's refusal for money that a bank has, or has kept. Every dispute here is a bank's."""
        if self._hold(capture_id):
            said = "Refunds not allowed on this capture due to a chargeback on the card or bank."
            raise refuse("REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK", said)

    def _hold(self, capture_id: str) -> bool:
        """Whether some of the capture is disputed, or was lost."""
        about = [d for d in self.held.values() if d["disputed_transactions"][0]["seller_transaction_id"] == capture_id]
        outcomes = [dispute.get("dispute_outcome", {}).get("outcome_code") for dispute in about]
        return any(outcome is None or outcome in TO_THE_PAYER for outcome in outcomes)

    def find(self, dispute_id: str) -> Json:
        if dispute_id not in self.held:
            raise not_found()
        return self.held[dispute_id]

    def listed(self, asked: dict[str, str], at: str) -> Json:
        """Newest first, in summary; by a transaction or by time, never by both."""
        if unknown := asked.keys() - QUERY:
            raise malformed("INVALID_PARAMETER", f"Unknown parameters: {', '.join(sorted(unknown))}.", "")
        if {"disputed_transaction_id", "start_time"} <= asked.keys():
            raise malformed("INVALID_PARAMETER", "start_time or disputed_transaction_id, not both.", "")
        size = int(asked.get("page_size", "10"))
        if not 1 <= size <= LARGEST_PAGE:
            raise malformed("INVALID_PARAMETER_VALUE", f"page_size is 1 to {LARGEST_PAGE}.", "page_size")
        wanted = asked.get("disputed_transaction_id")
        rows = [
            row
            for row in reversed(self.held.values())
            if wanted in (None, row["disputed_transactions"][0]["seller_transaction_id"])
        ]
        start = int(asked.get("next_page_token", "0"))
        links = [{"href": f"{at}/v1/customer/disputes", "rel": "self", "method": "GET"}]
        if len(rows) > start + size:
            links.append({"href": f"{at}/v1/customer/disputes?next_page_token={start + size}", "rel": "next"})
        items = [{name: row[name] for name in SUMMARY} for row in rows[start : start + size]]
        return {"items": items, "links": links}

    def _moved(self, kind: str, reason: str, amount: Json) -> Json:
        return {"party": "SELLER", "amount": amount, "initiated_time": self._stamp(), "type": kind, "reason": reason}

    def _tell(self, what: str, about: dict[str, Any]) -> None:
        self.emit(f"CUSTOMER.DISPUTE.{what}", "dispute", copy.deepcopy(about))

    def _stamp(self) -> str:
        return self.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
