"""The commands from sessions to a registered model.

Each parses, calls one service and shows its result; what it needs is imported inside it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from intentscore.cli.invocation import Invocation
from intentscore.cli.root import command
from intentscore.cli.values import one_of, row_order, session_source


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
