"""What the tasks of a graph call. Each resolves its day inside the run, so that a retry does the same day.

Settings, limits and the like come as JSON text, and what was done goes back as a VARIANT of texts. What the next
task has to know is the task's return value.
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


def explain_scores(session: Session, settings: str, explaining: str) -> Done:
    from intentscore.services.explain import Explaining, explain, plan_explanation
    from intentscore.services.logical_day import logical_day

    asked = Explaining.model_validate(json.loads(explaining))
    with _settings(settings) as ours:
        day = logical_day(session)
        plan = plan_explanation(
            session, ours, day, day, selection=asked.scores, top=asked.reasons, distinct=asked.distinct
        )
        done = explain(session, ours, plan)
    return {"day": str(day), "version": done.version, "scores": str(done.scores), "rows": str(done.rows)}


def record_run(session: Session, settings: str) -> Done:
    from intentscore.services.graph_runs import record_current_run

    with _settings(settings) as ours:
        return record_current_run(session, ours)


def train_challenger(session: Session, settings: str, config: str) -> Done:
    from intentscore.model.config import TrainConfig
    from intentscore.services.challenger import train_challenger as train
    from intentscore.services.logical_day import logical_day, set_return_value

    with _settings(settings) as ours:
        day = logical_day(session)
        done = train(session, ours, TrainConfig.model_validate(json.loads(config)), day)
    set_return_value(session, done.run_id)
    return {"day": str(day), "run": done.run_id, "rows": str(done.rows)}


def register_challenger(session: Session, settings: str) -> Done:
    from intentscore.services.challenger import register_challenger as register
    from intentscore.services.logical_day import predecessor_value, set_return_value

    with _settings(settings) as ours:
        run_id = predecessor_value(session)
        version = register(session, ours, run_id)
    set_return_value(session, version)
    return {"run": run_id, "version": version}


def score_challenger(session: Session, settings: str) -> Done:
    from intentscore.services.challenger import score_challenger as score
    from intentscore.services.logical_day import logical_day, predecessor_value

    with _settings(settings) as ours:
        version = predecessor_value(session)
        done = score(session, ours, version, logical_day(session))
    return {"version": version, "rows": str(done.rows if done else 0)}


def evaluate_challenger(session: Session, settings: str) -> Done:
    from intentscore.services.challenger import evaluate_challenger as evaluate
    from intentscore.services.logical_day import logical_day, set_return_value

    with _settings(settings) as ours:
        day = logical_day(session)
        verdict = evaluate(session, ours, day)
    set_return_value(session, verdict)
    return {"day": str(day), "verdict": verdict}


def promote_challenger(session: Session, settings: str) -> Done:
    from intentscore.services.challenger import promote_challenger as promote
    from intentscore.services.logical_day import logical_day

    with _settings(settings) as ours:
        done = promote(session, ours, logical_day(session))
    return {"champion": done.champion, "formerly": done.formerly}
