"""How PayPal says no: names, issues, and the place in the request.

Source: PayPal's OpenAPI files of orders v2 and payments v2.
"""

import secrets

from werkzeug.wrappers import Response

from local.twins.server import Json, Refused, json_answer

NAMES = {
    400: "INVALID_REQUEST",
    401: "AUTHENTICATION_FAILURE",
    403: "NOT_AUTHORIZED",
    404: "RESOURCE_NOT_FOUND",
    409: "RESOURCE_CONFLICT",
    422: "UNPROCESSABLE_ENTITY",
    429: "RATE_LIMIT_REACHED",
}
MESSAGES = {
    400: "Request is not well-formed, syntactically incorrect, or violates schema.",
    401: "Authentication failed due to invalid authentication credentials or a missing Authorization header.",
    404: "The specified resource does not exist.",
    422: "The requested action could not be performed, semantically incorrect, or failed business validation.",
}


class PayPalRefused(Refused):
    """One issue; `field` is the JSON pointer of what is wrong."""

    def __init__(self, status: int, issue: str, description: str, field: str = "") -> None:
        super().__init__(status, issue, description)
        self.field = field


def refuse(issue: str, description: str, field: str = "") -> PayPalRefused:
    return PayPalRefused(422, issue, description, field)


def malformed(issue: str, description: str, field: str) -> PayPalRefused:
    return PayPalRefused(400, issue, description, field)


def not_found() -> PayPalRefused:
    said = "Specified resource ID does not exist. Please check the resource ID and try again."
    return PayPalRefused(404, "INVALID_RESOURCE_ID", said)


def error_answer(status: int, issue: str, description: str, field: str = "") -> Response:
    debug_id = secrets.token_hex(7)[:13]
    detail: Json = {"issue": issue, "description": description}
    if field:
        detail |= {"field": field, "location": "body"}
    name = NAMES.get(status, "INTERNAL_SERVER_ERROR")
    document = {
        "name": name,
        "message": MESSAGES.get(status, description),
        "debug_id": debug_id,
        "details": [detail],
        "links": [
            {"href": f"https://developer.paypal.com/docs/api/orders/v2/#error-{issue}", "rel": "information_link"}
        ],
    }
    return json_answer(document, status, {"Paypal-Debug-Id": debug_id})
