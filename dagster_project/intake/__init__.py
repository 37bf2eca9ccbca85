"""Recognise a file by its content, read it, validate it, build a partition. Does not import Dagster."""
