"""Promote a version to CHAMPION, if it has earned it. What will be done is a value, `PromotionPlan`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError, GateRefusedError
from intentscore.features.definitions import VISITOR_CODE
from intentscore.services.aliases import Move, apply_move, champion_move
from intentscore.services.evaluate import segments
from intentscore.services.monitor import rotation
from intentscore.services.runs import recorded
from intentscore.services.score import PREDICTION
from intentscore.services.versions import (
    CHALLENGER,
    CHAMPION,
    RegisteredVersion,
    features_of,
    load_version,
    registered_versions,
    wanted_version,
)
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import literal, qualified
from intentscore.warehouse.tables import SESSIONS

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

    from intentscore.model.bootstrap import Difference
    from intentscore.model.evaluation import ModelFigures
    from intentscore.model.gates import Gate, Judgement

KEY = ["UID", "SESSION_DATE"]


@dataclass(frozen=True)
class PromotionPlan:
    """`tested_after` is the last day either version learned from; the statements are what `promote` sends."""

    model_name: str
    version: str
    champion: str
    accepted: bool
    tested_after: date
    sessions: int
    buyers: int
    feature_hash: str
    figures: tuple[ModelFigures, ...]
    differences: tuple[Difference, ...]
    gates: tuple[Gate, ...]
    statements: tuple[str, ...]
    undo: tuple[str, ...]

    def require_accepted(self) -> None:
        """Raises GateRefusedError with every reason when a gate refuses."""
        reasons = [f"{gate.gate}: {gate.found}; required: {gate.required}" for gate in self.gates if not gate.passed]
        if reasons:
            raise GateRefusedError(f"{self.version} is not promoted, {self.champion} stays; {'. '.join(reasons)}")


@dataclass(frozen=True)
class PromotionResult:
    run_id: str
    model_name: str
    champion: str
    formerly: str
    sessions: int
    gates: tuple[Gate, ...]


def plan_promotion(
    session: Session, settings: Settings, version: str | None = None, until: date | None = None
) -> PromotionPlan:
    """Compare a version (CHALLENGER for None) with the champion; changes nothing.

    Both score, in the warehouse, all sessions with a known outcome that are later than any they learned from, and
    not later than `until`.

    Raises ConfigurationError when there is no such version or no champion, GateRefusedError when it is champion
    already, reads a feature view that is gone, or does not say what it learned from.
    """
    with snowflake_errors("plan the promotion"):
        known = registered_versions(session, settings)
        champion = wanted_version(known, settings, CHAMPION)
        chosen = _candidate(known, settings, champion, version)
        after = max(_learned_until(one) for one in (champion, chosen))
        judgement = _judgement(session, settings, champion, chosen, _days(after, until))
        move = champion_move(session, settings, champion, chosen)
    return PromotionPlan(
        model_name=settings.model_name,
        version=chosen.name,
        champion=champion.name,
        accepted=all(gate.passed for gate in judgement.gates),
        tested_after=after,
        sessions=judgement.sessions,
        buyers=judgement.buyers,
        feature_hash=str(chosen.feature_hash),
        figures=judgement.figures,
        differences=judgement.differences,
        gates=judgement.gates,
        statements=move.statements,
        undo=move.undo,
    )


def promote(session: Session, settings: Settings, plan: PromotionPlan) -> PromotionResult:
    """Apply an accepted plan: alias CHAMPION and the registry's default go to its version, both or neither.

    Where the champion has a monitor, the version gets its own first, and the old one is suspended after.

    Raises GateRefusedError when the plan was refused, or when another version has become champion meanwhile.
    """
    with recorded(
        session, settings, "promote", model=plan.model_name, version=plan.version, champion=plan.champion
    ) as run:
        run.model_version, run.feature_hash, run.row_count = plan.version, plan.feature_hash, plan.sessions
        plan.require_accepted()
        known = registered_versions(session, settings)
        now = wanted_version(known, settings, CHAMPION)
        if now.name != plan.champion:
            raise GateRefusedError(f"{now.name} has become champion meanwhile; plan the promotion again")
        with rotation(session, settings, wanted_version(known, settings, plan.version)):
            apply_move(session, Move(plan.statements, plan.undo))
        return PromotionResult(run.run_id, plan.model_name, plan.version, plan.champion, plan.sessions, plan.gates)


def _candidate(
    known: tuple[RegisteredVersion, ...], settings: Settings, champion: RegisteredVersion, version: str | None
) -> RegisteredVersion:
    if version is None and not any(CHALLENGER in one.aliases for one in known):
        raise ConfigurationError("there is no CHALLENGER; train and register a version, or name one")
    chosen = wanted_version(known, settings, version or CHALLENGER)
    if chosen.name == champion.name:
        raise GateRefusedError(f"{chosen.name} is the champion already; name another version")
    return chosen


def _learned_until(version: RegisteredVersion) -> date:
    if version.learned_until is None:
        raise GateRefusedError(
            f"{version.name} does not say which sessions it learned from, so none can be known to be new to it; "
            "train and register it again"
        )
    return version.learned_until


def _days(after: date, until: date | None) -> str:
    later = f"SESSION_DATE > {literal(str(after))}::DATE"
    return later if until is None else f"{later} AND SESSION_DATE <= {literal(str(until))}::DATE"


def _judgement(
    session: Session, settings: Settings, champion: RegisteredVersion, chosen: RegisteredVersion, days: str
) -> Judgement:
    from intentscore.model.gates import judge

    frame = _outcomes(session, settings, days)
    for version in (champion, chosen):
        scores = _scores(session, settings, version, days).rename(columns={PREDICTION: version.name})
        frame = frame.merge(scores, on=KEY, how="inner", validate="one_to_one")
    frame = frame.sort_values(["SESSION_DATE", "UID"], ignore_index=True)
    return judge(
        frame["REVENUE"].to_numpy(dtype=bool),
        frame[champion.name].to_numpy(dtype=float),
        frame[chosen.name].to_numpy(dtype=float),
        segments(frame),
        settings.promotion,
    )


def _outcomes(session: Session, settings: Settings, days: str) -> pd.DataFrame:
    """UID, SESSION_DATE, REVENUE and what makes segments, of the sessions of those days with an outcome."""
    frame: pd.DataFrame = session.sql(
        f"SELECT UID, SESSION_DATE, REVENUE, {VISITOR_CODE} AS VISITOR_CODE, TRAFFIC_TYPE "
        f"FROM {SESSIONS.qualified_name(session, settings)} "
        f"WHERE REVENUE IS NOT NULL AND {days}"
    ).to_pandas()
    return frame


def _scores(session: Session, settings: Settings, version: RegisteredVersion, days: str) -> pd.DataFrame:
    from snowflake.snowpark.functions import sql_expr

    view = features_of(session, settings, version)
    rows = session.table(qualified(session, view.full_name)).filter(sql_expr(days))
    with snowflake_errors("score with both versions", wrapped=True):
        model = load_version(session, settings, version.name)
        predicted = model.run(rows, function_name="predict")
        scores: pd.DataFrame = predicted.select(*KEY, f'"{PREDICTION}"').to_pandas()
    return scores.rename(columns={f'"{PREDICTION}"': PREDICTION})
