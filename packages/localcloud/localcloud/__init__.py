"""AWS on one laptop: moto keeps the state and answers the APIs, this package executes what moto only records."""

__version__ = "0.1.0"
