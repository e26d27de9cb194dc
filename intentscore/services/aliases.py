"""Move CHAMPION, and with it the registry's default, from one version to another.

In Snowflake ALTER MODEL commits by itself, so there is no transaction around these statements: when one fails, what
was done is undone.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from intentscore.services.versions import CHAMPION, RegisteredVersion
from intentscore.settings import Settings
from intentscore.warehouse.identifiers import identifier, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session


@dataclass(frozen=True)
class Move:
    """`statements` in order; `undo` brings back what was before, from wherever they stopped."""

    statements: tuple[str, ...]
    undo: tuple[str, ...]


def champion_move(session: Session, settings: Settings, old: RegisteredVersion | None, new: RegisteredVersion) -> Move:
    """`old` bears CHAMPION now; None when no version does."""
    alter = f"ALTER MODEL {qualified(session, settings.model_name)}"

    def version(of: RegisteredVersion, change: str) -> str:
        return f"{alter} VERSION {identifier(of.name)} {change}"

    outgoing = () if old is None else (version(old, "UNSET ALIAS"),)
    replaced = (version(new, "UNSET ALIAS"),) if new.aliases else ()
    restored = tuple(version(new, f"SET ALIAS = {identifier(alias)}") for alias in new.aliases)
    returned = () if old is None else (version(old, f"SET ALIAS = {CHAMPION}"), _default(alter, old))
    return Move(
        (*outgoing, *replaced, version(new, f"SET ALIAS = {CHAMPION}"), _default(alter, new)),
        (version(new, "UNSET ALIAS"), *returned, *restored),
    )


def apply_move(session: Session, move: Move) -> None:
    try:
        for statement in move.statements:
            session.sql(statement).collect()
    except BaseException:
        for statement in move.undo:
            # some of it may not have been done
            with suppress(Exception):
                session.sql(statement).collect()
        raise


def _default(alter: str, version: RegisteredVersion) -> str:
    return f"{alter} SET DEFAULT_VERSION = {identifier(version.name)}"
