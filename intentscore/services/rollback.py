"""Give CHAMPION back to an earlier version. The plan says which days it will have to score again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError, GateRefusedError
from intentscore.services.aliases import Move, apply_move, champion_move
from intentscore.services.monitor import rotation
from intentscore.services.runs import recorded
from intentscore.services.versions import (
    CHAMPION,
    alias_holder,
    features_of,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal
from intentscore.warehouse.tables import RUNS, SCORES, exists

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class ScoredDays:
    """Days in SCORES that other versions scored last."""

    version: str
    first: date
    last: date
    days: int
    sessions: int


@dataclass(frozen=True)
class RollbackPlan:
    """`champion` is None when no version bears the alias, as after an interruption."""

    model_name: str
    champion: str | None
    version: str
    feature_hash: str
    scored_by_others: tuple[ScoredDays, ...]
    next_commands: tuple[str, ...]
    statements: tuple[str, ...]
    undo: tuple[str, ...]


@dataclass(frozen=True)
class RollbackResult:
    """Scoring the days of `scored_by_others` again gives the scores this version gave before, bit for bit."""

    run_id: str
    model_name: str
    champion: str
    formerly: str | None
    scored_by_others: tuple[ScoredDays, ...]
    next_commands: tuple[str, ...]


def plan_rollback(session: Session, settings: Settings, version: str | None = None) -> RollbackPlan:
    """Back to `version`, or for None to the version that was champion before this one; changes nothing.

    Raises ConfigurationError when there is none, GateRefusedError when it is champion already or the feature view
    it reads is gone.
    """
    with snowflake_errors("plan the rollback"):
        known = registered_versions(session, settings)
        name = alias_holder(known, CHAMPION)
        champion = next((one for one in known if one.name == name), None)
        wanted = version or _champion_before(session, settings, name)
        chosen = wanted_version(known, settings, wanted)
        if chosen.name == name:
            raise GateRefusedError(f"{name} is the champion already; name another version")
        features_of(session, settings, chosen)
        move = champion_move(session, settings, champion, chosen)
        days = _scored_by_others(session, settings, chosen.name)
    return RollbackPlan(
        model_name=settings.model_name,
        champion=name,
        version=chosen.name,
        feature_hash=str(chosen.feature_hash),
        scored_by_others=days,
        next_commands=tuple(f"intentscore score --date {row.first} --to {row.last}" for row in days),
        statements=move.statements,
        undo=move.undo,
    )


def rollback(session: Session, settings: Settings, plan: RollbackPlan) -> RollbackResult:
    """Apply a plan: alias CHAMPION and the registry's default go to its version, both or neither, and its monitor takes
    the place of the other's.
    """
    arguments = {"model": plan.model_name, "version": plan.version, "champion": plan.champion}
    with recorded(session, settings, "rollback", **arguments) as run:
        run.model_version, run.feature_hash = plan.version, plan.feature_hash
        chosen = wanted_version(registered_versions(session, settings), settings, plan.version)
        with rotation(session, settings, chosen):
            apply_move(session, Move(plan.statements, plan.undo))
        return RollbackResult(
            run.run_id, plan.model_name, plan.version, plan.champion, plan.scored_by_others, plan.next_commands
        )


def _champion_before(session: Session, settings: Settings, champion: str | None) -> str:
    """By RUNS: whom the champion took the alias from."""
    if champion and exists(session, settings, RUNS):
        rows = session.sql(
            f"SELECT ARGUMENTS FROM {RUNS.qualified_name(session, settings)} "
            f"WHERE COMMAND IN ('promote', 'rollback') AND OUTCOME = 'done' AND MODEL_VERSION = {literal(champion)} "
            "ORDER BY FINISHED_AT DESC, RUN_ID DESC"
        ).collect()
        found = [json.loads(row["ARGUMENTS"]) for row in rows]
        for arguments in found:
            if arguments.get("model") == settings.model_name and arguments.get("champion"):
                return str(arguments["champion"])
    raise ConfigurationError("no earlier champion is on record; name a version (`intentscore models` lists them)")


def _scored_by_others(session: Session, settings: Settings, version: str) -> tuple[ScoredDays, ...]:
    if not exists(session, settings, SCORES):
        return ()
    rows = session.sql(
        "SELECT MODEL_VERSION, MIN(SESSION_DATE), MAX(SESSION_DATE), COUNT(DISTINCT SESSION_DATE), COUNT(*) "
        f"FROM {SCORES.qualified_name(session, settings)} "
        f"WHERE MODEL_NAME = {literal(settings.model_name)} AND MODEL_VERSION <> {literal(version)} "
        "GROUP BY MODEL_VERSION ORDER BY MODEL_VERSION"
    ).collect()
    return tuple(ScoredDays(*row) for row in rows)
