"""Thin Dagster assets, a file per stage of the flow. They call the rooms that know no Dagster and hold no logic."""

import warnings

import dagster as dg

# checks per partition and backfills in one run: used on purpose, and pinned with the version in pyproject.toml
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

STATISTICS = "team:statistics"
"""Who owns the models and all that is made of them."""
