"""What a deal adds to the desk's figures, counted anew from its events whenever something has happened to it.

Whatever message leads here, and however often: the whole history is read, so that an old message counts what is there
now, and one that comes twice changes nothing.
"""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain.figures import count
from dealdesk.ports import Deals, Figures


def measure_deal(deals: Deals, figures: Figures, deal_id: str, *, now: datetime) -> bool:
    """Whether the figures changed. Raises `VersionMoved` when somebody else counted the deal meanwhile."""
    before = figures.added_by(deal_id)
    story = deals.story(deal_id)
    version = story[-1][0].sequence
    if before and before.version > version:
        return False
    counts = count(deal_id, [(record.occurred_at, event) for record, event in story])
    if before and before.counts == counts:
        return False
    figures.keep(deal_id, counts, version=version, before=before, now=now)
    return True
