"""What the tasks of a graph call. Each resolves its day inside the run, so that a retry does the same day.

Settings and limits come as JSON text, and what was done goes back as a VARIANT of texts.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from snowflake.snowpark import Session  # at run time: Snowpark reads it from the handlers' annotations

from intentscore.settings import Settings

Done = dict[str, str]


@contextmanager
def _settings(text: str) -> Iterator[Settings]:
    """The settings of the deployment; the only folder a procedure may write to is a temporary one."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["INTENTSCORE_HOME"] = home
        yield Settings.model_validate(json.loads(text))


def refresh_features(session: Session, settings: str) -> Done:
    from intentscore.services.features import refresh_features as refresh

    with _settings(settings) as ours:
        done = refresh(session, ours)
    return {"view": done.view, "version": done.version, "rows": str(done.rows)}


def score_day(session: Session, settings: str) -> Done:
    from intentscore.services.logical_day import logical_day
    from intentscore.services.score import plan_score, score

    with _settings(settings) as ours:
        day = logical_day(session)
        done = score(session, ours, plan_score(session, ours, day, day))
    return {"day": str(day), "version": done.version, "rows": str(done.rows)}


def check_scores(session: Session, settings: str, limits: str) -> Done:
    from intentscore.services.check import CheckLimits, check_day
    from intentscore.services.logical_day import logical_day

    with _settings(settings) as ours:
        done = check_day(session, ours, logical_day(session), CheckLimits.model_validate(json.loads(limits)))
    return {"day": str(done.day), "scores": str(done.scores), "drift": str(done.drift)}


def record_run(session: Session, settings: str) -> Done:
    from intentscore.services.graph_runs import record_current_run

    with _settings(settings) as ours:
        return record_current_run(session, ours)
