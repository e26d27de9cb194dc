"""Run ids, and the QUERY_TAG that ties a statement in Snowflake's history to the run that sent it."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime

from intentscore import __version__


def new_run_id(now: datetime | None = None) -> str:
    """`YYMMDD_HHMMSS_xxxx` (UTC): sorts by time; the hex digits keep two runs of one second apart."""
    return f"{now or datetime.now(UTC):%y%m%d_%H%M%S}_{secrets.token_hex(2)}"


def query_tag(command: str, run_id: str) -> str:
    tag = {"app": "intentscore", "command": command, "run_id": run_id, "version": __version__}
    return json.dumps(tag, separators=(",", ":"))
