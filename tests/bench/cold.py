"""How long a function takes from nothing to its table, against a bare boto3 client; and how much it ships."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from local.build import FUNCTION, LAYER, Template
from tests.bench.figures import WEBHOOKS, Figure

ROUNDS, ROUNDS_WITH_TARGET = 7, 15
LIMIT = 1.5
BARE = "import boto3; boto3.client('dynamodb')"
# The app as Lambda loads it, and its table's client where it has a table.
APP = "import app; open_table = getattr(app, 'deals', None); open_table and open_table()"


@dataclass(frozen=True, slots=True)
class Package:
    """A function as it is built for the local stack, bytecode included: its folder, its layers, its variables."""

    function: str
    path: list[Path]
    variables: frozenset[str]


def packages(template: Template, folders: dict[str, Path]) -> dict[str, Package]:
    resources = template["Resources"]
    layers = [folder for name, folder in folders.items() if resources[name]["Type"] == LAYER]
    found = {}
    for name, made in resources.items():
        if made["Type"] == FUNCTION:
            function = made["Properties"]["CodeUri"].removeprefix("functions/")
            variables = made["Properties"].get("Environment", {}).get("Variables", {})
            found[function] = Package(function, [folders[name], *layers], frozenset(variables))
    return found


def measure(package: Package) -> list[Figure]:
    has_target = package.function in WEBHOOKS
    bare, app = _medians(_environment(package), ROUNDS_WITH_TARGET if has_target else ROUNDS)
    limit = LIMIT if has_target else None
    files = (file for folder in package.path for file in folder.rglob("*") if file.is_file())
    return [
        Figure(f"cold.{package.function}", app * 1000, "ms", "bare boto3 client", app / bare, limit),
        Figure(f"package_mb.{package.function}", sum(file.stat().st_size for file in files) / 1e6, "MB"),
    ]


def _medians(environment: dict[str, str], rounds: int) -> tuple[float, float]:
    """CPU seconds of the bare process and of the app's; taken in turns, so that both meet the same machine."""
    seconds: dict[str, list[float]] = {BARE: [], APP: []}
    for _ in range(rounds + 1):
        for program, taken in seconds.items():
            taken.append(_run(program, environment))
    return statistics.median(seconds[BARE][1:]), statistics.median(seconds[APP][1:])


def _run(program: str, environment: dict[str, str]) -> float:
    """A cold start only computes, so its CPU time is its time on a machine that does nothing else."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _environment(package: Package) -> dict[str, str]:
    return dict.fromkeys(package.variables, "bench") | {
        "PYTHONPATH": os.pathsep.join(map(str, package.path)),
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
        "INVOICE_TOLERANCE_MINOR": "1",
    }
