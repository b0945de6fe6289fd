"""Makes `report.html`, the page of a run: one file that needs no other, and no script to read."""
