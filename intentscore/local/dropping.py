"""DROP <kind> [IF EXISTS] <name>, as it is said and answered for every kind of object in a schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from intentscore.local import results
from intentscore.local.errors import does_not_exist
from intentscore.local.names import ObjectName
from intentscore.local.results import Result
from intentscore.local.statements import Statement

if TYPE_CHECKING:
    from intentscore.local.session import Session

Remove = Callable[["Session", ObjectName], bool]


def drop(session: Session, head: Statement, kind: str, remove: Remove) -> Result:
    """`remove` says whether there was an object of the name."""
    quietly = head.if_exists()
    name = session.resolve(head.scanner.name())
    head.scanner.accept("CASCADE") or head.scanner.accept("RESTRICT")
    head.scanner.end()
    return dropped(kind, str(name), name.name, was_there=remove(session, name), quietly=quietly)


def dropped(kind: str, place: str, name: str, *, was_there: bool, quietly: bool) -> Result:
    """The answer to a DROP of `name`, whose full name is `place`; quietly: IF EXISTS was said."""
    if was_there:
        return results.done(f"{name} successfully dropped.")
    if quietly:
        return results.done(f"Drop statement executed successfully ({name} already dropped).")
    raise does_not_exist(kind, place)


def remove_with_folders(session: Session, kind: str, name: ObjectName) -> bool:
    """Remove an object whose files go with it, if there is one."""
    entry = session.catalog.get(kind, name)
    if entry is None:
        return False
    session.catalog.remove(kind, name)
    folders = session.engine.storage.folders_of(kind, entry.details)
    session.transaction.after_commit(lambda: session.engine.storage.remove(folders))
    return True
