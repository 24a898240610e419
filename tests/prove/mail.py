"""Webhooks on their way: lost, doubled, late, sent again when they were not taken, and at last given up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.twins.hubspot_webhooks import signed_headers
from local.twins.salesforce_outbound import acknowledged
from local.twins.server import Twin
from local.twins.stripe import stripe_signature
from tests.journeys.world import Mail
from tests.prove.fate import Fate

TRIES = 8
LATE = {"comes an hour late": timedelta(hours=1), "comes days late": timedelta(days=3)}


@dataclass
class Letter:
    vendor: str
    mail: Mail
    due: datetime
    tries: int = 0


class Post:
    """`hooks` hear of every letter that was taken, with the desk's answer; `refused` are those that proved nothing."""

    def __init__(self, fate: Fate, twins: Mapping[str, Twin], now: Callable[[], datetime]) -> None:
        self.letters: list[Letter] = []
        self.refused: list[str] = []
        self.hooks: list[Callable[[Letter, dict[str, Any]], None]] = []
        self._fate, self._twins, self._now = fate, twins, now

    def collect(self) -> None:
        for name, twin in self._twins.items():
            box: Any = twin.webhooks
            for mail in box.letters:
                self._send(name, mail)
            box.reset()

    def ready(self) -> list[Letter]:
        now = self._now()
        return [letter for letter in self.letters if letter.due <= now]

    def take(self, letter: Letter) -> Mail:
        """The letter leaves, signed for this moment where its vendor signs every attempt anew."""
        self.letters.remove(letter)
        twin: Any = self._twins[letter.vendor]
        mail = letter.mail
        match letter.vendor:
            case "stripe":
                stamp = int(twin.clock().timestamp())
                mail.headers["Stripe-Signature"] = stripe_signature(twin.webhook_secret, stamp, mail.body)
            case "hubspot":
                mail.headers.update(signed_headers(twin.client_secret, twin.webhook_url, mail.body, twin.clock()))
            case "paypal":
                mail.headers.update(twin.headers_of(mail.body))
        return mail

    def answered(self, letter: Letter, answer: Any) -> None:
        """`answer` is None when there was none."""
        status = answer["statusCode"] if isinstance(answer, dict) else 0
        if 200 <= status < 300 and (letter.vendor != "salesforce" or acknowledged(status, answer["body"].encode())):
            for hook in self.hooks:
                hook(letter, answer)
            return
        if status in (401, 403):
            self.refused.append(f"{letter.vendor} at try {letter.tries + 1}: {answer['body'][:200]}")
        letter.tries += 1
        letter.due = self._now() + timedelta(minutes=2**letter.tries)
        if letter.tries < TRIES:
            self.letters.append(letter)

    def _send(self, vendor: str, mail: Mail) -> None:
        kind = self._fate.strikes(f"mail of {vendor}", ("is lost", "comes twice", *LATE))
        if kind == "is lost":
            return
        for _ in range(2 if kind == "comes twice" else 1):
            self.letters.append(Letter(vendor, mail, self._now() + LATE.get(kind or "", timedelta(0))))
