from __future__ import annotations

from pathlib import Path

import pytest

from intentscore.errors import ConfigurationError
from intentscore.settings import FeatureViewSettings, Settings, load_settings, read_yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def configs(tmp_path: Path) -> Path:
    folder = tmp_path / "configs"
    (folder / "env").mkdir(parents=True)
    return folder


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def message(configs: Path, env: str | None = None) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(env, configs)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_without_any_file_the_defaults_hold(configs: Path) -> None:
    assert load_settings(config_dir=configs) == Settings()


def test_the_shipped_file_spells_out_the_defaults() -> None:
    assert load_settings(config_dir=ROOT / "configs") == Settings()


def test_the_shipped_production_overlay_is_valid() -> None:
    assert load_settings("prod", ROOT / "configs").connection == "intentscore_prod"


def test_the_environment_file_wins_over_the_shared_one_key_by_key(configs: Path) -> None:
    write(configs / "intentscore.yaml", "schema: A\ntables: {scores: S1, runs: R1}\n")
    write(configs / "env" / "prod.yaml", "schema: B\ntables: {scores: S2}\n")
    settings = load_settings("prod", configs)
    assert (settings.schema_name, settings.tables.scores, settings.tables.runs) == ("B", "S2", "R1")


def test_a_variable_wins_over_the_files(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(configs / "intentscore.yaml", "schema: A\n")
    monkeypatch.setenv("INTENTSCORE_SCHEMA", "C")
    monkeypatch.setenv("INTENTSCORE_FEATURE_VIEW__REFRESH_FREQ", "2 hours")
    settings = load_settings(config_dir=configs)
    assert (settings.schema_name, settings.feature_view.refresh_freq) == ("C", "2 hours")


def test_an_empty_variable_counts_as_unset(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTSCORE_CONNECTION", "")
    assert load_settings(config_dir=configs).connection is None


def test_names_are_upper_cased_as_snowflake_does(configs: Path) -> None:
    write(configs / "intentscore.yaml", "schema: sandbox\n")
    assert load_settings(config_dir=configs).schema_name == "SANDBOX"


def test_home_is_a_variable_or_the_working_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTSCORE_HOME", "/elsewhere")
    assert Settings().home == Path("/elsewhere")
    monkeypatch.delenv("INTENTSCORE_HOME")
    assert Settings().home == Path(".intentscore")


def test_an_unknown_key_names_the_file_the_key_and_the_allowed_ones(configs: Path) -> None:
    write(configs / "intentscore.yaml", "schmea: A\n")
    assert message(configs) == (
        f"{configs / 'intentscore.yaml'}: unknown key 'schmea'; allowed: connection, database, schema, "
        "warehouse, role, model_name, tables, feature_view, promotion, monitoring"
    )


def test_an_unknown_nested_key_lists_its_siblings(configs: Path) -> None:
    write(configs / "env" / "prod.yaml", "tables: {session: S}\n")
    assert "unknown key 'tables.session'; allowed: sessions, scores," in message(configs, "prod")


def test_an_unknown_variable_is_named(configs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTSCORE_TABLES__SCORE", "S")
    assert message(configs).startswith("environment variable INTENTSCORE_TABLES__SCORE: unknown key")


@pytest.mark.parametrize("value", ["a b", "1A", "A;DROP", '"A"', "A" * 256])
def test_a_name_that_is_no_identifier_is_refused(configs: Path, value: str) -> None:
    write(configs / "intentscore.yaml", f"schema: '{value}'\n")
    assert "key 'schema' cannot be" in message(configs)


def test_an_entity_name_has_at_most_32_characters() -> None:
    with pytest.raises(ValueError, match="at most 32"):
        FeatureViewSettings(entity="E" * 33)


@pytest.mark.parametrize("content", ["- a\n- b\n", "just text\n", "42\n"])
def test_a_file_that_is_no_mapping_is_refused(configs: Path, content: str) -> None:
    write(configs / "intentscore.yaml", content)
    assert "expected `key: value` lines" in message(configs)


def test_broken_yaml_is_one_line(configs: Path) -> None:
    write(configs / "intentscore.yaml", "tables: {scores: [\n")
    assert "not valid YAML" in message(configs)


def test_a_file_that_is_not_text_is_refused(configs: Path) -> None:
    (configs / "intentscore.yaml").write_bytes(b"\xff\xfe\x00schema")
    assert "cannot be read" in message(configs)


def test_an_unknown_environment_lists_the_known_ones(configs: Path) -> None:
    write(configs / "env" / "prod.yaml", "")
    assert message(configs, "prdo").endswith("there are: prod")


@pytest.mark.parametrize("env", ["../intentscore", "env/prod", ""])
def test_an_environment_is_a_name_not_a_path(configs: Path, env: str) -> None:
    write(configs / "intentscore.yaml", "")
    assert "no settings for --env" in message(configs, env)


def test_reading_a_missing_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_yaml(tmp_path / "none.yaml", Settings)


def test_a_missing_required_key_is_named(tmp_path: Path) -> None:
    from pydantic import BaseModel

    class Needy(BaseModel):
        seed: int

    with pytest.raises(ConfigurationError, match="key 'seed' is missing"):
        read_yaml(write(tmp_path / "needy.yaml", ""), Needy)
