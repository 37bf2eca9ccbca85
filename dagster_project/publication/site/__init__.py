"""The static site of a revision: pages in Norwegian and English, opened from disk, that need no network and no script.

``facts`` and ``tables`` are all that a page is made of; ``build`` writes the site of an edition. The public one is made
from the public folder alone. ``explain`` shows the page of a municipality from the same template.
"""
