"""Evidence: direct simulation, cross-checks, studies and reports."""
