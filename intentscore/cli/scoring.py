"""The commands that score, say why, and tell how things stand.

Each parses, calls one service and shows its result; what it needs is imported inside it.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from intentscore.cli import schedule
from intentscore.cli.invocation import Invocation
from intentscore.cli.root import command
from intentscore.cli.values import day, explained_days, last_day, reasons_of_each, sampled_days

Distinct = Annotated[
    bool,
    typer.Option("--distinct", help="Reasons of different kinds: the strongest of page values, of months, and so on"),
]


@command(
    "intentscore score --date 2024-11-01",
    "intentscore score --date yesterday --env prod",
    "intentscore score --date 2024-11-01 --to 2024-11-30 --dry-run",
    "intentscore score --date yesterday --explain --top 5 --distinct",
    "intentscore score --date yesterday --explain all --dry-run",
    implied={"--explain": "top"},
)
def score(
    call: Invocation,
    first: Annotated[
        date,
        typer.Option("--date", parser=day, metavar="DAY", help="YYYY-MM-DD, today or yesterday."),
    ],
    to: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="DAY", help="Last day of a range that starts at --date."),
    ] = None,
    model_version: Annotated[
        str | None, typer.Option(metavar="V", help="A model version; the CHAMPION when not given.")
    ] = None,
    explain: Annotated[
        Literal["top", "all"] | None,
        typer.Option(
            metavar="[top|all]", help="Explain the scores, too: each day's highest tenth, or all after saying the cost."
        ),
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Reasons of each score; 3 when not given.")
    ] = None,
    distinct: Distinct = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its SQL, and change nothing.")] = False,
) -> None:
    """Score the sessions of a day, or of several.

    The model runs in the warehouse. The day's rows in SCORES are replaced as a whole, one per session;
    other days stay as they are. What --explain adds is written after the scores, as by `intentscore explain`;
    with --dry-run it says how many scores that are, and how long it takes.
    """
    last, reasons = last_day(first, to), reasons_of_each(top, distinct=distinct, explained=explain is not None)
    from intentscore.services.explain import explain_scores, plan_explained_scores
    from intentscore.services.score import plan_score
    from intentscore.services.score import score as apply

    with call.session() as session:
        plan = plan_score(session, call.settings, first, last, model_version)
        if explain is None:
            call.show(plan if dry_run else apply(session, call.settings, plan))
            return
        if dry_run:
            call.show(plan_explained_scores(session, call.settings, plan, explain, reasons, distinct=distinct))
            return
        scored = apply(session, call.settings, plan)
        done = explain_scores(session, call.settings, scored, explain, reasons, call.note, distinct=distinct)
        call.show(done)
        done.require_explained()


@command(
    "intentscore explain --date 2024-11-01",
    "intentscore explain --date 2024-11-01 --uid 3bc7493d-54cf-5ad9-80ae-9229fa3df74e --top 10",
    "intentscore explain --date 2024-11-01 --all --distinct",
    "intentscore explain --global --format json",
)
def explain(
    call: Invocation,
    first: Annotated[
        date | None,
        typer.Option("--date", parser=day, metavar="DAY", help="YYYY-MM-DD, today or yesterday."),
    ] = None,
    to: Annotated[
        date | None,
        typer.Option("--to", parser=day, metavar="DAY", help="Last day of a range that starts at --date."),
    ] = None,
    uid: Annotated[str | None, typer.Option(metavar="UID", help="Only this session, whatever its score is.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Every score, not each day's highest tenth; says first what that costs.")
    ] = False,
    top: Annotated[int, typer.Option(min=1, metavar="N", show_default=True, help="Reasons of each score.")] = 3,
    distinct: Distinct = False,
    model_version: Annotated[
        str | None, typer.Option(metavar="V", help="A model version; the one that gave the scores when not given.")
    ] = None,
    globally: Annotated[
        bool, typer.Option("--global", help="Which features matter, over a sample of sessions; writes nothing.")
    ] = False,
    sample: Annotated[
        int, typer.Option(min=1, metavar="N", show_default=True, help="Sessions that --global looks at.")
    ] = 1000,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and its SQL, and change nothing.")] = False,
) -> None:
    """Say why sessions got their scores.

    The model explains itself in the warehouse: what each feature adds to the log-odds (TreeSHAP). The strongest
    reasons go to EXPLANATIONS, in words as well, and replace what the same version said of these days before.
    One explanation costs about 40 scores.
    """
    if globally:
        refused = {"--uid": uid is not None, "--all": everything, "--distinct": distinct, "--dry-run": dry_run}
        show_importance(call, *sampled_days(first, to, refused=refused), model_version, sample)
        return
    days = explained_days(first, to)
    from intentscore.services.explain import explain as apply
    from intentscore.services.explain import plan_explanation

    selection: Literal["top", "all"] = "all" if everything else "top"
    with call.session() as session:
        plan = plan_explanation(
            session,
            call.settings,
            *days,
            uid=uid,
            selection=selection,
            top=top,
            distinct=distinct,
            model_version=model_version,
        )
        call.note(plan.announcement)
        call.show(plan if dry_run else apply(session, call.settings, plan))


def show_importance(
    call: Invocation, first: date | None, last: date | None, model_version: str | None, sample: int
) -> None:
    from intentscore.services.importance import explained_sample, global_explanation

    with call.session() as session:
        call.show(global_explanation(explained_sample(session, call.settings, first, last, model_version, sample)))


@command(
    "intentscore report",
    "intentscore report --date 2024-11-01 -o november.html",
    "intentscore report --run 241103_090210_5f3a --env prod",
)
def report(
    call: Invocation,
    run: Annotated[str | None, typer.Option("--run", metavar="R", help="The model of a run of `train`.")] = None,
    of_day: Annotated[
        date | None,
        typer.Option("--date", parser=day, metavar="DAY", help="The model that scored a day, and that day."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", show_default=True, help="Where the page goes.")
    ] = Path("report.html"),
) -> None:
    """Write a report: one HTML page that needs nothing else.

    The champion and its last scored day, unless a run or a day is named: model card, figures with intervals,
    curves, deciles, drift, reasons, and champion against challenger. A file of that name is replaced.
    """
    from intentscore.services.report import report as write

    with call.session() as session:
        call.show(write(session, call.settings, output, run=run, day=of_day, say=call.note))


@command("intentscore demo")
def demo(call: Invocation) -> None:
    """Go the whole way once and show what came out.

    Upload, features, train, register, and score a day. Takes the UCI data set if it can be had,
    simulated sessions otherwise.
    """
    from intentscore.services.demo import demo as show_the_way

    with call.session() as session:
        call.show(show_the_way(session, call.settings, say=call.note))


@command("intentscore status", "intentscore status --connection env --format json")
def status(call: Invocation) -> None:
    """Show tables, champion, monitor, task graphs and the last runs."""
    from intentscore.services.status import status as look

    with call.session() as session:
        call.show(look(session, call.settings))


@command("intentscore doctor", "intentscore doctor --env prod --format json")
def doctor(call: Invocation) -> None:
    """Check that everything is in place, and how to mend it.

    Target, credentials, role, privileges, warehouse, packages, champion, versions, clock and free disk.
    """
    from intentscore.services.doctor import diagnose

    result = diagnose(call.session, call.settings, schedule.repository())
    call.show(result)
    result.require_healthy()
