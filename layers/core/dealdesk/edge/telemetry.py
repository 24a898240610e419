"""What can be seen from outside: one structured line a decision, and the metrics that a manager would ask for."""

from __future__ import annotations

import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import MetricUnit, single_metric

NAMESPACE = "DealDesk"
logger = Logger(service=os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "dealdesk"))


def said(what: str, **fields: Any) -> None:
    """Logs one decision in the past tense. Never a payload, never personal data."""
    logger.info(what, extra=fields, stacklevel=2)


def warned(what: str, **fields: Any) -> None:
    logger.warning(what, extra=fields, stacklevel=2)


def count(name: str, value: float = 1, unit: MetricUnit = MetricUnit.Count, **dimensions: str) -> None:
    """Writes one metric at once, as an EMF line."""
    with single_metric(name=name, unit=unit, value=value, namespace=NAMESPACE) as metric:
        for dimension, text in dimensions.items():
            metric.add_dimension(name=dimension, value=text)


def rejected(source: str, error: Exception) -> None:
    """One log line and one `WebhookRejected` for a message that changed nothing."""
    warned("message refused", source=source, reason=type(error).__name__, detail=str(error)[:300])
    count("WebhookRejected", source=source, reason=type(error).__name__)


def failed(source: str, error: Exception) -> None:
    """The same metric for a message that met a defect of ours, and one log line with the place."""
    logger.exception("message failed", extra={"source": source})
    count("WebhookRejected", source=source, reason=type(error).__name__)


def duplicate(source: str, deal_id: str, cause: str) -> None:
    said("duplicate message changed nothing", source=source, deal_id=deal_id, cause=cause)
    count("DuplicateMessages", source=source)
