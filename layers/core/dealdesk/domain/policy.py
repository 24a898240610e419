"""A policy: the rules that a quote is judged by, the approval steps they may ask for, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dealdesk.domain.approval_steps import Covers, Step, covered_in, covers_of, read_route, read_steps
from dealdesk.domain.compiled import Programme
from dealdesk.domain.decision import Disclosure, RouteStage
from dealdesk.domain.facts import RUN_RATE
from dealdesk.domain.fingerprint import canonical_json
from dealdesk.domain.money import MINOR_UNITS
from dealdesk.domain.policy_json import InvalidPolicy, Node
from dealdesk.domain.programme import Check, compile_rule
from dealdesk.domain.rules import Rule, facts_of, read_rule

if TYPE_CHECKING:
    from dealdesk.domain.wording import Phrase

__all__ = ["InvalidPolicy", "Policy", "Rule", "Step", "parse_policy"]

MAX_RULES = 1_000
_MEMBERS = ("schema_version", "policy_id", "version", "name", "currency", "disclosure", "approvals", "rules")


@dataclass(frozen=True, slots=True)
class Policy:
    """One immutable version. `canonical` is the document as text, `hash` its SHA-256.

    An approval holds for `valid_days`, and while no rate moves by more than `fx_tolerance_bps`. `disclosure` is how
    much of a decision a rep may see. The checks are the rules compiled; they follow from the rest. `phrases` keeps what
    is said of a row, by rule and row, once it was violated.
    """

    policy_id: str
    version: int
    name: str
    currency: str
    steps: Mapping[str, Step]
    route: tuple[RouteStage, ...]
    rules: tuple[Rule, ...]
    canonical: str
    valid_days: int = 14
    fx_tolerance_bps: int = 500
    disclosure: Disclosure = Disclosure.EXACT
    hash: str = field(init=False, compare=False)
    deal_checks: tuple[tuple[Rule, Check], ...] = field(init=False, repr=False, compare=False)
    line_checks: tuple[tuple[Rule, Check], ...] = field(init=False, repr=False, compare=False)
    programme: Programme = field(init=False, repr=False, compare=False)
    group_checks: tuple[tuple[Rule, Check], ...] = field(init=False, repr=False, compare=False)
    order: tuple[str, ...] = field(init=False, repr=False, compare=False)
    covers: Covers = field(init=False, repr=False, compare=False)
    reads_run_rate: bool = field(init=False, repr=False, compare=False)
    phrases: dict[tuple[str, int], Phrase] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", hashlib.sha256(self.canonical.encode()).hexdigest())
        compiled = [(rule, compile_rule(rule)) for rule in self.rules]
        object.__setattr__(self, "deal_checks", tuple(pair for pair in compiled if not pair[0].at_line))
        lines = [pair for pair in compiled if pair[0].at_line]
        object.__setattr__(self, "line_checks", tuple(pair for pair in lines if pair[0].group_by is None))
        object.__setattr__(self, "group_checks", tuple(pair for pair in lines if pair[0].group_by is not None))
        object.__setattr__(self, "programme", Programme(self.rules))
        object.__setattr__(self, "order", tuple(step for stage in self.route for step in stage.steps))
        object.__setattr__(self, "covers", covers_of(self.steps))
        read = {fact.slot for rule in self.rules for fact in facts_of(rule)}
        object.__setattr__(self, "reads_run_rate", not RUN_RATE.isdisjoint(read))

    def route_for(self, required: frozenset[str]) -> tuple[RouteStage, ...]:
        """The route with only the steps that somebody has to be asked for; stages that ask nobody drop out."""
        asked = self.asked(required)
        stages = (RouteStage(s.mode, tuple(x for x in s.steps if x in asked)) for s in self.route)
        return tuple(stage for stage in stages if stage.steps)

    def asked(self, required: frozenset[str]) -> frozenset[str]:
        """The required steps without those that another required one covers."""
        return required.difference(covered_in(required, self.order, self.covers)) if self.covers else required

    def covered(self, required: frozenset[str]) -> tuple[tuple[str, str], ...]:
        """The required steps that nobody is asked for, each with the step that answers it."""
        return tuple(covered_in(required, self.order, self.covers).items())


def parse_policy(document: object) -> Policy:
    """Reads a policy from its JSON; InvalidPolicy names the place and what would be right.

    Unknown members are refused. Limits and money are strings or integers, never floats.
    """
    root = Node(document)
    root.only(*_MEMBERS)
    root.member("schema_version").whole(1, 1)
    currency = root.member("currency").text(3) if root.has("currency") else "USD"
    if currency not in MINOR_UNITS:
        raise InvalidPolicy("/currency", "must be an ISO 4217 code in capitals, like USD")
    approvals = root.member("approvals")
    approvals.only("steps", "route", "valid_days", "fx_tolerance_pct")
    steps = read_steps(approvals.member("steps"))
    route = read_route(approvals.member("route"), frozenset(steps))
    in_route = frozenset(step for stage in route for step in stage.steps)
    rules = tuple(read_rule(rule, in_route, currency) for rule in root.member("rules").items(1, MAX_RULES))
    _refuse_repeated(rules)
    return Policy(
        policy_id=root.member("policy_id").identifier(),
        version=root.member("version").whole(1, 1_000_000),
        name=root.member("name").text(200),
        currency=currency,
        steps=steps,
        route=route,
        rules=rules,
        canonical=_canonical(document),
        valid_days=_valid_days(approvals),
        fx_tolerance_bps=_fx_tolerance(approvals),
        disclosure=_disclosure(root),
    )


def _canonical(document: object) -> str:
    text = canonical_json(document)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidPolicy("", "must be text that can be written in UTF-8") from None
    return text


def _disclosure(root: Node) -> Disclosure:
    if not root.has("disclosure"):
        return Disclosure.EXACT
    return Disclosure(root.member("disclosure").choice(*Disclosure))


def _valid_days(approvals: Node) -> int:
    return approvals.member("valid_days").whole(1, 365) if approvals.has("valid_days") else 14


def _fx_tolerance(approvals: Node) -> int:
    return approvals.member("fx_tolerance_pct").percent(100) if approvals.has("fx_tolerance_pct") else 500


def _refuse_repeated(rules: tuple[Rule, ...]) -> None:
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id in first:
            raise InvalidPolicy(f"/rules/{index}/id", f"{rule.id!r} already names rule {first[rule.id] + 1}")
        first[rule.id] = index
