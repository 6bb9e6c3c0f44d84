"""localcloud held against AWS itself: the tests that describe AWS, run on somebody's accounts, and what is written down of it."""
