"""How near a model comes to the truth: simulated sessions come with the probability that drew their outcome.

usage: python benchmarks/known_truth.py [SESSIONS [CONFIG]]

Learns from so many sessions and is measured on as many others. Of the features, it takes the raw columns and a few
more: the truth is a function of the raw ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

from intentscore.data.schema import CODES, COUNTS, MEASURES, MONTHS
from intentscore.data.simulate import PURCHASE_PROBABILITY, draw
from intentscore.model.boosting import learn
from intentscore.model.config import load_train_config
from intentscore.model.metrics import evaluate

VISITORS = ("Returning_Visitor", "New_Visitor", "Other")


def matrix(drawn: pd.DataFrame) -> pd.DataFrame:
    inputs = drawn[[*COUNTS, *MEASURES, *CODES]].astype(np.float64)
    inputs["MONTH_NUMBER"] = drawn["MONTH"].map(MONTHS.index).astype(np.float64)
    inputs["VISITOR_CODE"] = drawn["VISITOR_TYPE"].map(VISITORS.index).astype(np.float64)
    return inputs.assign(
        HAS_PAGE_VALUE=(inputs.PAGE_VALUES > 0).astype(np.float64),
        SECONDS_PER_PRODUCT_PAGE=inputs.PRODUCT_RELATED_DURATION / np.maximum(inputs.PRODUCT_RELATED, 1),
    )


def main() -> None:
    sessions = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    config = load_train_config(Path(sys.argv[2] if len(sys.argv) > 2 else "configs/train-large.yaml"))
    past, unseen = draw(sessions, seed=5), draw(sessions, seed=6)
    codes = config.categorical or (*CODES, "VISITOR_CODE")
    booster, validated = learn(matrix(past), past["REVENUE"].to_numpy(), past["SESSION_DATE"], codes, config)
    bought = unseen["REVENUE"].to_numpy()
    scores = np.asarray(booster.predict(matrix(unseen).to_numpy()), dtype=np.float64)
    got, best = evaluate(bought, scores), evaluate(bought, unseen[PURCHASE_PROBABILITY].to_numpy())
    print(f"{sessions:,} sessions, {validated.rounds} rounds")
    print(f"ROC AUC {got.roc_auc:.4f}, attainable {best.roc_auc:.4f}, gap {best.roc_auc - got.roc_auc:.4f}")
    print(f"calibration error {got.calibration_error:.4f}, Brier {got.brier:.4f}, attainable {best.brier:.4f}")


if __name__ == "__main__":
    main()
