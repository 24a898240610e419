"""Policies by REST: business people write them, a second person publishes them, and the next decision follows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any

from access import EDITS_POLICIES, READS
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import Ask, Key, approvers, caller, deals, index, policies, version_seen
from replies import as_response

from dealdesk.contracts import impact_rest
from dealdesk.contracts import policy_rest as rest
from dealdesk.contracts.rest import EventOut
from dealdesk.contracts.views import record_fields
from dealdesk.domain.chain import first_break
from dealdesk.domain.policy_book import find, tried
from dealdesk.domain.policy_checks import check_document
from dealdesk.domain.policy_version import PolicyVersion
from dealdesk.edge import clock, telemetry
from dealdesk.errors import AlreadyHandled, Malformed, PolicyUnknown
from dealdesk.policies import TEMPLATES, template_document
from dealdesk.usecases.draft_policy import draft_policy, edit_policy
from dealdesk.usecases.estimate_impact import estimate_impact
from dealdesk.usecases.publish_policy import publish_policy, roll_back_policy

router = APIGatewayRouter()  # type: ignore[no-untyped-call]

IfMatch = Annotated[str | None, Header(alias="If-Match")]


@router.get("/policies", summary="Every policy, and the version that decides now")
def list_policies() -> rest.PoliciesOut:
    caller(router).may(READS)
    now = policies().in_force(clock.now())
    lines = [rest.line_view(line, now) for line in policies().lines()]
    return rest.PoliciesOut(in_force=rest.version_view(now, now), policies=lines)


@router.post("/policies", summary="A draft, from a template or a document")
def create_policy(body: rest.PolicyIn, key: Key = None) -> Response[rest.PolicyOut]:
    ask = Ask(router, body, key, EDITS_POLICIES)
    document = _document_of(body)
    policy_id = body.policy_id or str(document.get("policy_id") or "")
    if policy_id == "templates":
        raise Malformed("a policy can't be named templates", pointer="/policy_id")

    def draft(now: datetime) -> PolicyVersion:
        return draft_policy(
            policies(),
            policy_id,
            document,
            author=ask.who.person_id,
            cause=ask.cause,
            now=now,
            comment=body.comment,
            template_id=body.template_id,
            effective_from=body.effective_from,
            effective_to=body.effective_to,
        )

    return _changed(ask, "policy drafted", draft, HTTPStatus.CREATED)


@router.get("/policies/templates", summary="Policies to start from")
def list_templates() -> rest.TemplatesOut:
    caller(router).may(READS)
    found = [(name, description, template_document(name)) for name, description in TEMPLATES.items()]
    return rest.TemplatesOut(
        templates=[
            rest.TemplateOut(template_id=name, name=str(document["name"]), description=description, document=document)
            for name, description, document in found
        ]
    )


@router.get("/policies/<policy_id>", summary="The newest version of a policy, with what the checks found")
def get_policy(policy_id: str) -> Response[rest.PolicyOut]:
    version = caller(router).may(READS).reads(_versions(policy_id)[-1])
    return _shown(version, HTTPStatus.OK)


@router.patch("/policies/<policy_id>", summary="Edit: the next version, made from the newest")
def change_policy(
    policy_id: str, body: rest.PolicyPatch, if_match: IfMatch = None, key: Key = None
) -> Response[rest.PolicyOut]:
    ask = Ask(router, body, key, EDITS_POLICIES)
    seen = version_seen(if_match)

    def edit(now: datetime) -> PolicyVersion:
        who = ask.who.person_id
        return edit_policy(policies(), policy_id, seen, body.changes(), author=who, cause=ask.cause, now=now)

    return _changed(ask, "policy edited", edit, HTTPStatus.OK)


@router.post("/policies/<policy_id>/validate", summary="What the checks find, in the newest version or a document")
def validate_policy(policy_id: str, body: rest.ValidateIn | None = None) -> rest.ValidationOut:
    who = caller(router).may(READS)
    if body is not None and body.document is not None:
        return rest.validation_view(
            check_document({**body.document, "policy_id": policy_id, "version": 1}, approvers().directory().able())
        )
    return rest.validation_view(
        check_document(who.reads(_versions(policy_id)[-1]).content, approvers().directory().able())
    )


@router.post("/policies/<policy_id>/impact", summary="What a draft would have decided about the deals there are")
def impact(policy_id: str, body: impact_rest.ImpactIn | None = None) -> impact_rest.ImpactOut:
    caller(router).may(EDITS_POLICIES)
    asked, versions = body or impact_rest.ImpactIn(), _versions(policy_id)
    if asked.document is not None:
        document, digest = tried(asked.document, policy_id, versions[-1].number + 1)
    else:
        version = versions[-1] if asked.version is None else find(versions, asked.version)
        document, digest = version.content, version.hash
    found, more = estimate_impact(index(), deals(), policies(), document, asked.deals, now=clock.now())
    telemetry.said("impact estimated", policy_id=policy_id, hash=digest, deals=found.deals)
    return impact_rest.impact_view(found, policy_id, digest, complete=not more)


@router.post("/policies/<policy_id>/publish", summary="Put the newest draft in force; never by one of its authors")
def publish(policy_id: str, body: rest.PublishIn | None = None, key: Key = None) -> Response[rest.PolicyOut]:
    ask = Ask(router, body, key, EDITS_POLICIES)
    asked = body or rest.PublishIn()

    def publish_it(now: datetime) -> PolicyVersion:
        return publish_policy(
            policies(),
            policy_id,
            asked.version,
            by=ask.who.person_id,
            cause=ask.cause,
            now=now,
            comment=asked.comment,
            effective_from=asked.effective_from,
            effective_to=asked.effective_to,
            in_flight=rest.in_flight_of(asked.in_flight),
            directory=approvers().directory(),
        )

    return _changed(ask, "policy published", publish_it, HTTPStatus.OK)


@router.post("/policies/<policy_id>/rollback", summary="Publish the content of an earlier version as a new one")
def roll_back(policy_id: str, body: rest.RollbackIn, key: Key = None) -> Response[rest.PolicyOut]:
    ask = Ask(router, body, key, EDITS_POLICIES)

    def roll_it_back(now: datetime) -> PolicyVersion:
        return roll_back_policy(
            policies(),
            policy_id,
            body.version,
            by=ask.who.person_id,
            cause=ask.cause,
            now=now,
            comment=body.comment,
            in_flight=rest.in_flight_of(body.in_flight),
            directory=approvers().directory(),
        )

    return _changed(ask, "policy rolled back", roll_it_back, HTTPStatus.OK)


@router.get("/policies/<policy_id>/versions", summary="Every version that was written, the first one first")
def list_versions(policy_id: str) -> rest.VersionsOut:
    caller(router).may(READS)
    now = policies().in_force(clock.now())
    found = [rest.version_view(version, now) for version in _versions(policy_id)]
    return rest.VersionsOut(policy_id=policy_id, versions=found)


@router.get("/policies/<policy_id>/timeline", summary="Who did what to a policy, in order")
def get_policy_timeline(policy_id: str) -> rest.PolicyTimelineOut:
    caller(router).may(READS)
    _versions(policy_id)
    records = policies().history(policy_id)
    return rest.PolicyTimelineOut(
        policy_id=policy_id,
        complete=first_break(records) is None,
        events=[EventOut.model_validate(record_fields(record)) for record in records],
    )


@router.get("/policies/<policy_id>/versions/<number>", summary="One version, as it was written")
def get_version(policy_id: str, number: int) -> Response[rest.PolicyOut]:
    version = caller(router).may(READS).reads(find(_versions(policy_id), number))
    return _shown(version, HTTPStatus.OK)


def _document_of(body: rest.PolicyIn) -> dict[str, Any]:
    if body.template_id is not None and body.template_id not in TEMPLATES:
        raise Malformed(f"there is no such template; use one of {', '.join(TEMPLATES)}", pointer="/template_id")
    if body.document is not None:
        return body.document
    if body.template_id is None:
        raise Malformed("send a document or a template_id", pointer="/document")
    return template_document(body.template_id)


def _versions(policy_id: str) -> list[PolicyVersion]:
    versions = policies().versions(policy_id)
    if not versions:
        raise PolicyUnknown(f"no policy {policy_id[:64]}")
    return versions


def _changed(
    ask: Ask, what: str, change: Callable[[datetime], PolicyVersion], status: HTTPStatus
) -> Response[rest.PolicyOut]:
    """The version after the change; for a replay, the one that the first request made."""
    try:
        version = change(clock.now())
    except AlreadyHandled as before:
        telemetry.duplicate("api", before.deal_id, str(ask.cause))
        return _shown(find(_versions(before.deal_id), before.version), status)
    telemetry.said(what, policy_id=version.policy_id, version=version.number, hash=version.hash, cause=str(ask.cause))
    return _shown(version, status)


def _shown(version: PolicyVersion, status: HTTPStatus) -> Response[rest.PolicyOut]:
    now, findings = policies().in_force(clock.now()), check_document(version.content)
    return as_response(status, rest.policy_view(version, now, findings), etag=version.number)
