"""Checks a policy while it is edited and before it is published: every slip with its place and what would be right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy

from dealdesk.domain.check_groups import Groups, check_groups
from dealdesk.domain.check_reach import check_reach
from dealdesk.domain.check_tables import check_tables
from dealdesk.domain.findings import Finding, Severity, finding_of
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.policy_json import InvalidPolicy

__all__ = ["Finding", "Groups", "Severity", "check_document", "check_policy", "errors_of"]

MOST_FAULTS = 50
_ORDER = tuple(Severity)


def check_document(document: object, groups: Groups | None = None) -> tuple[Finding, ...]:
    """Everything found in a policy document, errors first; one that cannot be read has an error for each bad rule."""
    try:
        policy = parse_policy(document)
    except InvalidPolicy as refused:
        return tuple(_faults(document, refused))
    return check_policy(policy, groups)


def check_policy(policy: Policy, groups: Groups | None = None) -> tuple[Finding, ...]:
    """Everything found in a policy that can be read, errors first. Nobody's group is empty while `groups` is None."""
    found = [*check_tables(policy.rules, policy.currency), *check_reach(policy), *check_groups(policy, groups)]
    return tuple(sorted(found, key=lambda finding: (_ORDER.index(finding.severity), finding.pointer)))


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    """What keeps the policy from being published."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def _faults(document: object, refused: InvalidPolicy) -> Iterator[Finding]:
    """The first fault of every rule: a rule that cannot be read is set aside, and the rest is read again."""
    rest, places = copy(document), list(range(MOST_FAULTS * 1_000))
    for _ in range(MOST_FAULTS):
        parts = refused.pointer.split("/")
        in_rule = len(parts) > 2 and parts[1] == "rules" and parts[2].isdigit()
        rules = rest.get("rules") if isinstance(rest, dict) else None
        if not in_rule or not isinstance(rest, dict) or not isinstance(rules, list):
            yield finding_of(refused)
            return
        index = int(parts[2])
        parts[2] = str(places.pop(index))
        yield finding_of(InvalidPolicy("/".join(parts), refused.message, refused.span))
        rest["rules"] = rules[:index] + rules[index + 1 :]
        if not rest["rules"]:
            return
        try:
            parse_policy(rest)
        except InvalidPolicy as another:
            refused = another
        else:
            return
