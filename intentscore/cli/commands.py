"""All commands, in the order of the help text."""

from __future__ import annotations

from intentscore.cli import learning, local, monitor, schedule, scoring
from intentscore.cli.root import app

__all__ = ["app", "learning", "scoring"]

app.add_typer(monitor.app, name="monitor")
app.add_typer(schedule.app, name="schedule")
app.add_typer(local.app, name="local")
