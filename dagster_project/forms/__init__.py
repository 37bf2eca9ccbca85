"""The forms that people fill in: their columns, and how blank forms are made.

A form is data (``spec.py``): the writer, the reader, the extract schema and the messages all follow from it.
"""
