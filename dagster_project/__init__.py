"""The data workflow behind Norway's follow-up scheme for municipalities (oppfølgingsordningen for kommuner)."""
