# mypy: disable-error-code="misc, untyped-decorator"
"""Small models, logged once for all tests of a module (annotations are read by the registry: they stay evaluated)."""

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from snowflake.ml.model import ModelVersion, custom_model, model_signature
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


class Shapes(custom_model.CustomModel):
    """Answers of several types; what it is given is nullable."""

    @custom_model.inference_api
    def predict(self, x: pd.DataFrame, *, factor: float = 2.0, shifts: list[float] = [0.0]) -> pd.DataFrame:  # noqa: B006
        answers = pd.DataFrame({"whole": (x["N"] * factor + sum(shifts)).round()})
        answers["text"] = "n" + x["N"].astype(str)
        answers["list"] = [[float(n), factor] for n in x["N"].fillna(0)]
        answers["flag"] = x["N"].fillna(0) > 1
        answers["parts"] = pd.Series([{"half": float(n) / 2, "name": "n"} for n in x["N"].fillna(0)])
        return answers


class Totals(custom_model.CustomModel):
    @custom_model.partitioned_api
    def predict(self, x: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"TOTAL": [x["N"].sum()], "ROWS_SEEN": [len(x)]})


def shapes_signature() -> model_signature.ModelSignature:
    kind = model_signature.DataType
    feature = model_signature.FeatureSpec
    return model_signature.ModelSignature(
        inputs=[feature("N", kind.INT64)],
        outputs=[
            feature("whole", kind.INT64), feature("text", kind.STRING), feature("list", kind.DOUBLE, shape=(2,)),
            feature("flag", kind.BOOL),
            model_signature.FeatureGroupSpec("parts", [feature("half", kind.DOUBLE), feature("name", kind.STRING)]),
        ],
        params=[
            model_signature.ParamSpec("factor", kind.DOUBLE, default_value=2.0),
            model_signature.ParamSpec("shifts", kind.DOUBLE, default_value=[0.0], shape=(-1,)),
        ],
    )  # fmt: skip
