from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import typer
from typer.testing import CliRunner, Result

from intentscore import __version__
from intentscore.cli.commands import app
from intentscore.cli.declare import command_of, new_group
from intentscore.cli.group import OneLineErrors
from intentscore.cli.invocation import Invocation, Shared, with_shared_options
from intentscore.cli.values import day
from intentscore.errors import DataError, DataProblems, NothingToDoError, Problem


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), prog_name="intentscore")


def run_body(body: Callable[[Invocation], None], *arguments: str) -> Result:
    """One command, `act`, with `body` as what it does."""
    small = typer.Typer(cls=OneLineErrors, rich_markup_mode=None, pretty_exceptions_enable=False)

    @small.callback()
    @with_shared_options
    def top(call: Invocation) -> None: ...

    small.command("act")(with_shared_options(body))
    return CliRunner().invoke(small, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["score", "--date", "01.11.2024"],
            "'01.11.2024' is not a day; write YYYY-MM-DD, today or yesterday",
        ),
        (["score", "--date", "2024-02-30"], "'2024-02-30' is not a day"),
        (["score", "--date", "20241101"], "'20241101' is not a day"),
        (
            ["score", "--date", "2024-11-02", "--to", "2024-11-01"],
            "--to 2024-11-01 is before --date 2024-11-02",
        ),
        (["score"], "Missing option '--date'"),
        (["score", "--date", "2024-11-01", "--explain", "some"], "'some' is not one of 'top', 'all'"),
        (["score", "--date", "2024-11-01", "--explain", "all", "--top", "0"], "'--top'"),
        (["score", "--date", "2024-11-01", "--top", "5"], "--top goes with --explain only"),
        (["score", "--date", "2024-11-01", "--distinct"], "--distinct goes with --explain only"),
        (["explain"], "say which scores with --date DAY, or ask with --global"),
        (["explain", "--uid", "a"], "say which scores with --date DAY"),
        (["explain", "--global", "--uid", "a", "--dry-run"], "--uid, --dry-run cannot go with --global"),
        (["explain", "--global", "--to", "2024-11-01"], "--to goes with --date only"),
        (["explain", "--date", "2024-11-02", "--to", "2024-11-01"], "--to 2024-11-01 is before --date 2024-11-02"),
        (["status", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
        (["--format", "xml", "status"], "'xml' is not one of 'table', 'json'"),
        (["statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["status", "--frob"], "No such option: --frob"),
        (["status", "extra"], "extra"),
        (["upload", "--simulate", "0"], "'--simulate'"),
        (["upload", "--simulate", "many"], "'--simulate'"),
        (["upload", "a.csv", "--simulate", "5"], "either a PATH or --simulate N, not both"),
        (["upload", "a.csv", "--seed", "5"], "--seed goes with --simulate N only"),
        (["upload", "a.csv", "--returning", "0.5"], "--returning goes with --simulate N only"),
        (["upload", "--simulate", "5", "--returning", "1"], "'--returning'"),
        (["features", "--list", "--history"], "give only one of --list, --describe, --refresh, --history"),
        (["upload", "--on-error", "ignore"], "'ignore' is not one of 'abort', 'skip'"),
        (["--connection"], "--connection"),
    ],
)
def test_a_usage_error_is_one_line_on_stderr_and_exit_code_2(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert result.stderr.count("\n") == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ([], None),
        (["--explain"], "top"),
        (["--explain", "top"], "top"),
        (["--explain", "all"], "all"),
        (["--explain", "--top", "5"], "top"),
        (["--explain=all"], "all"),
    ],
)
def test_an_option_given_without_a_value_has_the_implied_one(arguments: list[str], meant: str | None) -> None:
    seen: list[str | None] = []
    group = new_group()

    @command_of(group)("act --explain", implied={"--explain": "top"})
    def act(call: Invocation, explain: str | None = None, top: int = 3) -> None:
        seen.append(explain)

    @command_of(group)("other")
    def other(call: Invocation) -> None: ...

    assert CliRunner().invoke(group, ["act", *arguments]).exit_code == 0
    assert seen == [meant]


def test_version() -> None:
    assert run("--version").stdout == f"intentscore {__version__}\n"


def test_a_day_is_a_date_today_or_yesterday() -> None:
    assert day("2024-11-01") == date(2024, 11, 1)
    assert day("today") - day("yesterday") == timedelta(days=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--connection", "lab", "--env", "prod", "--format", "json", "-q", "-v", "act"],
        ["act", "-c", "lab", "--env", "prod", "--format", "json", "--quiet", "--verbose"],
        ["-c", "lab", "-q", "act", "--env", "prod", "--format", "json", "-v"],
        ["-c", "other", "--format", "table", "act", "-c", "lab", "--env", "prod", "--format", "json", "-qv"],
    ],
)
def test_shared_options_go_before_the_command_or_after_it_and_the_later_wins(arguments: list[str]) -> None:
    seen: list[Invocation] = []
    assert run_body(seen.append, *arguments).exit_code == 0
    assert seen == [Invocation("act", Shared("lab", "prod", "json", quiet=True, verbose=True))]


def test_an_error_of_ours_is_one_line_with_its_exit_code() -> None:
    def body(call: Invocation) -> None:
        raise NothingToDoError("no sessions on 2024-04-01;\nthe nearest days are 2024-03-31 and 2024-05-01")

    result = run_body(body, "act")
    assert result.exit_code == 6
    assert result.stderr == ("error: no sessions on 2024-04-01; the nearest days are 2024-03-31 and 2024-05-01\n")


def test_refused_data_comes_with_the_table_of_what_is_wrong_on_stderr() -> None:
    def body(call: Invocation) -> None:
        problem = Problem("BOUNCE_RATES", "not a number", rows=3, row=17, value="abc")
        raise DataError("3 of 10 rows were refused", DataProblems("a.csv", 10, 3, (problem,), "bad.csv"))

    result = run_body(body, "act")
    assert (result.exit_code, result.stdout) == (5, "")
    assert "BOUNCE_RATES" in result.stderr
    assert result.stderr.endswith("error: 3 of 10 rows were refused\n")


def test_an_unexpected_error_is_one_line_and_exit_code_1() -> None:
    def body(call: Invocation) -> None:
        raise KeyError("x")

    result = run_body(body, "act")
    assert result.exit_code == 1
    assert result.stderr == "error: unexpected KeyError: 'x'; --verbose shows where\n"
    assert "Traceback" in run_body(body, "act", "--verbose").stderr


def test_interrupted_is_130() -> None:
    def body(call: Invocation) -> None:
        raise KeyboardInterrupt

    result = run_body(body, "act")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")


def test_quiet_silences_notes() -> None:
    def body(call: Invocation) -> None:
        call.note("target: somewhere")

    assert run_body(body, "act").stderr == "target: somewhere\n"
    assert run_body(body, "act", "--quiet").stderr == ""


def test_there_is_no_progress_bar_without_a_terminal() -> None:
    def body(call: Invocation) -> None:
        with call.progress("rows", 10) as progress:
            assert progress is None

    assert run_body(body, "act").exit_code == 0
