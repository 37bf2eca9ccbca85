"""Recognise a file by its content, read it, screen it, build a partition. Knows files, knows no Dagster."""
