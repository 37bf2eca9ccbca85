"""Every path and setting in one typed object. Nothing else in the project reads the environment for a path.

``OPPFOLGING_HOME`` moves all of ``data/`` elsewhere. Rules, rounds and registers are read from that home when it has
its own, and from the repository's ``data/`` when it has none, so that a scratch home works without copying them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from dagster_project.diagnostics import OppfolgingError

REPOSITORY = Path(__file__).resolve().parent.parent
HOME_VARIABLE = "OPPFOLGING_HOME"
ENGINE_VARIABLE = "OPPFOLGING_ENGINE"
OPENLINEAGE_VARIABLE = "OPPFOLGING_OPENLINEAGE_URL"
ALERT_WEBHOOK_VARIABLE = "OPPFOLGING_ALERT_WEBHOOK"
ALERT_SMTP_VARIABLE = "OPPFOLGING_ALERT_SMTP"
ALERT_EMAIL_VARIABLE = "OPPFOLGING_ALERT_EMAIL"

Engine = Literal["duckdb", "spark"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
"""What builds the models: DuckDB in this process, or Apache Spark through dbt-spark (docs/spark.md)."""


class Settings(BaseModel):
    """Where things are. ``home`` is the data folder; every other path follows from it.

    ``openlineage_url`` is the one server that lineage events are sent to; None, the default, sends nothing. Alerts are
    posted to ``alert_webhook`` and mailed through ``alert_smtp`` to ``alert_email``; by default they are only written.
    """

    model_config = ConfigDict(frozen=True)

    home: Path
    engine: Engine = "duckdb"
    openlineage_url: str | None = None
    alert_webhook: str | None = Field(default=None, repr=False)
    alert_smtp: str | None = Field(default=None, repr=False)
    alert_email: tuple[str, ...] = ()

    def _own_or_shipped(self, name: str) -> Path:
        own = self.home / name
        return own if own.exists() else REPOSITORY / "data" / name

    @property
    def inbox(self) -> Path:
        return self.home / "inbox"

    @property
    def archive(self) -> Path:
        return self.home / "archive"

    @property
    def ledger(self) -> Path:
        return self.archive / "ledger.jsonl"

    @property
    def extracts(self) -> Path:
        return self.home / "extracts"

    @property
    def read(self) -> Path:
        """What each archived file gave when it was read. Can be deleted; it is made again."""
        return self.home / "read"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def history(self) -> Path:
        return self.home / "history"

    @property
    def parameters(self) -> Path:
        return self.home / "parameters"

    @property
    def marts(self) -> Path:
        return self.home / "marts"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse" / "oppfolging.duckdb"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def lineage(self) -> Path:
        return self.home / "lineage"

    @property
    def rules(self) -> Path:
        return self._own_or_shipped("rules")

    @property
    def rounds(self) -> Path:
        return self._own_or_shipped("rounds.yaml")

    @property
    def services(self) -> Path:
        return self._own_or_shipped("services.yaml")

    @property
    def effects(self) -> Path:
        return self._own_or_shipped("effects.yaml")

    @property
    def uncertainty(self) -> Path:
        return self._own_or_shipped("uncertainty.yaml")

    @property
    def retention(self) -> Path:
        return self._own_or_shipped("retention.yaml")

    @property
    def variants(self) -> Path:
        return self._own_or_shipped("variants")

    @property
    def registers(self) -> Path:
        return self._own_or_shipped("registers")

    @property
    def dbt_project(self) -> Path:
        return REPOSITORY / "dbt"

    @property
    def dbt_manifest(self) -> Path:
        return self.dbt_project / "target" / "manifest.json"

    @property
    def expectations(self) -> Path:
        return REPOSITORY / "expectations"


def load_settings(home: str | Path | None = None) -> Settings:
    """Return the settings for ``home``, else for ``OPPFOLGING_HOME``, else for the repository's ``data/``."""
    chosen = home or os.environ.get(HOME_VARIABLE) or REPOSITORY / "data"
    engine = next((e for e in ENGINES if e == (os.environ.get(ENGINE_VARIABLE) or "duckdb")), None)
    if engine is None:
        raise OppfolgingError(f"{ENGINE_VARIABLE} is {os.environ[ENGINE_VARIABLE]}; it may be {' or '.join(ENGINES)}.")
    return Settings(
        home=Path(chosen).expanduser().resolve(),
        engine=engine,
        openlineage_url=os.environ.get(OPENLINEAGE_VARIABLE) or None,
        alert_webhook=os.environ.get(ALERT_WEBHOOK_VARIABLE) or None,
        alert_smtp=os.environ.get(ALERT_SMTP_VARIABLE) or None,
        alert_email=tuple(os.environ.get(ALERT_EMAIL_VARIABLE, "").replace(",", " ").split()),
    )
