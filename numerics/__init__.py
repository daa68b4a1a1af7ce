"""Digits: theory compiled to float64, longdouble, mpmath and Arb, the integrator, escape times, widths and fits."""
