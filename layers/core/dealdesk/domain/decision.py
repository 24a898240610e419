"""What the guardrails answer: the outcome, every reason, who must approve in which order, what would pass."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum


class Outcome(StrEnum):
    """How an evaluation ends; a blocked quote can't be approved, it must change, or the policy must."""

    AUTO_APPROVE = "auto_approve"
    NEEDS_APPROVAL = "needs_approval"
    BLOCKED = "blocked"

    @property
    def severity(self) -> int:
        """0 for approved by rule, 1 for approval by people, 2 for blocked."""
        return _SEVERITY[self]


_SEVERITY = {Outcome.AUTO_APPROVE: 0, Outcome.NEEDS_APPROVAL: 1, Outcome.BLOCKED: 2}


class Disclosure(StrEnum):
    """How much of a decision a rep may see: limits as they are, in bands, or none at all."""

    EXACT = "exact"
    BANDED = "banded"
    OFF = "off"


BAND = " to "


@dataclass(frozen=True, slots=True)
class FxRate:
    """A dated rate: how many units of the policy's currency, `into`, one unit of `currency` is worth."""

    currency: str
    rate: Decimal
    as_of: date
    source: str
    into: str = "USD"

    def __post_init__(self) -> None:
        if not isinstance(self.rate, Decimal) or not self.rate.is_finite() or self.rate <= 0:
            raise ValueError(f"the rate for {self.currency} must be a decimal above zero, not {self.rate!r}")


@dataclass(frozen=True, slots=True)
class Violation:
    """One reason: a rule, the line it concerns (None for the whole deal), and what would satisfy it.

    `group` is what the lines of `lines` have in common where the rule judges them together, like "recurring".
    `step` names the approval that the rule asks for; `blocks` is true when no approval can help.
    `row` counts from zero; it is None for a rule without a table.
    """

    rule: str
    line: str | None
    fact: str
    op: str
    key: tuple[tuple[str, str], ...]
    row: int | None
    actual: str
    limit: str
    passes_at: str
    step: str | None
    blocks: bool
    message: str
    group: str | None = None
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteStage:
    """Steps that are asked for at once (parallel) or one after the other (sequential)."""

    mode: str
    steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing to change: `lever` up or down to `to`.

    Levers: `max_line_discount_pct` (no line of `lines` is discounted more than this; None means all lines),
    `payment_days`, `term_months`, `billing`, and `total_contract_value` (more volume at the same prices).
    A cap counts a line as a whole, its free periods and its share of the quote's amount off included; the earliest
    segments of a ramp give way first.
    `before` and `to` are texts in the lever's `unit`: "27.50" in %, "60" in days, "5000.00" in USD. Where limits are
    not disclosed exactly, `to` is the band that it lies in, like "20 to 25".
    """

    lever: str
    before: str
    to: str
    unit: str = ""
    lines: tuple[str, ...] | None = None

    @property
    def is_band(self) -> bool:
        return BAND in self.to


def between(band: str, unit: str) -> str:
    """A band in words: "between 20 and 25%"; `unit` comes with its space, where it has one."""
    low, _, high = band.partition(BAND)
    return f"between {int(low):,} and {int(high):,}{unit}"


@dataclass(frozen=True, slots=True)
class Lever:
    """A single change that helps by itself: the rules it clears and the outcome after it, re-evaluated."""

    change: Change
    clears: tuple[str, ...]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Joint:
    """The fewest changes found that together reach the best outcome in reach, re-evaluated."""

    changes: tuple[Change, ...]
    outcome: Outcome
    required_steps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """The smallest changes that would pass; every one was judged by the whole policy before it got here."""

    levers: tuple[Lever, ...] = ()
    joint: Joint | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of one policy version on one fingerprint of a quote.

    `route` and `required_steps` are empty when the quote is blocked: there is nobody to ask.
    `covered` are the steps that rules ask for and another required step answers: (step, covered by).
    `facts` are the figures that people saw, as texts; `fx` is the rate that was used, if any. `disclosure` is the
    level of the policy that decided, so that a later policy reveals nothing of it; for `valid_days` an approval holds.
    """

    policy_id: str
    policy_version: int
    policy_hash: str
    outcome: Outcome
    violations: tuple[Violation, ...]
    route: tuple[RouteStage, ...]
    required_steps: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    fx: FxRate | None
    fingerprint: str
    counterfactual: Counterfactual
    covered: tuple[tuple[str, str], ...] = ()
    disclosure: Disclosure = Disclosure.EXACT
    valid_days: int = 14
