"""Somebody asks what a policy would change, before it is published: it is tried on the deals that the desk has."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from dealdesk.domain.impact import Case, Impact, impact_of
from dealdesk.domain.policy import parse_policy
from dealdesk.domain.policy_checks import check_document, errors_of
from dealdesk.errors import PolicyHasErrors
from dealdesk.ports import DealIndex, Deals, Policies

PAGE = 100


def estimate_impact(
    index: DealIndex, deals: Deals, policies: Policies, document: dict[str, Any], most: int, *, now: datetime
) -> tuple[Impact, bool]:
    """What this document would have decided about the `most` deals that changed last, and whether there are more.

    It is the document that is tried, never the policy in force; the deals are the desk's own records, never the
    caller's. Raises `PolicyHasErrors` for what cannot be read.
    """
    try:
        draft = parse_policy(document)
    except ValueError:
        errors = errors_of(check_document(document))
        told = tuple((error.pointer, error.message) for error in errors)
        raise PolicyHasErrors(f"the policy cannot be tried: {told[0][1]}", told) from None
    ids, more = _newest(index, most)
    return impact_of(draft, _cases(deals, ids), policies.fx_rates(now, draft.currency)), more


def _newest(index: DealIndex, most: int) -> tuple[list[str], bool]:
    found: list[str] = []
    cursor: str | None = None
    while len(found) < most:
        page, cursor = index.page(
            stage=None, owner=None, crm=None, updated_since=None, cursor=cursor, limit=min(PAGE, most - len(found))
        )
        found += [summary.deal_id for summary in page]
        if cursor is None:
            return found, False
    return found, True


def _cases(deals: Deals, ids: list[str]) -> Iterator[Case]:
    for deal_id in ids:
        deal = deals.load(deal_id)
        if deal.quote is not None and deal.decision is not None:
            yield Case(deal_id, deal.quote, deal.decision)
