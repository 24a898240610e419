"""What REST takes and gives about policies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from dealdesk.contracts.fields import Strict
from dealdesk.contracts.rest import EventOut
from dealdesk.domain.findings import Finding, Severity
from dealdesk.domain.policy_version import InFlight, PolicyLine, PolicyVersion, Treatment

PolicyId = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Comment = Annotated[str, Field(max_length=2000)]
Number = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]
Document = Annotated[dict[str, Any], Field(description="A policy; its policy_id and version are filled in by the desk")]


class PolicyIn(Strict):
    """A template to start from, or a document; without a policy_id the document's own is taken."""

    policy_id: PolicyId | None = None
    template_id: PolicyId | None = None
    document: Document | None = None
    comment: Comment = ""
    effective_from: AwareDatetime | None = None
    effective_to: AwareDatetime | None = None


class PolicyPatch(Strict):
    """The fields to change; `document` replaces the whole document, null takes a time away."""

    document: Document | None = None
    comment: Comment | None = None
    effective_from: AwareDatetime | None = None
    effective_to: AwareDatetime | None = None

    def changes(self) -> dict[str, Any]:
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return {name: value for name, value in given.items() if value is not None or name.startswith("effective")}


class ValidateIn(Strict):
    """The document to check; without it, the newest version is checked."""

    document: Document | None = None


class GrandfatherIn(Strict):
    """Deals in flight keep the version that decided them through this day (UTC); five business days if none is said."""

    mode: Literal["grandfather"]
    until: date | None = None


class ReEvaluateIn(Strict):
    """Deals in flight are decided by the new version at once."""

    mode: Literal["re_evaluate"]


InFlightIn = Annotated[GrandfatherIn | ReEvaluateIn, Field(discriminator="mode")]


class PublishIn(Strict):
    """`version` is the one that the publisher has read: when it is given and not the newest, nothing is published."""

    version: Number | None = None
    comment: Comment = ""
    effective_from: AwareDatetime | None = None
    effective_to: AwareDatetime | None = None
    in_flight: InFlightIn | None = None


class RollbackIn(Strict):
    """`version` is the published one whose content is to decide again."""

    version: Number
    comment: Comment = ""
    in_flight: InFlightIn | None = None


class FindingOut(BaseModel):
    severity: str
    code: str
    pointer: str
    span: tuple[int, int] | None
    message: str
    suggestion: str


class InFlightOut(BaseModel):
    mode: str
    until: date | None


class VersionOut(BaseModel):
    policy_id: str
    version: int
    status: str
    name: str
    hash: str
    parent_version: int | None
    template_id: str | None
    author: str
    authors: list[str]
    comment: str
    created_at: datetime
    published_by: str | None
    published_at: datetime | None
    effective_from: datetime | None
    effective_to: datetime | None
    in_flight: InFlightOut | None
    in_force: bool


class PolicyOut(VersionOut):
    document: dict[str, Any]
    findings: list[FindingOut]


class VersionsOut(BaseModel):
    policy_id: str
    versions: list[VersionOut]


class PolicyTimelineOut(BaseModel):
    """`complete` says that the chain of events has no hole and no altered link."""

    policy_id: str
    complete: bool
    events: list[EventOut]


class PolicyLineOut(BaseModel):
    policy_id: str
    name: str
    version: int
    status: str
    published_version: int | None
    updated_at: datetime
    in_force: bool


class PoliciesOut(BaseModel):
    in_force: VersionOut
    policies: list[PolicyLineOut]


class TemplateOut(BaseModel):
    template_id: str
    name: str
    description: str
    document: dict[str, Any]


class TemplatesOut(BaseModel):
    templates: list[TemplateOut]


class ValidationOut(BaseModel):
    valid: bool
    findings: list[FindingOut]


def in_flight_of(asked: GrandfatherIn | ReEvaluateIn | None) -> InFlight | None:
    if asked is None:
        return None
    return InFlight(Treatment(asked.mode), asked.until if isinstance(asked, GrandfatherIn) else None)


def version_view(version: PolicyVersion, in_force: PolicyVersion) -> VersionOut:
    return VersionOut.model_validate(_fields(version, in_force))


def policy_view(version: PolicyVersion, in_force: PolicyVersion, findings: Iterable[Finding]) -> dict[str, Any]:
    found = [finding_view(finding) for finding in findings]
    view = PolicyOut(**_fields(version, in_force), document=version.content, findings=found)
    return view.model_dump(mode="json")


def validation_view(findings: Sequence[Finding]) -> ValidationOut:
    valid = all(finding.severity is not Severity.ERROR for finding in findings)
    return ValidationOut(valid=valid, findings=[finding_view(finding) for finding in findings])


def finding_view(finding: Finding) -> FindingOut:
    return FindingOut.model_validate(finding, from_attributes=True)


def line_view(line: PolicyLine, in_force: PolicyVersion) -> PolicyLineOut:
    return PolicyLineOut(
        policy_id=line.policy_id,
        name=line.name,
        version=line.newest,
        status=line.status.value,
        published_version=line.published,
        updated_at=line.updated_at,
        in_force=line.policy_id == in_force.policy_id,
    )


def _fields(version: PolicyVersion, in_force: PolicyVersion) -> dict[str, Any]:
    same = ("policy_id", "hash", "parent_version", "template_id", "author", "comment", "created_at", "published_by")
    times = ("published_at", "effective_from", "effective_to")
    chosen = version.in_flight
    return {
        **{name: getattr(version, name) for name in (*same, *times)},
        "version": version.number,
        "status": version.status.value,
        "name": version.name,
        "authors": list(version.authors),
        "in_flight": None if chosen is None else InFlightOut(mode=chosen.mode.value, until=chosen.until),
        "in_force": (version.policy_id, version.number) == (in_force.policy_id, in_force.number),
    }
