"""What a feature is: a name, an SQL expression, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True)
class Feature:
    """`history` looks at the shopper's earlier sessions, and is null without any; `nullable` may be null at all."""

    name: str
    sql: str
    kind: Kind
    meaning: str
    history: bool = False
    nullable: bool = False


def numeric(name: str, meaning: str, sql: str | None = None) -> Feature:
    return Feature(name, sql or name, "numeric", meaning)


def apart(feature: Feature) -> tuple[Feature, Feature]:
    """The feature where no page seen has a value, and where one has: it may mean another thing there."""
    return (
        Feature(
            f"{feature.name}_WITHOUT_VALUE",
            f"CASE WHEN PAGE_VALUES <= 0 THEN {feature.sql} END",
            "numeric",
            f"{feature.meaning}, when no page seen has a value",
            nullable=True,
        ),
        Feature(
            f"{feature.name}_WITH_VALUE",
            f"CASE WHEN PAGE_VALUES > 0 THEN {feature.sql} END",
            "numeric",
            f"{feature.meaning}, when a page seen has a value",
            nullable=True,
        ),
    )


def categorical(name: str, meaning: str, sql: str | None = None) -> Feature:
    return Feature(name, sql or name, "categorical", meaning)


def history(name: str, meaning: str, sql: str) -> Feature:
    return Feature(name, sql, "numeric", meaning, history=True, nullable=True)
