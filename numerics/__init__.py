"""Digits: theory compiled to float64, mpmath and Arb, the integrator, escape times, widths and fits."""
