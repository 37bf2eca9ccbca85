"""A real browser. Tests that need one skip with a reason where there is none; `.ci/run` installs one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from dagster_project.settings import REPOSITORY

NAMES = ("chromium", "chromium-browser", "google-chrome")
PICTURES = REPOSITORY / "build" / "browser"
"""Where the screenshots of a run are kept."""


def chromium() -> str | None:
    """The browser of the machine: that of OPPFOLGING_CHROMIUM, or one on the path."""
    return os.environ.get("OPPFOLGING_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium()
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path, and OPPFOLGING_CHROMIUM is not set")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    PICTURES.mkdir(parents=True, exist_ok=True)
    return PICTURES
