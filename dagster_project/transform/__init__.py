"""Run dbt: its manifest, what it finds in a home, and whether there is anything to build."""
