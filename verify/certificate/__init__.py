"""Certificates: proofs in ball arithmetic that an escape time lies in an interval. The integrators are not trusted."""
