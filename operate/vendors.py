"""The vendors of a stack, by the clients that its functions make: their own settings, their own secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, fields

from dealdesk.edge import aws
from dealdesk.ports import Ledger, Payments, Signatures
from functions.post_invoice import app as post_invoice
from functions.request_payment import app as request_payment
from functions.request_signature import app as request_signature
from operate.installation import Installation

FUNCTIONS: dict[str, type] = {
    "RequestSignatureFunction": request_signature.Settings,
    "RequestPaymentFunction": request_payment.Settings,
    "PostInvoiceFunction": post_invoice.Settings,
}


@dataclass(frozen=True, slots=True)
class Vendors:
    """Each by the name that a deal gives. Raise `VendorRefused` for one that is not set up."""

    signatures: Callable[[str], Signatures]
    payments: Callable[[str], Payments]
    ledgers: Callable[[str], Ledger]


def vendors_of(at: Installation) -> Vendors:
    """Takes the functions' settings into this process; the secrets are read when a vendor is first asked."""
    for name, settings in FUNCTIONS.items():
        answer = aws.client("lambda").get_function_configuration(FunctionName=at.resource(name))
        variables = answer.get("Environment", {}).get("Variables", {})
        wanted = {field.name.upper() for field in fields(settings)}
        os.environ.update({key: value for key, value in variables.items() if key in wanted})
    return Vendors(request_signature.signatures, request_payment.payments, post_invoice.ledgers)
