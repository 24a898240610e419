"""Stripe's objects as its API and its events show them."""

import secrets
from collections.abc import Mapping
from typing import Any

from local.twins.server import Json

API_VERSION = "2026-10-28.endive"


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{secrets.token_hex(length)[:length]}"


def session(params: Mapping[str, Any], *, currency: str, total: int, expires_at: int, created: int, at: str) -> Json:
    """An open checkout session; its hosted page is under `at`. A payment intent comes when somebody pays."""
    session_id = f"cs_test_a1{secrets.token_hex(28)}"
    customer_email = params.get("customer_email")
    details = {"email": customer_email, "name": None, "phone": None, "tax_exempt": "none", "tax_ids": None}
    return {
        "id": session_id,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_creation": "if_required",
        "customer_details": {**details, "address": None} if customer_email else None,
        "customer_email": customer_email,
        "expires_at": expires_at,
        "invoice": None,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": params.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_types": params.get("payment_method_types", ["card", "us_bank_account"]),
        "payment_status": "unpaid" if total else "no_payment_required",
        "setup_intent": None,
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{at}/c/pay/{session_id}",
    }


def line_items(params: Mapping[str, Any], session_id: str) -> Json:
    lines = [
        {
            "id": new_id("li"),
            "object": "item",
            "amount_total": line["price_data"]["unit_amount"] * line.get("quantity", 1),
            "currency": line["price_data"]["currency"],
            "description": line["price_data"]["product_data"]["name"],
            "quantity": line.get("quantity", 1),
        }
        for line in params["line_items"]
    ]
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": lines, "has_more": False, "url": url}


def payment_intent(of: Json, data: Mapping[str, Any], created: int) -> Json:
    """The session's attempt to pay; it has the metadata of `payment_intent_data`, not the session's."""
    intent_id = new_id("pi")
    return {
        "id": intent_id,
        "object": "payment_intent",
        "amount": of["amount_total"],
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{intent_id}_secret_{secrets.token_hex(12)}",
        "confirmation_method": "automatic",
        "created": created,
        "currency": of["currency"],
        "customer": None,
        "description": data.get("description"),
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": data.get("metadata", {}),
        "next_action": None,
        "payment_method": None,
        "payment_method_types": of["payment_method_types"],
        "receipt_email": data.get("receipt_email"),
        "statement_descriptor": data.get("statement_descriptor"),
        "status": "requires_payment_method",
    }


def charge(intent: Json, method: str, created: int) -> Json:
    return {
        "id": new_id("ch"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"],
        "amount_refunded": 0,
        "captured": True,
        "created": created,
        "currency": intent["currency"],
        "disputed": False,
        "livemode": False,
        "metadata": intent["metadata"],
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method_details": {"type": method},
        "refunded": False,
        "status": "succeeded",
    }


def refund(of: Json, amount: int, params: Mapping[str, Any], created: int) -> Json:
    return {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": new_id("txn"),
        "charge": of["id"],
        "created": created,
        "currency": of["currency"],
        "metadata": params.get("metadata", {}),
        "payment_intent": of["payment_intent"],
        "reason": params.get("reason"),
        "receipt_number": None,
        "status": "succeeded",
    }


def dispute(of: Json, amount: int, reason: str, created: int) -> Json:
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": of["id"],
        "created": created,
        "currency": of["currency"],
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": of["payment_intent"],
        "reason": reason,
        "status": "needs_response",
    }


def dispute_booking(of: Json, amount: int, fee: int, created: int) -> Json:
    """What a dispute moves on the account: below zero when the bank takes it."""
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "created": created,
        "currency": of["currency"],
        "fee": fee,
        "net": amount - fee,
        "source": of["id"],
        "type": "adjustment",
    }


def event(kind: str, about: Json, *, created: int, pending: int, request_id: str | None, key: str | None) -> Json:
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": created,
        "data": {"object": about},
        "livemode": False,
        "pending_webhooks": pending,
        "request": {"id": request_id, "idempotency_key": key},
        "type": kind,
    }
