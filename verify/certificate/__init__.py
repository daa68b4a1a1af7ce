"""Certified escape times: intervals proved to contain them, from data that another process can prove again."""
