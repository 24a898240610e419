"""A second person puts a policy in force, or an earlier version of it back in force."""

from __future__ import annotations

from datetime import datetime

from dealdesk.domain.directory import NOBODY, Directory
from dealdesk.domain.policy_book import publish, rollback
from dealdesk.domain.policy_version import InFlight, PolicyVersion
from dealdesk.errors import PolicyUnknown
from dealdesk.ports import Cause, PolicyBook


def publish_policy(
    book: PolicyBook,
    policy_id: str,
    seen: int | None,
    *,
    by: str,
    cause: Cause,
    now: datetime,
    comment: str = "",
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
    in_flight: InFlight | None = None,
    directory: Directory = NOBODY,
) -> PolicyVersion:
    """The version that was published. Raises `PolicyUnknown` and what `publish` and `PolicyBook.keep` raise."""
    versions = _versions(book, policy_id, cause)
    version = publish(
        versions,
        seen,
        by=by,
        now=now,
        comment=comment,
        effective_from=effective_from,
        effective_to=effective_to,
        in_flight=in_flight,
        directory=directory,
    )
    book.keep(version, seen=version.number, cause=cause, now=now)
    return version


def roll_back_policy(
    book: PolicyBook,
    policy_id: str,
    to: int,
    *,
    by: str,
    cause: Cause,
    now: datetime,
    comment: str = "",
    in_flight: InFlight | None = None,
    directory: Directory = NOBODY,
) -> PolicyVersion:
    """The new version with the old content. Raises `PolicyUnknown` and what `rollback` and `PolicyBook.keep` raise."""
    versions = _versions(book, policy_id, cause)
    version = rollback(versions, to, by=by, now=now, comment=comment, in_flight=in_flight, directory=directory)
    book.keep(version, seen=version.number - 1, cause=cause, now=now)
    return version


def _versions(book: PolicyBook, policy_id: str, cause: Cause) -> list[PolicyVersion]:
    versions = book.versions(policy_id, cause)
    if not versions:
        raise PolicyUnknown(f"no policy {policy_id}")
    return versions
