"""The steps of the monthly and the mid-month graph: a challenger is trained, registered, scored, compared, promoted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from intentscore.services.kept_runs import keep_run
from intentscore.services.promote import PromotionResult, plan_promotion, promote
from intentscore.services.register import register
from intentscore.services.runs import recorded
from intentscore.services.score import ScoreResult, plan_score, score
from intentscore.services.train import TrainResult, train
from intentscore.services.versions import CHALLENGER, CHAMPION, alias_holder, load_version, registered_versions
from intentscore.settings import Settings

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.model.config import TrainConfig

ACCEPTED, REFUSED, NONE = "accepted", "refused", "no challenger"


def train_challenger(session: Session, settings: Settings, config: TrainConfig, day: date) -> TrainResult:
    """Train on the sessions up to `day`, and keep the run on its stage for whoever registers it."""
    trained = train(session, settings, config, until=day)
    keep_run(session, settings, trained.run_id)
    return trained


def register_challenger(session: Session, settings: Settings, run_id: str) -> str:
    """The version made of a run on the stage. A run that was registered already, as in a retry, is not again."""
    known = registered_versions(session, settings)
    existing = next((one for one in known if one.metrics.get("run_id") == run_id), None)
    if existing is None:
        return register(session, settings, run_id).version
    if not existing.aliases and alias_holder(known, CHALLENGER) is None:
        load_version(session, settings, existing.name).set_alias(CHALLENGER)
    return existing.name


def score_challenger(session: Session, settings: Settings, version: str, day: date) -> ScoreResult | None:
    """Score, into CHALLENGER_SCORES, the sessions up to `day` that are later than those the version learned from.

    None for a version that is the champion, as a model's first is: its days are the daily graph's.
    """
    known = {one.name: one for one in registered_versions(session, settings)}
    learned_until = known[version].learned_until
    if CHAMPION in known[version].aliases or learned_until is None or learned_until >= day:
        return None
    return score(session, settings, plan_score(session, settings, learned_until + timedelta(days=1), day, version))


def evaluate_challenger(session: Session, settings: Settings, day: date) -> str:
    """ACCEPTED or REFUSED by the gates of `promote`, on sessions up to `day` that neither version learned from.

    NONE when no version is challenger. Writes a RUNS row with every gate's finding.
    """
    if alias_holder(registered_versions(session, settings), CHALLENGER) is None:
        return NONE
    plan = plan_promotion(session, settings, until=day)
    gates = {gate.gate: f"{'passed' if gate.passed else 'refused'}: {gate.found}" for gate in plan.gates}
    arguments = {"model": plan.model_name, "version": plan.version, "champion": plan.champion, "until": day}
    with recorded(session, settings, "compare", accepted=plan.accepted, gates=gates, **arguments) as run:
        run.model_version, run.feature_hash, run.row_count = plan.version, plan.feature_hash, plan.sessions
    return ACCEPTED if plan.accepted else REFUSED


def promote_challenger(session: Session, settings: Settings, day: date) -> PromotionResult:
    """Ask the gates once more, and promote. Raises GateRefusedError when they no longer agree."""
    return promote(session, settings, plan_promotion(session, settings, until=day))
