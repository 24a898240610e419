"""Stripe by stripe-python: a checkout session that pays once, with an idempotency key made from the fact."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import stripe

from dealdesk.contracts.stripe import Dispute, Refund, Session, dispute_state_of, refund_state_of, state_of
from dealdesk.contracts.stripe_money import to_stripe
from dealdesk.domain.deal import Deal
from dealdesk.domain.money import Money
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import DisputeState, PaymentLink, PaymentState, RefundState

TIMEOUT_SECONDS = 8
KEY_LIMIT = 255
KEYS_A_FACT = 5
# Stripe allows 30 minutes to 24 hours; a little less than a day keeps clear of its own clock.
LINK_LIVES = timedelta(hours=23, minutes=30)

Answer = TypeVar("Answer")
Shape = TypeVar("Shape", bound=msgspec.Struct)


class StripePayments:
    """The `Payments` port. Stripe counts some currencies its own way: see `contracts/stripe_money.py`."""

    def __init__(self, api_key: str, url: str, *, return_url: str) -> None:
        self._client = stripe.StripeClient(
            api_key,
            base_addresses={"api": url},
            http_client=stripe.RequestsClient(timeout=TIMEOUT_SECONDS),
            max_network_retries=0,
        )
        self._return_url = return_url

    def create_link(self, key: str, payment_id: str, deal: Deal, amount: Money, now: datetime) -> PaymentLink:
        assert deal.quote is not None
        ours = {"deal_id": deal.id, "payment_id": payment_id, "intent": key}
        price: stripe.params.checkout.SessionCreateParamsLineItemPriceData = {
            "currency": amount.currency.lower(),
            "unit_amount": to_stripe(amount),
            "product_data": {"name": deal.quote.name},
        }
        params: stripe.params.checkout.SessionCreateParams = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "client_reference_id": deal.id,
            "metadata": ours,
            "payment_intent_data": {"metadata": ours},
            "expires_at": int((_hour_of(deal, key, now) + LINK_LIVES).timestamp()),
            "success_url": f"{self._return_url}/console/payments/done",
            "cancel_url": f"{self._return_url}/console/payments/open",
        }
        intent = deal.intent(key)
        since = intent.opened_at if intent else now
        return self._made_once(
            key,
            lambda options: _link(self._client.v1.checkout.sessions.create(params, options)),
            lambda: self.look_up(key, payment_id, since),
        )

    def look_up(self, key: str, payment_id: str, opened_at: datetime) -> PaymentLink | None:
        """The session that carries our payment id. Stripe forgets keys after a day, its objects it keeps."""
        since = int((opened_at - timedelta(minutes=5)).timestamp())

        def search(client: stripe.StripeClient) -> PaymentLink | None:
            page = client.v1.checkout.sessions.list({"created": {"gte": since}, "limit": 100})
            ours = (s for s in page.auto_paging_iter() if _metadata(s).get("payment_id") == payment_id)
            return next((_link(session) for session in ours), None)

        return self._call(search)

    def state(self, session_id: str) -> PaymentState:
        return _state(self._call(lambda c: c.v1.checkout.sessions.retrieve(session_id)))

    def cancel(self, session_id: str, key: str) -> PaymentState:
        """Expires the session unless it has ended; the answer says how, and money that was faster stays."""
        state = self.state(session_id)
        if state.outcome == "open":
            options: stripe.RequestOptions = {"idempotency_key": key[:KEY_LIMIT]}
            return _state(self._call(lambda c: c.v1.checkout.sessions.expire(session_id, {}, options)))
        return state

    def capture(self, session_id: str, key: str) -> PaymentState:
        """Stripe takes what the customer pays by itself; there is only its state to tell."""
        return self.state(session_id)

    def refund(self, key: str, reference: str, amount: Money, deal_id: str) -> RefundState:
        params: stripe.params.RefundCreateParams = {
            "payment_intent": reference,
            "amount": to_stripe(amount),
            "metadata": {"deal_id": deal_id, "intent": key},
        }
        return self._made_once(
            key,
            lambda options: _refund(self._client.v1.refunds.create(params, options)),
            lambda: self.look_up_refund(key, reference),
        )

    def look_up_refund(self, key: str, reference: str) -> RefundState | None:
        """The refund of this payment that carries our key."""
        return next((refund for refund in self.refunds_of(reference) if refund.key == key), None)

    def refunds_of(self, reference: str) -> list[RefundState]:
        def search(client: stripe.StripeClient) -> list[RefundState]:
            page = client.v1.refunds.list({"payment_intent": reference, "limit": 100})
            return [_refund(refund) for refund in page.auto_paging_iter()]

        return self._call(search)

    def disputes_of(self, reference: str) -> list[DisputeState]:
        def search(client: stripe.StripeClient) -> list[DisputeState]:
            page = client.v1.disputes.list({"payment_intent": reference, "limit": 100})
            return [dispute_state_of(_read(shown, Dispute)) for shown in page.auto_paging_iter()]

        return self._call(search)

    def _made_once(
        self,
        key: str,
        make: Callable[[stripe.RequestOptions], Answer],
        look_up: Callable[[], Answer | None],
    ) -> Answer:
        """What `make` made under the fact's key, or under its next one when a kept 500 has spent the key before."""
        for number in range(1, KEYS_A_FACT + 1):
            try:
                return make({"idempotency_key": key if number == 1 else f"{key}#{number}"})
            except stripe.StripeError as error:
                if not _is_spent(error):
                    raise translated(error) from error
            if made := look_up():
                return made
        raise VendorUnavailable("Stripe keeps failing on this request")

    def _call(self, call: Callable[[stripe.StripeClient], Answer]) -> Answer:
        try:
            return call(self._client)
        except stripe.StripeError as error:
            raise translated(error) from error


