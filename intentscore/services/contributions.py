"""What each feature adds to a score, in log-odds: the registered version's own `explain`, run in the warehouse."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from intentscore.features.store import RegisteredView
from intentscore.services.versions import RegisteredVersion, load_version
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import qualified, resolved

if TYPE_CHECKING:
    from snowflake.snowpark import DataFrame, Session

SUFFIX = "_explanation"
SMALL_PROBE, LARGE_PROBE = 10, 210


def contributions(session: Session, settings: Settings, version: RegisteredVersion, rows: DataFrame) -> DataFrame:
    """`rows`, which hold the features, with a FLOAT column `<FEATURE>_explanation` for each the version looks at."""
    with snowflake_errors("prepare the explanation", wrapped=True):
        explained: DataFrame = load_version(session, settings, version.name).run(rows, function_name="explain")
        return explained


def explained_features(explained: DataFrame) -> tuple[str, ...]:
    """The features that have a contribution, in the order of the model: without those left out in training."""
    columns = [resolved(name) for name in explained.columns]
    return tuple(name.removesuffix(SUFFIX) for name in columns if name.endswith(SUFFIX))


def estimated_seconds(
    session: Session, settings: Settings, version: RegisteredVersion, view: RegisteredView, scores: int
) -> float:
    """What explaining so many scores takes, by two probes, after one that warms up.

    The small probe is what any explanation takes; what the large one takes more is the price of its rows.
    """
    _, small, large = (_seconds(session, settings, version, view, rows) for rows in (1, SMALL_PROBE, LARGE_PROBE))
    each = max(large - small, 0.0) / (LARGE_PROBE - SMALL_PROBE)
    return small + each * max(scores - SMALL_PROBE, 0)


def _seconds(
    session: Session, settings: Settings, version: RegisteredVersion, view: RegisteredView, rows: int
) -> float:
    from snowflake.snowpark.functions import col, count

    sessions = session.table(qualified(session, view.full_name)).limit(rows)
    explained = contributions(session, settings, version, sessions)
    added = [count(col(name)) for name in explained.columns if resolved(name).endswith(SUFFIX)]
    started = time.perf_counter()
    explained.select(*added).collect()
    return time.perf_counter() - started
