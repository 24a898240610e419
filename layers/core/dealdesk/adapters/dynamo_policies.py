"""Policies in DynamoDB: what decides now is read for every decision, and every change is one transaction.

A version is `POLICY#id`/`VERSION#000007`, an event `POLICY#id`/`EVENT#000009`. The partition `POLICIES` holds a line
for each policy (`LINE#id`) and a row for each publication (`FROM#` and when it begins), so that one consistent query
finds the version in force.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache

from dealdesk.adapters import codec, reads
from dealdesk.adapters.claims import (
    NEW,
    Condition,
    Item,
    claim_item,
    commit,
    equals,
    event_item,
    new_item,
    recorded,
    require_room,
)
from dealdesk.domain.chain import Recorded, link, subject_of
from dealdesk.domain.decision import FxRate
from dealdesk.domain.policy import Policy, parse_policy
from dealdesk.domain.policy_events import event_of
from dealdesk.domain.policy_version import PolicyLine, PolicyStatus, PolicyVersion, binding, in_force
from dealdesk.edge import aws
from dealdesk.errors import PolicyUnknown
from dealdesk.policies import shipped_rates, shipped_version
from dealdesk.ports import Cause

POLICIES = "POLICIES"


class DynamoPolicies:
    """The `Policies` and `PolicyBook` ports.

    Nothing that decides is remembered between two questions: only compiled policies are, by their hash. Until
    something is published, and whenever nothing published is in effect, `classic` decides as version 1.
    """

    def __init__(self, table_name: str) -> None:
        self._table = table_name
        self._dynamodb = aws.client("dynamodb")

    def current(self, now: datetime) -> Policy:
        version = self.in_force(now)
        return _compiled(version.document, version.hash)

    def binding(self, policy_id: str, version: int, now: datetime) -> Policy:
        published = self._back_to(policy_id, version)
        decided = next((found for found in published if _is(found, policy_id, version)), None)
        if decided is None:
            raise PolicyUnknown(f"{policy_id} has no version {version} that decided")
        found = binding(published, decided, now)
        return _compiled(found.document, found.hash)

    def fx_rates(self, now: datetime, into: str = "USD") -> Mapping[str, FxRate]:
        return shipped_rates(into)

    def in_force(self, now: datetime) -> PolicyVersion:
        """The version that decides at `now`."""
        begun: list[PolicyVersion] = []
        for item in self._query(POLICIES, "FROM#", until=f"FROM#{_stamp(now)}~", newest_first=True):
            version = codec.parse(item["body"]["S"], PolicyVersion)
            begun.append(version)
            if version.effective_to is None:  # nothing that began before it can decide
                break
        return in_force(begun, now) or shipped_version()

    def _back_to(self, policy_id: str, number: int) -> list[PolicyVersion]:
        """What was published, newest first, back to where nothing older can bind the deals of this version."""
        found: list[PolicyVersion] = []
        reached = False
        for item in self._query(POLICIES, "FROM#", newest_first=True):
            version = codec.parse(item["body"]["S"], PolicyVersion)
            found.append(version)
            reached = reached or _is(version, policy_id, number)
            if reached and version.effective_to is None:
                return found
        return [*found, shipped_version()]

    def versions(self, policy_id: str, cause: Cause | None = None) -> list[PolicyVersion]:
        reads.refuse_seen(self._dynamodb, self._table, cause)
        stored = [codec.parse(item["body"]["S"], PolicyVersion) for item in self._query(_pk(policy_id), "VERSION#")]
        return [shipped_version(), *stored] if policy_id == shipped_version().policy_id else stored

    def history(self, policy_id: str) -> list[Recorded]:
        subject = subject_of(policy_id)
        return [recorded(subject, item) for item in self._query(_pk(policy_id), "EVENT#")]

    def lines(self) -> list[PolicyLine]:
        """Every policy, by id."""
        found = [codec.parse(item["body"]["S"], PolicyLine) for item in self._query(POLICIES, "LINE#")]
        shipped = _first_line(shipped_version().policy_id)
        if shipped and not any(line.policy_id == shipped.policy_id for line in found):
            found.append(shipped)
        return sorted(found, key=lambda line: line.policy_id)

    def keep(self, version: PolicyVersion, *, seen: int, cause: Cause, now: datetime) -> None:
        stored = reads.row(self._dynamodb, self._table, POLICIES, f"LINE#{version.policy_id}")
        before = codec.parse(stored["body"]["S"], PolicyLine) if stored else _first_line(version.policy_id)
        # An old `seen` fails in the transaction and not here, where a replay would pass for somebody else's change.
        unmoved = equals("body", stored["body"]["S"]) if stored else NEW
        if seen != (before.newest if before else 0):
            unmoved = equals("version", seen)
        record = _recorded(version, before, cause, now)
        line, body = codec.dump(_line(version, before, record)), codec.dump(version)
        writes: list[tuple[Item, Condition]] = [
            (
                new_item(pk=POLICIES, sk=f"LINE#{version.policy_id}", version=version.number, body=line),
                unmoved,
            ),
            (
                new_item(
                    pk=_pk(version.policy_id),
                    sk=f"VERSION#{version.number:06d}",
                    version=version.number,
                    type=version.status.value,
                    body=body,
                ),
                NEW if version.number > seen else equals("type", PolicyStatus.DRAFT.value),
            ),
        ]
        if version.status is PolicyStatus.PUBLISHED:
            publication = new_item(pk=POLICIES, sk=_publication(version), version=version.number, body=body)
            writes.append((publication, NEW))
        writes.append((event_item(_pk(version.policy_id), record), NEW))
        require_room(f"policy {version.policy_id}", [item for item, _ in writes], "split the policy", "/document")
        claim = claim_item(cause, version.policy_id, version.number, now)
        commit(self._dynamodb, self._table, claim, writes, cause, f"policy {version.policy_id}")

    def _query(self, pk: str, prefix: str, *, until: str | None = None, newest_first: bool = False) -> Iterator[Item]:
        last = until or f"{prefix}~"
        return reads.rows(self._dynamodb, self._table, pk, prefix, last, newest_first=newest_first)


@lru_cache(maxsize=32)
def _compiled(document: str, digest: str) -> Policy:
    policy = parse_policy(codec.parse(document, dict))
    if policy.hash != digest:
        raise ValueError(f"policy {policy.policy_id} version {policy.version} is not what was published")
    return policy


def _recorded(version: PolicyVersion, before: PolicyLine | None, cause: Cause, now: datetime) -> Recorded:
    """The event of this change as the next link of the policy's chain."""
    event = event_of(version, before.published if before else None)
    sequence, previous = (before.events + 1, before.last_hash) if before else (1, "")
    subject = subject_of(version.policy_id)
    return link(subject, sequence, event.TYPE, now, str(cause), event.by, codec.dump(event), previous)


