"""The errors localcloud answers with, in the form that AWS clients read."""

from moto.core.exceptions import JsonRESTError


def error(code: str, message: str) -> JsonRESTError:
    """An AWS error with this code and message."""
    return JsonRESTError(code, message)


def invalid(message: str) -> JsonRESTError:
    """A ValidationException."""
    return JsonRESTError("ValidationException", message)


def missing(message: str) -> JsonRESTError:
    """A ResourceNotFoundException."""
    return JsonRESTError("ResourceNotFoundException", message)
