"""`intentscore monitor`: watch the champion's scores, and report how they do."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from intentscore.cli.declare import command_of, new_group, own_command
from intentscore.cli.invocation import Invocation
from intentscore.cli.values import day, last_day

app = new_group()
command = command_of(app)


@own_command(app, "intentscore monitor", "intentscore monitor --env prod")
def watch(call: Invocation) -> None:
    """Watch the champion with a Model Monitor.

    Its source joins the champion's scores with the outcomes known so far; its baseline is what the champion learned
    from. Running it again changes nothing, and a promotion brings the new champion's monitor with it.
    """
    if call.subcommand is not None:
        return
    from intentscore.services.monitor import monitor

    with call.session() as session:
        call.show(monitor(session, call.settings))


@command(
    "intentscore monitor report",
    "intentscore monitor report --from 2024-11-01 --to 2024-11-30 --format json",
)
def report(
    call: Invocation,
    first: Annotated[
        date | None,
        typer.Option("--from", parser=day, metavar="DAY", help="First day; four weeks before --to if left out."),
    ] = None,
    to: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="DAY", help="Last day; the last one scored if left out."),
    ] = None,
) -> None:
    """Report how the champion's scores do.

    Volume, outcomes and their coverage by day, ROC AUC, precision and recall at the marketing cut-off, calibration by
    decile, and the drift of the score and of every feature; as JSON for every day. A limit that is passed: exit code 7.
    """
    if first and to:
        last_day(first, to, "--from")
    from intentscore.services.monitor_report import monitor_report

    with call.session() as session:
        found = monitor_report(session, call.settings, first, to)
    call.show(found, short=found.summary())
    found.require_no_alarm()
