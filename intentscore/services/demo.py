"""The whole way once: upload, features, train, register, score a day, and what came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from intentscore.services.features import refresh_features
from intentscore.services.register import register
from intentscore.services.score import plan_score, score
from intentscore.services.train import train
from intentscore.services.upload import upload
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.tables import SCORES, SESSIONS

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.data.source import SessionSource
    from intentscore.model.config import TrainConfig

SIMULATED_SESSIONS, SIMULATION_SEED = 12_000, 7
HEAD_ROWS = 10
TRAIN_CONFIG = Path("configs/train.yaml")


@dataclass(frozen=True)
class ScoredSession:
    uid: str
    session_date: date
    score: float
    bought: bool | None


@dataclass(frozen=True)
class ScoreDecile:
    """One tenth of the day's sessions, 1 the highest scores; `lift` is its buyer rate over the day's."""

    decile: int
    sessions: int
    buyers: int
    mean_score: float
    buyer_rate: float | None
    lift: float | None


@dataclass(frozen=True)
class DemoResult:
    source: str
    sessions: int
    run_id: str
    roc_auc: float | None
    model_version: str
    alias: str
    scored_day: date
    scored: int
    highest_scores: tuple[ScoredSession, ...]
    deciles: tuple[ScoreDecile, ...]
    next_commands: tuple[str, ...]


def demo(
    session: Session,
    settings: Settings,
    *,
    source: SessionSource | None = None,
    config: TrainConfig | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> DemoResult:
    """Upload, features, train, register, and score the busiest day of the last month, unseen by the model.

    `source` is the UCI data set when it can be had, simulated sessions otherwise; `config` is
    configs/train.yaml or, without that file, the defaults. `say` hears what is done next.
    """
    source = source or _uci_or_simulated(settings, say)
    say(f"upload: {source.name}")
    loaded = upload(session, settings, source)
    say(f"features: {loaded.rows_read:,} sessions")
    refresh_features(session, settings)
    say("train: cross-validation, then the model")
    trained = train(session, settings, config or _config())
    say(f"register: run {trained.run_id}")
    registered = register(session, settings, trained.run_id)
    day = _busiest_day_of_last_month(session, settings)
    say(f"score: {day}")
    scored = score(session, settings, plan_score(session, settings, day, day))
    return DemoResult(
        source=source.name,
        sessions=loaded.rows_read,
        run_id=trained.run_id,
        roc_auc=next(m.holdout for m in trained.metrics if m.measure == "roc_auc"),
        model_version=registered.version,
        alias=registered.alias,
        scored_day=day,
        scored=scored.rows,
        highest_scores=_highest(session, settings, day),
        deciles=_deciles(session, settings, day),
        next_commands=(
            "intentscore status",
            f"intentscore score --date {day} --dry-run",
            f"intentscore explain --date {day} --distinct",
            "intentscore report",
            "intentscore train --config configs/train.yaml",
            "intentscore upload --simulate 100000 --seed 7",
        ),
    )


def _uci_or_simulated(settings: Settings, say: Callable[[str], None]) -> SessionSource:
    from intentscore.data.simulate import simulate
    from intentscore.data.uci import ArchiveUnavailableError, open_uci

    try:
        return open_uci(settings.home / "data")
    except ArchiveUnavailableError as error:
        say(f"{error}; going on with simulated sessions")
        return simulate(SIMULATED_SESSIONS, seed=SIMULATION_SEED)


def _config() -> TrainConfig:
    from intentscore.model.config import TrainConfig, load_train_config

    return load_train_config(TRAIN_CONFIG) if TRAIN_CONFIG.exists() else TrainConfig()


def _busiest_day_of_last_month(session: Session, settings: Settings) -> date:
    table = SESSIONS.qualified_name(session, settings)
    with snowflake_errors("find a day to score"):
        row = session.sql(
            f"SELECT SESSION_DATE FROM {table} "
            f"WHERE SESSION_DATE >= (SELECT DATE_TRUNC('MONTH', MAX(SESSION_DATE)) FROM {table}) "
            "GROUP BY SESSION_DATE ORDER BY COUNT(*) DESC, SESSION_DATE LIMIT 1"
        ).collect()[0]
    found: date = row["SESSION_DATE"]
    return found


def _scored(session: Session, settings: Settings, day: date) -> str:
    scores, sessions = (table.qualified_name(session, settings) for table in (SCORES, SESSIONS))
    return (
        f"SELECT c.UID, c.SESSION_DATE, c.SCORE, s.REVENUE FROM {scores} c "
        f"JOIN {sessions} s ON s.UID = c.UID AND s.SESSION_DATE = c.SESSION_DATE "
        f"WHERE c.SESSION_DATE = '{day}'::DATE"
    )


def _highest(session: Session, settings: Settings, day: date) -> tuple[ScoredSession, ...]:
    ordered = f"{_scored(session, settings, day)} ORDER BY c.SCORE DESC, c.UID LIMIT {HEAD_ROWS}"
    with snowflake_errors("read the scores"):
        return tuple(ScoredSession(*row) for row in session.sql(ordered).collect())


def _deciles(session: Session, settings: Settings, day: date) -> tuple[ScoreDecile, ...]:
    statement = (
        "WITH ranked AS (SELECT SCORE, IFF(REVENUE, 1, 0) AS BOUGHT, "
        "NTILE(10) OVER (ORDER BY SCORE DESC, UID) AS DECILE "
        f"FROM ({_scored(session, settings, day)})) "
        "SELECT DECILE, COUNT(*) AS SESSIONS, SUM(BOUGHT) AS BUYERS, AVG(SCORE) AS MEAN_SCORE "
        "FROM ranked GROUP BY DECILE ORDER BY DECILE"
    )
    with snowflake_errors("read the scores"):
        rows = session.sql(statement).collect()
    total, buyers = sum(row["SESSIONS"] for row in rows), sum(row["BUYERS"] for row in rows)
    return tuple(
        ScoreDecile(
            decile=row["DECILE"],
            sessions=row["SESSIONS"],
            buyers=int(row["BUYERS"]),
            mean_score=row["MEAN_SCORE"],
            buyer_rate=int(row["BUYERS"]) / row["SESSIONS"] if buyers else None,
            lift=int(row["BUYERS"]) / row["SESSIONS"] / (int(buyers) / total) if buyers else None,
        )
        for row in rows
    )
