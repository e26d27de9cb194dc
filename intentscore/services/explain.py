"""Why a session got its score: the strongest reasons of chosen scores, in the table EXPLANATIONS.

The registered version's own `explain` runs in the warehouse. What will be done is a value, `ExplainPlan`: built,
shown and applied. Explanations belong to a score of a version; another version's stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from intentscore.errors import ConfigurationError, IntentscoreError, NothingToDoError, WarehouseError
from intentscore.features.definitions import feature_list
from intentscore.features.feature import Feature
from intentscore.features.store import RegisteredView, described_features, view_features
from intentscore.services.contributions import contributions, estimated_seconds, explained_features
from intentscore.services.explain_statements import (
    DECILES,
    insert_reasons,
    scores_of,
    selected_rows,
    staged_check,
)
from intentscore.services.runs import recorded, utc_now
from intentscore.services.score import ScorePlan, ScoreResult
from intentscore.services.versions import (
    RegisteredVersion,
    features_of,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings, Strict
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, qualified
from intentscore.warehouse.tables import CHALLENGER_SCORES, EXPLANATIONS, SCORES, Table, create_tables, exists
from intentscore.warehouse.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from snowflake.snowpark import Session

Selection = Literal["top", "all"]
STAGED = "EXPLANATIONS_STAGED"
REASONS = 3
SHOWN = 3


@dataclass(frozen=True)
class ExplainPlan:
    """`scores` of `selection` are explained (one session's where `uid` is given) with `top` reasons each.

    `estimated_s` is measured for selection "all", and None else. `preparation` stages the contributions,
    `transaction` then replaces the explanations; the statements are what `explain` sends, word for word.
    """

    model_name: str
    version: str
    table: str
    first: date
    last: date
    uid: str | None
    selection: Selection
    scores: int
    top: int
    distinct: bool
    estimated_s: float | None
    base_log_odds: float
    feature_hash: str
    explained_at: datetime
    features: tuple[str, ...]
    preparation: tuple[str, ...]
    transaction: tuple[str, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        return (*self.preparation, "BEGIN", *self.transaction, "COMMIT")

    @property
    def announcement(self) -> str:
        """What is about to be done, and for all scores of a day what it will take."""
        told = f"explain: {self.scores:,} score{'s' if self.scores != 1 else ''}"
        return told if self.estimated_s is None else f"{told}, which take about {max(self.estimated_s, 1):,.0f} s"


class Explaining(Strict):
    """What the daily graph explains once its day is scored: `reasons` of each score of the selection `scores`."""

    scores: Selection = "top"
    reasons: Annotated[int, Field(ge=1)] = REASONS
    distinct: bool = False


@dataclass(frozen=True)
class ExplanationToCome:
    """What explaining the scores of a plan would take: so many scores, at most so many rows, about so many seconds."""

    selection: Selection
    scores: int
    top: int
    distinct: bool
    rows: int
    estimated_s: float


@dataclass(frozen=True)
class ExplainedScorePlan(ScorePlan):
    """What `score --explain` would do. The explanation's own SQL is made when the scores are there."""

    explanation: ExplanationToCome


@dataclass(frozen=True)
class Reason:
    """One of the strongest reasons of a score; `log_odds` is what the feature adds to its log-odds."""

    uid: str
    session_date: date
    score: float
    rank: int
    feature: str
    value: float | None
    log_odds: float
    reason: str


@dataclass(frozen=True)
class ExplainResult:
    """`rows` reasons were written and `removed` earlier ones replaced; `reasons` are of the highest scores."""

    run_id: str
    model_name: str
    version: str
    table: str
    scores: int
    rows: int
    removed: int
    base_log_odds: float
    explained_at: datetime
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class ExplainedScoreResult(ScoreResult):
    """The scores are written even where `failure` says why they could not be explained."""

    explanations: ExplainResult | None
    failure: str | None

    def require_explained(self) -> None:
        """Raises WarehouseError when the scores could not be explained."""
        if self.failure is not None:
            then = f"then run `intentscore explain --date {self.days[0].day}`"
            raise WarehouseError(f"the scores are written, but not explained: {self.failure}; {then}")


def plan_explanation(
    session: Session,
    settings: Settings,
    first: date,
    last: date,
    *,
    uid: str | None = None,
    selection: Selection = "top",
    top: int = REASONS,
    distinct: bool = False,
    model_version: str | None = None,
) -> ExplainPlan:
    """What explaining the scores of the days `first` to `last` takes; changes nothing.

    With `distinct` a score's reasons are the strongest of each subject (page values, time of the year, …) before any
    other; else they are the strongest of all, several of which may be made of one column.

    The version is the one that gave the days' rows in SCORES unless another is named. Of each day the tenth with
    the highest scores is chosen, all for "all", the one of session `uid` where it is given. For "all" the cost is
    measured on a few sessions.

    Raises NothingToDoError when there is no such score, ConfigurationError for an unknown version or when several
    versions scored the days, GateRefusedError when the feature view that the version was trained on is gone.
    """
    with snowflake_errors("plan the explanation"):
        version, source, days = _scored_by(session, settings, first, last, uid, model_version)
        view = features_of(session, settings, version)
        base, explained_at = version.base_log_odds, utc_now()
        everything = uid is not None or selection == "all"
        scores = sum(_selected(count, "all" if everything else "top") for count in days)
        condition = scores_of(first, last, settings.model_name, version.name, uid)
        rows = selected_rows(
            source.qualified_name(session, settings),
            condition,
            qualified(session, view.full_name),
            view_features(session, view),
            top_decile=not everything,
        )
        explained = contributions(session, settings, version, session.sql(rows))
        names, staged = explained_features(explained), qualified(session, STAGED)
        queries = explained.queries
        if len(queries["queries"]) != 1 or queries["post_actions"]:
            raise WarehouseError("the model's explanation takes more than one statement; register it again")
        target = EXPLANATIONS.qualified_name(session, settings)
        costly = selection == "all" and uid is None
        estimated_s = estimated_seconds(session, settings, version, view, scores) if costly else None
    return ExplainPlan(
        model_name=settings.model_name,
        version=version.name,
        table=target,
        first=first,
        last=last,
        uid=uid,
        selection=selection,
        scores=scores,
        top=top,
        distinct=distinct,
        estimated_s=estimated_s,
        base_log_odds=base,
        feature_hash=str(version.feature_hash),
        explained_at=explained_at,
        features=names,
        preparation=(f"CREATE OR REPLACE TEMPORARY TABLE {staged} AS\n{queries['queries'][0].strip()}",),
        transaction=(
            f"DELETE FROM {target} WHERE {condition}",
            insert_reasons(
                target,
                staged,
                _described(session, settings, view, names),
                model_name=settings.model_name,
                version=version.name,
                base_log_odds=base,
                top=top,
                distinct=distinct,
                explained_at=explained_at,
            ),
        ),
    )


def explain(session: Session, settings: Settings, plan: ExplainPlan) -> ExplainResult:
    """Apply a plan: afterwards the version's explanations of the days (or of the session) are those of the plan.

    All rows of a run have one EXPLAINED_AT (UTC). LOG_ODDS of a score's reasons, OTHER_LOG_ODDS and BASE_LOG_ODDS
    add up to LN(SCORE / (1 - SCORE)). Raises WarehouseError, with nothing written, when they would not.
    """
    what = {"uid": plan.uid, "scores": plan.selection, "top": plan.top, "distinct": plan.distinct}
    arguments = {"first": plan.first, "last": plan.last, **what}
    with recorded(session, settings, "explain", **arguments) as run:
        run.model_version, run.feature_hash, run.row_count = plan.version, plan.feature_hash, plan.scores
        create_tables(session, settings, [EXPLANATIONS])
        for statement in plan.preparation:
            session.sql(statement).collect()
        _refuse_other_scores(session, plan)
        delete, insert = plan.transaction
        with transaction(session):
            removed = session.sql(delete).collect()[0]["number of rows deleted"]
            rows = session.sql(insert).collect()[0]["number of rows inserted"]
        session.sql(f"DROP TABLE IF EXISTS {qualified(session, STAGED)}").collect()
        return ExplainResult(
            run_id=run.run_id,
            model_name=plan.model_name,
            version=plan.version,
            table=plan.table,
            scores=plan.scores,
            rows=rows,
            removed=removed,
            base_log_odds=plan.base_log_odds,
            explained_at=plan.explained_at,
            reasons=_strongest(session, plan),
        )


def plan_explained_scores(
    session: Session, settings: Settings, plan: ScorePlan, selection: Selection, top: int, *, distinct: bool = False
) -> ExplainedScorePlan:
    """The plan, and what explaining its scores takes, measured on a few sessions; changes nothing."""
    with snowflake_errors("plan the explanation"):
        version = wanted_version(registered_versions(session, settings), settings, plan.version)
        view = features_of(session, settings, version)
        scores = sum(_selected(day.sessions, selection) for day in plan.days)
        rows = scores * min(top, len(view_features(session, view)))
        estimated_s = estimated_seconds(session, settings, version, view, scores)
    to_come = ExplanationToCome(selection, scores, top, distinct, rows, estimated_s)
    return ExplainedScorePlan(**vars(plan), explanation=to_come)


def explain_scores(
    session: Session,
    settings: Settings,
    scored: ScoreResult,
    selection: Selection,
    top: int,
    say: Callable[[str], None],
    *,
    distinct: bool = False,
) -> ExplainedScoreResult:
    """Explain what `score` has just written; what goes wrong is told in the result, beside the scores."""
    first, last = scored.days[0].day, scored.days[-1].day
    explained, failure = None, None
    try:
        plan = plan_explanation(
            session,
            settings,
            first,
            last,
            selection=selection,
            top=top,
            distinct=distinct,
            model_version=scored.version,
        )
        say(plan.announcement)
        explained = explain(session, settings, plan)
    except IntentscoreError as error:
        failure = str(error)
    return ExplainedScoreResult(**vars(scored), explanations=explained, failure=failure)


def _selected(scores: int, selection: Selection) -> int:
    """Of a day with so many."""
    return scores if selection == "all" else -(-scores // DECILES)


def _described(session: Session, settings: Settings, view: RegisteredView, names: Iterable[str]) -> tuple[Feature, ...]:
    """The features of that name; one that is on the list no more, as it was registered."""
    known = {one.name: one for one in (*described_features(session, view), *feature_list(settings))}
    return tuple(known[name] for name in names)


def _scored_by(
    session: Session, settings: Settings, first: date, last: date, uid: str | None, wanted: str | None
) -> tuple[RegisteredVersion, Table, list[int]]:
    """The version whose scores are explained, the table they are in, and how many there are on each day."""
    known = registered_versions(session, settings)
    chosen = wanted_version(known, settings, wanted)
    for table in (SCORES, CHALLENGER_SCORES) if wanted else (SCORES,):
        counts = _counted(session, settings, table, first, last, uid)
        if wanted and chosen.name in counts:
            return chosen, table, counts[chosen.name]
        if not wanted and len(counts) > 1:
            names = ", ".join(sorted(counts))
            raise ConfigurationError(f"{names} scored these days; name one with --model-version")
        if not wanted and counts:
            ((name, days),) = counts.items()
            return wanted_version(known, settings, name), table, days
    who = f"{uid} has" if uid is not None else "there are"
    when = f"on {first}" if first == last else f"from {first} to {last}"
    by, named = (f" by {chosen.name}", f" --model-version {chosen.name}") if wanted else ("", "")
    if_any = " if there is such a session" if uid is not None else ""
    raise NothingToDoError(f"{who} no scores{by} {when}; run `intentscore score --date {first}{named}`{if_any}")


def _counted(
    session: Session, settings: Settings, table: Table, first: date, last: date, uid: str | None
) -> dict[str, list[int]]:
    """The number of scores of each version on each of its days."""
    if not exists(session, settings, table):
        return {}
    own = f" AND UID = {literal(uid)}" if uid is not None else ""
    rows = session.sql(
        f"SELECT MODEL_VERSION, SESSION_DATE, COUNT(*) FROM {table.qualified_name(session, settings)} "
        f"WHERE SESSION_DATE BETWEEN '{first}'::DATE AND '{last}'::DATE "
        f"AND MODEL_NAME = {literal(settings.model_name)}{own} GROUP BY MODEL_VERSION, SESSION_DATE"
    ).collect()
    counts: dict[str, list[int]] = {}
    for version, _, count in rows:
        counts.setdefault(version, []).append(count)
    return counts


def _refuse_other_scores(session: Session, plan: ExplainPlan) -> None:
    """Raises WarehouseError unless each score is staged with contributions that give it."""
    check = staged_check(qualified(session, STAGED), plan.features, plan.base_log_odds)
    staged, unlike = session.sql(check).collect()[0]
    if staged != plan.scores or unlike:
        raise WarehouseError(
            f"{plan.scores - staged + unlike:,} of {plan.scores:,} scores are not those of today's features, nothing "
            f"was explained: sessions changed since; run `intentscore score --date {plan.first}` again"
        )


def _strongest(session: Session, plan: ExplainPlan) -> tuple[Reason, ...]:
    condition = scores_of(plan.first, plan.last, plan.model_name, plan.version, plan.uid)
    rows = session.sql(
        "SELECT UID, SESSION_DATE, SCORE, REASON_RANK, FEATURE, VALUE, LOG_ODDS, REASON "
        f"FROM {plan.table} WHERE {condition} "
        f"QUALIFY DENSE_RANK() OVER (ORDER BY SCORE DESC, SESSION_DATE, UID) <= {SHOWN} "
        "ORDER BY SCORE DESC, SESSION_DATE, UID, REASON_RANK"
    ).collect()
    return tuple(Reason(*row) for row in rows)
