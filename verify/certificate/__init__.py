"""Certificates: proofs, in ball arithmetic, that an escape time lies in an interval; the integrators are not trusted."""
