"""The dbt models as assets, their tests as checks. dbt runs inside this process (see ``dbt_step``)."""

from collections.abc import Iterator, Mapping, Sequence
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from dagster_project import progress
from dagster_project.assets import STATISTICS
from dagster_project.assets.acting import as_table, writing
from dagster_project.assets.statements import name_of, of_dbt_test, sentence
from dagster_project.assets.versions import code_of_model
from dagster_project.diagnostics import PipelineProblem
from dagster_project.orchestration.outcomes import FIRST_ROWS, ROW, SOURCE_FILE, UNIQUE_ID
from dagster_project.orchestration.resources import Home
from dagster_project.settings import Settings
from dagster_project.transform import built, dbt_step
from dagster_project.transform import columns as lineage
from dagster_project.transform.snapshot import pin

TEST = "dbt/test"
"""Metadata of a check: what dbt calls the test, as `dbt test --select` takes it."""


class Translator(DagsterDbtTranslator):
    """How dbt nodes become assets: keys, groups, owners, checks, column schema and lineage are decided here."""

    def __init__(self, manifest: Mapping[str, Any], column_lineage: lineage.Lineage) -> None:
        # The tables under `parameters` are four dbt sources but one asset: they are compiled together.
        super().__init__(DagsterDbtTranslatorSettings(enable_duplicate_source_asset_keys=True))
        self._manifest = manifest
        self._lineage = column_lineage

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        if dbt_resource_props["resource_type"] == "source":
            source: str = dbt_resource_props["source_name"]
            return dg.AssetKey("parameters" if source == "parameters" else dbt_resource_props["name"])
        return dg.AssetKey(dbt_resource_props["name"])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder of the model: ``staging``, a subject of the intermediate models, ``marts`` or ``public``."""
        return str(dbt_resource_props["fqn"][-2])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return [STATISTICS]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props.get("description") or "")

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return code_of_model(self._manifest, dbt_resource_props) if "checksum" in dbt_resource_props else None

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            SOURCE_FILE: f"dbt/{dbt_resource_props['original_file_path']}",
            **self._column_schema(dbt_resource_props),
            **self._column_lineage(dbt_resource_props["unique_id"]),
        }

    def get_asset_check_spec(
        self, asset_spec: dg.AssetSpec, manifest: Mapping[str, Any], unique_id: str, project: Any
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None:
            return None
        test = manifest["nodes"][unique_id]
        said = str(test.get("description") or sentence(of_dbt_test(test, short=False)))
        return spec._replace(
            name=name_of(of_dbt_test(test)), description=said, metadata={**spec.metadata, TEST: test["name"]}
        )

    def _column_schema(self, node: Mapping[str, Any]) -> dict[str, Any]:
        declared = lineage.columns_of_node(node)
        documented = node.get("columns", {})
        names = declared or dict.fromkeys(self._lineage.get(node["unique_id"], {}), "")
        if not names:
            return {}
        columns = [
            dg.TableColumn(
                name,
                type=data_type or "unknown",
                description=documented.get(name, {}).get("description") or None,
            )
            for name, data_type in names.items()
        ]
        return {"dagster/column_schema": dg.TableSchema(columns=columns)}

    def _column_lineage(self, unique_id: str) -> dict[str, Any]:
        known = self._lineage.get(unique_id)
        if not known:
            return {}
        deps = {
            column: [
                dg.TableColumnDep(asset_key=self.get_asset_key(self._node(node)), column_name=upstream)
                for node, upstream in origins
            ]
            for column, origins in known.items()
        }
        return {"dagster/column_lineage": dg.TableColumnLineage(deps_by_column=deps)}

    def _node(self, unique_id: str) -> Mapping[str, Any]:
        node: Mapping[str, Any] = self._manifest["sources"].get(unique_id) or self._manifest["nodes"][unique_id]
        return node


def refuse_stale_marts(context: dg.AssetExecutionContext, settings: Settings) -> None:
    """Stop when the marts are not those of the run's snapshot: what is estimated from them would not be either.

    Raises:
        PipelineProblem: with what differs.
    """
    if found := built.differences(settings, pin(settings, context.run.run_id)):
        raise PipelineProblem("The marts were not made from the files and rules in force.", found)


def build_models(settings: Settings) -> dg.AssetsDefinition:
    """The dbt assets, from the manifest, which the definitions have made ready.

    Raises:
        PipelineProblem: the manifest is missing or stale.
    """
    manifest = dbt_step.load_manifest(settings)
    translator = Translator(manifest, lineage.read(settings))

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="dbt_models")
    def dbt_models(context: dg.AssetExecutionContext, home: Home) -> Iterator[Any]:
        """Builds and tests all models in one dbt command, then reports each model and each test.

        When the marts are those of the run's snapshot and day already, nothing is built: each model says which run
        built it, and the checks repeat the results of that run. Models that are materialised alone are built alone
        when all others are of the snapshot; else all are built, so that none rests on another state.
        """
        current = home.settings()
        key_of = {spec.metadata[UNIQUE_ID]: spec.key for spec in context.assets_def.specs if UNIQUE_ID in spec.metadata}
        selected = context.selected_asset_keys
        names = sorted(manifest["nodes"][uid]["name"] for uid, key in key_of.items() if key in selected)
        with progress.stage("dbt"), writing(context, current):
            snapshot = pin(current, context.run.run_id)
            before = None if context.is_subset else built.last_build(current)
            if before is not None and (before.snapshot.identity, before.snapshot.day) != (
                snapshot.identity, snapshot.day
            ):  # fmt: skip
                before = None
            if before is None:
                outcome = built.build_models(
                    current,
                    snapshot,
                    context.run.run_id,
                    select=names if context.is_subset else (),
                    on_node=lambda name, status: progress.report("dbt", f"{name} {status}"),
                )
        if before is not None:
            context.log.info(f"the marts are those of run {before.run_id}: nothing to build")
            yield from _events(context, before.results, key_of, manifest, before.run_id)
            return
        yield from _events(context, outcome.results, key_of, manifest)
        if not outcome.success:
            raise dg.Failure(
                description=PipelineProblem("dbt: a model or a test failed", outcome.findings).as_text(),
                metadata={"failed": sum(r.failed for r in outcome.results)},
                allow_retries=False,
            )

    return dbt_models


def _events(
    context: dg.AssetExecutionContext, results: Sequence[dbt_step.NodeResult], key_of: Mapping[str, dg.AssetKey],
    manifest: Mapping[str, Any], run_id: str | None = None,
) -> Iterator[Any]:  # fmt: skip
    """One materialisation per built model, one result per executed test, models before the tests upon them.

    ``run_id`` is the run whose results are repeated, when nothing was built.
    """
    by_run = {"dbt/built_by_run": run_id} if run_id else {}
    check_of = {
        spec.metadata[UNIQUE_ID]: spec.key for spec in context.assets_def.check_specs if UNIQUE_ID in spec.metadata
    }
    of_model = {r.unique_id: r for r in results if r.unique_id in key_of}
    order = TopologicalSorter({uid: manifest["nodes"][uid]["depends_on"]["nodes"] for uid in of_model}).static_order()
    for result in (of_model[uid] for uid in order if uid in of_model):
        key = key_of[result.unique_id]
        if result.status == "success" and key in context.selected_asset_keys:
            sql = manifest["nodes"][result.unique_id].get("compiled_code") or result.compiled_code
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "dbt/seconds": round(result.seconds, 3),
                    "dbt/status": "unchanged, not built again" if run_id else result.message or result.status,
                    "dbt/compiled_sql": dg.MetadataValue.md(f"```sql\n{sql.strip()}\n```"),
                    **by_run,
                },
            )
    for result in results:
        check = check_of.get(result.unique_id)
        if check is not None and result.status != "skipped" and check in context.selected_asset_check_keys:
            warned = result.status == "warn"
            yield dg.AssetCheckResult(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=not (result.failed or warned),
                severity=dg.AssetCheckSeverity.WARN if warned else dg.AssetCheckSeverity.ERROR,
                metadata={
                    "failing_rows": result.failures,
                    "seconds": round(result.seconds, 3),
                    **by_run,
                    **({"message": result.message} if result.message else {}),
                    **({FIRST_ROWS: as_table((ROW,), [(row,) for row in result.rows])} if result.rows else {}),
                },
            )
