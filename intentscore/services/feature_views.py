"""The versions of the feature view: which there are, what they hold, who reads them, when they were refreshed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING

from intentscore.errors import ConfigurationError, NothingToDoError
from intentscore.features.definitions import feature_list
from intentscore.features.feature import Feature
from intentscore.features.store import (
    RegisteredView,
    current_view,
    described_features,
    open_store,
    refresh_statement,
    registered_views,
    required_view,
    view_features,
)
from intentscore.services.features import FeatureSummary, summarise
from intentscore.services.runs import recorded
from intentscore.services.versions import CHALLENGER, CHAMPION, reads, registered_versions
from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

REFRESHES_SHOWN = 20


@dataclass(frozen=True)
class ViewSummary:
    """`current` holds the present feature list; `read_by` are the model versions trained on it."""

    version: str
    current: bool
    features: int
    rows: int
    refresh_freq: str
    state: str
    created_at: datetime
    read_by: tuple[str, ...]
    hash: str | None


@dataclass(frozen=True)
class ViewsResult:
    view: str
    versions: tuple[ViewSummary, ...]


@dataclass(frozen=True)
class ViewDescription:
    view: str
    version: str
    current: bool
    hash: str | None
    entities: tuple[str, ...]
    timestamp: str
    refresh_freq: str
    state: str
    warehouse: str
    rows: int
    first_day: date | None
    last_day: date | None
    read_by: tuple[str, ...]
    features: tuple[FeatureSummary, ...]


@dataclass(frozen=True)
class FeatureDescription:
    """A feature of the present list; the figures are of its values in `view`, None while there is no such view."""

    feature: str
    kind: str
    meaning: str
    history: bool
    sql: str
    view: str | None
    count: int | None
    nulls: int | None
    minimum: float | None
    maximum: float | None
    mean: float | None
    versions_with_it: tuple[str, ...]


@dataclass(frozen=True)
class Refreshed:
    version: str
    inserted: int
    deleted: int
    rows: int


@dataclass(frozen=True)
class RefreshResult:
    run_id: str
    view: str
    versions: tuple[Refreshed, ...]


@dataclass(frozen=True)
class Refresh:
    """`message` says why one failed."""

    version: str
    started_at: datetime
    seconds: float | None
    state: str
    action: str
    trigger: str
    message: str | None


@dataclass(frozen=True)
class HistoryResult:
    view: str
    refreshes: tuple[Refresh, ...]


def list_views(session: Session, settings: Settings) -> ViewsResult:
    """All versions of the feature view. Raises NothingToDoError when there is none."""
    views, current = _views(session, settings), current_view(session, settings)
    with snowflake_errors("list the feature views", wrapped=True):
        shown = open_store(session).list_feature_views(feature_view_name=settings.feature_view.name).collect()
    listed = {row["VERSION"]: row for row in shown if row["NAME"] == settings.feature_view.name}
    readers = _readers(session, settings, views)
    return ViewsResult(
        settings.feature_view.name,
        tuple(
            ViewSummary(
                version=view.version,
                current=view == current,
                features=len(view_features(session, view)),
                rows=_rows(session, view)[0],
                refresh_freq=listed[view.version]["REFRESH_FREQ"],
                state=listed[view.version]["SCHEDULING_STATE"],
                created_at=listed[view.version]["CREATED_ON"],
                read_by=readers[view.version],
                hash=view.hash,
            )
            for view in views
            if view.version in listed
        ),
    )


def describe(session: Session, settings: Settings, name: str) -> ViewDescription | FeatureDescription:
    """A feature of the present list, or a version of the view: SESSION_FEATURES (the present one), V2, or both by $.

    Raises ConfigurationError when there is neither, naming those there are.
    """
    wanted = name.upper()
    for feature in feature_list(settings):
        if feature.name == wanted:
            return _described_feature(session, settings, feature)
    views = registered_views(session, settings)
    if wanted == settings.feature_view.name:
        return _described_view(session, settings, required_view(session, settings), views)
    for view in views:
        if wanted in (view.version, view.full_name):
            return _described_view(session, settings, view, views)
    known = ", ".join(view.full_name for view in views) or "none yet"
    raise ConfigurationError(
        f"{name} is neither a feature (`intentscore features` lists them) nor a version of the feature view ({known})"
    )


def refresh_views(session: Session, settings: Settings) -> RefreshResult:
    """Refresh the version of the present feature list, and those that champion and challenger read.

    Raises NothingToDoError when there is none of them.
    """
    with recorded(session, settings, "features", view=settings.feature_view.name, refresh=True) as run:
        refreshed = tuple(_refreshed(session, view) for view in _in_use(session, settings))
        if not refreshed:
            raise NothingToDoError("there is no feature view in use; run `intentscore features` to register one")
        run.row_count = sum(one.rows for one in refreshed)
        return RefreshResult(run.run_id, settings.feature_view.name, refreshed)


def refresh_history(session: Session, settings: Settings) -> HistoryResult:
    """The last refreshes of all versions, the newest first. Raises NothingToDoError when there is no version."""
    views = _views(session, settings)
    with snowflake_errors("read the refresh history", wrapped=True):
        store = open_store(session)
        found = [
            _refresh(view.version, row.as_dict())
            for view in views
            for row in store.get_refresh_history(view.name, view.version, verbose=True).collect()
        ]
    newest = sorted(found, key=lambda refresh: (refresh.started_at, refresh.version), reverse=True)
    return HistoryResult(settings.feature_view.name, tuple(newest[:REFRESHES_SHOWN]))


def _views(session: Session, settings: Settings) -> tuple[RegisteredView, ...]:
    views = registered_views(session, settings)
    if not views:
        raise NothingToDoError(f"there is no feature view {settings.feature_view.name}; run `intentscore features`")
    return views


def _readers(
    session: Session, settings: Settings, views: tuple[RegisteredView, ...]
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    versions = registered_versions(session, settings)
    return {view.version: tuple(one.name for one in versions if reads(one, views) == view) for view in views}


def _in_use(session: Session, settings: Settings) -> tuple[RegisteredView, ...]:
    views, current = registered_views(session, settings), current_view(session, settings)
    aliased = [one for one in registered_versions(session, settings) if {CHAMPION, CHALLENGER} & set(one.aliases)]
    used = {current, *(reads(one, views) for one in aliased)}
    return tuple(view for view in views if view in used)


def _refreshed(session: Session, view: RegisteredView) -> Refreshed:
    (done,) = session.sql(refresh_statement(session, view)).collect()
    # words instead of figures when there was nothing new
    statistics = str(done["statistics"])
    counted = json.loads(statistics) if statistics.startswith("{") else {}
    rows, _, _ = _rows(session, view)
    return Refreshed(view.version, int(counted.get("insertedRows", 0)), int(counted.get("deletedRows", 0)), rows)


def _rows(session: Session, view: RegisteredView) -> tuple[int, date | None, date | None]:
    counted = f"SELECT COUNT(*), MIN(SESSION_DATE), MAX(SESSION_DATE) FROM {qualified(session, view.full_name)}"
    rows, first, last = session.sql(counted).collect()[0]
    return rows, first, last


def _refresh(version: str, row: dict[str, object]) -> Refresh:
    started, ended = row["REFRESH_START_TIME"], row["REFRESH_END_TIME"]
    assert isinstance(started, datetime)
    return Refresh(
        version=version,
        started_at=started,
        seconds=(ended - started).total_seconds() if isinstance(ended, datetime) else None,
        state=str(row["STATE"]),
        action=str(row["REFRESH_ACTION"]),
        trigger=str(row["REFRESH_TRIGGER"]),
        message=str(row["STATE_MESSAGE"]) if row["STATE_MESSAGE"] else None,
    )


def _described_view(
    session: Session, settings: Settings, view: RegisteredView, views: tuple[RegisteredView, ...]
) -> ViewDescription:
    with snowflake_errors("describe the feature view", wrapped=True):
        found = open_store(session).get_feature_view(view.name, view.version)
    rows, first, last = _rows(session, view)
    return ViewDescription(
        view=view.full_name,
        version=view.version,
        current=view == current_view(session, settings),
        hash=view.hash,
        entities=tuple(f"{entity.name} ({', '.join(map(str, entity.join_keys))})" for entity in found.entities),
        timestamp=str(found.timestamp_col),
        refresh_freq=str(found.refresh_freq),
        state=found.status.value,
        warehouse=str(found.warehouse),
        rows=rows,
        first_day=first,
        last_day=last,
        read_by=_readers(session, settings, views)[view.version],
        features=summarise(session, qualified(session, view.full_name), described_features(session, view))[1],
    )


def _described_feature(session: Session, settings: Settings, feature: Feature) -> FeatureDescription:
    with_it = tuple(
        view for view in registered_views(session, settings)
        if feature.name in view_features(session, view)
    )  # fmt: skip
    view = next((view for view in with_it if view == current_view(session, settings)), None)
    figures: tuple[int | float | None, ...] = (None,) * 5
    if view is not None:
        name = feature.name
        figures = tuple(
            session.sql(
                f"SELECT COUNT({name}), COUNT(*) - COUNT({name}), MIN({name}), MAX({name}), AVG({name}) "
                f"FROM {qualified(session, view.full_name)}"
            ).collect()[0]
        )
    count, nulls, minimum, maximum, mean = figures
    return FeatureDescription(
        feature=feature.name,
        kind=feature.kind,
        meaning=feature.meaning,
        history=feature.history,
        sql=feature.sql,
        view=view.full_name if view else None,
        count=None if count is None else int(count),
        nulls=None if nulls is None else int(nulls),
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        versions_with_it=tuple(one.version for one in with_it),
    )
