"""One call of hubspot-api-client: with a timeout, and with what each of its failures means for the desk."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hubspot.crm.associations.v4 import exceptions as links_errors
from hubspot.crm.objects import exceptions as objects_errors
from hubspot.crm.owners import exceptions as owners_errors
from urllib3.exceptions import HTTPError

from dealdesk.errors import VendorRefused, VendorUnavailable

TIMEOUT_SECONDS = (3.05, 8)
# How long each limit lasts, for an answer that does not say.
POLICY_SECONDS = {"SECONDLY": 1, "TEN_SECONDLY_ROLLING": 10, "DAILY": 900}
LOCKED_SECONDS = 2

# Each part of the library has its own family of errors.
API_ERRORS = (objects_errors.OpenApiException, owners_errors.OpenApiException, links_errors.OpenApiException)
# What the library raises when an answer has not the shape that it expects.
UNREADABLE = (ValueError, TypeError, AttributeError, KeyError)


class Gone(VendorRefused):
    """HubSpot has no such record."""


def asked_of(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The answer of one method of the library. Raises `VendorUnavailable`, `VendorRefused` or `Gone`."""
    try:
        answer = call(*args, **kwargs, _request_timeout=TIMEOUT_SECONDS)
    except (*API_ERRORS, HTTPError, *UNREADABLE) as error:
        raise translated(error) from error
    # The library makes an empty object of a page that is no JSON.
    if any(getattr(answer, name, name) is None for name in ("id", "properties", "results")):
        raise VendorUnavailable("HubSpot gave no answer that can be read")
    return answer


def translated(error: Exception) -> VendorUnavailable | VendorRefused:
    """The one place that says what each failure of HubSpot means for the desk."""
    status = getattr(error, "status", None)
    if not status:
        return VendorUnavailable(f"HubSpot gave no answer that can be read: {type(error).__name__}")
    told = _told(error)
    if status in (408, 409, 423, 429) or status >= 500:
        return VendorUnavailable(f"HubSpot is busy: {status} {told}", retry_after_seconds=_wait(error, status))
    if status in (401, 403):
        # A token that is refused, or lacks a scope, is the desk's configuration: nothing about the deal is wrong.
        return VendorUnavailable(f"HubSpot refused the desk's token: {status} {told}")
    if status == 404:
        return Gone(f"HubSpot has no such record: {told}")
    return VendorRefused(f"HubSpot refused: {status} {told}")


def _told(error: Exception) -> str:
    """The vendor's category and message; never the headers, which the library's own text shows too."""
    body = _body(error)
    return f"{body.get('category') or ''} {body.get('message') or ''}".strip()[:300]


def _wait(error: Exception, status: int) -> int | None:
    header = (getattr(error, "headers", None) or {}).get("Retry-After") or ""
    if header.isdigit():
        return int(header)
    return LOCKED_SECONDS if status == 423 else POLICY_SECONDS.get(str(_body(error).get("policyName")))


def _body(error: Exception) -> dict[str, Any]:
    try:
        body = json.loads(getattr(error, "body", None) or "{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
