from __future__ import annotations

from pathlib import Path

import pytest

from intentscore.errors import ConfigurationError
from intentscore.features.definitions import SESSION_FEATURES
from intentscore.model.config import TrainConfig, load_train_config

SHIPPED = Path(__file__).parents[2] / "configs" / "train.yaml"


def test_the_shipped_file_spells_out_the_defaults() -> None:
    assert load_train_config(SHIPPED) == TrainConfig()


def test_the_best_preset_is_a_bag_and_else_the_default() -> None:
    best = load_train_config(SHIPPED.with_name("train-best.yaml"))
    assert best.bags >= 1
    assert best.categorical is not None
    assert set(best.categorical) - {"MONTH_NUMBER"} == {
        feature.name for feature in SESSION_FEATURES if feature.kind == "categorical"
    }
    default = TrainConfig()
    params = best.params.model_copy(update={"colsample_bytree": default.params.colsample_bytree})
    others = {"bags": 0, "categorical": None, "fold_by": "months", "params": params}
    assert best.model_copy(update=others) == default


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("num_leafs: 3", ["num_leafs", "allowed", "cv_folds", "params"]),
        ("params: {num_leafs: 3}", ["params.num_leafs", "allowed", "num_leaves"]),
        ("params: {num_threads: 4}", ["params.num_threads", "allowed"]),
        ("params: {learning_rate: 0}", ["params.learning_rate", "0", "greater than 0"]),
        ("params: {subsample: 1.2}", ["params.subsample", "1.2", "less than or equal to 1"]),
        ("holdout_months: 0", ["holdout_months", "greater than or equal to 1"]),
        ("cv_folds: five", ["cv_folds", "five", "integer"]),
        ("exclude: PAGE_VALUES", ["exclude", "PAGE_VALUES", "a list, like [A, B]"]),
    ],
)
def test_a_wrong_key_or_value_is_one_line_naming_file_key_and_what_is_allowed(
    tmp_path: Path, text: str, named: list[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_train_config(path)
    message = str(caught.value)
    assert "\n" not in message
    assert all(part in message for part in [str(path), *named]), message


def test_names_are_taken_in_any_case(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("exclude: [page_values]\ncategorical: [Region]")
    assert load_train_config(path).exclude == ("PAGE_VALUES",)
    assert load_train_config(path).categorical == ("REGION",)


def test_the_file_has_the_last_word_on_categorical_features() -> None:
    assert TrainConfig().resolved(["REGION"]).categorical == ("REGION",)
    assert TrainConfig(categorical=()).resolved(["REGION"]).categorical == ()
