"""`intentscore schedule`: deploy the task graphs, run them, and see how they are doing."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from intentscore.cli.declare import command_of, new_group, own_command
from intentscore.cli.invocation import Invocation
from intentscore.cli.values import day, last_day

if TYPE_CHECKING:
    from intentscore.services.schedule_config import ScheduleConfig

app = new_group()
command = command_of(app)

Config = Annotated[
    Path, typer.Option("--config", metavar="FILE", show_default=True, help="When they run, on what, and their limits.")
]
CONFIG = Path("configs/schedule.yaml")
Kind = Literal["daily", "monthly", "mid-month"]
OneGraph = Annotated[Kind | None, typer.Option("--graph", help="Only this one; all of them when left out.")]


def read(config: Path) -> ScheduleConfig:
    from intentscore.services.schedule_config import ScheduleConfig
    from intentscore.settings import read_yaml

    return read_yaml(config, ScheduleConfig)


def repository() -> str | None:
    """Where the procedures' packages come from."""
    from intentscore.services.schedule_config import ScheduleConfig

    return (read(CONFIG) if CONFIG.exists() else ScheduleConfig()).artifact_repository


@own_command(
    app,
    "intentscore schedule --dry-run",
    "intentscore schedule --env prod",
    "intentscore schedule --as cron",
)
def deploy(
    call: Invocation,
    config: Config = CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the graph and its SQL, and change nothing.")] = False,
    orchestrator: Annotated[
        Literal["cron", "github"] | None,
        typer.Option("--as", help="Print a crontab line or a workflow that calls `intentscore score` instead."),
    ] = None,
) -> None:
    """Deploy the task graphs.

    Daily: refresh the features, score the day before, check the scores. Monthly: train a challenger, register
    and score it. Mid-month: compare it with the champion, promote it if the gates agree. Each writes down how
    it went. Deploying the same again changes nothing; what changes is shown as a diff first.
    """
    if call.subcommand is not None:
        return
    wanted = read(config)
    if orchestrator is not None:
        from intentscore.services.outside_schedule import outside_schedule

        print(outside_schedule(wanted, orchestrator, call.shared.env))
        return
    from intentscore.services.graph_plan import shown
    from intentscore.services.graphs import plan_schedule
    from intentscore.services.schedule import deploy as make
    from intentscore.services.schedule import deployed_graphs

    with call.session() as session:
        plan = plan_schedule(session, call.settings, wanted)
        if dry_run:
            call.show(shown(plan, deployed_graphs(session)))
        else:
            call.show(make(session, call.settings, plan, say=call.note))


@command("intentscore schedule status")
def status(call: Invocation, config: Config = CONFIG) -> None:
    """Show each graph's state, its next run and the tasks of its last."""
    from intentscore.services.schedule import schedule_status

    with call.session() as session:
        call.show(schedule_status(session, read(config)))


@command(
    "intentscore schedule run",
    "intentscore schedule run --date 2024-11-01",
    "intentscore schedule run --from 2024-11-01 --to 2024-11-10",
    "intentscore schedule run --graph monthly --date 2024-11-30",
)
def run(
    call: Invocation,
    config: Config = CONFIG,
    only: Annotated[
        date | None, typer.Option("--date", parser=day, metavar="DAY", help="YYYY-MM-DD, today or yesterday.")
    ] = None,
    first: Annotated[
        date | None, typer.Option("--from", parser=day, metavar="DAY", help="First day of a back-fill.")
    ] = None,
    to: Annotated[date | None, typer.Option("--to", parser=day, metavar="DAY", help="Last day of a back-fill.")] = None,
    graph: Annotated[Kind, typer.Option(show_default=True, help="Which graph.")] = "daily",
) -> None:
    """Run a deployed graph now.

    For its usual day, for one day, or day by day for a back-fill, which goes on where it was interrupted.
    """
    from intentscore.errors import UsageError
    from intentscore.services.graph_execution import run_days

    if only and (first or to):
        raise UsageError("give either --date or --from and --to, not both")
    if to and not first:
        raise UsageError("--to goes with --from")
    start = only or first
    last = last_day(start, to, "--from") if start else None
    wanted = read(config)
    with call.session() as session:
        call.show(run_days(session, call.settings, wanted, start, last, kind=graph, say=call.note))


@command("intentscore schedule history", "intentscore schedule history --limit 20 --format json")
def history(
    call: Invocation,
    config: Config = CONFIG,
    limit: Annotated[int, typer.Option(min=1, max=10_000, show_default=True, help="Task runs to show.")] = 50,
) -> None:
    """Show the task runs of the last days."""
    from intentscore.services.schedule import schedule_history

    with call.session() as session:
        call.show(schedule_history(session, read(config), limit))


@command("intentscore schedule suspend", "intentscore schedule suspend --graph mid-month")
def suspend(call: Invocation, config: Config = CONFIG, graph: OneGraph = None) -> None:
    """Stop the schedule; a run under way goes on."""
    from intentscore.services.schedule import suspend as stop

    with call.session() as session:
        call.show(stop(session, read(config), graph))


@command("intentscore schedule resume")
def resume(call: Invocation, config: Config = CONFIG, graph: OneGraph = None) -> None:
    """Let the schedule run again."""
    from intentscore.services.schedule import resume as start

    with call.session() as session:
        call.show(start(session, read(config), graph))


@command("intentscore schedule drop --yes")
def drop(
    call: Invocation,
    yes: Annotated[bool, typer.Option("--yes", help="Really drop it.")] = False,
) -> None:
    """Drop the graphs and their procedures; scores and models stay."""
    from intentscore.services.schedule import drop as remove

    with call.session() as session:
        call.show(remove(session, call.settings, apply=yes))
