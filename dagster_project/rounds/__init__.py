"""The life of a selection round: candidates, replies, decisions, releases. Imports no Dagster; computes no rule."""
