"""Recognise a file by its content, read it, tidy it; keep the original. Knows files, knows no policy and no Dagster."""

from dagster_project.extracts.archive import Archive, Arrival
from dagster_project.extracts.cells import ExtractTable
from dagster_project.extracts.merge import MergeReport, merge_partition, merge_reference, partition_path, read_partition
from dagster_project.extracts.read import read_file
from dagster_project.extracts.recognise import Recognised, recognise

__all__ = [
    "Archive", "Arrival", "ExtractTable", "MergeReport", "Recognised", "merge_partition", "merge_reference",
    "partition_path", "read_file", "read_partition", "recognise",
]  # fmt: skip