def translated(error: stripe.StripeError) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of Stripe means for the desk."""
    transient = (
        stripe.APIConnectionError,
        stripe.RateLimitError,
        stripe.APIError,
        stripe.AuthenticationError,
        stripe.TemporarySessionExpiredError,
    )
    status = error.http_status or 0
    in_use = error.code in ("idempotency_key_in_use", "lock_timeout")
    if isinstance(error, transient) or in_use or status == 429 or status >= 500:
        return VendorUnavailable(
            f"Stripe did not answer: {type(error).__name__} {status or ''}".rstrip(),
            retry_after_seconds=_retry_after(error),
        )
    return VendorRefused(f"Stripe refused: {error.code or type(error).__name__} {error.user_message or ''}".rstrip())


def _is_spent(error: stripe.StripeError) -> bool:
    """Stripe keeps a 500 under its key and gives it again for a day: that key will never make anything.

    Only then, and after a look-up has shown that nothing was made, the fact's next key may be used.
    """
    replayed = str((error.headers or {}).get("idempotent-replayed", "")).lower() == "true"
    return replayed and isinstance(error, stripe.APIError)


def _retry_after(error: stripe.StripeError) -> int | None:
    text = str((error.headers or {}).get("retry-after", ""))
    return int(text) if text.isascii() and text.isdigit() else None


def _hour_of(deal: Deal, key: str, now: datetime) -> datetime:
    """A moment fixed by the intent, because Stripe refuses a key that comes again with another expiry."""
    intent = deal.intent(key)
    return max(intent.opened_at, now - timedelta(hours=20)) if intent else now


def _metadata(shown: stripe.checkout.Session | stripe.Refund) -> dict[str, str]:
    return shown.metadata.to_dict() if shown.metadata else {}


def _link(shown: stripe.checkout.Session) -> PaymentLink:
    session = _read(shown, Session)
    return PaymentLink(session.id, session.url or "", datetime.fromtimestamp(session.expires_at, UTC))


def _refund(shown: stripe.Refund) -> RefundState:
    return refund_state_of(_read(shown, Refund))


def _state(shown: stripe.checkout.Session) -> PaymentState:
    session = _read(shown, Session)
    state = state_of(session)
    if state is None:
        raise VendorRefused(f"Stripe's session {session.id} is none of the desk's")
    return state


def _read(shown: stripe.StripeObject, kind: type[Shape]) -> Shape:
    """What the desk reads of an object; one that lacks it leaves the call in doubt."""
    try:
        return msgspec.convert(shown.to_dict(), kind, strict=False)
    except msgspec.ValidationError as error:
        raise VendorUnavailable(f"Stripe's answer cannot be read as a {kind.__name__.lower()}: {error}") from error
