from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from snowflake.snowpark import Session

from intentscore.errors import ConfigurationError, WarehouseError
from intentscore.services import doctor
from intentscore.services.doctor import Subject, diagnose, examine
from intentscore.services.schedule_config import PYPI
from intentscore.settings import Settings
from intentscore.warehouse.session import open_session

from .conftest import Trained, Workspace


def test_everything_is_in_place_on_the_local_engine(workspace: Workspace) -> None:
    result = examine(Subject(workspace.session, workspace.settings, PYPI))
    assert [c for c in result.checks if not c.ok] == []
    assert result.healthy


def test_a_failing_check_is_shown_with_its_mend_and_the_others_are_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_GB", float("inf"))
    result = examine(Subject(workspace.session, workspace.settings, PYPI))
    failed = [check for check in result.checks if not check.ok]
    assert [check.check for check in failed] == ["free disk"]
    assert failed[0].mend
    assert len(result.checks) == len(doctor.CHECKS)
    assert not result.healthy


NAMES = (
    "target",
    "credentials",
    "role",
    "privileges",
    "warehouse",
    "packages",
    "champion",
    "versions",
    "clock",
    "free disk",
)


def test_all_that_can_be_wrong_is_checked(workspace: Workspace) -> None:
    result = examine(Subject(workspace.session, workspace.settings, PYPI))
    assert tuple(check.check for check in result.checks) == NAMES


def test_packages_the_account_does_not_have_are_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "pinned_packages", lambda: ["numpy==0.0.1"])
    result = examine(Subject(workspace.session, workspace.settings, PYPI))
    (failed,) = (check for check in result.checks if not check.ok)
    assert failed.check == "packages"
    assert "numpy==0.0.1" in failed.found
    assert "requirements.lock" in str(failed.mend)
    with pytest.raises(WarehouseError, match=r"1 checks failed \(packages\)"):
        result.require_healthy()


def test_without_credentials_it_says_so_and_checks_what_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opening() -> Iterator[Session]:
        with open_session(Settings(), connection="nowhere", command="doctor") as opened:
            yield opened.session

    result = diagnose(opening, Settings(), PYPI)
    assert [(check.check, check.ok) for check in result.checks] == [
        ("credentials", False), ("versions", True), ("free disk", True),
    ]  # fmt: skip
    assert "unknown connection 'nowhere'" in result.checks[0].found
    assert result.checks[0].mend
    with pytest.raises(ConfigurationError, match=r"\(credentials\)"):
        result.require_healthy()


def test_a_champion_whose_features_are_there_and_that_explains_itself_is_sound(trained: Trained) -> None:
    result = examine(Subject(trained.workspace.session, trained.workspace.settings, PYPI))
    found = {check.check: check for check in result.checks}
    assert found["champion"].ok
    assert found["champion"].found.startswith(f"{trained.registered.version}, which reads SESSION_FEATURES$V")


def test_a_champion_without_its_features_is_named(trained: Trained) -> None:
    view = trained.workspace.settings.feature_view.model_copy(update={"name": "NO_SUCH_FEATURES"})
    settings = trained.workspace.settings.model_copy(update={"feature_view": view})
    found = {check.check: check for check in examine(Subject(trained.workspace.session, settings, PYPI)).checks}
    assert not found["champion"].ok
    assert trained.registered.version in found["champion"].found
