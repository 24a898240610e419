"""A payment provider in memory: two steps like PayPal's, one effect a key, and an answer that can be lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import DisputeState, PaymentLink, PaymentState, RefundState

Answer = TypeVar("Answer")
LINK_LIVES = timedelta(hours=3)


@dataclass
class Session:
    key: str
    amount: Money
    link: PaymentLink
    state: PaymentState


@dataclass
class FakePayments:
    """The `Payments` port. `doubt` is raised by the next call: instead of the work, or after it with `lose_answer`."""

    sessions: dict[str, Session] = field(default_factory=dict)
    refunds: dict[str, RefundState] = field(default_factory=dict)
    disputes: dict[str, list[DisputeState]] = field(default_factory=dict)
    captured: list[str] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    refund_outcome: str = "succeeded"
    doubt: VendorUnavailable | None = None
    lose_answer: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)

    def create_link(self, key: str, payment_id: str, deal: Deal, amount: Money, now: datetime) -> PaymentLink:
        def create() -> PaymentLink:
            for known in self.sessions.values():
                if known.key == key:
                    if (known.state.payment_id, known.amount) != (payment_id, amount):
                        raise VendorRefused("the same key came with something else")
                    return known.link
            session_id = f"session-{len(self.sessions) + 1}"
            link = PaymentLink(session_id, f"https://pay.test/{session_id}", now + LINK_LIVES)
            state = PaymentState(session_id, payment_id, "open", amount, session_id)
            self.sessions[session_id] = Session(key, amount, link, state)
            return link

        return self._answer("create", create)

    def look_up(self, key: str, payment_id: str, opened_at: datetime) -> PaymentLink | None:
        found = (known.link for known in self.sessions.values() if known.key == key)
        return self._answer("look up", lambda: next(found, None))

    def state(self, session_id: str) -> PaymentState:
        return self._answer("state", lambda: self._known(session_id).state)

    def cancel(self, session_id: str, key: str) -> PaymentState:
        def cancel() -> PaymentState:
            state = self._known(session_id).state
            return self.become(session_id, "expired") if state.outcome in ("open", "approved") else state

        return self._answer("cancel", cancel)

    def capture(self, session_id: str, key: str) -> PaymentState:
        def capture() -> PaymentState:
            state = self._known(session_id).state
            if state.outcome in ("open", "expired", "failed"):
                raise VendorRefused(f"the payer has not approved: the session is {state.outcome}")
            if state.outcome == "approved":
                self.captured.append(session_id)
                return self.become(session_id, "paid", reference=f"money-{session_id}")
            return state

        return self._answer("capture", capture)

    def refund(self, key: str, reference: str, amount: Money, deal_id: str) -> RefundState:
        def refund() -> RefundState:
            if key in self.refunds:
                return self.refunds[key]
            paid = next(s.amount for s in self.sessions.values() if s.state.reference == reference)
            if any(dispute.outcome != "won" for dispute in self.disputes.get(reference, [])):
                raise VendorRefused("the payer's bank has the money")
            given = sum(known.amount.amount_minor for known in self.refunds.values())
            if amount.currency != paid.currency or given + amount.amount_minor > paid.amount_minor:
                raise VendorRefused("that is more than was paid")
            self.refunds[key] = RefundState(f"refund-{len(self.refunds) + 1}", key, self.refund_outcome, amount)
            return self.refunds[key]

        return self._answer("refund", refund)

    def look_up_refund(self, key: str, reference: str) -> RefundState | None:
        return self._answer("look up refund", lambda: self.refunds.get(key))

    def refunds_of(self, reference: str) -> list[RefundState]:
        return self._answer("refunds of", lambda: list(self.refunds.values()))

    def disputes_of(self, reference: str) -> list[DisputeState]:
        return self._answer("disputes of", lambda: list(self.disputes.get(reference, [])))

    def become(self, session_id: str, outcome: str, **changes: str) -> PaymentState:
        """What happens to a session at the provider."""
        session = self._known(session_id)
        session.state = replace(session.state, outcome=outcome, **changes)  # type: ignore[arg-type]
        return session.state

    def _known(self, session_id: str) -> Session:
        return self.sessions[session_id]

    def _answer(self, call: str, work: Callable[[], Answer]) -> Answer:
        with self.lock:
            self.calls.append(call)
            doubt, self.doubt = self.doubt, None
            if doubt and not self.lose_answer:
                raise doubt
            answer = work()
            if doubt:
                raise doubt
            return answer
