"""Thin Dagster assets, a file per stage of the flow. They call the rooms that know no Dagster and hold no logic."""

STATISTICS = "team:statistics"
"""Who owns the models and all that is made of them."""
