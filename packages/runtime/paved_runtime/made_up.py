"""Texts that nobody wrote, for rows that are nobody's: those of golden requests, and of the background that reasons are sampled against."""

from __future__ import annotations

import random

WORDS = ("the", "and", "customer", "asked", "called", "paid", "late", "early", "rent", "loan", "again", "please", "für", "50%", "12:30")


def text(words: int, by: random.Random) -> str:
    """So many words."""
    return " ".join(by.choices(WORDS, k=words))


def text_of_length(length: int, by: random.Random) -> str:
    """Words, of so many characters in all, of which the last is no blank."""
    return text(length, by)[:length].rstrip().ljust(length, "s")  # each word and its blank have two characters or more
