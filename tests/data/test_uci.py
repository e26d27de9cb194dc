from __future__ import annotations

import hashlib
import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from intentscore.data.uci import DATASET_VARIABLE, UCI, Archive, ArchiveUnavailableError, open_uci
from intentscore.errors import DataError
from tests.data.sheets import all_sessions, column, session, write_csv

PUBLISHED = os.environ.get(DATASET_VARIABLE)
needs_published = pytest.mark.skipif(not PUBLISHED, reason=f"{DATASET_VARIABLE} names no copy of the data set")


class Site:
    """A web server on this machine with one archive on it."""

    def __init__(self, folder: Path) -> None:
        member = write_csv(folder / "member.csv", [session(), session(Month="June")]).read_bytes()
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr("sessions.csv", member)
        self.content = buffer.getvalue()
        self.member = member
        self.requests = 0
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.archive = Archive(
            url=f"http://127.0.0.1:{self.server.server_port}/archive.zip",
            sha256=hashlib.sha256(self.content).hexdigest(),
            member="sessions.csv",
            member_sha256=hashlib.sha256(member).hexdigest(),
            rows=2,
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(site.content)))
                self.end_headers()
                self.wfile.write(site.content)

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


@pytest.fixture(autouse=True)
def no_local_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATASET_VARIABLE, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    thread = threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    site.server.shutdown()
    site.server.server_close()
    thread.join()


def test_the_data_set_is_downloaded_once_and_then_cached(site: Site, tmp_path: Path) -> None:
    first = open_uci(tmp_path / "cache" / "data", archive=site.archive)
    second = open_uci(tmp_path / "cache" / "data", archive=site.archive)
    assert site.requests == 1
    assert (first.name, second.name) == ("UCI Online Shoppers (downloaded)", "UCI Online Shoppers (cached)")
    assert first.rows == 2
    assert column(first, "MONTH") == ["Nov", "Jun"]
    assert all_sessions(first) == all_sessions(second)
    assert [path.name for path in (tmp_path / "cache" / "data").iterdir()] == ["sessions.csv"]


def test_a_spoilt_cache_is_downloaded_again(site: Site, tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_bytes(site.member[:-40])
    assert open_uci(tmp_path, archive=site.archive).name == "UCI Online Shoppers (downloaded)"
    assert (tmp_path / "sessions.csv").read_bytes() == site.member


@pytest.mark.parametrize("of_member", [False, True])
def test_another_archive_is_refused_and_not_cached(site: Site, tmp_path: Path, of_member: bool) -> None:
    other = "0" * 64
    wrong = replace(site.archive, member_sha256=other) if of_member else replace(site.archive, sha256=other)
    with pytest.raises(ArchiveUnavailableError, match=r"not the published .*INTENTSCORE_DATASET.*--simulate N"):
        open_uci(tmp_path / "cache", archive=wrong)
    assert not (tmp_path / "cache").exists()


def test_an_unreachable_archive_names_both_ways_on(site: Site, tmp_path: Path) -> None:
    site.server.server_close()
    gone = replace(site.archive, url="http://127.0.0.1:9/archive.zip")
    with pytest.raises(ArchiveUnavailableError, match=r"cannot download .*INTENTSCORE_DATASET.*--simulate N") as caught:
        open_uci(tmp_path / "cache", archive=gone)
    assert "\n" not in str(caught.value)


def test_a_local_copy_is_used_without_the_network(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATASET_VARIABLE, str(tmp_path / "member.csv"))
    source = open_uci(tmp_path / "cache", year=2023, archive=site.archive)
    assert column(source, "SESSION_DATE") == ["2023-11-01", "2023-06-01"]
    assert source.name == "UCI Online Shoppers (local copy)"
    assert site.requests == 0
    assert not (tmp_path / "cache").exists()


def test_a_local_copy_that_is_missing_or_another_file_is_refused(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATASET_VARIABLE, str(tmp_path / "no.csv"))
    with pytest.raises(DataError, match=r"no\.csv, which does not exist"):
        open_uci(tmp_path, archive=site.archive)
    monkeypatch.setenv(DATASET_VARIABLE, str(write_csv(tmp_path / "own.csv", [session()])))
    with pytest.raises(DataError, match=r"own\.csv, which is not the published .*intentscore upload"):
        open_uci(tmp_path, archive=site.archive)


@needs_published
def test_the_published_sessions_are_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATASET_VARIABLE, str(PUBLISHED))
    source = open_uci(tmp_path)
    sessions = all_sessions(source)
    assert sessions.num_rows == source.rows == UCI.rows
    assert len(set(sessions["UID"].to_pylist())) == UCI.rows
    assert sessions["REVENUE"].to_pylist().count("TRUE") == 1_908
    assert sessions["SESSION_DATE"].to_pylist().count("2024-11-01") == 2_998
    assert sessions["MONTH"].to_pylist().count("Jun") == 288
    assert source.fingerprint() == f"sha256:{UCI.member_sha256}"
