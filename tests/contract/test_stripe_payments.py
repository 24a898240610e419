"""What the Stripe adapter makes of Stripe's own ways: spent keys, its currencies and its error classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest
import stripe
from stripe import _error

from dealdesk.adapters.stripe import StripePayments, translated
from dealdesk.domain import payments
from dealdesk.domain.fold import fold
from dealdesk.domain.money import Money
from dealdesk.domain.stages import Stage
from dealdesk.errors import VendorRefused, VendorUnavailable
from dealdesk.ports import PaymentLink
from local.twins.server import Fault, serve
from local.twins.stripe import StripeTwin
from tests.unit.domain.deals import a_deal

WAITS = frozenset(
    ["APIConnectionError", "APIError", "AuthenticationError", "RateLimitError", "TemporarySessionExpiredError"]
)
# An upgrade that brings another class is a decision to be made here.
REFUSES = frozenset(
    [
        "AlreadyCanceledError",
        "BlockedByStripeError",
        "CannotProceedError",
        "CapabilityNotEnabledError",
        "CardError",
        "ControlledByAlternateResourceError",
        "FeatureNotEnabledError",
        "FinancialAccountNotOpenError",
        "FxQuoteNeedsRefreshError",
        "IdempotencyError",
        "InsufficientFundsError",
        "InvalidPaymentMethodError",
        "InvalidPayoutMethodError",
        "InvalidRequestError",
        "InvalidVaultedCredentialError",
        "NotCancelableError",
        "PermissionError",
        "QuotaExceededError",
        "RecipientNotNotifiableError",
        "SignatureVerificationError",
        "StripeErrorWithParamCode",
        "VerificationAttemptFailedError",
        "VerificationExpiredError",
        "VerificationNotInitiatedError",
    ]
)


@pytest.fixture
def twin() -> Iterator[StripeTwin]:
    made = StripeTwin(api_key="sk_test", webhook_secret="whsec")
    with closing(serve(made)):
        yield made


@pytest.fixture
def port(twin: StripeTwin) -> StripePayments:
    return StripePayments("sk_test", twin.url, return_url="https://desk.test")


def create(port: StripePayments, amount: Money | None = None) -> PaymentLink:
    now = datetime.now(UTC)
    deal = a_deal(Stage.SIGNED)
    deal = fold(deal, payments.ask(deal, now), now)
    assert deal.payment is not None
    return port.create_link(deal.payment.key, deal.payment.id, deal, amount or deal.payment.amount, now)


@pytest.mark.parametrize("money", [Money(50_000, "UGX"), Money(50_000, "ISK"), Money(5_120, "KWD")], ids=str)
def test_a_currency_that_stripe_counts_its_own_way_is_asked_and_reported_as_the_deal_has_it(
    twin: StripeTwin, port: StripePayments, money: Money
) -> None:
    link = create(port, money)
    twin.act("pay", {"session_id": link.session_id})

    state = port.state(link.session_id)
    back = port.refund("refund:1", state.reference, money, "d-1")
    assert (state.outcome, state.amount, back.amount) == ("paid", money, money)


def test_an_amount_that_stripe_cannot_carry_is_refused_before_any_call(twin: StripeTwin, port: StripePayments) -> None:
    with pytest.raises(VendorRefused, match="cannot carry"):
        create(port, Money(5_121, "KWD"))

    assert twin.requests == []


def test_a_refund_whose_key_a_kept_500_has_spent_is_made_with_the_facts_next_key(
    twin: StripeTwin, port: StripePayments
) -> None:
    link = create(port)
    twin.act("pay", {"session_id": link.session_id})
    paid = port.state(link.session_id)
    twin.faults.append(Fault("POST /v1/refunds", "status", status=500))

    with pytest.raises(VendorUnavailable):
        port.refund("refund:1", paid.reference, Money(100, "USD"), "d-1")
    back = port.refund("refund:1", paid.reference, Money(100, "USD"), "d-1")

    assert (back.outcome, back.key) == ("succeeded", "refund:1")
    assert len(twin.state()["refunds"]) == 1
    assert [key for key in twin.state()["idempotency_keys"] if "refund" in key] == ["refund:1", "refund:1#2"]


def test_our_ids_travel_with_a_refund(twin: StripeTwin, port: StripePayments) -> None:
    link = create(port)
    twin.act("pay", {"session_id": link.session_id})
    port.refund("refund:1", port.state(link.session_id).reference, Money(100, "USD"), "d-1")

    (made,) = twin.state()["refunds"]
    assert made["metadata"] == {"deal_id": "d-1", "intent": "refund:1"}


def test_a_refund_is_found_behind_a_hundred_others(twin: StripeTwin, port: StripePayments) -> None:
    link = create(port)
    twin.act("pay", {"session_id": link.session_id})
    reference = port.state(link.session_id).reference
    first = port.refund("refund:0", reference, Money(1, "USD"), "d-1")
    for number in range(1, 101):
        twin.payments.refund({"payment_intent": reference, "amount": 1, "metadata": {"intent": f"refund:{number}"}})

    assert port.look_up_refund("refund:0", reference) == first


ERRORS = dict(inspect.getmembers(_error, lambda kind: inspect.isclass(kind) and issubclass(kind, stripe.StripeError)))


def test_every_error_class_of_stripe_is_decided_on() -> None:
    assert set(ERRORS) - {"StripeError"} == WAITS | REFUSES


@pytest.mark.parametrize("name", sorted(WAITS | REFUSES))
def test_every_error_class_of_stripe_says_what_it_means_for_the_desk(name: str) -> None:
    error = ERRORS[name].__new__(ERRORS[name])
    stripe.StripeError.__init__(error, "no")

    assert type(translated(error)) is (VendorUnavailable if name in WAITS else VendorRefused)
