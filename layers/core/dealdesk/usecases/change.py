"""Load, decide, save: the shape of every change. A change that lost a race is decided again on what won."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from dealdesk.domain.deal import Deal
from dealdesk.domain.events import Event
from dealdesk.errors import VersionMoved
from dealdesk.ports import Cause, Deals

ATTEMPTS = 8


def change(
    deals: Deals,
    deal_id: str,
    decide: Callable[[Deal], Sequence[Event]],
    *,
    cause: Cause,
    actor: str,
    now: datetime,
    or_new: bool = False,
    claim_anyway: bool = False,
) -> Deal:
    """The deal after `decide`, saved under `cause`.

    `claim_anyway` claims the cause even when nothing happened, so that its reuse for another request is noticed.
    Raises what `Deals.load`, `Deals.save` and `decide` raise.
    """
    for attempt in range(ATTEMPTS):
        deal = deals.load(deal_id, cause, or_new=or_new)
        events = decide(deal)
        if not events and not claim_anyway:
            return deal
        try:
            return deals.save(deal, events, cause=cause, actor=actor, now=now)
        except VersionMoved:
            if attempt == ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0, 0.01 * 2**attempt))
    raise AssertionError("unreachable")
