"""Who may call which route: a role that is not named here is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from dealdesk.domain.deal import Deal
from dealdesk.domain.decision import Decision, Disclosure
from dealdesk.domain.disclosure import disclosed
from dealdesk.domain.policy_version import PolicyVersion
from dealdesk.errors import DealUnknown, Forbidden

GROUPS_OF = {
    "finance": frozenset({"grp-finance"}),
    "executive": frozenset({"grp-executive"}),
    "deal_desk": frozenset({"grp-deal-desk"}),
    "revops": frozenset({"grp-revops"}),
}
SEES_ALL = frozenset({"deal_desk", "finance", "executive", "revops", "admin", "auditor", "service"})
WRITES = frozenset({"rep", "deal_desk", "admin", "service"})
# The role lets somebody decide at all; the group of the step, or the directory, says on what.
DECIDES = frozenset({"finance", "executive", "deal_desk", "revops"})
ADMINISTERS = frozenset({"admin"})
DELEGATES = DECIDES | ADMINISTERS
READS_PEOPLE = DELEGATES | {"auditor"}
EDITS_POLICIES = frozenset({"revops", "admin"})
# The address at which a contract is signed makes whoever holds it the customer: it is not for who sells.
SHOWS_CONTRACTS = frozenset({"deal_desk", "admin", "service"})
COLLECTS = frozenset({"deal_desk", "finance", "admin", "service"})
READS = SEES_ALL | {"rep"}
# Everybody else sees of a decision what a rep may see: also programs, for nobody knows who reads what they show.
SEES_LIMITS = SEES_ALL - {"service"}


@dataclass(frozen=True, slots=True)
class Caller:
    person_id: str
    role: str

    @property
    def groups(self) -> frozenset[str]:
        return GROUPS_OF.get(self.role, frozenset())

    def may(self, roles: frozenset[str]) -> Caller:
        if self.role not in roles:
            raise Forbidden(f"the role {self.role} may not do this; it takes one of {', '.join(sorted(roles))}")
        return self

    @property
    def sees_limits(self) -> bool:
        return self.role in SEES_LIMITS

    def told(self, decision: Decision) -> Decision:
        """The decision as far as the policy that made it lets this caller see it."""
        return decision if self.sees_limits else disclosed(decision)

    def shown(self, deal: Deal) -> Deal:
        """The deal with its decision as this caller may see it."""
        return deal if deal.decision is None else replace(deal, decision=self.told(deal.decision))

    def reads(self, version: PolicyVersion) -> PolicyVersion:
        """The version, if its content is the caller's to read: a policy that hides its limits is not shown to reps."""
        if not self.sees_limits and version.content.get("disclosure", Disclosure.EXACT) != Disclosure.EXACT:
            raise Forbidden(f"what stands in version {version.number} of {version.policy_id} is not disclosed to you")
        return version

    def sees(self, deal: Deal) -> Deal:
        """The deal, if it is the caller's to see; otherwise it is as if it were not there."""
        if self.role not in SEES_ALL and self.person_id not in deal.editors:
            raise DealUnknown(f"no deal {deal.id}")
        return deal


def caller_of(event: dict[str, Any]) -> Caller:
    """Raises `Forbidden` when no authorizer has vouched for the caller."""
    context = (event.get("requestContext") or {}).get("authorizer") or {}
    person_id, role = context.get("person_id"), context.get("role")
    if not person_id or not role:
        raise Forbidden("nobody vouches for the caller")
    return Caller(str(person_id), str(role))
