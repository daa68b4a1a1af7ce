"""Side-by-side measurements against other people's software; `make bench` runs them all. No part of the tests."""
