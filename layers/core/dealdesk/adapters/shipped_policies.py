"""The policy that decides: the template `classic` as it ships, with its dated exchange rates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib.resources import files

from dealdesk.domain.decision import FxRate
from dealdesk.domain.policy import Policy
from dealdesk.policies import load_template


class ShippedPolicies:
    """The `Policies` port. Every decision stores the policy's id, version and hash, and the rate that it used."""

    def current(self, now: datetime) -> Policy:
        return _classic()

    def fx_rates(self, now: datetime) -> Mapping[str, FxRate]:
        return _rates()


@cache
def _classic() -> Policy:
    return load_template("classic")


@cache
def _rates() -> Mapping[str, FxRate]:
    document = json.loads(files("dealdesk.policies").joinpath("fx_rates.json").read_text())
    as_of, source = date.fromisoformat(document["as_of"]), document["source"]
    return {
        currency: FxRate(currency, Decimal(rate), as_of, source) for currency, rate in document["usd_per_unit"].items()
    }
