"""What-if, variants and uncertainty. They never change the official list.

Reads what is published, archived or extracted, and writes only under ``scenarios/`` and ``simulation/`` of the home.
"""
