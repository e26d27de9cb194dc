"""Run folders on a stage, for those who have no disk to find them on: procedures, and other machines.

A run is one zip, so that it is there whole or not at all.
"""

from __future__ import annotations

import io
import secrets
import shutil
import zipfile
from typing import TYPE_CHECKING

from intentscore.settings import Settings
from intentscore.warehouse.errors import snowflake_errors
from intentscore.warehouse.identifiers import current_schema, literal, qualified

if TYPE_CHECKING:
    from snowflake.snowpark import Session

    from intentscore.model.run import RunFolder

STAGE = "INTENTSCORE_RUNS"


def keep_run(session: Session, settings: Settings, run_id: str) -> None:
    """Put a run of the home folder on the stage; nothing when it is there already, for a run does not change."""
    folder = settings.home / "runs" / run_id
    with snowflake_errors("keep the run on its stage", wrapped=True):
        stage = qualified(session, STAGE)
        session.sql(f"CREATE STAGE IF NOT EXISTS {stage}").collect()
        if _is_kept(session, run_id):
            return
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.iterdir()):
                archive.write(path, path.name)
        content.seek(0)
        session.file.put_stream(content, f"@{stage}/{run_id}.zip", auto_compress=False, overwrite=True)


def run_at_hand(session: Session, settings: Settings, run_id: str) -> RunFolder:
    """The run of the home folder, else the one on the stage, which is then in the home folder too.

    Raises UsageError when it is in neither, DataError when it is damaged.
    """
    from intentscore.model.run import RUN_ID, find_run, run_ids

    runs = settings.home / "runs"
    if run_id not in run_ids(runs) and RUN_ID.fullmatch(run_id):
        with snowflake_errors("fetch the run from its stage", wrapped=True):
            if _is_kept(session, run_id):
                _fetch(session, settings, run_id)
    return find_run(runs, run_id)


def _is_kept(session: Session, run_id: str) -> bool:
    shown = session.sql(f"SHOW STAGES LIKE {literal(STAGE)} IN SCHEMA {current_schema(session)}").collect()
    if not any(row["name"] == STAGE for row in shown):
        return False
    listed = session.sql(f"LIST @{qualified(session, STAGE)}").collect()
    return any(row["name"].rsplit("/", 1)[-1] == f"{run_id}.zip" for row in listed)


def _fetch(session: Session, settings: Settings, run_id: str) -> None:
    """Unpacked beside its place and moved there, so that it is never there in part."""
    runs = settings.home / "runs"
    unfinished = runs / f".{run_id}.{secrets.token_hex(4)}"
    unfinished.mkdir(parents=True)
    try:
        with (
            session.file.get_stream(f"@{qualified(session, STAGE)}/{run_id}.zip") as stream,
            zipfile.ZipFile(io.BytesIO(stream.read())) as archive,
        ):
            for name in archive.namelist():
                (unfinished / name.rsplit("/", 1)[-1]).write_bytes(archive.read(name))
        unfinished.rename(runs / run_id)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
