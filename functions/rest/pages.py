"""The invoice as finance reads it before approving, behind a link that is signed and ends."""

from __future__ import annotations

import hmac
from datetime import datetime, timedelta
from hashlib import sha256
from html import escape

from dealdesk.domain.deal import Deal, Invoice
from dealdesk.domain.invoices import terms_of
from dealdesk.domain.money import Money, format_money
from dealdesk.errors import Forbidden

LINK_LIVES = timedelta(hours=24)


def signed_query(key: str, invoice_id: str, now: datetime) -> str:
    """The query of a link that opens this invoice for a day. Stable within an hour, so that answers repeat."""
    expires = int((now.replace(minute=0, second=0, microsecond=0) + LINK_LIVES).timestamp())
    return f"expires={expires}&signature={_signature(key, invoice_id, expires)}"


def require_signed(key: str, invoice_id: str, expires: str, signature: str, now: datetime) -> None:
    """Raises `Forbidden` for a link that the desk did not make, or that has ended."""
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        raise Forbidden("this link is not the desk's")
    if not hmac.compare_digest(_signature(key, invoice_id, int(expires)).encode(), signature.encode()):
        raise Forbidden("this link is not the desk's")
    if now.timestamp() > int(expires):
        raise Forbidden("this link has ended; open the invoice from the deal again")


def _signature(key: str, invoice_id: str, expires: int) -> str:
    return hmac.new(key.encode(), f"invoice:{invoice_id}:{expires}".encode(), sha256).hexdigest()


def invoice_page(deal: Deal, invoice: Invoice) -> str:
    draft = invoice.draft
    rows = "".join(
        f"<tr><td>{escape(line.description)}</td><td class=n>{escape(line.quantity)}</td>"
        f"<td class=n>{escape(line.unit_price)}</td>"
        f"<td class=n>{escape(format_money(Money(line.amount_minor, draft.currency)))}</td></tr>"
        for line in draft.lines
    )
    total = escape(format_money(Money(draft.total_minor, draft.currency)))
    first = f"<dt>Replaces</dt><dd>{escape(draft.replaces_number)}</dd>" if draft.replaces else ""
    posted = f"<p>Posted to {escape(draft.ledger)} as {escape(invoice.ledger_id)}.</p>" if invoice.ledger_id else ""
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Invoice {escape(draft.number)}</title><style>{_STYLE}</style></head>
<body><main>
<header><h1>Invoice {escape(draft.number)}</h1><span class="status {invoice.status.value.lower()}">\
{invoice.status.value.title()}</span></header>
<dl><dt>Customer</dt><dd>{escape(draft.customer_name)}</dd>
<dt>Deal</dt><dd>{escape(deal.quote.name if deal.quote else deal.id)}</dd>
<dt>Terms</dt><dd>{escape(str(terms_of(draft)))}, counted from posting</dd>
<dt>Ledger</dt><dd>{escape(draft.ledger)}</dd>{first}</dl>
<table><thead><tr><th>Item</th><th class=n>Quantity</th><th class=n>Unit price</th><th class=n>Amount</th></tr></thead>
<tbody>{rows}</tbody>
<tfoot><tr><td colspan=3>Total before tax</td><td class=n>{total}</td></tr></tfoot></table>
<p class="note">Tax is added by the ledger when the invoice is posted. Content {draft.digest[:12]}.</p>{posted}
</main></body></html>"""


def payment_page(*, paid: bool) -> str:
    """Where the customer lands; it proves nothing, so it promises nothing about the money."""
    title = "Thank you" if paid else "Not paid yet"
    text = (
        "We have your payment instruction and will confirm it once the money has arrived."
        if paid
        else "You can pay at any time with the link that you were sent, while it is valid."
    )
    return _plain_page(title, text)


def signature_page() -> str:
    """Where the signer lands, whether they signed or not: the provider alone knows."""
    return _plain_page("Thank you", "What you have signed is confirmed to you by e-mail.")


def _plain_page(title: str, text: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><style>{_STYLE}</style></head>
<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"""


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1b2430;background:#f4f6f8;margin:0}"
    "main{max-width:46rem;margin:2rem auto;background:#fff;padding:2rem;border-radius:12px;box-shadow:0 1px 4px #0002}"
    "header{display:flex;justify-content:space-between;align-items:center}h1{font-size:1.4rem;margin:0}"
    ".status{padding:.15rem .7rem;border-radius:1rem;background:#e6ebf1;font-size:.85rem}"
    ".status.posted{background:#d9f2e3}.status.approved{background:#dcebff}.status.rejected{background:#fde2e1}"
    "dl{display:grid;grid-template-columns:8rem 1fr;gap:.25rem 1rem}dt{color:#5a6675}dd{margin:0}"
    "table{width:100%;border-collapse:collapse;margin-top:1rem}th,td{padding:.5rem;text-align:left;"
    "border-bottom:1px solid #e6ebf1}.n{text-align:right;font-variant-numeric:tabular-nums}"
    "tfoot td{font-weight:600}.note{color:#5a6675;font-size:.85rem}"
)
