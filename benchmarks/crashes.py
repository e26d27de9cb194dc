"""Kills the engine's process at random moments under a mixed load, and checks what the next start finds.

    python -m benchmarks.crashes --kills 100

Each client writes down what it is about to change and that it was told of the change's success. After a kill, a new
engine must hold every acknowledged change, all or nothing of those under way, and nothing else: in tables, catalog
and files alike.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import snowflake.connector

from intentscore.local.engine import open_engine

CLIENTS = 3
LOADED_ROWS = 500
MANIFEST = "manifest_version: '1.0'\nmethods:\n- name: PREDICT\n  handler: functions.predict.infer\n"
Changes = dict[str, Any]


def announce(message: str) -> None:
    pass


# ---------------------------------------------------------------------------- what was promised


class Ledger:
    """What the clients did, on disk line by line; `None` stands for something that is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._numbers = itertools.count(time.time_ns())

    @contextlib.contextmanager
    def change(self, changes: Changes) -> Iterator[None]:
        number = next(self._numbers)
        self._write({"number": number, "changes": changes})
        yield
        self._write({"number": number})

    def settle(self, changes: Changes) -> None:
        with self.change(changes):
            pass

    def refused(self, error: Exception) -> None:
        self._write({"number": 0, "error": f"{type(error).__name__}: {error}"})

    def _write(self, line: dict[str, Any]) -> None:
        os.write(self._file, json.dumps(line).encode() + b"\n")


@dataclass
class Promised:
    """The state every acknowledged change adds up to, and the changes whose outcome nobody was told."""

    state: Changes = field(default_factory=dict)
    open: dict[int, Changes] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Promised:
        found = cls()
        for text in path.read_text().splitlines():
            line = json.loads(text)
            if "error" in line:
                found.refused.append(line["error"])
            elif "changes" in line:
                found.open[line["number"]] = line["changes"]
            else:
                found.state |= found.open.pop(line["number"])
        return found

    def compare(self, seen: Changes) -> tuple[list[str], Changes]:
        """What is wrong with the state seen, and the outcome of the open changes."""
        wrong, outcome = [f"a statement failed: {error}" for error in self.refused], Changes()
        for changes in self.open.values():
            before = {key: self.state.get(key) for key in changes}
            now = {key: seen.get(key) for key in changes}
            if now not in (before, changes):
                wrong.append(f"half a change: {changes} over {before} left {now}")
            outcome |= now
        for key in self.state.keys() | seen.keys():
            if key not in outcome and self.state.get(key) != seen.get(key):
                wrong.append(f"{key}: promised {self.state.get(key)}, found {seen.get(key)}")
        return wrong, outcome


# ---------------------------------------------------------------------------- the load


