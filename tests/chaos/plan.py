"""What goes wrong in one run and when: everything that is left to chance, drawn from the seed before the run begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from local.people import PATHS
from local.twins.server import Fault
from local.twins.webhooks import Delivery

TWINS = (
    "salesforce",
    "hubspot",
    "docusign",
    "dropbox_sign",
    "stripe",
    "paypal",
    "quickbooks",
    "netsuite",
    "sap",
    "n8n",
)
SENDERS = ("salesforce", "hubspot", "docusign", "dropbox_sign", "stripe", "paypal", "quickbooks")
# Longer than the desk waits for any vendor.
TOO_LONG_SECONDS = 13.0
KINDS: dict[str, Fault] = {
    "answers 429": Fault("", "status", 429, headers={"Retry-After": "2"}),
    "answers 500, not done": Fault("", "status", 500),
    "answers 503, done": Fault("", "drop_answer", 503, seconds=0.5),
    "answers 504 late, not done": Fault("", "timeout", seconds=2),
    "times out, not done": Fault("", "timeout", seconds=TOO_LONG_SECONDS),
    "times out, done": Fault("", "drop_answer", 504, seconds=TOO_LONG_SECONDS),
    "cuts the line, done": Fault("", "drop_answer", 0),
    "answers nonsense, done": Fault("", "garble"),
}
ODDS = (4, 3, 3, 2, 1, 2, 3, 2)
# How many calls go well between two faults, at most: calls that write are struck most.
BETWEEN = (("POST ", 3), ("", 8))
MODES: dict[str, Delivery] = {
    "lost": Delivery(drop=True),
    "three times": Delivery(duplicate=3),
    "twice, the newest first": Delivery(duplicate=2, shuffle=True),
    "three seconds late": Delivery(delay_seconds=3),
    "as usual": Delivery(),
}
# DocuSign may be asked about an envelope once in 15 minutes, so that what it tells only once would last that long here.
TOO_LATE_TO_ASK = ("docusign", "lost")
FUNCTIONS = (
    "RelayEvents",
    "ReadCrm",
    "RequestSignature",
    "RequestPayment",
    "PostInvoice",
    "MirrorToCrm",
    "NotifyN8n",
    "MeasureDeals",
    "ReceiveSalesforce",
    "ReceiveHubspot",
    "ReceiveDocusign",
    "ReceiveDropboxSign",
    "ReceiveStripe",
    "ReceivePaypal",
)
AIMS = 3
PASSES, NEEDS_BOTH, BLOCKED = 0, 1, 2
TERMS = (PASSES, NEEDS_BOTH, NEEDS_BOTH, PASSES, BLOCKED)
SUBMITTED_WITHIN, RESTARTS_WITHIN = 0.5, (0.4, 0.6)
SECONDS_A_RESTART = 150


@dataclass(frozen=True, slots=True)
class Submitted:
    """A rep submits a new quote: by whose vendors it goes, and like which of the three examples."""

    path: str
    terms: int


@dataclass(frozen=True, slots=True)
class WebhooksGo:
    """From now on the twin's webhooks travel in this way."""

    twin: str
    mode: str


@dataclass(frozen=True, slots=True)
class Killed:
    """The process of the first of these functions that works from now on is killed so many milliseconds later."""

    functions: tuple[str, ...]
    milliseconds: int


@dataclass(frozen=True, slots=True)
class Restarted:
    """The desk's whole AWS stops, stays away and comes back with what it kept; the vendors go on."""

    away_seconds: float


Strike = Submitted | WebhooksGo | Killed | Restarted


def plan(seed: int, deals: int, seconds: float) -> list[tuple[float, Strike]]:
    """All of it in order, each with its second; one kind of trouble never changes the dice of another."""
    parts = (
        _submitted(seed, deals, seconds),
        _restarts(seed, seconds),
        _webhooks(seed, seconds),
        _kills(seed, seconds),
    )
    return sorted((strike for part in parts for strike in part), key=lambda strike: strike[0])


def script(seed: int, twin: str, deals: int) -> list[Fault]:
    """How the calls to a vendor go wrong, by their number and not by time, so that a slow machine has as many.

    It ends by itself: most of a vendor's calls are under it where each deal makes a few.
    """
    dice = Random(f"{seed}/{twin}")
    return [fault for match, most in BETWEEN for fault in _faults(dice, match, most, deals)]


def _faults(dice: Random, match: str, most: int, number: int) -> Iterator[Fault]:
    for kind in dice.choices(list(KINDS), ODDS, k=number):
        # One more of these in a row, and the function is over its own time as well.
        times = dice.choice((1, 1, 2)) if KINDS[kind].seconds < TOO_LONG_SECONDS else 1
        yield replace(KINDS[kind], match=match, message=kind, times=times, after=dice.randint(0, most))


def _submitted(seed: int, deals: int, seconds: float) -> Iterator[tuple[float, Strike]]:
    """Every set of vendors has the same number of deals, as near as that can be."""
    dice, paths = Random(f"{seed}/deals"), sorted(PATHS)
    for number in range(deals):
        turn, path = divmod(number, len(paths))
        yield dice.uniform(0, seconds * SUBMITTED_WITHIN), Submitted(paths[path], TERMS[turn % len(TERMS)])


def _webhooks(seed: int, seconds: float) -> Iterator[tuple[float, Strike]]:
    dice, at = Random(f"{seed}/webhooks"), 0.0
    while (at := at + dice.uniform(1, 4)) < seconds:
        sender = dice.choice(SENDERS)
        yield at, WebhooksGo(sender, dice.choice([mode for mode in MODES if (sender, mode) != TOO_LATE_TO_ASK]))


def _kills(seed: int, seconds: float) -> Iterator[tuple[float, Strike]]:
    dice, at = Random(f"{seed}/kills"), 0.0
    while (at := at + dice.uniform(1, 3)) < seconds:
        yield at, Killed(tuple(dice.sample(FUNCTIONS, AIMS)), dice.randrange(60))


def _restarts(seed: int, seconds: float) -> Iterator[tuple[float, Strike]]:
    """One in every span of so many seconds, and one at least."""
    dice, number = Random(f"{seed}/restarts"), max(1, round(seconds / SECONDS_A_RESTART))
    for turn in range(number):
        yield (turn + dice.uniform(*RESTARTS_WITHIN)) * seconds / number, Restarted(dice.uniform(1, 6))
