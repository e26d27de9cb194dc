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


def categorical(name: str, meaning: str, sql: str | None = None) -> Feature:
    return Feature(name, sql or name, "categorical", meaning)


def history(name: str, meaning: str, sql: str) -> Feature:
    return Feature(name, sql, "numeric", meaning, history=True, nullable=True)
