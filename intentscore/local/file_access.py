"""Files of a stage by other ways than LIST and GET: DIRECTORY(@stage) and GET_PRESIGNED_URL."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pyarrow as pa
from sqlglot import Expr, exp

from intentscore.local.errors import invalid
from intentscore.local.sources import reference, resolver
from intentscore.local.stages import STAGE, Location, locate

if TYPE_CHECKING:
    from intentscore.local.session import Session
    from intentscore.local.sql import Preparation

MAX_URL_S = 7 * 24 * 3600


@resolver
def directory_tables(root: Expr, preparation: Preparation) -> Expr:
    """Every `FROM DIRECTORY(@stage)` as the table of the stage's files."""
    for node in list(root.find_all(exp.Table)):
        if isinstance(node.this, exp.DirectoryStage):
            session = preparation.session
            where = locate(session, "@" + node.this.this.name.removeprefix("@"))
            entry = session.catalog.get(STAGE, where.name) if where.name else None
            if entry is None or not entry.details.get("directory"):
                raise invalid(f"the stage '{where.name}' has no directory table: ALTER STAGE … SET DIRECTORY")
            node.replace(reference(preparation.register(_directory(session, where)), node.args.get("alias")))
    return root


def _directory(session: Session, where: Location) -> pa.Table:
    files = where.files()
    stats = [file.stat() for file in files]
    digests = [hashlib.md5(file.read_bytes()).hexdigest() for file in files]
    paths = [where.relative(file) for file in files]
    place = "/".join(where.name or ())
    return pa.table({
        "RELATIVE_PATH": pa.array(paths, pa.string()),
        "SIZE": pa.array([s.st_size for s in stats], pa.int64()),
        "LAST_MODIFIED": pa.array([datetime.fromtimestamp(s.st_mtime, UTC) for s in stats], pa.timestamp("us", "UTC")),
        "MD5": pa.array(digests, pa.string()),
        "ETAG": pa.array(digests, pa.string()),
        "FILE_URL": pa.array([f"{_address(session)}/api/files/{place}/{quote(p)}" for p in paths], pa.string()),
    })  # fmt: skip


def _address(session: Session) -> str:
    return f"http://{session.engine.host}:{session.engine.port}"


@resolver
def presigned_addresses(root: Expr, preparation: Preparation) -> Expr:
    """Every GET_PRESIGNED_URL(@stage, path [, seconds])."""
    for node in list(root.find_all(exp.Anonymous)):
        if node.name.upper() == "GET_PRESIGNED_URL":
            stage, path, *lifetime = node.expressions
            where = locate(preparation.session, _stage(stage))
            lifetime_s = float(lifetime[0].to_py()) if lifetime else 3600.0
            if not 0 < lifetime_s <= MAX_URL_S:
                raise invalid(f"invalid expiration time {lifetime_s:g}: at most {MAX_URL_S} seconds")
            share = partial(_presigned, preparation.session, where, lifetime_s)

            if isinstance(path, exp.Literal):
                node.replace(exp.Literal.string(share(path.name)))
                continue

            def addresses(paths: pa.ChunkedArray, share: Callable[[str], str] = share) -> pa.Array:
                return pa.array([None if p is None else share(p) for p in paths.to_pylist()], pa.string())

            function = preparation.function(addresses, ["VARCHAR"], "VARCHAR", volatile=True)
            node.replace(exp.Anonymous(this=function, expressions=[path]))
    return root


def _stage(argument: Expr) -> str:
    """The location a literal or a bare @database.schema.stage names."""
    if isinstance(argument, exp.Literal):
        return argument.name
    parts = argument.find_all(exp.Var, exp.Identifier, bfs=False)
    return "@" + ".".join(part.sql(dialect="snowflake") for part in parts)


def _presigned(session: Session, where: Location, lifetime_s: float, path: str) -> str:
    """An address from which whoever knows it reads the file, for as long as it lasts; the file need not be there."""
    file = where.below(str(Path(where.path, path)))
    return f"{_address(session)}/files/{session.engine.shared_files.share(file, lifetime_s)}/{quote(file.name)}"
