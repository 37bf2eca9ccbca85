"""The forms people fill in: what each asks for, how a blank one is made, how a filled one is read.

A form is data (``spec.py``): the writer, the reader, the extract schema and the messages all follow from it.
"""
