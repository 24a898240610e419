"""The page on which a buyer pays a checkout session, in as little HTML as a browser and a script need."""

from html import escape

from local.twins.server import Json
from local.twins.stripe_forms import amount_text

_FORM = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Checkout</title></head><body>
<h1>{title}</h1>
<p id="amount">{amount}</p>
<form method="post">
<button name="method" value="card">Pay by card</button>
<button name="method" value="ach">Pay by bank debit</button>
<button name="method" value="decline">Use a card that is declined</button>
</form>
{cancel}
</body></html>
"""
_CLOSED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Checkout</title></head><body>
<p>This checkout session is {status}.</p>
</body></html>
"""


def hosted_page(session: Json, lines: Json) -> str:
    if session["status"] != "open":
        return _CLOSED.format(status=escape(session["status"]))
    back = session["cancel_url"]
    return _FORM.format(
        title=escape(", ".join(line["description"] for line in lines["data"])),
        amount=escape(amount_text(session["amount_total"], session["currency"])),
        cancel=f'<a href="{escape(back)}">Back</a>' if back else "",
    )


def after_payment(session: Json) -> str:
    """Where the buyer goes next: the success URL with the session's id filled in."""
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])
