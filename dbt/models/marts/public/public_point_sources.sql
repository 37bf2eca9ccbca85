-- The public edition of point_sources.
{{ public_sources(ref('point_sources'), ['round', 'unit_level', 'unit_code', 'school_year', 'indicator', 'grade']) }}
