"""What each feature adds to a score, in log-odds: the registered version's own `explain`, run in the warehouse."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from intentscore.services.versions import RegisteredVersion, load_version
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import resolved

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


def seconds_per_score(session: Session, settings: Settings, version: RegisteredVersion) -> float:
    raise NotImplementedError
