"""What if, and how sure: other readings of the rule, and the uncertainty of the figures. Never the official list.

Reads what is published, archived or extracted, and writes only under ``scenarios/`` and ``simulation/`` of the home.
"""
