"""Nothing is acknowledged and forgotten: what a letter tells is in the events, in a queue, or a dead letter."""

from __future__ import annotations

import json
from typing import Any

from dealdesk.contracts import dropbox_sign, paypal
from dealdesk.domain.stages import DisputeStatus, EnvelopeStatus
from dealdesk.edge import webhooks
from tests.prove.at_the_end import money_recorded
from tests.prove.broken import Broken
from tests.prove.chargebacks import LOST, WON
from tests.prove.chronicle import Chronicle
from tests.prove.mail import Letter
from tests.prove.queues import Queues
from tests.prove.town import Town


class Letters:
    """A hook of the post: hears of every letter that the desk has acknowledged. Raises `Broken`."""

    def __init__(self, town: Town, chronicle: Chronicle, work: Queues) -> None:
        self._town, self._known, self._work = town, chronicle, work

    def acknowledged(self, letter: Letter, answer: dict[str, Any]) -> None:
        self._known.follow()
        body = letter.mail.body
        match letter.vendor:
            case "stripe":
                self._stripe(json.loads(body), answer)
            case "paypal":
                self._paypal(body, answer)
            case "docusign":
                self._docusign(json.loads(body), answer)
            case "dropbox_sign":
                self._dropbox_sign(letter, answer)
            case "salesforce" | "hubspot":
                for cause in self._town.crm.told(body):
                    self._require(cause, f"what {cause} tells", answer)

    def _require(self, cause: str, what: str, answer: dict[str, Any]) -> None:
        """It changed something under its own name, or waits."""
        if cause not in self._known.causes and not self._work.hold(cause):
            raise Broken(f"{what} was acknowledged and is not recorded: {answer}")

    def _stripe(self, message: Any, answer: dict[str, Any]) -> None:
        if message["type"].startswith("charge.dispute."):
            self._stripe_dispute(message, answer)
        session = message["data"]["object"]
        if session.get("object") != "checkout.session" or session["payment_status"] != "paid":
            return
        about, session_id = session["metadata"], session["id"]
        if not money_recorded(self._known, about["deal_id"], session_id) and not self._work.hold(session_id):
            raise Broken(f"money of {about['payment_id']} was acknowledged and is not recorded: {answer}")

    def _stripe_dispute(self, message: Any, answer: dict[str, Any]) -> None:
        """Messages that tell nothing new leave nothing, so what they tell is looked for."""
        told = message["data"]["object"]
        known = [
            dispute for deal in self._known.deals.values() for dispute in deal.disputes if dispute.id == told["id"]
        ]
        decided = told["status"] in (WON, LOST)
        recorded = any(dispute.status is not DisputeStatus.OPEN or not decided for dispute in known)
        if not recorded and not self._work.hold(message["id"]):
            raise Broken(f"dispute {told['id']} was acknowledged as {told['status']} and is not recorded: {answer}")

    def _paypal(self, body: bytes, answer: dict[str, Any]) -> None:
        event = paypal.read(body, paypal.PaypalEvent, "PayPal event")
        if paypal.correction_of(event) or paypal.report_of(event):
            self._require(f"paypal:{event.id}", f"PayPal's {event.event_type} {event.id}", answer)

    def _docusign(self, message: Any, answer: dict[str, Any]) -> None:
        fields = {
            text["name"]: text["value"]
            for text in message["data"]["envelopeSummary"]["customFields"]["textCustomFields"]
        }
        if message["event"] == "envelope-completed":
            self._signed(message["data"]["envelopeId"], fields["deal_id"], fields["dealdesk_intent"], answer)

    def _dropbox_sign(self, letter: Letter, answer: dict[str, Any]) -> None:
        headers = {name.lower(): value for name, value in letter.mail.headers.items()}
        callback = dropbox_sign.parse_callback(webhooks.form_field(headers, letter.mail.body, "json"))
        hint = dropbox_sign.hint_of(callback)
        told = hint is not None and f"dropbox_sign:{callback.cause_id}" in self._known.causes
        if hint and hint.said == "signature_request_all_signed" and not told:
            self._signed(hint.envelope_id, hint.deal_id, hint.key, answer)

    def _signed(self, envelope_id: str, deal_id: str, key: str, answer: dict[str, Any]) -> None:
        if self._work.hold(envelope_id):
            return
        deal = self._known.deals.get(deal_id)
        out = deal and deal.envelope and (deal.envelope.id, deal.envelope.status) == (envelope_id, EnvelopeStatus.SENT)
        if deal is None or deal.intent(key) or out:
            raise Broken(f"the signature of {key} was acknowledged and is not recorded: {answer}")
