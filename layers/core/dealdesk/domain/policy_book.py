"""How a policy changes: drafts, publishing by a second person, and rolling back. Pure; the newest version is last.

Numbers have no gaps and say what they say: version 7 is the seventh that was written, its document says 7, and
the decisions that it makes say 7. What was published stays as it is for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dealdesk.domain.directory import NOBODY, Directory
from dealdesk.domain.policy_checks import check_document, errors_of
from dealdesk.domain.policy_json import InvalidPolicy, Node
from dealdesk.domain.policy_version import InFlight, PolicyStatus, PolicyVersion, Treatment, stamped
from dealdesk.errors import Conflict, Malformed, PolicyHasErrors, PolicyUnknown, PublisherIsAuthor, VersionMoved

Document = Mapping[str, Any]
GRANDFATHERED_DAYS = 5  # business days, Monday to Friday


def draft(
    versions: Sequence[PolicyVersion],
    policy_id: str,
    document: Document,
    *,
    author: str,
    now: datetime,
    comment: str = "",
    template_id: str | None = None,
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
) -> PolicyVersion:
    """The next version of the policy, or its first. It may still have errors; raises `Malformed` for a bad id."""
    try:
        Node(policy_id, "/policy_id").identifier()
    except InvalidPolicy as wrong:
        raise Malformed(wrong.message, pointer=wrong.pointer) from None
    _require_order(effective_from, effective_to)
    number = versions[-1].number + 1 if versions else 1
    text, digest = _stamped(document, policy_id, number)
    return PolicyVersion(
        policy_id=policy_id,
        number=number,
        status=PolicyStatus.DRAFT,
        document=text,
        hash=digest,
        author=author,
        authors=(author,),
        created_at=now,
        comment=comment,
        parent_version=versions[-1].number if versions else None,
        template_id=template_id,
        effective_from=effective_from,
        effective_to=effective_to,
    )


def tried(document: Document, policy_id: str, number: int) -> tuple[dict[str, Any], str]:
    """The document as it would be written under this number, and its hash. Raises `Malformed`."""
    _, digest = _stamped(document, policy_id, number)
    return {**document, "policy_id": policy_id, "version": number}, digest


def edit(
    versions: Sequence[PolicyVersion],
    seen: int,
    changes: Mapping[str, Any],
    *,
    author: str,
    now: datetime,
) -> PolicyVersion:
    """The next version, made from the newest. `changes` may hold document, comment, effective_from, effective_to.

    Raises `VersionMoved` when the newest is not the version that the editor saw.
    """
    newest = _newest(versions, seen)
    began = newest.status is PolicyStatus.DRAFT
    kept = (newest.effective_from, newest.effective_to) if began else (None, None)
    following = draft(
        versions,
        newest.policy_id,
        changes.get("document") or newest.content,
        author=author,
        now=now,
        comment=changes.get("comment", newest.comment if began else ""),
        template_id=newest.template_id,
        effective_from=changes.get("effective_from", kept[0]),
        effective_to=changes.get("effective_to", kept[1]),
    )
    return replace(following, authors=_together(newest.authors, author)) if began else following


def publish(
    versions: Sequence[PolicyVersion],
    seen: int | None,
    *,
    by: str,
    now: datetime,
    comment: str = "",
    effective_from: datetime | None = None,
    effective_to: datetime | None = None,
    in_flight: InFlight | None = None,
    directory: Directory = NOBODY,
) -> PolicyVersion:
    """The newest version, published: under its own number, by somebody who did not write on it.

    It decides from `now` or later; nothing is decided after the fact. Deals in flight keep their version for five
    business days from then unless `in_flight` says otherwise. Raises `VersionMoved` when the newest is not the one
    that was `seen`, `Conflict` when there is no draft, `PublisherIsAuthor`, `Malformed` and `PolicyHasErrors`.
    """
    newest = _newest(versions, seen)
    if newest.status is not PolicyStatus.DRAFT:
        raise Conflict(f"version {newest.number} of {newest.policy_id} is published already; edit it for a new draft")
    asked = replace(
        newest,
        comment=comment or newest.comment,
        effective_from=effective_from or newest.effective_from,
        effective_to=effective_to or newest.effective_to,
    )
    return _published(asked, by, now, in_flight, directory)


def rollback(
    versions: Sequence[PolicyVersion],
    to: int,
    *,
    by: str,
    now: datetime,
    comment: str = "",
    in_flight: InFlight | None = None,
    directory: Directory = NOBODY,
) -> PolicyVersion:
    """The content of the published version `to` as a new version that decides from now on.

    Its authors are those of the old content, and the comment names it. Raises `PolicyUnknown`, `Conflict` when
    that version was never published, `PublisherIsAuthor`, and `PolicyHasErrors`.
    """
    old = find(versions, to)
    if old.status is not PolicyStatus.PUBLISHED:
        raise Conflict(f"version {to} of {old.policy_id} was never published; publish it instead of rolling back to it")
    said = f"rollback to version {to}" + (f": {comment}" if comment else "")
    again = draft(
        versions, old.policy_id, old.content, author=old.author, now=now, comment=said, template_id=old.template_id
    )
    return _published(replace(again, authors=old.authors, parent_version=to), by, now, in_flight, directory)


def find(versions: Sequence[PolicyVersion], number: int) -> PolicyVersion:
    """Raises `PolicyUnknown`."""
    for version in versions:
        if version.number == number:
            return version
    name = versions[-1].policy_id if versions else "the policy"
    raise PolicyUnknown(f"{name} has no version {number}")


def _stamped(document: Document, policy_id: str, number: int) -> tuple[str, str]:
    try:
        return stamped(dict(document), policy_id, number)
    except ValueError:
        raise Malformed("must be plain JSON, without numbers beyond all bounds", pointer="/document") from None


def _newest(versions: Sequence[PolicyVersion], seen: int | None) -> PolicyVersion:
    newest = versions[-1]
    if seen is not None and newest.number != seen:
        raise VersionMoved(f"policy {newest.policy_id} is at version {newest.number}, not {seen}; read it again")
    return newest


def _published(
    version: PolicyVersion, by: str, now: datetime, in_flight: InFlight | None, directory: Directory
) -> PolicyVersion:
    if directory.identity(by) in {directory.identity(author) for author in version.authors}:
        raise PublisherIsAuthor(
            f"{by} wrote on version {version.number} of {version.policy_id}; somebody else publishes"
        )
    begins = max(version.effective_from or now, now)
    _require_order(begins, version.effective_to)
    errors = errors_of(check_document(version.content, directory.able()))
    if errors:
        raise PolicyHasErrors(
            f"version {version.number} of {version.policy_id} has {len(errors)} errors: {errors[0].message}",
            tuple((error.pointer, error.message) for error in errors),
        )
    return replace(
        version,
        status=PolicyStatus.PUBLISHED,
        published_by=by,
        published_at=now,
        effective_from=begins,
        in_flight=_settled(in_flight, begins.astimezone(UTC).date()),
    )


def _settled(asked: InFlight | None, begins: date) -> InFlight:
    """The choice with its last day, which is counted from when the version begins to decide."""
    if asked is None or (asked.mode is Treatment.GRANDFATHER and asked.until is None):
        return InFlight(Treatment.GRANDFATHER, _working_days_after(begins, GRANDFATHERED_DAYS))
    if asked.mode is Treatment.RE_EVALUATE:
        return InFlight(Treatment.RE_EVALUATE)
    if asked.until is not None and asked.until < begins:
        raise Malformed(f"must be {begins}, when the version begins, or later", pointer="/in_flight/until")
    return asked


def _working_days_after(day: date, count: int) -> date:
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < 5
    return day


def _require_order(begins: datetime | None, ends: datetime | None) -> None:
    if begins is not None and ends is not None and ends <= begins:
        raise Malformed("effective_to must be later than the version begins", pointer="/effective_to")


def _together(authors: tuple[str, ...], author: str) -> tuple[str, ...]:
    return authors if author in authors else (*authors, author)
