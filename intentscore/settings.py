"""Settings; the later wins: defaults, configs/intentscore.yaml, configs/env/<env>.yaml, INTENTSCORE_*."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from intentscore.errors import ConfigurationError

ENVIRONMENT_PREFIX = "INTENTSCORE_"
NOT_SETTINGS = frozenset({"INTENTSCORE_HOME", "INTENTSCORE_DATASET"})

Model = TypeVar("Model", bound=BaseModel)
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", to_upper=True, max_length=255)]
ShortName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", to_upper=True, max_length=32)]
AccountObject = Annotated[str, StringConstraints(pattern=r'^([A-Za-z_][A-Za-z0-9_$]*|"[^"]+")$', max_length=255)]


OUTCOME = re.compile(r"\b(REVENUE|OUTCOME_DATE|LOADED_AT|KNOWN_PURCHASES|BOUGHT_ON)\b", re.IGNORECASE)


def _without_outcome(sql: str) -> str:
    if found := OUTCOME.search(sql):
        raise ValueError(f"{found[1].upper()} is not known when a session is scored; leave it out")
    return sql


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TableNames(Strict):
    sessions: Name = "SESSIONS"
    scores: Name = "SCORES"
    challenger_scores: Name = "CHALLENGER_SCORES"
    explanations: Name = "EXPLANATIONS"
    runs: Name = "RUNS"


class OwnFeature(Strict):
    """A feature beside the built-in ones: an SQL expression over the columns of SESSIONS but the outcome's."""

    name: Name
    sql: Annotated[str, AfterValidator(_without_outcome)]
    kind: Literal["numeric", "categorical"] = "numeric"
    meaning: str = "of this installation"


class FeatureViewSettings(Strict):
    """`version` None is the one that holds the present feature list, the next number when none does yet."""

    name: Name = "SESSION_FEATURES"
    version: Name | None = None
    entity: ShortName = "SHOPPER"
    refresh_freq: str = "1 day"
    history_days: tuple[Annotated[int, Field(ge=1, le=3650)], ...] = (7, 30, 90)
    own_features: tuple[OwnFeature, ...] = ()

    @field_validator("history_days", mode="before")
    @classmethod
    def _of_an_environment_variable(cls, days: Any) -> Any:
        return [day for day in days.split(",") if day.strip()] if isinstance(days, str) else days

    @field_validator("history_days")
    @classmethod
    def _each_once(cls, days: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted(set(days)))


Measure = Literal["roc_auc", "average_precision", "log_loss", "brier"]


class PromotionSettings(Strict):
    """What `promote` requires of a challenger, measured on sessions that neither version learned from."""

    measure: Measure = "log_loss"
    margin: Annotated[float, Field(ge=-1, le=1)] = 0.0
    min_sessions: Annotated[int, Field(ge=1)] = 500
    min_buyers: Annotated[int, Field(ge=1)] = 50
    max_calibration_error: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_calibration_loss: Annotated[float, Field(ge=0, le=1)] = 0.01
    max_segment_loss: Annotated[float, Field(ge=0, le=1)] = 0.03
    min_segment_buyers: Annotated[int, Field(ge=1)] = 30


CALENDAR = ("IS_WEEKEND", "SPECIAL_DAY", "MONTH_NUMBER", "MONTH_SIN", "MONTH_COS")
APART = ("*_WITH_VALUE", "*_WITHOUT_VALUE")


class MonitoringLimits(Strict):
    """How far a day may lie from the baseline, and a version from what it promised, before it is an alarm.

    A drift limit never is lower than the farthest of `chance_days` days of the same size drawn from the baseline. A day
    is held against the same month of the baseline and against those of the `recent_days` before it that are of its
    month, where these have `min_recent_sessions`; see `intentscore.services.monitor_limits`.
    """

    max_psi: Annotated[float, Field(ge=0)] = 0.1
    max_jensen_shannon: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_wasserstein: Annotated[float, Field(ge=0)] = 0.1
    max_shift: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    max_scale: Annotated[float, Field(ge=1, le=8)] = 1.1
    max_missing: Annotated[float, Field(ge=0, le=1)] = 0.02
    chance_days: Annotated[int, Field(ge=99, le=100_000)] = 5000
    min_sessions: Annotated[int, Field(ge=1)] = 30
    recent_days: Annotated[int, Field(ge=0, le=366)] = 28
    min_recent_sessions: Annotated[int, Field(ge=1)] = 500
    not_limited: tuple[str, ...] = (*CALENDAR, *APART)
    max_auc_loss: Annotated[float, Field(ge=0, le=1)] = 0.03
    max_calibration_error: Annotated[float, Field(ge=0, le=1)] = 0.05
    min_buyers: Annotated[int, Field(ge=1)] = 30

    def has_limits(self, column: str) -> bool:
        """Unless it is one of `not_limited`, in which * stands for any letters."""
        return not any(fnmatchcase(column, pattern) for pattern in self.not_limited)


