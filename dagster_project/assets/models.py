"""The dbt models as assets, their tests as checks. dbt runs inside this process (see ``dbt_step``)."""

from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets

from dagster_project import lineage, progress
from dagster_project.assets import STATISTICS
from dagster_project.diagnostics import PipelineProblem
from dagster_project.orchestration.resources import Home, exclusive
from dagster_project.settings import Settings
from dagster_project.transform import dbt_step, unchanged

UNIQUE_ID = "dagster_dbt/unique_id"
FIRST_ROWS = "first_rows"


class Translator(DagsterDbtTranslator):
    """How dbt nodes become assets: keys, groups, owners, column schema and column lineage are decided here alone."""

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
        folder: str = dbt_resource_props["fqn"][1]
        return folder if folder in {"staging", "intermediate", "marts"} else "marts"

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return [STATISTICS]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props.get("description") or "")

    def get_code_version(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return str(dbt_resource_props["checksum"]["checksum"][:12]) if "checksum" in dbt_resource_props else None

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
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
        return spec._replace(description=test.get("description") or _test_in_words(test))

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


def _test_in_words(test: Mapping[str, Any]) -> str:
    kind = (test.get("test_metadata") or {}).get("name") or "test"
    column = test.get("column_name")
    return f"{kind.replace('_', ' ')}{f' of {column}' if column else ''}"


def build_models(settings: Settings) -> dg.AssetsDefinition:
    """The dbt assets. Raises ``PipelineProblem`` when the manifest is missing or stale (``make manifest``)."""
    manifest = dbt_step.load_manifest(settings)
    translator = Translator(manifest, lineage.read(settings))

    @dbt_assets(manifest=manifest, dagster_dbt_translator=translator, name="dbt_models")
    def dbt_models(context: dg.AssetExecutionContext, home: Home) -> Iterator[Any]:
        """Builds and tests all models in one dbt command, then reports each model and each test.

        When the inputs, the models and the marts are those of the last whole build, nothing is built or tested: each
        model says which run built it, and the checks keep their results of that run.
        """
        current = home.settings()
        key_of = {spec.metadata[UNIQUE_ID]: spec.key for spec in context.assets_def.specs if UNIQUE_ID in spec.metadata}
        selected = context.selected_asset_keys
        names = sorted(manifest["nodes"][uid]["name"] for uid, key in key_of.items() if key in selected)
        with progress.stage("dbt"), exclusive(current):
            before = None if context.is_subset else unchanged.last_build(current)
            if before is None:
                outcome = dbt_step.build(
                    current,
                    select=names if context.is_subset else (),
                    on_node=lambda name, status: progress.report("dbt", f"{name} {status}"),
                )
                if not context.is_subset and not outcome.findings:
                    unchanged.remember(current, context.run.run_id)
        if before is not None:
            yield from _still_in_force(context, before, manifest, key_of)
            return
        yield from _events(context, outcome, key_of)
        if not outcome.success:
            raise dg.Failure(
                description=PipelineProblem("dbt: a model or a test failed", outcome.findings).as_text(),
                metadata={"failed": sum(r.failed for r in outcome.results)},
                allow_retries=False,
            )

    return dbt_models


def _still_in_force(
    context: dg.AssetExecutionContext,
    before: unchanged.Build,
    manifest: Mapping[str, Any],
    key_of: Mapping[str, dg.AssetKey],
) -> Iterator[dg.MaterializeResult]:
    """Every model as it stands, each after those it rests on.

    A model without an event of its own would make Dagster skip what depends on it.
    """
    context.log.info(f"inputs and models are those of run {before.run_id}: nothing to build")
    order = TopologicalSorter({uid: manifest["nodes"][uid]["depends_on"]["nodes"] for uid in key_of}).static_order()
    for unique_id in order:
        if unique_id not in key_of:
            continue
        yield dg.MaterializeResult(
            asset_key=key_of[unique_id],
            metadata={"dbt/status": "unchanged, not built again", "dbt/built_by_run": before.run_id},
        )


def _events(
    context: dg.AssetExecutionContext, outcome: dbt_step.DbtOutcome, key_of: Mapping[str, dg.AssetKey]
) -> Iterator[Any]:
    """One materialisation per built model, one result per executed test, models before the tests upon them."""
    check_of = {
        spec.metadata[UNIQUE_ID]: spec.key for spec in context.assets_def.check_specs if UNIQUE_ID in spec.metadata
    }
    for result in outcome.results:
        key = key_of.get(result.unique_id)
        if key is not None and result.status == "success" and key in context.selected_asset_keys:
            yield dg.MaterializeResult(
                asset_key=key,
                metadata={
                    "dbt/seconds": round(result.seconds, 3),
                    "dbt/status": result.message or result.status,
                    "dbt/compiled_sql": dg.MetadataValue.md(f"```sql\n{result.compiled_code.strip()}\n```"),
                },
            )
    for result in outcome.results:
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
                    **({"message": result.message} if result.message else {}),
                    **({FIRST_ROWS: "\n".join(result.rows)} if result.rows else {}),
                },
            )
