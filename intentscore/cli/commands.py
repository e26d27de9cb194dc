"""The commands. Each parses, calls one service and shows its result; what it needs is imported inside it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from intentscore import __version__
from intentscore.cli import local, monitor, schedule
from intentscore.cli.declare import command_of, listed, new_group
from intentscore.cli.exits import EXIT_CODES
from intentscore.cli.invocation import Invocation, with_shared_options
from intentscore.cli.values import (
    day,
    explained_days,
    last_day,
    one_of,
    reasons_of_each,
    row_order,
    sampled_days,
    session_source,
)

app = new_group()
command = command_of(app)

Distinct = Annotated[
    bool,
    typer.Option("--distinct", help="Reasons of different kinds: the strongest of page values, of months, and so on"),
]


def show_version(asked: bool) -> None:
    if asked:
        print(f"intentscore {__version__}")
        raise typer.Exit


EXAMPLES = listed("Examples", ["intentscore demo", "intentscore score --date yesterday --env prod --format json"])
EXITS = listed("Exit codes", [f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items()])


@app.callback(epilog=f"{EXAMPLES}\n\n{EXITS}")
@with_shared_options
def intentscore(
    call: Invocation,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Score online shop sessions by purchase intent, in a Snowflake account or on the local engine.

    Start with `intentscore demo`. The options of this page may also follow the command.
    """


@command(
    "intentscore upload",
    "intentscore upload sessions.parquet --on-error skip --rejects bad.csv",
    "intentscore upload --simulate 100000 --seed 7 --returning 0.6",
)
def upload(
    call: Invocation,
    path: Annotated[
        Path | None, typer.Argument(help="CSV (.csv, .csv.gz) or Parquet; the UCI data set when left out.")
    ] = None,
    year: Annotated[
        int,
        typer.Option(
            min=1970,
            max=2200,
            metavar="YEAR",
            show_default=True,
            help="Year of sessions that have only a month.",
        ),
    ] = 2024,
    spread_days: Annotated[
        bool | None,
        typer.Option(
            "--spread-days/--no-spread-days",
            help="Deal a month's sessions over its days; done for simulated sessions unless refused.",
        ),
    ] = None,
    simulate: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Load N simulated sessions instead of a file.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, metavar="S", help="Seed of --simulate; 0 when not given.")] = None,
    returning: Annotated[
        float | None,
        typer.Option(min=0, max=0.99, metavar="P", help="Simulated shoppers come back with this probability."),
    ] = None,
    on_error: Annotated[
        Literal["abort", "skip"],
        typer.Option(show_default=True, help="A bad row: load nothing, or load the good rows."),
    ] = "abort",
    rejects: Annotated[
        Path,
        typer.Option(metavar="FILE", show_default=True, help="Where rejected rows go, with their reasons."),
    ] = Path("rejected_sessions.csv"),
) -> None:
    """Load sessions into the table SESSIONS.

    Columns are matched whatever their case or underscores. Every row is checked in the warehouse, and
    loading the same sessions again changes nothing.
    """
    source = session_source(
        path,
        simulate=simulate,
        seed=seed,
        returning=returning,
        year=year,
        spread_days=spread_days,
        cache=call.settings.home / "data",
    )
    from intentscore.services.upload import upload as load

    with call.session() as session, call.progress("rows", source.rows) as progress:
        result = load(session, call.settings, source, on_error=on_error, rejects=rejects, progress=progress)
    call.show(result)


@command(
    "intentscore features",
    "intentscore features --list --format json",
    "intentscore features --describe PAST_PURCHASES",
    "intentscore features --describe V1",
)
def features(
    call: Invocation,
    list_views: Annotated[bool, typer.Option("--list", help="List the versions of the feature view.")] = False,
    describe: Annotated[
        str | None, typer.Option(metavar="NAME", help="Show a feature, or a version of the feature view.")
    ] = None,
    refresh: Annotated[bool, typer.Option("--refresh", help="Refresh the versions in use, and register none.")] = False,
    history: Annotated[bool, typer.Option("--history", help="Show the last refreshes.")] = False,
) -> None:
    """Register, refresh and list the features.

    They become a feature view in the Feature Store: the session's own and the shopper's history before it. Another
    feature list (`feature_view:` in the settings) becomes another version; a model reads the one it was trained on.
    """
    from intentscore.services import feature_views as views
    from intentscore.services.features import refresh_features

    chosen = one_of({"--list": list_views, "--describe": describe, "--refresh": refresh, "--history": history})
    with call.session() as session:
        match chosen:
            case "--list":
                call.show(views.list_views(session, call.settings))
            case "--describe":
                call.show(views.describe(session, call.settings, describe or ""))
            case "--refresh":
                call.show(views.refresh_views(session, call.settings))
            case "--history":
                call.show(views.refresh_history(session, call.settings))
            case _:
                call.show(refresh_features(session, call.settings))


