"""A home for dbt's documentation: ``python -m dagster_project.transform.documentation``, then ``dbt docs generate``.

dbt reads the types of columns from built models. So the models are built here once from the rules and registers of the
repository and from files without rows, in a folder under ``dbt/target`` that holds nothing else.
"""

from __future__ import annotations

import sys

from dagster_project.diagnostics import PipelineProblem
from dagster_project.rules import compile_parameters, load_rules
from dagster_project.settings import load_settings
from dagster_project.transform import dbt_step

HOME = "documented_home"


def build_home() -> None:
    """Build every model on empty extracts.

    Raises:
        PipelineProblem: a rule or a register is wrong, or a model does not build.
    """
    settings = load_settings(load_settings().dbt_project / "target" / HOME)
    compile_parameters(load_rules(settings), settings.parameters)
    outcome = dbt_step.build(settings, {}, tests=False)
    if not outcome.success:
        raise PipelineProblem("dbt cannot build the models to be documented", outcome.findings)


if __name__ == "__main__":
    try:
        build_home()
    except PipelineProblem as problem:
        sys.exit(problem.as_text())
