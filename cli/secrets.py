"""Credentials that must not be pushed: where in the tree one is. What it is, is never printed.

detect-secrets knows what the credentials of AWS, GitHub and others look like; nobody is asked whether one still works. Guesses by entropy
or by a variable's name are left out: this tree is full of digests and of names of secrets, and an alarm that cries wolf is switched off.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from detect_secrets.filters import allowlist, heuristic
from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.basic_auth import BasicAuthDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.stripe import StripeDetector
from detect_secrets.plugins.twilio import TwilioKeyDetector
from detect_secrets.util.code_snippet import get_code_snippet

ADVICE = (
    "take it out and have it revoked where it was issued, for a commit keeps it;"
    " if it is no secret, end the line with the comment `pragma: allowlist secret`"
)


class LaterDetector(RegexBasedDetector):
    """What detect-secrets does not know: newer tokens of GitHub, those of Hugging Face, and AWS's secret key where it has no quotes."""

    secret_type = "Token or secret key"  # noqa: S105 - the kind of one
    denylist = (
        re.compile(r"github_pat_\w{82}"),
        re.compile(r"\bhf_[A-Za-z]{34}\b"),
        re.compile(r"aws_secret_access_key\s*=\s*([0-9A-Za-z/+]{40})\b", flags=re.IGNORECASE),
    )


DETECTORS: tuple[RegexBasedDetector, ...] = (
    ArtifactoryDetector(),
    AWSKeyDetector(),
    AzureStorageKeyDetector(),
    BasicAuthDetector(),
    GitHubTokenDetector(),
    GitLabTokenDetector(),
    JwtTokenDetector(),
    LaterDetector(),
    NpmDetector(),
    OpenAIDetector(),
    PrivateKeyDetector(),
    PypiTokenDetector(),
    SendGridDetector(),
    SlackDetector(),
    StripeDetector(),
    TwilioKeyDetector(),
)
NO_SECRETS = (  # {password}, $PASSWORD, ***
    heuristic.is_templated_secret,
    heuristic.is_prefixed_with_dollar_sign,
    heuristic.is_not_alphanumeric_string,
)


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    """Where something has the form of a secret, and of which kind."""

    file: str
    line: int
    kind: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.kind}: {ADVICE}"


def findings(root: Path) -> list[Finding]:
    """Every secret in what git has, or would take, of the tree at `root`."""
    return sorted({finding for file in pushable(root) for finding in _in(root, file)})


def pushable(root: Path) -> list[str]:
    """The files that git has of the tree or would take, as paths from `root`; a build's tree has no repository, so there it is all but
    what `.gitignore` names.
    """
    with tempfile.TemporaryDirectory() as empty:
        where = ["--git-dir", str(root / ".git")]
        if not (root / ".git").exists():
            subprocess.run(["git", "init", "--quiet", "--bare", empty], check=True)
            where = ["--git-dir", empty]
        command = ["git", *where, "--work-tree", ".", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    return [file for file in listed.split("\0") if file]


def _in(root: Path, file: str) -> Iterator[Finding]:
    path = root / file
    if path.is_symlink() or not path.is_file():  # git has a link's target only; a file may be deleted, or a submodule's folder
        return
    content = path.read_bytes()
    if b"\0" in content:
        return
    text = content.decode(errors="replace")
    lines = text.split("\n")
    for detector in DETECTORS:
        for number in {text.count("\n", 0, match.start()) + 1 for form in detector.denylist for match in form.finditer(text)}:
            line = lines[number - 1].rstrip()
            secrets = [secret for secret in detector.analyze_string(line) if not any(harmless(secret) for harmless in NO_SECRETS)]
            if secrets and not allowlist.is_line_allowlisted(file, line, get_code_snippet(lines, number)):
                yield Finding(file=file, line=number, kind=detector.secret_type)
