"""Score days in the warehouse. What will be done is a value, `ScorePlan`: built, shown and applied."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from intentscore.errors import NothingToDoError, WarehouseError
from intentscore.features.store import RegisteredView, refresh_statement
from intentscore.services.runs import recorded, utc_now
from intentscore.services.versions import (
    CHAMPION,
    RegisteredVersion,
    alias_holder,
    features_of,
    load_version,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, qualified, timestamp_literal
from intentscore.warehouse.tables import (
    CHALLENGER_SCORES,
    EXPLANATIONS,
    SCORES,
    SESSIONS,
    Table,
    create_tables,
    exists,
)
from intentscore.warehouse.transaction import transaction

if TYPE_CHECKING:
    from snowflake.snowpark import Session

STAGED = "SCORES_STAGED"
PREDICTION = "output_feature_0"


@dataclass(frozen=True)
class Day:
    day: date
    sessions: int


@dataclass(frozen=True)
class ScorePlan:
    """`preparation` refreshes the features and stages the predictions; `transaction` then replaces the days.

    The statements are what `score` sends, word for word and in this order.
    """

    model_name: str
    version: str
    champion: bool
    table: str
    first: date
    last: date
    sessions: int
    feature_hash: str
    scored_at: datetime
    days: tuple[Day, ...]
    preparation: tuple[str, ...]
    transaction: tuple[str, ...]

    @property
    def statements(self) -> tuple[str, ...]:
        return (*self.preparation, "BEGIN", *self.transaction, "COMMIT")


@dataclass(frozen=True)
class ScoreResult:
    """`removed` rows belonged to sessions that are there no more."""

    run_id: str
    model_name: str
    version: str
    champion: bool
    table: str
    rows: int
    inserted: int
    updated: int
    removed: int
    scored_at: datetime
    days: tuple[Day, ...]


def plan_score(
    session: Session, settings: Settings, first: date, last: date, model_version: str | None = None
) -> ScorePlan:
    """What scoring the days `first` to `last` takes; changes nothing.

    The champion's scores go to SCORES, any other version's to CHALLENGER_SCORES.

    Raises NothingToDoError when these days have no sessions, ConfigurationError for an unknown version or
    without a model, GateRefusedError when the feature view that the version was trained on is gone.
    """
    with snowflake_errors("plan the scoring"):
        days = _days(session, settings, first, last)
        known = registered_versions(session, settings)
        chosen = wanted_version(known, settings, model_version)
        view = features_of(session, settings, chosen)
        champion = chosen.name == alias_holder(known, CHAMPION)
        table = SCORES if champion else CHALLENGER_SCORES
        target, staged = table.qualified_name(session, settings), qualified(session, STAGED)
        scored_at = utc_now()
        return ScorePlan(
            model_name=settings.model_name,
            version=chosen.name,
            champion=champion,
            table=target,
            first=first,
            last=last,
            sessions=sum(day.sessions for day in days),
            feature_hash=str(chosen.feature_hash),
            scored_at=scored_at,
            days=days,
            preparation=(
                refresh_statement(session, view),
                _stage_statement(session, settings, chosen, view, first, last, scored_at),
            ),
            transaction=(
                *_delete_explanations(session, settings, staged, first, last, chosen.name),
                _delete_statement(table, target, staged, first, last, chosen.name),
                _merge_statement(table, target, staged),
            ),
        )


def score(session: Session, settings: Settings, plan: ScorePlan) -> ScoreResult:
    """Apply a plan: afterwards its days have exactly one row per session, whatever was there before.

    All rows of a run have one SCORED_AT (UTC). Explanations of scores that this version gave before and gives no
    more go with them. Other days, and other versions' rows in CHALLENGER_SCORES, stay as they are.

    Raises WarehouseError, with nothing written, when a session got no usable score or sessions arrived meanwhile.
    """
    arguments = {"first": plan.first, "last": plan.last, "version": plan.version}
    with recorded(session, settings, "score", **arguments) as run:
        run.model_version, run.feature_hash = plan.version, plan.feature_hash
        create_tables(session, settings, [SCORES if plan.champion else CHALLENGER_SCORES])
        for statement in plan.preparation:
            session.sql(statement).collect()
        run.row_count = rows = _staged_rows(session, settings, plan)
        *before, delete, merge = plan.transaction
        with transaction(session):
            for statement in before:
                session.sql(statement).collect()
            removed = session.sql(delete).collect()[0]["number of rows deleted"]
            merged = session.sql(merge).collect()[0]
        session.sql(f"DROP TABLE IF EXISTS {qualified(session, STAGED)}").collect()
        return ScoreResult(
            run_id=run.run_id,
            model_name=plan.model_name,
            version=plan.version,
            champion=plan.champion,
            table=plan.table,
            rows=rows,
            inserted=merged["number of rows inserted"],
            updated=merged["number of rows updated"],
            removed=removed,
            scored_at=plan.scored_at,
            days=plan.days,
        )


def _days(session: Session, settings: Settings, first: date, last: date) -> tuple[Day, ...]:
    if not exists(session, settings, SESSIONS):
        raise NothingToDoError("no sessions are loaded; run `intentscore upload`")
    table = SESSIONS.qualified_name(session, settings)
    counted = session.sql(
        f"SELECT SESSION_DATE, COUNT(*) AS SESSIONS FROM {table} WHERE {_between(first, last)} "
        "GROUP BY SESSION_DATE ORDER BY SESSION_DATE"
    ).collect()
    if not counted:
        raise NothingToDoError(_no_sessions(session, table, first, last))
    return tuple(Day(row["SESSION_DATE"], row["SESSIONS"]) for row in counted)


def _no_sessions(session: Session, table: str, first: date, last: date) -> str:
    before, after = session.sql(
        f"SELECT MAX(IFF(SESSION_DATE < '{first}'::DATE, SESSION_DATE, NULL)) AS BEFORE_DAY, "
        f"MIN(IFF(SESSION_DATE > '{last}'::DATE, SESSION_DATE, NULL)) AS AFTER_DAY FROM {table}"
    ).collect()[0]
    nearest = " and ".join(str(day) for day in (before, after) if day)
    when = f"on {first}" if first == last else f"from {first} to {last}"
    advice = f"the nearest days with sessions: {nearest}" if nearest else "load some with `intentscore upload`"
    return f"no sessions {when}; {advice}"


def _between(first: date, last: date) -> str:
    return f"SESSION_DATE BETWEEN '{first}'::DATE AND '{last}'::DATE"


def _stage_statement(
    session: Session,
    settings: Settings,
    version: RegisteredVersion,
    view: RegisteredView,
    first: date,
    last: date,
    scored_at: datetime,
) -> str:
    """The predictions of the model on the feature view it was trained on, made in the warehouse: one CREATE TABLE."""
    from snowflake.snowpark.functions import sql_expr

    rows = session.table(qualified(session, view.full_name)).filter(sql_expr(_between(first, last)))
    with snowflake_errors("prepare the inference", wrapped=True):
        model = load_version(session, settings, version.name)
        predicted = model.run(rows, function_name="predict")
        queries = predicted.queries
    if len(queries["queries"]) != 1 or queries["post_actions"]:
        raise WarehouseError("the model's inference takes more than one statement; register it again")
    return (
        f"CREATE OR REPLACE TEMPORARY TABLE {qualified(session, STAGED)} AS\n"
        f'SELECT UID, SESSION_DATE, "{PREDICTION}" AS SCORE, {literal(settings.model_name)} AS MODEL_NAME, '
        f"{literal(version.name)} AS MODEL_VERSION, {timestamp_literal(scored_at)} AS SCORED_AT\n"
        f"FROM (\n{queries['queries'][0].strip()}\n)"
    )


def _delete_explanations(
    session: Session, settings: Settings, staged: str, first: date, last: date, version: str
) -> tuple[str, ...]:
    """What takes away the explanations of scores that are no more, where there may be any."""
    if not exists(session, settings, EXPLANATIONS):
        return ()
    return (
        f"DELETE FROM {EXPLANATIONS.qualified_name(session, settings)} WHERE {_between(first, last)} "
        f"AND MODEL_NAME = {literal(settings.model_name)} AND MODEL_VERSION = {literal(version)}\n"
        f"AND (UID, SESSION_DATE, SCORE) NOT IN (SELECT UID, SESSION_DATE, SCORE FROM {staged})",
    )


def _delete_statement(table: Table, target: str, staged: str, first: date, last: date, version: str) -> str:
    own = f" AND MODEL_VERSION = {literal(version)}" if "MODEL_VERSION" in table.key else ""
    return (
        f"DELETE FROM {target} WHERE {_between(first, last)}{own}\n"
        f"AND (UID, SESSION_DATE) NOT IN (SELECT UID, SESSION_DATE FROM {staged})"
    )


def _merge_statement(table: Table, target: str, staged: str) -> str:
    names = table.column_names
    matched = " AND ".join(f"t.{name} = s.{name}" for name in table.key)
    updates = ", ".join(f"{name} = s.{name}" for name in names if name not in table.key)
    return (
        f"MERGE INTO {target} t USING {staged} s ON {matched}\n"
        f"WHEN MATCHED THEN UPDATE SET {updates}\n"
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(names)}) VALUES ({', '.join(f's.{n}' for n in names)})"
    )


def _staged_rows(session: Session, settings: Settings, plan: ScorePlan) -> int:
    """Number of staged predictions, which must be one usable score per session of the days."""
    counted = (
        "SELECT STAGED_ROWS, UNUSABLE, EXPECTED FROM (SELECT COUNT(*) AS STAGED_ROWS, "
        "COUNT_IF(SCORE IS NULL OR NOT SCORE BETWEEN 0 AND 1) AS UNUSABLE "
        f"FROM {qualified(session, STAGED)}) CROSS JOIN (SELECT COUNT(*) AS EXPECTED "
        f"FROM {SESSIONS.qualified_name(session, settings)} WHERE {_between(plan.first, plan.last)})"
    )
    staged, unusable, expected = session.sql(counted).collect()[0]
    if unusable:
        raise WarehouseError(
            f"{plan.version} gave {unusable:,} scores outside 0 to 1, nothing was written; score with another version"
        )
    if staged != expected:
        raise WarehouseError(
            f"{staged:,} scores for {expected:,} sessions, nothing was written: sessions changed meanwhile; score again"
        )
    return int(staged)
