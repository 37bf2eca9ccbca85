"""Everything Dagster but the assets: jobs, schedules, sensors, partitions, resources, runs, the web UI."""
