"""Bugs that somebody might write, put into the desk's own code while it runs: the proof must find each of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

from botocore.exceptions import BotoCoreError, ClientError

from dealdesk.adapters import claims, dynamo_deals, dynamo_figures, dynamo_index, stripe
from dealdesk.adapters.docusign import DocusignSignatures
from dealdesk.adapters.dropbox_sign import DropboxSignSignatures
from dealdesk.contracts import bus
from dealdesk.domain import certificate, fold, fold_terms, payments
from dealdesk.domain.events import QuoteEvaluated
from dealdesk.domain.stages import PaymentStatus
from dealdesk.edge import answers, aws, proofs, reactions
from dealdesk.errors import AlreadyHandled, CertificateInvalid, VendorRefused, VendorUnavailable
from dealdesk.usecases import carry_out, request_signature
from tests.journeys.world import load
from tests.prove import bugs_of_disputes, bugs_of_money, world
from tests.prove.run import run

Patches = list[tuple[object, str, Any]]


def no_claim() -> Patches:
    """A cause leaves no claim that its repetition would find."""
    real = claims.claim_item

    def elsewhere(*given: Any) -> Any:
        item = real(*given)
        return item | {"pk": {"S": f"{item['pk']['S']}#{uuid.uuid4()}"}}

    return [(dynamo_deals, "claim_item", elsewhere)]


def no_condition() -> Patches:
    """Whoever writes last wins."""
    return [(dynamo_deals, "_unmoved", lambda _: {}), (dynamo_deals, "NEW", {})]


def count_without_a_look() -> Patches:
    """Whoever has counted a deal adds the difference, also when somebody else has added it meanwhile."""
    return [(dynamo_figures, "equals", lambda *_: {}), (dynamo_figures, "NEW", {})]


def key_per_attempt() -> Patches:
    """Stripe's idempotency key is made anew for every call."""
    real = stripe.StripePayments.create_link

    def create_link(self: Any, key: str, *given: Any) -> Any:
        sessions = self._client.v1.checkout.sessions
        create = sessions.create

        def anew(params: Any, options: Any) -> Any:
            return create(params, {"idempotency_key": str(uuid.uuid4())})

        with patch.object(type(sessions), "create", lambda _, params, options: anew(params, options)):
            return real(self, key, *given)

    return [(stripe.StripePayments, "create_link", create_link)]


def publish_before_commit() -> Patches:
    """Events go to the bus before the table has taken them."""
    real = dynamo_deals.DynamoDeals.save

    def save(self: Any, deal: Any, events: Any, *, cause: Any, actor: str, now: Any) -> Any:
        for record in dynamo_deals._chained(deal, events, str(cause), actor, now):
            data = bus.public_data(record.type, json.loads(record.data))
            at = record.occurred_at.isoformat()
            event = bus.BusEvent(record.id, record.type, bus.SCHEMA_VERSION, at, deal.id, record.sequence, data)
            entry = {"Source": bus.SOURCE, "DetailType": record.type, "Detail": bus.dump(event)}
            with suppress(ClientError, BotoCoreError):
                aws.client("events").put_events(Entries=[entry])
        return real(self, deal, events, cause=cause, actor=actor, now=now)

    return [(dynamo_deals.DynamoDeals, "save", save)]


def conflict_is_replay() -> Patches:
    """A transaction that met another one passes for one that was made before."""
    real = claims._explain

    def explain(error: Any, subject: str) -> Any:
        codes = [reason.get("Code") for reason in error.response.get("CancellationReasons") or []]
        if "TransactionConflict" in codes:
            raise AlreadyHandled(subject.removeprefix("deal "), 0)
        return real(error, subject)

    return [(claims, "_explain", explain)]


def return_in_the_loop() -> Patches:
    """The first record that goes back ends the batch."""
    real = reactions.react

    def react(batch: Any, *given: Any) -> Any:
        for record in batch["Records"]:
            answer = real({"Records": [record]}, *given)
            if answer["batchItemFailures"]:
                return answer
        return {"batchItemFailures": []}

    return [(reactions, "react", react)]


def no_look_up() -> Patches:
    """After doubt the contract is sent again without a look at who signs."""
    return [(one, "look_up", lambda *_: None) for one in (DocusignSignatures, DropboxSignSignatures)]


def no_lease() -> Patches:
    """Whoever comes carries the intent out, also while another worker is at it."""
    return [(carry_out, "LEASE", timedelta(0)), (request_signature, "SENDING", timedelta(0))]


