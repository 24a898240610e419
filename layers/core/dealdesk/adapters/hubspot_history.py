"""Who did what, by HubSpot's own history of a property: no field that anybody can fill is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dealdesk.adapters.hubspot_quote import Record
from dealdesk.contracts.hubspot import DECISION, moment_of, person_id_of

# Sources of a change that a person made with their own hands; a workflow, an import or an app approves nothing.
BY_HAND = {"CRM_UI", "CRM_UI_BULK_ACTION", "MOBILE_IOS", "MOBILE_ANDROID"}
# What a decision is about is written by the desk; a person who changes it afterwards would forge the decision.
DECIDED_ON = ("approval_key", "deal_id", "step", "fingerprint")
# What the yes depends on is typed before the decision, or with it.
CONDITIONS = "conditions"
BY_APP = {"INTEGRATION", "API"}

# The versions of each property, as the library gives them.
History = Mapping[str, Sequence[Any]]


def decision_of(history: History) -> Any | None:
    """The newest decision, if a person made it on what the desk had written, and neither that nor the conditions that
    they typed have changed since.
    """
    newest = {
        name: max(history.get(name) or [], key=lambda version: version.timestamp, default=None)
        for name in (DECISION, CONDITIONS, *DECIDED_ON)
    }
    decision, conditions = newest.pop(DECISION), newest.pop(CONDITIONS)
    if not decision or not decision.value or decision.source_type not in BY_HAND or not decision.updated_by_user_id:
        return None
    if conditions and conditions.timestamp > decision.timestamp:
        return None
    for written in newest.values():
        if not written or written.source_type not in BY_APP or written.timestamp > decision.timestamp:
            return None
    return decision


def last_editor_of(history: History, lines: Sequence[Record]) -> str | None:
    """Who changed the terms last, of the deal or of a line; the desk's own writes are not terms."""
    edits = [
        (version.timestamp, version.updated_by_user_id)
        for versions in history.values()
        for version in versions
        if version.updated_by_user_id and version.source_type in BY_HAND
    ]
    for line in lines:
        given = line.properties
        moment, user = moment_of(given.get("hs_lastmodifieddate")), given.get("hs_updated_by_user_id") or ""
        if moment and user.isdigit():
            edits.append((moment, int(user)))
    return person_id_of(max(edits)[1]) if edits else None
