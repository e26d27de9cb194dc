"""One module per section of the report: what a run folder or the warehouse holds in, a section of the page out."""
