"""A policy: the rules that a quote is judged by, the approval steps they may ask for, and their order."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from dealdesk.domain.compiled import Programme
from dealdesk.domain.decision import RouteStage
from dealdesk.domain.fingerprint import canonical_json
from dealdesk.domain.money import MINOR_UNITS
from dealdesk.domain.policy_json import InvalidPolicy, Node
from dealdesk.domain.programme import Check, compile_rule
from dealdesk.domain.rules import Rule, read_rule

__all__ = ["InvalidPolicy", "Policy", "Rule", "Step", "parse_policy"]

MAX_RULES = 1_000
_MEMBERS = ("schema_version", "policy_id", "version", "name", "currency", "approvals", "rules")


@dataclass(frozen=True, slots=True)
class Step:
    """An approval that rules may ask for: who is asked, and within how many business hours they answer."""

    id: str
    label: str
    group: str
    sla_hours: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One immutable version. `canonical` is the document as text, `hash` its SHA-256.

    The checks are the rules compiled; they follow from the rest.
    """

    policy_id: str
    version: int
    name: str
    currency: str
    steps: Mapping[str, Step]
    route: tuple[RouteStage, ...]
    rules: tuple[Rule, ...]
    canonical: str
    hash: str = field(init=False, compare=False)
    deal_checks: tuple[tuple[Rule, Check], ...] = field(init=False, repr=False, compare=False)
    line_checks: tuple[tuple[Rule, Check], ...] = field(init=False, repr=False, compare=False)
    programme: Programme = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "hash", hashlib.sha256(self.canonical.encode()).hexdigest())
        compiled = [(rule, compile_rule(rule)) for rule in self.rules]
        object.__setattr__(self, "deal_checks", tuple(pair for pair in compiled if not pair[0].at_line))
        object.__setattr__(self, "line_checks", tuple(pair for pair in compiled if pair[0].at_line))
        object.__setattr__(self, "programme", Programme(self.rules))

    def route_for(self, required: frozenset[str]) -> tuple[RouteStage, ...]:
        """The route with only the steps that are required; stages that ask nobody drop out."""
        stages = (RouteStage(s.mode, tuple(x for x in s.steps if x in required)) for s in self.route)
        return tuple(stage for stage in stages if stage.steps)


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
    approvals.only("steps", "route")
    steps = _read_steps(approvals.member("steps"))
    route = _read_route(approvals.member("route"), frozenset(steps))
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
    )


def _canonical(document: object) -> str:
    text = canonical_json(document)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidPolicy("", "must be text that can be written in UTF-8") from None
    return text


def _read_steps(node: Node) -> Mapping[str, Step]:
    found: dict[str, Step] = {}
    for name in node.object():
        step = node.member(name)
        step.only("label", "group", "sla_hours")
        found[name] = Step(
            id=Node(name, step.pointer).identifier(),
            label=step.member("label").text(100),
            group=step.member("group").text(128),
            sla_hours=step.member("sla_hours").whole(1, 2_000),
        )
    return MappingProxyType(found)


def _read_route(node: Node, steps: frozenset[str]) -> tuple[RouteStage, ...]:
    stages: list[RouteStage] = []
    seen: set[str] = set()
    for stage in node.items(0, 50):
        stage.only("mode", "steps")
        asked = stage.member("steps").items(1, 50)
        for step in asked:
            if step.choice(*sorted(steps)) in seen:
                raise InvalidPolicy(step.pointer, f"{step.value} is in the route already")
            seen.add(str(step.value))
        mode = stage.member("mode").choice("parallel", "sequential")
        stages.append(RouteStage(mode, tuple(str(step.value) for step in asked)))
    return tuple(stages)


def _refuse_repeated(rules: tuple[Rule, ...]) -> None:
    first: dict[str, int] = {}
    for index, rule in enumerate(rules):
        if rule.id in first:
            raise InvalidPolicy(f"/rules/{index}/id", f"{rule.id!r} already names rule {first[rule.id] + 1}")
        first[rule.id] = index