class Client:
    """One client, with objects of its own, doing one thing after another until the process dies."""

    def __init__(self, number: int, parameters: dict[str, Any], ledger: Ledger, state: Changes, folder: Path) -> None:
        self.number, self.ledger, self.state, self.folder = number, ledger, state, folder
        self.random = random.Random()
        self.connection = snowflake.connector.connect(**parameters)
        self.names = itertools.count(time.time_ns())

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.connection.cursor().execute(statement)

    def change(self, changes: Changes, *statements: str) -> None:
        with self.ledger.change(changes):
            self.run(*statements)
        self.state |= changes

    def work(self) -> None:
        actions: list[Callable[[], None]] = [
            self.insert_in_two_tables, self.merge, self.use_stage, self.overwrite_file, self.copy_file, self.unload,
            self.use_model, self.use_dynamic_table, self.describe, self.use_table, self.load, self.use_database,
            self.use_temporary,
        ]  # fmt: skip
        try:
            while True:
                self.random.choice(actions)()
        except Exception as error:
            self.ledger.refused(error)

    def new(self) -> str:
        return f"{self.number}_{next(self.names)}"

    def mine(self, prefix: str) -> str | None:
        """One of this client's objects of a kind."""
        found = [k for k, v in self.state.items() if k.startswith(f"{prefix}:{self.number}_") and v is not None]
        return self.random.choice(found).split(":", 1)[1] if found else None

    def insert_in_two_tables(self) -> None:
        key = self.new()
        both = [f"INSERT INTO {table} SELECT '{key}'" for table in ("LEFT_SIDE", "RIGHT_SIDE")]
        self.change({f"pair:{key}": "both"}, "BEGIN", *both, "COMMIT")

    def merge(self) -> None:
        key = f"merge:{self.number}"
        value = (self.state.get(key) or 0) + 1
        self.change(
            {key: value},
            f"MERGE INTO COUNTERS T USING (SELECT {self.number} AS ID, {value} AS N) S ON T.ID = S.ID "
            "WHEN MATCHED THEN UPDATE SET N = S.N WHEN NOT MATCHED THEN INSERT (ID, N) VALUES (S.ID, S.N)",
        )

    def file(self, name: str, size: int) -> tuple[Path, str]:
        path = self.folder / f"{self.number}" / name
        path.parent.mkdir(exist_ok=True)
        content = self.random.randbytes(size)
        path.write_bytes(content)
        return path, digest(content)

    def use_stage(self) -> None:
        if (old := self.mine("stage")) and self.random.random() < 0.4:
            files = {key: None for key in self.state if key.startswith(f"file:S_{old}/")}
            self.change({f"stage:{old}": None, **files}, f"DROP STAGE S_{old}")
            return
        name = self.new()
        self.change({f"stage:{name}": True}, f"CREATE STAGE S_{name}")
        path, written = self.file("data.bin", self.random.randrange(1, 20_000_000))
        self.change({f"file:S_{name}/data.bin": written}, f"PUT file://{path} @S_{name} AUTO_COMPRESS = FALSE")

    def overwrite_file(self) -> None:
        path, written = self.file(f"same_{self.number}.bin", self.random.randrange(1, 10_000_000))
        self.change(
            {f"file:SHARED/same_{self.number}.bin": written},
            f"PUT file://{path} @SHARED AUTO_COMPRESS = FALSE OVERWRITE = TRUE",
        )

    def copy_file(self) -> None:
        """A file of the stage under another name; the first time there is none."""
        if written := self.state.get(f"file:SHARED/same_{self.number}.bin"):
            copy = f"copied_{self.number}.bin"
            query = f"SELECT '@SHARED/same_{self.number}.bin', '{copy}'"
            self.change({f"file:SHARED/{copy}": written}, f"COPY FILES INTO @SHARED FROM ({query})")

    def unload(self) -> None:
        rows = self.random.randrange(1, 300_000)
        name = f"rows_{self.number}.csv"
        self.change(
            {f"file:SHARED/{name}": digest("".join(f"{row}\n" for row in range(rows)).encode())},
            f"COPY INTO @SHARED/{name} FROM (SELECT SEQ4() FROM TABLE(GENERATOR(ROWCOUNT => {rows}))) "
            "FILE_FORMAT = (TYPE = CSV COMPRESSION = NONE) SINGLE = TRUE OVERWRITE = TRUE",
        )

    def use_model(self) -> None:
        old = self.mine("model")
        if old and self.random.random() < 0.3:
            self.change({f"model:{old}": None}, f"DROP MODEL M_{old}")
        elif old and self.random.random() < 0.5:
            versions = [*self.state[f"model:{old}"], f"V{len(self.state[f'model:{old}']) + 1}"]
            self.change({f"model:{old}": versions}, f"ALTER MODEL M_{old} ADD VERSION {versions[-1]} FROM @PACKAGE")
        else:
            name = self.new()
            self.change({f"model:{name}": ["V1"]}, f"CREATE MODEL M_{name} WITH VERSION V1 FROM @PACKAGE")

    def use_dynamic_table(self) -> None:
        if (old := self.mine("dynamic")) and self.random.random() < 0.5:
            self.change({f"dynamic:{old}": None}, f"DROP DYNAMIC TABLE D_{old}")
            return
        name, rows = self.new(), self.random.randrange(1, 2_000)
        self.change(
            {f"dynamic:{name}": rows},
            f"CREATE DYNAMIC TABLE D_{name} TARGET_LAG = '1 day' WAREHOUSE = LOCAL_WH AS "
            f"SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => {rows}))",
        )

    def describe(self) -> None:
        key = f"comment:{self.number}"
        value = (self.state.get(key) or 0) + 1
        self.change({key: value}, f"CREATE OR REPLACE STAGE C_{self.number} COMMENT = '{value}'")

    def use_table(self) -> None:
        if (old := self.mine("table")) and self.random.random() < 0.5:
            self.change({f"table:{old}": None}, f"DROP TABLE T_{old}")
            return
        name, rows = self.new(), self.random.randrange(1, 20_000)
        source = f"SELECT SEQ4() AS N FROM TABLE(GENERATOR(ROWCOUNT => {rows}))"
        self.change({f"table:{name}": rows}, f"CREATE TABLE T_{name} AS {source}")

    def load(self) -> None:
        """A file loaded and purged: the rows are there, or the file still is."""
        name = self.new()
        path = self.folder / f"{name}.csv"
        path.write_text("".join(f"{name},{row}\n" for row in range(LOADED_ROWS)))
        self.run(f"PUT file://{path} @~/inbox AUTO_COMPRESS = FALSE")
        copy = f"COPY INTO LOADED FROM @~/inbox/{name}.csv FILE_FORMAT = (TYPE = CSV) PURGE = TRUE"
        self.change({f"load:{name}": LOADED_ROWS}, copy)

    def use_database(self) -> None:
        if old := self.mine("database"):
            self.change({f"database:{old}": None}, f"DROP DATABASE B_{old}")
        elif self.random.random() < 0.3:
            name = self.new()
            self.change({f"database:{name}": True}, f"CREATE DATABASE B_{name}", "USE SCHEMA INTENTSCORE.PUBLIC")

    def use_temporary(self) -> None:
        name = self.new()
        self.run(f"CREATE TEMPORARY TABLE TEMP_{name} AS SELECT 1 AS N", f"CREATE TEMPORARY STAGE TEMP_{name}")


def digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def prepare(home: Path, folder: Path) -> None:
    """The objects all clients share, before the first kill."""
    folder.mkdir(exist_ok=True)
    (folder / "MANIFEST.yml").write_text(MANIFEST)
    (folder / "weights.bin").write_bytes(random.randbytes(2_000_000))
    with open_engine(home, announce) as engine, snowflake.connector.connect(**engine.connection_parameters()) as opened:
        for statement in (
            "CREATE TABLE LEFT_SIDE (ID VARCHAR)", "CREATE TABLE RIGHT_SIDE (ID VARCHAR)",
            "CREATE TABLE COUNTERS (ID INT, N INT)", "CREATE TABLE LOADED (ID VARCHAR, N INT)",
            "CREATE STAGE SHARED", "CREATE STAGE PACKAGE",
            f"PUT file://{folder}/MANIFEST.yml @PACKAGE AUTO_COMPRESS = FALSE",
            f"PUT file://{folder}/weights.bin @PACKAGE AUTO_COMPRESS = FALSE",
        ):  # fmt: skip
            opened.cursor().execute(statement)


def work(home: Path, ledger: Path, folder: Path, ready: Any) -> None:
    """The process to be killed: the engine and its clients."""
    state = Promised.read(ledger).state
    with open_engine(home, announce) as engine:
        book = Ledger(ledger)
        clients = [Client(i, engine.connection_parameters(), book, dict(state), folder) for i in range(CLIENTS)]
        threads = [threading.Thread(target=client.work) for client in clients]
        for thread in threads:
            thread.start()
        ready.set()
        for thread in threads:
            thread.join()


# ---------------------------------------------------------------------------- what is found


def look(home: Path) -> Changes:
    """The state a new engine shows, under the ledger's keys; it raises when a part of something is missing."""
    with open_engine(home, announce) as engine, snowflake.connector.connect(**engine.connection_parameters()) as opened:

        def rows(statement: str) -> list[Any]:
            cursor = opened.cursor(snowflake.connector.DictCursor)
            cursor.execute(statement)
            return cursor.fetchall()

        left, right = ({row["ID"] for row in rows(f"SELECT ID FROM {side}_SIDE")} for side in ("LEFT", "RIGHT"))
        seen: Changes = {f"pair:{key}": "both" for key in left & right}
        seen |= {f"pair:{key}": "half" for key in left ^ right}
        seen |= {f"merge:{row['ID']}": row["N"] for row in rows("SELECT ID, N FROM COUNTERS")}
        seen |= {f"load:{row['ID']}": row["N"] for row in rows("SELECT ID, COUNT(*) AS N FROM LOADED GROUP BY ID")}
        dynamic = {row["name"] for row in rows("SHOW DYNAMIC TABLES")}
        for name in {row["name"] for row in rows("SHOW TABLES")} | dynamic:
            kind, _, key = name.partition("_")
            if kind in ("T", "D"):
                count = rows(f"SELECT COUNT(*) AS N FROM {name}")[0]["N"]
                is_whole = kind == "T" or name in dynamic
                seen[f"{'table' if kind == 'T' else 'dynamic'}:{key}"] = count if is_whole else "no catalog row"
            assert kind != "TEMP"
        for stage in rows("SHOW STAGES"):
            name = stage["name"]
            assert not name.startswith("TEMP_"), name
            if name.startswith("C_"):
                seen[f"comment:{name[2:]}"] = int(stage["comment"])
            if name.startswith("S_"):
                seen[f"stage:{name[2:]}"] = True
            for file in rows(f"LIST @{name}") if name != "PACKAGE" else ():
                seen[f"file:{name}/{file['name'].split('/')[-1]}"] = fetched(opened, name, file["name"].split("/")[-1])
        for name in [row["name"] for row in rows("SHOW MODELS")]:
            versions = [row["name"] for row in rows(f"SHOW VERSIONS IN MODEL {name}")]
            for version in versions:
                files = {row["name"].split("/")[-1] for row in rows(f"LIST 'snow://model/{name}/versions/{version}/'")}
                assert files == {"MANIFEST.yml", "weights.bin"}, (name, version, files)
            seen[f"model:{name[2:]}"] = versions
        databases = [row["name"] for row in rows("SHOW DATABASES")]
        seen |= {f"database:{name[2:]}": True for name in databases if name.startswith("B_")}
        check_folders(home / "engine", len(rows("SHOW STAGES")), sum(len(v) for k, v in seen.items() if "model:" in k))
        return seen


