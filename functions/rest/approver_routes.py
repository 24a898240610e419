"""REST about the people who approve: the directory that an administrator keeps, and delegations."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, Any

from access import ADMINISTERS, DELEGATES, READS_PEOPLE
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.event_handler.router import APIGatewayRouter
from desk import Ask, Key, approvers, caller, invoice_links, version_seen
from replies import as_response

from dealdesk.contracts import approver_rest as rest
from dealdesk.contracts import views
from dealdesk.domain import escalation
from dealdesk.domain.directory import Delegation, Directory
from dealdesk.edge import clock, telemetry
from dealdesk.errors import AlreadyHandled, Forbidden, Malformed, NotFound, VersionMoved

router = APIGatewayRouter()  # type: ignore[no-untyped-call]


@router.get("/directory", summary="Everybody who approves, with their groups, managers, absences and calendars")
def get_directory() -> Response[rest.DirectoryOut]:
    caller(router).may(READS_PEOPLE)
    return _directory(HTTPStatus.OK)


@router.put("/directory", summary="Replace the directory; decisions follow it at once")
def put_directory(
    body: rest.DirectoryIn, if_match: Annotated[str | None, Header(alias="If-Match")] = None, key: Key = None
) -> Response[rest.DirectoryOut]:
    ask = Ask(router, body, key, ADMINISTERS)
    seen, now = version_seen(if_match), clock.now()
    body.require_consistent()
    try:
        approvers().directory(ask.cause)
        if seen != approvers().version():
            raise VersionMoved(f"the directory is at version {approvers().version()}, not {seen}; read it again")
        approvers().keep_members(
            [member.to_member() for member in body.members],
            {name: calendar.to_calendar() for name, calendar in body.calendars.items()},
            seen=seen,
            cause=ask.cause,
            by=ask.who.person_id,
            now=now,
        )
    except AlreadyHandled:
        telemetry.duplicate("api", "directory", str(ask.cause))
    telemetry.said("directory replaced", by=ask.who.person_id, cause=str(ask.cause))
    return _directory(HTTPStatus.OK)


@router.get("/delegations", summary="Who acts for whom; for most callers, only where they are named")
def list_delegations() -> rest.DelegationsOut:
    who = caller(router).may(READS_PEOPLE)
    directory = approvers().directory()
    me = directory.identity(who.person_id)
    sees_all = who.role in ("admin", "auditor")
    shown = [d for d in directory.delegations if sees_all or me in _both(d, directory)]
    telemetry.said("delegations listed", by=who.person_id, found=len(shown))
    return rest.DelegationsOut(
        delegations=[rest.DelegationOut.model_validate(delegation, from_attributes=True) for delegation in shown]
    )


@router.post("/delegations", summary="Let somebody act for the caller, for a time")
def create_delegation(body: rest.DelegationIn, key: Key = None) -> Response[rest.DelegationOut]:
    ask = Ask(router, body, key, DELEGATES)
    now = clock.now()
    directory = approvers().directory()
    giver = directory.identity(body.giver or ask.who.person_id)
    if giver != directory.identity(ask.who.person_id) and ask.who.role != "admin":
        raise Forbidden("only an administrator lets somebody act for another person")
    if directory.identity(body.taker) == giver:
        raise Malformed("nobody acts for themselves; name another person", pointer="/to")
    delegation = Delegation(
        id=f"dlg_{hashlib.sha256(str(ask.cause).encode()).hexdigest()[:20]}",
        giver=giver,
        taker=body.taker,
        begins_at=body.begins_at,
        ends_at=body.ends_at,
        created_by=ask.who.person_id,
        created_at=now,
        groups=tuple(body.groups),
        reason=body.reason,
    )
    return _kept(delegation, ask, HTTPStatus.CREATED)


@router.delete("/delegations/<delegation_id>", summary="End a delegation now; what was decided under it stays")
def end_delegation(delegation_id: str, key: Key = None) -> Response[rest.DelegationOut]:
    ask = Ask(router, None, key, DELEGATES)
    directory, now = approvers().directory(), clock.now()
    found = next((d for d in directory.delegations if d.id == delegation_id), None)
    me = directory.identity(ask.who.person_id)
    if found is None or (me not in _both(found, directory) and ask.who.role != "admin"):
        raise NotFound(f"there is no delegation {delegation_id[:60]}")
    ended = replace(found, ends_at=max(found.begins_at, now)) if found.ends_at > now else found
    return _kept(ended, ask, HTTPStatus.OK)


@router.post("/deals/<deal_id>/escalate", summary="Open a step to named people as well; it decides nothing")
def escalate_step(deal_id: str, body: rest.EscalateIn, key: Key = None) -> Response[Any]:
    ask = Ask(router, body, key, ADMINISTERS)
    directory = approvers().directory()
    deal = ask.change(
        deal_id,
        lambda deal, _: escalation.escalate(deal, body.step, tuple(body.people), ask.who.person_id, directory),
    )
    return as_response(HTTPStatus.OK, views.deal_view(deal, invoice_links(router)))


def _directory(status: HTTPStatus) -> Response[rest.DirectoryOut]:
    version, directory = approvers().version(), approvers().directory()
    return as_response(status, rest.directory_view(directory, version), etag=version)


def _kept(delegation: Delegation, ask: Ask, status: HTTPStatus) -> Response[rest.DelegationOut]:
    try:
        approvers().keep_delegation(delegation, cause=ask.cause, now=clock.now())
    except AlreadyHandled:
        telemetry.duplicate("api", "directory", str(ask.cause))
    telemetry.said("delegation kept", delegation_id=delegation.id, cause=str(ask.cause))
    kept = next(d for d in approvers().directory().delegations if d.id == delegation.id)
    return as_response(status, rest.delegation_view(kept))


def _both(delegation: Delegation, directory: Directory) -> tuple[str, str]:
    return directory.identity(delegation.giver), directory.identity(delegation.taker)