def _line(version: PolicyVersion, before: PolicyLine | None, record: Recorded) -> PolicyLine:
    published = version.status is PolicyStatus.PUBLISHED
    return PolicyLine(
        policy_id=version.policy_id,
        name=version.name,
        newest=version.number,
        status=version.status,
        published=version.number if published else before.published if before else None,
        updated_at=record.occurred_at,
        events=record.sequence,
        last_hash=record.hash,
    )


def _first_line(policy_id: str) -> PolicyLine | None:
    """The line of a policy that nobody has changed yet."""
    shipped = shipped_version()
    if policy_id != shipped.policy_id:
        return None
    return PolicyLine(policy_id, shipped.name, shipped.number, shipped.status, shipped.number, shipped.created_at)


def _is(version: PolicyVersion, policy_id: str, number: int) -> bool:
    return (version.policy_id, version.number) == (policy_id, number)


def _publication(version: PolicyVersion) -> str:
    """In this order `in_force` prefers them."""
    assert version.effective_from is not None
    assert version.published_at is not None
    begins, published = _stamp(version.effective_from), _stamp(version.published_at)
    return f"FROM#{begins}#{published}#{version.policy_id}#{version.number:06d}"


def _stamp(moment: datetime) -> str:
    """Sorts as time does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _pk(policy_id: str) -> str:
    return f"POLICY#{policy_id}"