def signature_of_parsed_json() -> Patches:
    """The proof is computed over what the desk makes of the body, and not over the body."""
    real = proofs.stripe

    def stripe_proof(header: Any, body: bytes, *given: Any) -> None:
        real(header, json.dumps(json.loads(body)).encode(), *given)

    return [(proofs, "stripe", stripe_proof)]


def forget_the_fingerprint() -> Patches:
    """An edit leaves the approval standing, and the gate of the signature takes any certificate."""
    real = fold_terms.about_the_quote

    def about(deal: Any, event: Any, at: Any) -> Any:
        after = real(deal, event, at)
        if isinstance(event, QuoteEvaluated) and deal.certificate:
            return replace(after, certificate=deal.certificate, intents=deal.intents, stage=deal.stage)
        return after

    def gate(deal: Any, *_: Any, **__: Any) -> Any:
        if deal.certificate is None:
            raise CertificateInvalid("no certificate")
        return deal.certificate.fingerprint

    return [(fold, "about_the_quote", about), (request_signature, "gate", gate)]


def expired_is_good_enough() -> Patches:
    """An approval never ends."""
    real = certificate.gate

    def gate(deal: Any, effect: str, now: Any, *, signed: bool) -> str:
        return real(deal, effect, min(now, deal.certificate.expires_at) if deal.certificate else now, signed=signed)

    return [(request_signature, "gate", gate), (request_signature, "has_expired", lambda *_: False)]


def no_failed_entries() -> Patches:
    """What PutEvents says about entries that it did not take is not looked at."""
    real = world.World._put_events

    def put_events(self: Any, Entries: Any) -> Any:
        return real(self, Entries) | {"FailedEntryCount": 0}

    return [(world.World, "_put_events", put_events)]


def swallow_in_the_relay() -> Patches:
    """The relay takes a failure for done, and the stream goes on."""

    def loaded(folder: str) -> ModuleType:
        module = load(folder)
        real = module.handler

        def handler(event: Any, context: Any) -> Any:
            try:
                return real(event, context)
            except Exception:
                return None

        if folder == "relay_events":
            module.handler = handler  # type: ignore[attr-defined]
        return module

    return [(world, "load", loaded)]


def a_link_a_request() -> Patches:
    """Whoever asks for payment gets a new link, also while another is open."""
    real = payments.ask

    def ask(deal: Any, *given: Any) -> Any:
        open_ = tuple(
            replace(p, status=PaymentStatus.FAILED) if p.status is PaymentStatus.PENDING else p for p in deal.payments
        )
        return real(replace(deal, payments=open_), *given)

    return [(payments, "ask", ask)]


def nobody_chases() -> Patches:
    """Who does not answer is never asked."""
    return [(dynamo_index.DynamoDealIndex, "silent", lambda *_: [])]


def drop_when_a_vendor_is_down() -> Patches:
    """A message whose receiver does not answer counts as done."""
    row = replace(answers.REPLIES[VendorUnavailable], on_queue=answers.OnQueue.DROP)
    return [(answers, "REPLIES", answers.REPLIES | {VendorUnavailable: row})]


def doubt_is_refusal() -> Patches:
    """A timeout at Stripe passes for its no."""
    return [(stripe, "translated", lambda error: VendorRefused(f"Stripe refused: {error}"))]


def snapshot_behind() -> Patches:
    """The snapshot misses the last event of each change."""
    real = fold.fold
    return [(dynamo_deals, "fold", lambda deal, events, at: real(deal, events[:-1] if len(events) > 1 else events, at))]


@contextmanager
def made(bug: Any) -> Iterator[None]:
    with ExitStack() as stack:
        for target, name, instead in bug():
            stack.enter_context(patch.object(target, name, instead))
        yield


BUGS = (
    no_claim,
    no_condition,
    count_without_a_look,
    key_per_attempt,
    publish_before_commit,
    conflict_is_replay,
    return_in_the_loop,
    no_look_up,
    no_lease,
    signature_of_parsed_json,
    forget_the_fingerprint,
    expired_is_good_enough,
    no_failed_entries,
    swallow_in_the_relay,
    a_link_a_request,
    nobody_chases,
    drop_when_a_vendor_is_down,
    doubt_is_refusal,
    snapshot_behind,
    *bugs_of_money.BUGS,
    *bugs_of_disputes.BUGS,
)


def first_seed(bug: Any, seeds: range) -> tuple[int | None, str]:
    """The first of these seeds that finds the bug, and what it finds."""
    with made(bug):
        for seed in seeds:
            if finding := run(seed).finding:
                return seed, finding.splitlines()[0]
    return None, "not found"
