"""A build is repeated when anything that went in or came out is not what it was, and only then."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dagster_project.settings import Settings, load_settings
from dagster_project.transform import dbt_step, unchanged


@pytest.fixture
def built(tmp_path: Path) -> Settings:
    for name in ("extracts/d/school_year=2024-25/part-0", "empty/d/part-0", "parameters/rounds", "marts/selection"):
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        path.write_text(name)
    settings = load_settings(tmp_path)
    settings.warehouse.parent.mkdir()
    settings.warehouse.write_text("tables")
    unchanged.remember(settings, "a run")
    return settings


def test_the_same_home_is_recognised(built: Settings) -> None:
    found = unchanged.last_build(built)
    assert found is not None and found.run_id == "a run"
    # a table that a later step puts there is not dbt's
    (built.marts / "of_a_later_step.parquet").write_text("estimates")
    assert unchanged.last_build(built) == found


@pytest.mark.parametrize(
    "change",
    [
        lambda home: (home / "extracts/d/school_year=2024-25/part-0.parquet").write_text("another cell"),
        lambda home: (home / "extracts/d/school_year=2024-25").rename(home / "extracts/d/school_year=2023-24"),
        lambda home: (home / "extracts/d/part-1.parquet").write_text("one more file"),
        lambda home: (home / "parameters/rounds.parquet").write_text("another rule"),
        lambda home: (home / "marts/selection.parquet").write_text("tampered with"),
        lambda home: (home / "marts/selection.parquet").unlink(),
        lambda home: (home / "warehouse/oppfolging.duckdb").unlink(),
        lambda home: (home / "warehouse/built.json").write_text('{"inputs": "torn'),
    ],
)
def test_any_change_of_the_home_asks_for_a_build(built: Settings, change: Callable[[Path], object]) -> None:
    change(built.home)
    assert unchanged.last_build(built) is None


def test_a_change_of_the_models_asks_for_a_build(built: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbt_step, "source_digest", lambda settings: "other models")
    assert unchanged.last_build(built) is None


def test_a_build_that_begins_forgets_the_record_before_anything_else(
    built: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dbt_step, "_invoke", killed)
    with pytest.raises(KeyboardInterrupt):
        dbt_step.build(built)
    assert unchanged.last_build(built) is None
