"""Somebody writes a policy: a first draft, or the next version of what is there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dealdesk.domain.policy_book import draft, edit
from dealdesk.domain.policy_version import PolicyVersion
from dealdesk.errors import PolicyUnknown
from dealdesk.ports import Cause, PolicyBook


def draft_policy(
    book: PolicyBook,
    policy_id: str,
    document: Mapping[str, Any],
    *,
    author: str,
    cause: Cause,
    now: datetime,
    comment: str = "",
    template_id: str | None = None,
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
) -> PolicyVersion:
    """A draft with this content: of a new policy, or the next version of one that is there."""
    versions = book.versions(policy_id, cause)
    version = draft(
        versions,
        policy_id,
        document,
        author=author,
        now=now,
        comment=comment,
        template_id=template_id,
        effective_from=effective_from,
        effective_to=effective_to,
    )
    book.keep(version, seen=version.number - 1, cause=cause, now=now)
    return version


def edit_policy(
    book: PolicyBook,
    policy_id: str,
    seen: int,
    changes: Mapping[str, Any],
    *,
    author: str,
    cause: Cause,
    now: datetime,
) -> PolicyVersion:
    """The version after the edit. Raises `PolicyUnknown`, and `VersionMoved` when `seen` is not the newest."""
    versions = book.versions(policy_id, cause)
    if not versions:
        raise PolicyUnknown(f"no policy {policy_id}")
    version = edit(versions, seen, changes, author=author, now=now)
    book.keep(version, seen=seen, cause=cause, now=now)
    return version