@command(
    "intentscore train",
    "intentscore train --config configs/train-best.yaml --env prod",
    "intentscore train --tune 100",
)
def train(
    call: Invocation,
    config: Annotated[
        Path,
        typer.Option(metavar="FILE", show_default=True, help="Seed, split, rounds and LightGBM parameters."),
    ] = Path("configs/train.yaml"),
    tune: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="First look for better parameters, until N trials have been made."),
    ] = None,
) -> None:
    """Train a model and measure it on the last month.

    The model learns from the sessions with a known outcome; the last month is held out, from --tune as well.
    Writes a run folder with the model, its metrics and what it was made from, which `intentscore register`
    takes up. A search that was interrupted goes on where it stopped.
    """
    from intentscore.model.config import load_train_config
    from intentscore.services.train import train as fit

    settings = load_train_config(config)
    with call.session() as session:
        call.show(fit(session, call.settings, settings, tune=tune, say=call.note))


@command(
    "intentscore evaluate",
    "intentscore evaluate configs/train-best.yaml --against configs/train.yaml",
    "intentscore evaluate 241103_090210_5f3a --protocol O --format json",
    "intentscore evaluate --without PAGE_VALUES",
    "intentscore evaluate --order uci",
)
def evaluate(
    call: Invocation,
    model: Annotated[
        str,
        typer.Argument(metavar="RUN|FILE", show_default=True, help="A run's id, or a file as for `train --config`."),
    ] = "configs/train.yaml",
    against: Annotated[
        str | None, typer.Option(metavar="RUN|FILE", help="Another one, compared on the same sessions.")
    ] = None,
    without: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="Compare with the same configuration without a column's features."),
    ] = None,
    protocol: Annotated[
        Literal["T", "O"] | None,
        typer.Option(
            help="T: three times three folds. O: each of the last four months by those before. Both if left out."
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|uci",
            help="Deal the folds of T in the order of this file's rows, as published figures do; else by date and UID.",
        ),
    ] = None,
) -> None:
    """Measure a configuration on sessions it has not learned from.

    It learns anew for every part of both protocols. Shown beside it are the champion, logistic regression
    and the constant rate, with 95 % intervals and paired differences; then months, deciles and segments.
    """
    from intentscore.services.evaluate import PROTOCOLS
    from intentscore.services.evaluate import evaluate as measure

    chosen = (protocol,) if protocol else PROTOCOLS
    source = row_order(order, cache=call.settings.home / "data")
    with call.session() as session:
        found = measure(
            session, call.settings, model, against, without=without, protocols=chosen, order=source, say=call.note
        )
    call.show(found)


@command("intentscore register", "intentscore register 241103_090210_5f3a")
def register(
    call: Invocation,
    run: Annotated[str | None, typer.Argument(help="A run of `intentscore train`; the latest when left out.")] = None,
) -> None:
    """Log a trained model in the Model Registry.

    The first version becomes CHAMPION, later ones CHALLENGER.
    """
    from intentscore.services.register import register as log_model

    with call.session() as session:
        call.show(log_model(session, call.settings, run))


@command("intentscore models", "intentscore models --format json")
def models(call: Invocation) -> None:
    """List the model's versions.

    With aliases, figures of the held-out months, the days each learned from, and how many it scored.
    """
    from intentscore.services.models import models as look

    with call.session() as session:
        call.show(look(session, call.settings))


@command("intentscore promote", "intentscore promote V_241103_090210 --yes")
def promote(
    call: Invocation,
    version: Annotated[str | None, typer.Argument(help="A model version; the CHALLENGER when left out.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Apply the plan if no gate refuses.")] = False,
) -> None:
    """Compare a version with the champion, and put it in its place.

    Both score the sessions that neither learned from. The plan shows the paired difference and the gates:
    sample, improvement, calibration, segments. Refused: exit code 7. Nothing changes without --yes.
    """
    from intentscore.services.promote import plan_promotion
    from intentscore.services.promote import promote as apply

    with call.session() as session:
        plan = plan_promotion(session, call.settings, version)
        call.show(apply(session, call.settings, plan) if yes and plan.accepted else plan)
        plan.require_accepted()


@command("intentscore rollback", "intentscore rollback V_241103_090210 --dry-run")
def rollback(
    call: Invocation,
    version: Annotated[
        str | None, typer.Argument(help="A model version; the champion before this one when left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan, and change nothing.")] = False,
) -> None:
    """Give CHAMPION back to an earlier version.

    Days that other versions have scored since are listed, with the command that scores them again.
    """
    from intentscore.services.rollback import plan_rollback
    from intentscore.services.rollback import rollback as apply

    with call.session() as session:
        plan = plan_rollback(session, call.settings, version)
        call.show(plan if dry_run else apply(session, call.settings, plan))


@command(
    "intentscore score --date 2024-11-01",
    "intentscore score --date yesterday --env prod",
    "intentscore score --date 2024-11-01 --to 2024-11-30 --dry-run",
    "intentscore score --date yesterday --explain --top 5 --distinct",
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
    other days stay as they are. What --explain adds is written after the scores, as by `intentscore explain`.
    """
    last, reasons = last_day(first, to), reasons_of_each(top, distinct=distinct, explained=explain is not None)
    from intentscore.services.explain import explain_scores
    from intentscore.services.score import plan_score
    from intentscore.services.score import score as apply

    with call.session() as session:
        plan = plan_score(session, call.settings, first, last, model_version)
        if dry_run or explain is None:
            call.show(plan if dry_run else apply(session, call.settings, plan))
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
    One explanation costs about 140 scores.
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


app.add_typer(monitor.app, name="monitor")
app.add_typer(schedule.app, name="schedule")
app.add_typer(local.app, name="local")
