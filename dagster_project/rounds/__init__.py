"""The life of a selection round: candidates, replies, decisions, releases. Knows no Dagster and computes no rule."""
