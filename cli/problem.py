"""How a command fails: one line that says what failed, why, and what to do.

Expected failures of the libraries underneath (AWS's refusals, missing credentials, a full disk, a wrong model.toml) are put into
the same words here, so that nobody meets a traceback for something they can repair.
"""

from __future__ import annotations

import traceback

from botocore import exceptions as aws

from cli import disk
from cli.tree import HERE
from paved_runtime.feature_groups import REFERENCE, FeatureGroupError
from paved_runtime.spec import SpecError

CREDENTIALS = "./road up, or name an account's credentials: AWS_PROFILE=…"
ADVICE = {
    "AccessDenied": "use credentials that are allowed to",
    "AccessDeniedException": "use credentials that are allowed to",
    "ExpiredToken": "sign in again",
    "ExpiredTokenException": "sign in again",
    "InvalidClientTokenId": 'set credentials of this target: eval "$(./road env)" for localcloud',
    "PipelineNotFoundException": "deploy it first: ./road up, or cdk deploy on a real account",
    "UnrecognizedClientException": 'set credentials of this target: eval "$(./road env)" for localcloud',
}


class Problem(Exception):
    """An expected failure. `code` is the exit code: 1, or 2 when the command was typed wrongly."""

    def __init__(self, what: str, why: str, do: str, *, code: int = 1) -> None:
        super().__init__(": ".join(one_line(part).rstrip(".") for part in (what, why, do)))
        self.code = code


def one_line(text: str) -> str:
    """`text` without line breaks."""
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def explain(error: Exception) -> Problem | None:
    """An expected failure of AWS, of the disk, of a model.toml, a group.toml or config.py as a Problem; None for what nobody expected."""
    match error:
        case Problem():
            return full_disk(what=str(error)) if disk.said(str(error)) and not isinstance(error, FullDisk) else error
        case SpecError() | FeatureGroupError():
            what, page = ("model.toml", "docs/model-toml.md") if isinstance(error, SpecError) else ("feature group", REFERENCE)
            return Problem(what, str(error), f"correct it; {page} explains every key")
        case aws.ClientError():
            code = error.response["Error"].get("Code", "no code")
            why = f"{code}: {error.response['Error'].get('Message', '')}".rstrip(": .")
            return Problem(f"{error.operation_name} was refused", why, ADVICE.get(code, "check the request and this target's state"))
        case aws.NoCredentialsError() | aws.PartialCredentialsError() | aws.CredentialRetrievalError() | aws.TokenRetrievalError():
            return Problem("no AWS to talk to", "no localcloud runs and there are no usable AWS credentials", CREDENTIALS)
        case aws.ProfileNotFound():
            return Problem("AWS credentials", str(error), "name a profile of ~/.aws/config, or unset AWS_PROFILE")
        case aws.SSOTokenLoadError() | aws.UnauthorizedSSOTokenError():
            return Problem("AWS credentials", str(error), "aws sso login")
        case aws.HTTPClientError() | aws.EndpointConnectionError():
            return Problem("AWS does not answer", str(error), "check AWS_ENDPOINT_URL and the network, or start localcloud: ./road up")
        case OSError() if error.errno in disk.FULL:
            return full_disk(error.filename or "")
        case _ if disk.said(str(error)):  # shutil and archives put what the system said into words of their own
            return full_disk()
        case _:
            return _unreadable_configuration(error)


def _unreadable_configuration(error: Exception) -> Problem | None:
    """That config.py cannot be read, and at which line; None where something else is wrong."""
    number, kind = _line_of_configuration(error), type(error).__name__
    return Problem(f"config.py, line {number}", f"{kind}: {error}", "correct it; its classes say what each key is") if number else None


def _line_of_configuration(error: Exception) -> int | None:
    file = str(HERE / "config.py")
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    codes = ((frame.f_code, number) for frame, number in traceback.walk_tb(error.__traceback__))
    lines = [number for code, number in codes if (code.co_filename, code.co_name) == (file, "<module>")]
    return lines[-1] if lines else None


class FullDisk(Problem):
    """A disk that is full, with what can be done about it."""


def full_disk(path: str = "", what: str = "") -> FullDisk:
    """What to say where `path` could not be written, or any that is full; `what` failed because of that."""
    where = path or disk.full() or str(HERE)
    why = f"{where}: the disk is full" if what else "the disk is full"
    return FullDisk(what or f"writing {where}", why, "free some space there (./road down removes localcloud's folder) and try again")
