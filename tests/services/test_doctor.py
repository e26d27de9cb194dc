from __future__ import annotations

import pytest

from intentscore.services import doctor
from intentscore.services.doctor import examine

from .conftest import Workspace


def test_everything_is_in_place_on_the_local_engine(workspace: Workspace) -> None:
    result = examine(workspace.session, workspace.settings)
    assert [c for c in result.checks if not c.ok] == []
    assert result.healthy


def test_a_failing_check_is_shown_with_its_mend_and_the_others_are_made(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "MIN_FREE_GB", float("inf"))
    result = examine(workspace.session, workspace.settings)
    failed = [check for check in result.checks if not check.ok]
    assert [check.check for check in failed] == ["free disk"]
    assert failed[0].mend
    assert len(result.checks) == len(doctor.CHECKS)
    assert not result.healthy
