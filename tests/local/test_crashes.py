from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from intentscore.local import uploads

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


@pytest.mark.parametrize("written", [None, 0, 1_000_000])
def test_a_file_whose_replacement_was_cut_short_comes_back(tmp_path: Path, written: int | None) -> None:
    stages = tmp_path / "stages" / "s"
    stages.mkdir(parents=True)
    (stages / "model.bin.gz").write_bytes(b"old")
    assert uploads.put_aside(tmp_path / "replaced/1", stages, "file:///somewhere/model.bin")
    if written is None:
        (stages / "model.bin.gz").write_bytes(b"")
    else:
        _half_written(stages / "model.bin.gz", 9_000_000, written)
    uploads.mend([tmp_path / "stages"], tmp_path / "replaced")
    assert (stages / "model.bin.gz").read_bytes() == b"old"
    assert list((tmp_path / "replaced").iterdir()) == []


def test_a_finished_replacement_stays(tmp_path: Path) -> None:
    stages = tmp_path / "stages" / "s"
    stages.mkdir(parents=True)
    (stages / "a.csv").write_bytes(b"old")
    assert uploads.put_aside(tmp_path / "replaced/1", stages, "/somewhere/*.csv")
    assert uploads.put_aside(tmp_path / "replaced/2", stages, "/somewhere/b.csv") is None
    (stages / "a.csv").write_bytes(b"new")
    uploads.mend([tmp_path / "stages"], tmp_path / "replaced")
    assert (stages / "a.csv").read_bytes() == b"new"