def fetched(connection: Any, stage: str, name: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        connection.cursor().execute(f"GET @{stage}/{name} file://{folder}")
        return digest((Path(folder) / name).read_bytes())


def check_folders(root: Path, stages: int, versions: int) -> None:
    """Nothing is left on disk that nothing refers to."""
    found = [len([f for f in root.glob(f"{kind}/*") if not f.name.startswith("_")]) for kind in ("stages", "models")]
    assert found == [stages, versions], f"folders of stages and models: {found}, referred to: {[stages, versions]}"
    passing = ("databases/*.new*", "databases/*.dropped", "replaced/*", "incoming/*")
    stray = [path for pattern in passing for path in root.glob(pattern)]
    assert not stray, stray


def check(home: Path, ledger: Path, answer: Any) -> None:
    """In a process of its own: compare, and send what is wrong."""
    try:
        promised = Promised.read(ledger)
        wrong, outcome = promised.compare(look(home))
        ledger.write_text("")
        Ledger(ledger).settle({key: value for key, value in (promised.state | outcome).items() if value is not None})
        answer.send((wrong, len(promised.state), len(promised.open)))
    except BaseException as error:
        answer.send(([f"{type(error).__name__}: {error}"], 0, 0))


# ---------------------------------------------------------------------------- killing


@dataclass(frozen=True)
class Outcome:
    kills: int
    changes: int
    interrupted: int
    wrong: list[str]


def kill_repeatedly(kills: int, within_s: float, folder: Path, tell: Callable[[str], None] = announce) -> Outcome:
    """Kill the engine so many times over one home, each within so long of its start, and collect what is wrong."""
    processes = multiprocessing.get_context("fork")
    home, ledger, files = folder / "home", folder / "ledger", folder / "files"
    ledger.touch()
    first = processes.Process(target=prepare, args=(home, files))
    first.start()
    first.join()
    wrong: list[str] = []
    changes = interrupted = 0
    for number in range(1, kills + 1):
        ready = processes.Event()
        victim = processes.Process(target=work, args=(home, ledger, files, ready))
        victim.start()
        if not ready.wait(30):
            wrong.append(f"kill {number}: the engine did not start")
        time.sleep(random.uniform(0.0, within_s))
        os.kill(int(victim.pid or 0), signal.SIGKILL)
        victim.join()
        receiving, sending = processes.Pipe(duplex=False)
        checker = processes.Process(target=check, args=(home, ledger, sending))
        checker.start()
        found, changes, unfinished = receiving.recv() if receiving.poll(60) else (["the check did not end"], 0, 0)
        checker.join()
        interrupted += unfinished
        wrong += [f"kill {number}: {text}" for text in found]
        tell(f"kill {number}: {changes} objects and rows as promised, {unfinished} interrupted, {len(found)} wrong")
        if found:
            break
    return Outcome(kills, changes, interrupted, wrong)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--within", type=float, default=1.2, help="seconds from the start of the load to the kill")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        outcome = kill_repeatedly(options.kills, options.within, Path(folder), print)
        print(f"{outcome.kills} kills in {time.monotonic() - started:.0f} s, {outcome.interrupted} interrupted, "
              f"{len(outcome.wrong)} wrong")  # fmt: skip
        print("\n".join(outcome.wrong))
        raise SystemExit(bool(outcome.wrong))


if __name__ == "__main__":
    main()
