"""What every call of Stripe's API must bring: the account's key, and parameters in the form Stripe reads."""

import base64
import binascii
from collections.abc import Collection, Iterable

from werkzeug.wrappers import Request

from local.twins.server import Json
from local.twins.stripe_params import StripeRefused, nested, refuse

FORM = "application/x-www-form-urlencoded"


def require_key(request: Request, api_key: str) -> None:
    """Bearer, or Basic with the key as the user name."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if not value:
        raise StripeRefused(
            401,
            "You did not provide an API key. You need to provide your API key in the Authorization header, "
            "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
        )
    if scheme.lower() == "basic":
        value = _user_name(value)
    if value != api_key:
        raise StripeRefused(401, f"Invalid API Key provided: {value[:8]}****{value[-4:]}")


def given(request: Request) -> Json:
    """The parameters of the query, or of the form of a POST."""
    if request.method != "POST":
        return nested(request.args.items(multi=True))
    if request.get_data() and request.mimetype != FORM:
        raise StripeRefused(
            400, f"Invalid request (check that your POST content type is {FORM}), not {request.mimetype}."
        )
    if request.args:
        raise StripeRefused(400, "POST requests take their parameters in the body, not in the query string.")
    return nested(request.form.items(multi=True))


def require_expandable(paths: Iterable[str], parts: Collection[str]) -> None:
    for path in paths:
        if path not in parts:
            raise refuse(f"This property cannot be expanded ({path}).", None, "expand")


def _user_name(credentials: str) -> str:
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return ""
