"""Small models, logged once for all tests of a module."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from snowflake.ml.model import ModelVersion
from snowflake.ml.registry import Registry
from snowflake.snowpark import Session

FEATURES = ["PAGE_VALUES", "EXIT_RATES"]


def visits(rows: int, seed: int = 1) -> pd.DataFrame:
    """Visits with two features and whether the visitor bought."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"PAGE_VALUES": rng.exponential(5.0, rows), "EXIT_RATES": rng.uniform(0, 0.2, rows)})
    frame["BOUGHT"] = (frame["PAGE_VALUES"] - 40 * frame["EXIT_RATES"] + rng.normal(0, 2, rows) > 2).astype(int)
    return frame


def booster(rows: int = 400, objective: str = "binary") -> lightgbm.Booster:
    frame = visits(rows)
    data = lightgbm.Dataset(frame[FEATURES], frame["BOUGHT"])
    parameters: dict[str, Any] = {"objective": objective, "num_leaves": 4, "verbosity": -1, "num_threads": 1}
    if objective == "multiclass":
        parameters["num_class"] = 2
    return lightgbm.train(parameters, data, num_boost_round=5)


def log(session: Session, model: Any, name: str, version: str = "V1", **others: Any) -> ModelVersion:
    """Log a model for the warehouse, with sample data of the visits where no signature is given."""
    given = {
        "sample_input_data": visits(20)[FEATURES], "target_platforms": ["WAREHOUSE"],
        "options": {"relax_version": False},
    }  # fmt: skip
    return Registry(session).log_model(model, model_name=name, version_name=version, **(given | others))
