"""Thin Dagster assets, a file per stage of the flow. They only call rooms that do not import Dagster."""

import warnings

import dagster as dg

# checks per partition and backfills in one run: used on purpose, and pinned with the version in pyproject.toml
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

STATISTICS = "team:statistics"
"""Who owns the models and all that is made of them."""
