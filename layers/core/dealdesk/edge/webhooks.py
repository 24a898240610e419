"""What every webhook handler starts with: the raw bytes, the headers, and the limits."""

from __future__ import annotations

import base64
import binascii
from email.message import Message
from email.parser import BytesHeaderParser
from typing import Any
from urllib.parse import quote, urlsplit

from dealdesk.errors import Malformed, TooLarge, WrongContentType

LARGEST_BODY_BYTES = 1024 * 1024


def body_of(event: dict[str, Any]) -> bytes:
    """The bytes as the vendor sent and signed them. Raises `TooLarge` above 1 MiB, `Malformed` without a body."""
    text = event.get("body")
    if not text:
        raise Malformed("the request has no body")
    if len(text) > LARGEST_BODY_BYTES * 4 // 3 + 4:
        raise TooLarge(f"the body is larger than {LARGEST_BODY_BYTES:,} bytes")
    if event.get("isBase64Encoded"):
        try:
            raw = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            raise Malformed("the body is not valid base64") from None
    else:
        raw = text.encode("utf-8", "surrogatepass")
    if len(raw) > LARGEST_BODY_BYTES:
        raise TooLarge(f"the body is larger than {LARGEST_BODY_BYTES:,} bytes")
    return raw


def headers_of(event: dict[str, Any]) -> dict[str, str]:
    """The headers with lower-case names: API Gateway passes them as the caller wrote them."""
    headers = event.get("headers") or {}
    return {str(name).lower(): str(value) for name, value in headers.items() if value is not None}


def uri_of(event: dict[str, Any], public_url: str) -> str:
    """The URI that the vendor called and signed: the address that people know, not the one behind it.

    A REST API hands the query over decoded, an HTTP API as it came.
    """
    context = event.get("requestContext") or {}
    path = str(event.get("path") or event.get("rawPath") or "")
    if public_url:
        base = public_url.rstrip("/")
        address = base + path.removeprefix(urlsplit(base).path)
    else:
        address = f"https://{context.get('domainName', '')}{context.get('path') or path}"
    query = event.get("rawQueryString")
    if query is None:
        decoded = event.get("multiValueQueryStringParameters") or {}
        pairs = [(name, value) for name, values in decoded.items() for value in values]
        query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)
    return f"{address}?{query}" if query else address


def form_field(headers: dict[str, str], body: bytes, name: str) -> bytes:
    """The content of one field of a multipart/form-data body. Raises `Malformed` without it. Source: RFC 7578.

    Cut by hand, at the outer boundary only: a general parser follows parts inside parts as deep as a stranger likes.
    """
    kind = Message()
    kind["Content-Type"] = headers.get("content-type", "").replace("\r", "").replace("\n", "")
    boundary = kind.get_boundary()
    if not boundary:
        raise Malformed("the form names no boundary")
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("utf-8", "replace"))[1:]:
        head, blank_line, content = part.partition(b"\r\n\r\n")
        about = BytesHeaderParser().parsebytes(head.lstrip())
        if blank_line and about.get_param("name", header="content-disposition") == name:
            return content
    raise Malformed(f"the form has no field {name}")


def require_content_type(headers: dict[str, str], *allowed: str) -> None:
    """Raises `WrongContentType` unless the message is one of the `allowed` media types."""
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in allowed:
        raise WrongContentType(f"content type {given or 'none'!r} is not accepted; send {' or '.join(allowed)}")
