"""Stripe's side of a payment: sessions that are paid once, bank debits that settle later, refunds."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from local.twins import stripe_objects as objects
from local.twins.server import Json
from local.twins.stripe_forms import METHODS, amount_text, require_lifetime, total_of
from local.twins.stripe_params import StripeRefused, refuse

DEFAULT_LIFE = timedelta(hours=24)

Emit = Callable[[str, Json], None]


@dataclass(slots=True)
class Payments:
    """All objects by id, in the order of their creation; `emit` hears of every event with a copy of its object.

    `charged_back` are the charges whose money the card's bank has, or has kept: nobody can refund those.
    """

    now: Callable[[], datetime]
    emit: Emit
    sessions: dict[str, Json] = field(default_factory=dict)
    lines: dict[str, Json] = field(default_factory=dict)
    intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    charged_back: set[str] = field(default_factory=set)
    _intent_data: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def clear(self) -> None:
        for held in (self.sessions, self.lines, self.intents, self.charges, self.refunds, self._intent_data):
            held.clear()
        self.charged_back.clear()

    def open_session(self, params: Mapping[str, Any], at: str) -> Json:
        if params["mode"] != "payment":
            raise refuse(f"This account takes one-time payments only, not {params['mode']}.", None, "mode")
        currency, total = total_of(params)
        created = self._seconds()
        expires_at = params.get("expires_at", created + int(DEFAULT_LIFE.total_seconds()))
        require_lifetime(expires_at, created)
        opened = objects.session(params, currency=currency, total=total, expires_at=expires_at, created=created, at=at)
        self.sessions[opened["id"]] = opened
        self.lines[opened["id"]] = objects.line_items(params, opened["id"])
        self._intent_data[opened["id"]] = params.get("payment_intent_data", {})
        return opened

    def pay(self, session_id: str, method: str) -> Json:
        """A card pays at once; a bank debit (`ach`) completes the session and leaves it unpaid until settled."""
        session = self._open(session_id)
        if METHODS.get(method) not in session["payment_method_types"]:
            raise refuse(f"This session takes {session['payment_method_types']}, not {method}.", None, "method")
        session.update(status="complete", url=None)
        if session["amount_total"]:
            intent = self._attempt(session)
            if method == "card":
                self._collect(session, intent, METHODS[method])
            else:
                intent["status"] = "processing"
        self._tell("checkout.session.completed", session)
        return session

    def settle(self, session_id: str, succeeded: bool) -> Json:
        session = self.session(session_id)
        intent = self.intents.get(session["payment_intent"] or "")
        if intent is None or intent["status"] != "processing":
            raise refuse("No bank debit of this session is under way.", None, "session_id")
        if succeeded:
            self._collect(session, intent, METHODS["ach"])
        else:
            intent["status"] = "requires_payment_method"
            intent["last_payment_error"] = _card_error("payment_method_customer_decline", "The debit failed.")
        outcome = "succeeded" if succeeded else "failed"
        self._tell(f"checkout.session.async_payment_{outcome}", session)
        return session

    def decline(self, session_id: str) -> Json:
        """The card is refused; the buyer may try again."""
        session = self._open(session_id)
        intent = self._attempt(session)
        error = _card_error("card_declined", "Your card was declined.")
        intent["last_payment_error"] = {**error, "decline_code": "generic_decline"}
        self._tell("payment_intent.payment_failed", intent)
        return session

    def expire(self, session_id: str) -> Json:
        session = self._open(session_id)
        session.update(status="expired", url=None)
        self._tell("checkout.session.expired", session)
        return session

    def expire_overdue(self) -> None:
        """What Stripe does by its own clock happens here when somebody looks."""
        for session in list(self.sessions.values()):
            if session["status"] == "open" and session["expires_at"] <= self._seconds():
                self.expire(session["id"])

    def refund(self, params: Mapping[str, Any]) -> Json:
        intent = self.intent(params["payment_intent"], "payment_intent")
        charge = self.charges.get(intent["latest_charge"] or "")
        if charge is None:
            said = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
            raise StripeRefused(400, said, executed=True)
        if charge["id"] in self.charged_back:
            said = f"Charge {charge['id']} has been charged back; cannot issue a refund."
            raise StripeRefused(400, said, code="charge_disputed", executed=True)
        left = charge["amount"] - charge["amount_refunded"]
        if not left:
            said = f"Charge {charge['id']} has already been refunded."
            raise StripeRefused(400, said, code="charge_already_refunded", executed=True)
        amount = params.get("amount", left)
        if amount > left:
            asked, rest = (amount_text(sum_, charge["currency"]) for sum_ in (amount, left))
            said = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
            raise StripeRefused(400, said, param="amount", executed=True)
        made = objects.refund(charge, amount, params, self._seconds())
        self.refunds[made["id"]] = made
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self._tell("refund.created", made)
        self._tell("charge.refunded", charge)
        return made

    def session(self, session_id: str) -> Json:
        return found(self.sessions, session_id, "checkout.session", "session")

    def intent(self, intent_id: str, param: str = "intent") -> Json:
        return found(self.intents, intent_id, "payment_intent", param)

    def _open(self, session_id: str) -> Json:
        session = self.session(session_id)
        if session["status"] != "open":
            raise StripeRefused(
                400,
                'Only Checkout Sessions with a status in ["open"] can be paid or expired. This Checkout Session '
                f"has a status of `{session['status']}`.",
                executed=True,
            )
        return session

    def _attempt(self, session: Json) -> Json:
        """The session's payment intent, made by the first attempt."""
        if session["payment_intent"] is None:
            data = self._intent_data[session["id"]]
            intent = objects.payment_intent(session, data, self._seconds())
            self.intents[intent["id"]] = intent
            session["payment_intent"] = intent["id"]
        return self.intents[session["payment_intent"]]

    def _collect(self, session: Json, intent: Json, method: str) -> None:
        charge = objects.charge(intent, method, self._seconds())
        self.charges[charge["id"]] = charge
        intent.update(
            status="succeeded",
            amount_received=intent["amount"],
            latest_charge=charge["id"],
            payment_method=objects.new_id("pm"),
            last_payment_error=None,
        )
        session["payment_status"] = "paid"

    def _tell(self, kind: str, about: Json) -> None:
        self.emit(kind, copy.deepcopy(about))

    def _seconds(self) -> int:
        return int(self.now().timestamp())


def found(held: Mapping[str, Json], object_id: str, kind: str, param: str) -> Json:
    if object_id not in held:
        raise StripeRefused(404, f"No such {kind}: '{object_id}'", code="resource_missing", param=param)
    return held[object_id]


def _card_error(code: str, message: str) -> Json:
    return {"code": code, "message": message, "type": "card_error"}
