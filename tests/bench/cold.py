"""How long a function takes from nothing to its table, against a bare boto3 client; and how much it ships."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from local import build
from local.build import FUNCTION, LAYER, read_template
from tests.architecture.sources import ROOT
from tests.bench.figures import WEBHOOKS, Figure

ROUNDS = 9
LIMIT = 1.5
BARE = "import boto3; boto3.client('dynamodb')"
# The app as Lambda loads it, and its table's client where it has a table.
APP = "import app; open_table = getattr(app, 'deals', None); open_table and open_table()"


def measure() -> list[Figure]:
    resources = read_template(ROOT / "template.yaml")["Resources"]
    folders = build.build({"Resources": resources}, ROOT, ROOT / ".local" / "build")
    layers = [folder for name, folder in folders.items() if resources[name]["Type"] == LAYER]
    figures: list[Figure] = []
    for name, resource in resources.items():
        if resource["Type"] == FUNCTION:
            figures.extend(_of_function(resource["Properties"], folders[name], layers))
    return figures


def _of_function(properties: dict[str, Any], folder: Path, layers: list[Path]) -> list[Figure]:
    function = properties["CodeUri"].removeprefix("functions/")
    bare, app = _medians(_environment(properties, [folder, *layers]))
    limit = LIMIT if function in WEBHOOKS else None
    shipped = sum(file.stat().st_size for part in (folder, *layers) for file in part.rglob("*") if file.is_file())
    return [
        Figure(f"cold.{function}", app * 1000, "ms", "bare boto3 client", app / bare, limit),
        Figure(f"package_mb.{function}", shipped / 1e6, "MB"),
    ]


def _medians(environment: dict[str, str]) -> tuple[float, float]:
    """Seconds of the bare process and of the app's; taken in turns, so that both meet the same machine."""
    seconds: dict[str, list[float]] = {BARE: [], APP: []}
    for _ in range(ROUNDS + 1):
        for program, taken in seconds.items():
            taken.append(_run(program, environment))
    return statistics.median(seconds[BARE][1:]), statistics.median(seconds[APP][1:])


def _run(program: str, environment: dict[str, str]) -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begun


def _environment(properties: dict[str, Any], path: list[Path]) -> dict[str, str]:
    own = properties.get("Environment", {}).get("Variables", {})
    return dict.fromkeys(own, "bench") | {
        "PYTHONPATH": os.pathsep.join(map(str, path)),
        "PATH": os.environ["PATH"],
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_LAMBDA_FUNCTION_NAME": "bench",
        "DEALDESK_TABLE": "bench",
        "DEALDESK_STAGE": "bench",
        "DEALDESK_SILENT_AFTER_SECONDS": "1200",
        "POWERTOOLS_TRACE_DISABLED": "true",
        "RETRY_BASE_SECONDS": "10",
    }
