"""What a booster says of itself, for those who check its explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import lightgbm


def base_log_odds(booster: lightgbm.Booster) -> float:
    """The log-odds before any feature is looked at: `expected_value` of shap's TreeExplainer.

    The mean of the trees' outputs over the sessions learned from, the same for every session. With a session's
    contributions (TreeSHAP, https://arxiv.org/abs/1802.03888) it adds up to the log-odds of its score.
    """
    nothing_known = np.full((1, booster.num_feature()), np.nan)
    contributions = np.asarray(booster.predict(nothing_known, pred_contrib=True), dtype=np.float64)
    return float(contributions[0, -1])
