"""Runs the twins of all vendors in one process until it is ended: `python -m local.twins --config FILE`."""

import argparse
import json
import signal
from pathlib import Path
from types import FrameType

from local.twins.server import serve
from local.twins.town import build_town


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    config = json.loads(parser.parse_args().config.read_text())
    running = {name: serve(twin) for name, twin in build_town(config["api_url"], config["vendors"]).items()}
    ready = Path(config["ready_file"])
    unfinished = ready.with_suffix(".part")
    unfinished.write_text(json.dumps({name: twin.url for name, twin in running.items()}))
    unfinished.replace(ready)
    signal.signal(signal.SIGTERM, _leave)
    signal.pause()


def _leave(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    main()
