"""The vendors of one run, a choice of its seed: one for each role, as the desk is configured with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dealdesk.domain.provider_choice import ROLES
from local.people import Path
from local.twins.server import Twin
from tests.prove import booking, chargebacks, crms, paying, signing
from tests.prove.fate import Fate

CRMS = ("salesforce", "hubspot")


@dataclass(frozen=True, slots=True)
class Town:
    """Each vendor as people and the checks see it: by what stands in its twin."""

    crm: crms.Crm
    signing: signing.Signing
    paying: paying.Paying
    banks: chargebacks.Banks
    booking: booking.Booking


def chosen_by(fate: Fate) -> Path:
    return Path(*(fate.pick(role, names) for role, names in {"crm": CRMS, **ROLES}.items()))


def configuration_of(path: Path) -> dict[str, str]:
    """What an installation with these vendors sets in template.yaml."""
    rule = {"signature": path.signature, "payment": path.payment, "ledger": path.ledger}
    return {"CRM_SYSTEMS": path.crm, "PROVIDER_RULES": json.dumps([rule])}


def town_of(path: Path, twins: Mapping[str, Twin]) -> Town:
    return Town(
        crms.SIDES[path.crm](twins[path.crm]),
        signing.SIDES[path.signature](twins[path.signature]),
        paying.SIDES[path.payment](twins[path.payment]),
        chargebacks.SIDES[path.payment](twins[path.payment]),
        booking.SIDES[path.ledger](twins[path.ledger]),
    )
