"""Fabelland, a country that does not exist: its schools, its results, and the files a statistics bank would publish.

Everything is drawn from a seed, so that the same seed gives the same bytes. Codes, organisation numbers and names
exist nowhere: counties begin at 61 (real ones end at 56), organisation numbers begin with 1 (real ones with 8 or 9),
and every table says "oppdiktet" in the name of the nation.
"""

from dagster_project.demo.country import write_country

__all__ = ["write_country"]
