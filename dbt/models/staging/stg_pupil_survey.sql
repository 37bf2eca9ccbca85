{{ staged_extract('pupil_survey') }}
