"""Stripe's disputes: the card's bank takes the money and a fee, and gives the money again if the seller wins."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from local.twins import stripe_objects as objects
from local.twins.server import Json
from local.twins.stripe_params import refuse
from local.twins.stripe_payments import Emit, Payments, found

FEE = 1_500
ENDED = ("won", "lost")


@dataclass(slots=True)
class Disputes:
    """One dispute a payment, as a card has it."""

    payments: Payments
    now: Callable[[], datetime]
    emit: Emit
    held: dict[str, Json] = field(default_factory=dict)

    def open(self, intent_id: str, amount: int | None = None, reason: str = "fraudulent") -> Json:
        charge = self.payments.charges[self.payments.intent(intent_id)["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        if charge["disputed"] or not left:
            raise refuse("This charge cannot be disputed.", None, "payment_intent")
        opened = objects.dispute(charge, min(amount or left, left), reason, self._seconds())
        charge["disputed"] = True
        self.payments.charged_back.add(charge["id"])
        self.held[opened["id"]] = opened
        self._tell("created", opened)
        self._book(opened, -opened["amount"], FEE)
        self._tell("funds_withdrawn", opened)
        return opened

    def close(self, dispute_id: str, won: bool) -> Json:
        ended = found(self.held, dispute_id, "dispute", "id")
        if ended["status"] in ENDED:
            raise refuse("This dispute is already closed.", None, "dispute")
        ended["status"] = "won" if won else "lost"
        if won:
            self._book(ended, ended["amount"], 0)
            self.payments.charged_back.discard(ended["charge"])
        self._tell("closed", ended)
        if won:
            self._tell("funds_reinstated", ended)
        return ended

    def _book(self, about: Json, amount: int, fee: int) -> None:
        about["balance_transactions"].append(objects.dispute_booking(about, amount, fee, self._seconds()))

    def _tell(self, what: str, about: dict[str, Any]) -> None:
        self.emit(f"charge.dispute.{what}", copy.deepcopy(about))

    def _seconds(self) -> int:
        return int(self.now().timestamp())
