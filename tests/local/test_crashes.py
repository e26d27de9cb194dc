from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from intentscore.local import uploads
from intentscore.local.engine import open_engine
from intentscore.local.storage import Storage

ROOT = Path(__file__).parents[2]


def test_a_killed_engine_keeps_what_it_promised_and_nothing_else() -> None:
    """Ten kills under a mixed load; `python -m benchmarks.crashes` makes a hundred."""
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.crashes", "--kills", "10", "--within", "0.5"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _half_written(path: Path, size: int, written: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)
        file.write(b"x" * written)


def test_an_upload_cut_short_is_removed(tmp_path: Path) -> None:
    stages = tmp_path / "stages" / "s"
    stages.mkdir(parents=True)
    _half_written(stages / "cut.bin", 20_000_000, 8_000_000)
    (stages / "zeros.bin").write_bytes(bytes(1_000_000))
    (stages / "empty.bin").touch()
    uploads.mend([tmp_path / "stages"], tmp_path / "replaced")
    assert sorted(path.name for path in stages.iterdir()) == ["empty.bin", "zeros.bin"]


def _begun(tmp_path: Path, source: str, *, overwrite: bool = True, number: int = 1) -> None:
    upload = uploads.Upload.beginning(tmp_path / "stages" / "s", source, overwrite=overwrite)
    uploads.put_aside(tmp_path / "replaced" / str(number), upload)


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    folder = tmp_path / "stages" / "s"
    folder.mkdir(parents=True)
    return folder


def _mended(tmp_path: Path) -> None:
    uploads.mend([tmp_path / "stages"], tmp_path / "replaced")
    assert list((tmp_path / "replaced").iterdir()) == []


@pytest.mark.parametrize("written", [None, 0, 1_000_000])
def test_a_file_whose_replacement_was_cut_short_comes_back(tmp_path: Path, stage: Path, written: int | None) -> None:
    (stage / "model.bin.gz").write_bytes(b"old")
    _begun(tmp_path, "/somewhere/model.bin")
    if written is None:
        (stage / "model.bin.gz").write_bytes(b"")
    else:
        _half_written(stage / "model.bin.gz", 9_000_000, written)
    _mended(tmp_path)
    assert (stage / "model.bin.gz").read_bytes() == b"old"


@pytest.mark.parametrize("rest", [100, 5_000, 3_000_000])
@pytest.mark.parametrize("is_at_hand", [True, False])
def test_an_upload_the_system_had_made_room_for_is_known_by_its_zeros(
    tmp_path: Path, stage: Path, rest: int, is_at_hand: bool
) -> None:
    content = os.urandom(4_000_000)
    source = tmp_path / "model.bin"
    if is_at_hand:
        source.write_bytes(content)
    (stage / "model.bin.gz").write_bytes(b"old")
    _begun(tmp_path, str(source))
    for name in ("model.bin", "model.bin.gz"):
        (stage / name).write_bytes(content[:-rest] + bytes(rest))
    _mended(tmp_path)
    assert [path.name for path in stage.iterdir()] == ["model.bin.gz"]
    assert (stage / "model.bin.gz").read_bytes() == b"old"


def test_an_upload_that_came_whole_stays(tmp_path: Path, stage: Path) -> None:
    content = bytes(10_000) + os.urandom(10_000) + bytes(5_000)
    (tmp_path / "zeros.bin").write_bytes(content)
    _begun(tmp_path, f"{tmp_path}/zeros.bin")
    _begun(tmp_path, "/gone/text.csv", number=2)
    (stage / "zeros.bin").write_bytes(content)
    (stage / "text.csv").write_text("a,b\n" * 10_000)
    _mended(tmp_path)
    assert (stage / "zeros.bin").read_bytes() == content
    assert (stage / "text.csv").stat().st_size == 40_000


@pytest.mark.parametrize("names", [("1", "2"), ("2", "1")])
def test_what_the_last_of_several_uploads_replaced_comes_back(
    tmp_path: Path, stage: Path, names: tuple[str, str]
) -> None:
    file = stage / "same.bin"
    for name, content in zip(names, (b"first", b"second"), strict=True):
        file.write_bytes(content)
        _begun(tmp_path, "/changed/same.bin", number=int(name))
    _half_written(file, 9_000_000, 1_000_000)
    _mended(tmp_path)
    assert file.read_bytes() == b"second"


def test_a_session_that_replaces_a_file_twice_writes_down_the_second_time_only(tmp_path: Path, stage: Path) -> None:
    begun = uploads.Uploads(Storage(tmp_path))
    for content in (b"first", b"second"):
        (stage / "same.bin").write_bytes(content)
        begun.begin(stage, "/changed/same.bin", overwrite=True)
    begun.begin(stage, "/changed/other.bin", overwrite=True)
    assert [path.read_bytes() for path in (tmp_path / "replaced").glob("*/copies/*")] == [b"second"]
    assert len(list((tmp_path / "replaced").iterdir())) == 2


@pytest.mark.parametrize("name", ["zeros.bin", "zeros.bin.gz"])
def test_an_upload_whose_source_has_changed_since_had_come(tmp_path: Path, stage: Path, name: str) -> None:
    content = os.urandom(10_000) + bytes(10_000)
    (stage / name).write_bytes(b"old")
    _begun(tmp_path, f"{tmp_path}/zeros.bin")
    (stage / name).write_bytes(content)
    source = tmp_path / "zeros.bin"
    source.write_bytes(b"another")
    os.utime(source, (time.time() + 1, time.time() + 1))
    _mended(tmp_path)
    assert (stage / name).read_bytes() == content


def test_what_an_upload_left_alone_stays(tmp_path: Path, stage: Path) -> None:
    (stage / "zeros.bin").write_bytes(bytes(10_000))
    (tmp_path / "zeros.bin").write_bytes(b"another")
    _begun(tmp_path, f"{tmp_path}/zeros.bin", overwrite=False)
    _mended(tmp_path)
    assert (stage / "zeros.bin").read_bytes() == bytes(10_000)


def test_an_upload_cut_before_its_length_was_set_is_removed(tmp_path: Path, stage: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b\n")
    (tmp_path / "empty.csv").touch()
    _begun(tmp_path, f"{tmp_path}/*.csv")
    for name in ("a.csv", "empty.csv"):
        (stage / name).touch()
    _mended(tmp_path)
    assert [path.name for path in stage.iterdir()] == ["empty.csv"]


def test_a_finished_replacement_stays(tmp_path: Path, stage: Path) -> None:
    (stage / "index.json").write_bytes(b"old")
    _begun(tmp_path, "/somewhere/*.json")
    (stage / "index.json").write_bytes(b"new")
    _mended(tmp_path)
    assert (stage / "index.json").read_bytes() == b"new"


def test_a_file_the_engine_writes_comes_to_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    storage, target = Storage(tmp_path), tmp_path / "stages" / "s" / "rows.csv"
    with storage.placing(target) as incoming:
        incoming.write_text("first")
        assert list(target.parent.iterdir()) == []
    with contextlib.suppress(MemoryError), storage.placing(target) as incoming:
        incoming.write_text("half")
        raise MemoryError
    assert target.read_text() == "first"
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_start_sweeps_what_had_not_come_to_its_place(tmp_path: Path) -> None:
    left = tmp_path / "engine" / "incoming" / "left"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    with open_engine(tmp_path, lambda _: None):
        assert not left.exists()
