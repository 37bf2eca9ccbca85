-- The public edition of cohort_sources.
{{ public_sources(ref('cohort_sources'), ['cohort', 'round', 'municipality_code', 'data_year', 'indicator', 'grade']) }}