class MonitoringSettings(Strict):
    """`cut_off`: the score from which marketing acts; the one `marketing_share` of the baseline reaches for None."""

    refresh_interval: str = "1 hour"
    marketing_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    cut_off: Annotated[float, Field(ge=0, le=1)] | None = None
    baseline_sessions: Annotated[int, Field(ge=100)] = 50_000
    limits: MonitoringLimits = MonitoringLimits()


class Settings(Strict):
    connection: str | None = None
    database: AccountObject | None = None
    schema_name: Name = Field(default="INTENTSCORE", validation_alias="schema", serialization_alias="schema")
    warehouse: AccountObject | None = None
    role: AccountObject | None = None
    model_name: Name = "PURCHASE_INTENT"
    tables: TableNames = TableNames()
    feature_view: FeatureViewSettings = FeatureViewSettings()
    promotion: PromotionSettings = PromotionSettings()
    monitoring: MonitoringSettings = MonitoringSettings()

    @property
    def home(self) -> Path:
        return Path(os.environ.get("INTENTSCORE_HOME") or ".intentscore")


def load_settings(env: str | None = None, config_dir: Path = Path("configs")) -> Settings:
    merged: dict[str, Any] = {}
    for source, values in _layers(env, config_dir):
        validated(Settings, values, source)
        merged = _overlay(merged, values)
    return validated(Settings, merged, "settings")


def read_yaml(path: Path, model: type[Model]) -> Model:
    """The file's contents as `model`; any fault is a one-line ConfigurationError naming file and key."""
    return validated(model, _mapping(path), str(path))


def validated(model: type[Model], values: Mapping[str, Any], source: str) -> Model:
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(f"{source}: {_explain(model, error)}") from None


def _layers(env: str | None, config_dir: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    shared = config_dir / "intentscore.yaml"
    if shared.exists():
        yield str(shared), _mapping(shared)
    if env is not None:
        overlay = _environment_file(env, config_dir / "env")
        yield str(overlay), _mapping(overlay)
    for variable, value in sorted(os.environ.items()):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NOT_SETTINGS and value:
            keys = variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            yield f"environment variable {variable}", _nested(keys, value)


def _environment_file(env: str, folder: Path) -> Path:
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if env not in known:
        raise ConfigurationError(f"no settings for --env {env} in {folder}; there are: {', '.join(known) or 'none'}")
    return folder / f"{env}.yaml"


def _mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigurationError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path}: not valid YAML: {_one_line(str(error))}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path}: expected `key: value` lines, found {type(content).__name__}")
    return content


def _nested(keys: list[str], value: str) -> dict[str, Any]:
    first, *rest = keys
    return {first: _nested(rest, value) if rest else value}


def _overlay(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _overlay(merged[key], value) if both else value
    return merged


def _explain(model: type[BaseModel], error: ValidationError) -> str:
    return "; ".join(_explain_one(model, details) for details in error.errors())


def _explain_one(model: type[BaseModel], details: ErrorDetails) -> str:
    key = ".".join(str(part) for part in details["loc"])
    if details["type"] == "extra_forbidden":
        return f"unknown key '{key}'; allowed: {', '.join(_allowed_keys(model, details['loc'][:-1]))}"
    if details["type"] == "missing":
        return f"key '{key}' is missing"
    message = _one_line(details["msg"]).removeprefix("Value error, ").replace("a valid tuple", "a list, like [A, B]")
    return f"key '{key}' cannot be {details['input']!r}: {message}" if key else message


def _allowed_keys(model: type[BaseModel], parents: tuple[int | str, ...]) -> list[str]:
    for parent in parents:
        field = next((f for n, f in model.model_fields.items() if parent in (n, f.validation_alias)), None)
        inner = _model_of(field) if field else None
        if inner is None:
            return []
        model = inner
    return [str(field.validation_alias or name) for name, field in model.model_fields.items()]


def _model_of(field: FieldInfo) -> type[BaseModel] | None:
    candidates = (field.annotation, *get_args(field.annotation))
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel)), None)


def _one_line(text: str) -> str:
    return " ".join(text.split())
