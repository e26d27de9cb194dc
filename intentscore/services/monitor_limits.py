"""What is watched for drift, and from where on it is an alarm: the same for `monitor report` and for `check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from intentscore.features.definitions import FEATURES
from intentscore.model.drift import Drift, Reference, chance, comparable_size, reference
from intentscore.services.monitor_source import SCORE, Watched
from intentscore.settings import MonitoringLimits
from intentscore.warehouse.identifiers import qualified

if TYPE_CHECKING:
    import pandas as pd
    from snowflake.snowpark import Session

KINDS: Mapping[str, str] = {SCORE: "score", **{feature.name: feature.kind for feature in FEATURES}}


def read_values(session: Session, table: str, where: str = "") -> pd.DataFrame:
    """DAY and the watched columns of a monitor's view or baseline: numbers as float64, categories as text."""
    names = ", ".join(KINDS)
    frame: pd.DataFrame = session.sql(f"SELECT SESSION_AT::DATE AS DAY, {names} FROM {table} {where}").to_pandas()
    numbers = [name for name, kind in KINDS.items() if kind != "categorical"]
    return frame.astype(dict.fromkeys(numbers, "float64"))


class Limits:
    """The baseline's columns, and the limits of a day by its size; days of similar size share theirs."""

    def __init__(self, baseline: pd.DataFrame, limits: MonitoringLimits) -> None:
        self.references: dict[str, Reference] = {
            name: reference(name, baseline[name].to_numpy(), numeric=kind != "categorical")
            for name, kind in KINDS.items()
            if baseline[name].notna().any()
        }
        self._limits = limits
        self._by_size: dict[int, dict[str, Drift]] = {}

    def of_day(self, sessions: int) -> Mapping[str, Drift]:
        """By column; a limit is None where the column has none, and all are on a day with too few sessions."""
        if sessions < self._limits.min_sessions:
            return dict.fromkeys(self.references, Drift())
        size = comparable_size(sessions)
        if size not in self._by_size:
            self._by_size[size] = self._of_size(size)
        return self._by_size[size]

    def _of_size(self, size: int) -> dict[str, Drift]:
        limited = [one for name, one in self.references.items() if name not in self._limits.not_limited]
        by_chance = chance(limited, size, self._limits.chance_days - 1)
        found = {one.column: self._widened(one, by_chance[one.column]) for one in limited}
        return dict.fromkeys(self.references, Drift()) | found

    def _widened(self, baseline: Reference, by_chance: Drift) -> Drift:
        floors = self._limits
        return Drift(
            psi=_larger(floors.max_psi, by_chance.psi),
            jensen_shannon=_larger(floors.max_jensen_shannon, by_chance.jensen_shannon),
            wasserstein=_larger(floors.max_wasserstein * baseline.spread, by_chance.wasserstein),
            shift=_larger(floors.max_shift, by_chance.shift),
            missing=_larger(floors.max_missing, by_chance.missing),
        )


def open_limits(session: Session, names: Watched, limits: MonitoringLimits) -> Limits:
    return Limits(read_values(session, qualified(session, names.baseline)), limits)


def _larger(floor: float, by_chance: float | None) -> float | None:
    return None if by_chance is None else max(floor, by_chance)
