"""What is known of one version: its evidence pack, read, brought here, told in a few lines, and compared with everything that it binds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import naming
from cli.problem import Problem
from cli.tree import PACKS
from paved_runtime.page import figure, interval
from pipelines.deployment import compare_evidence
from pipelines.deployment.compare_evidence import Comparison
from pipelines.deployment.errors import DeploymentError
from pipelines.deployment.registry import Registry
from pipelines.evidence import document, pack, page, rollback_record, wording
from pipelines.evidence.document import DocumentError, Evidence
from pipelines.evidence.signature import Signer
from pipelines.evidence.wording import Wording

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILES = (*pack.FILES, *pack.DECISION, *rollback_record.FILES)  # what says that a version was approved, or rolled back, is there if it was
CHANGED = "find out what changed it; nothing that it is about should be deployed"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """One version's pack as it lies in `folder`, an S3 URI without a slash at its end. `files` has the content by name.

    `evidence` has the decision in it, where there is one.
    """

    folder: str
    files: Mapping[str, bytes]
    evidence: Evidence

    @property
    def version(self) -> str:
        """The model package's version."""
        return pack.group_and_version(self.evidence.model_package_arn)[1]


def bring(registry: Registry, version: int | None = None, out: Path | None = None) -> tuple[Pack, Path]:
    """Read a pack and write it to a folder here. Raises Problem when there is none that can be read."""
    known = read(registry, version)
    return known, save(known, out or PACKS / registry.model.name / known.version)


def read(registry: Registry, version: int | None = None) -> Pack:
    """The pack of a version, or the newest one.

    Raises:
        Problem: there is none, or its document is not what its schema says, or is about something else.
    """
    group = naming.model_package_group(registry.config, registry.model.name)
    home = f"{registry.artifacts}/{naming.EVIDENCE}/{group}"
    folder = f"{home}/{_version(registry, home, version)}"
    files = {name: content for name in FILES if (content := pack.read(registry.s3, f"{folder}/{name}")) is not None}
    if pack.EVIDENCE not in files:
        raise Problem(f"{folder}/{pack.EVIDENCE}", "it is not there", CHANGED)
    try:
        evidence = _composed(files)
    except DocumentError as error:
        raise Problem(folder, str(error), CHANGED) from error
    if (group, folder.rpartition("/")[2]) != pack.group_and_version(evidence.model_package_arn):
        raise Problem(folder, f"it holds the evidence of {evidence.model_package_arn}", CHANGED)
    return Pack(folder=folder, files=files, evidence=evidence)


def save(known: Pack, folder: Path) -> Path:
    """Write the pack's files; what lies there of another pack goes. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        (folder / name).unlink(missing_ok=True)
    for name, content in known.files.items():
        (folder / name).write_bytes(content)
    return folder


def check(registry: Registry, known: Pack) -> list[Comparison]:
    """Everything that the pack binds, compared with the things themselves. Before a decision, there is no approval to compare."""
    try:
        compared = compare_evidence.compare(registry, known.evidence.model_package_arn)
    except DeploymentError as error:
        raise Problem(f"evidence of {registry.model.name} version {known.version}", str(error), CHANGED) from error
    decided = [comparison for comparison in compared if comparison.what != "approval" or known.evidence.approval]
    return [*decided, _copied_report(registry.s3, known)]


def page_is_genuine(registry: Registry, known: Pack) -> bool:
    """Whether the page in the pack is the one that follows from signed evidence, a signed decision, and the report that is bound."""
    signers = {pack.EVIDENCE: registry.signer, pack.APPROVAL: registry.release_signer}
    if not all(_signed(signer, known, name) for name, signer in signers.items() if name in known.files):
        return False
    report = _report(registry.s3, known.evidence)
    return report is not None and page.render(known.evidence, report).encode() == known.files.get(pack.PAGE)


def summary(evidence: Evidence) -> dict[str, str]:
    """The evidence in a few lines, for a person."""
    gates = [verdict for verdict in evidence.verdicts if verdict.passed is not None]
    failed = [verdict.line() for verdict in gates if not verdict.passed]
    asked = [verdict.line() for verdict in evidence.verdicts if verdict.asked]
    reported = len(evidence.verdicts) - len(gates) - len(asked)
    approval, load, words = evidence.approval, evidence.staging.load, wording.of(evidence.evaluation.task)
    return {
        "model package": evidence.model_package_arn,
        "commit": f"{evidence.commit.id}  {evidence.commit.message.strip().partition(chr(10))[0]}",
        **_trained(evidence),
        "author": f"{evidence.commit.author}, {evidence.commit.date}",
        **_scores(evidence),
        "data": evidence.data.uri,
        "data sha256": evidence.data.sha256,
        "image": evidence.image.uri,
        "gates": f"{len(gates) - len(failed)} passed, {len(failed)} failed, {reported} reported, not judged",
        **{f"failed {number}": line for number, line in enumerate(failed, start=1)},
        **{f"for you to decide {number}": line for number, line in enumerate(asked, start=1)},
        **{
            name: interval(metric.value, metric.low, metric.high)
            for name, metric in page.metrics(evidence.evaluation.metrics, words).values()
        },
        "champion": _champion(evidence, words),
        "staging": f"p50 {load.p50_ms:.1f} ms, p99 {load.p99_ms:.1f} ms, {load.errors} errors in {load.requests} requests",
        "approval": f"{approval.status} by {approval.by}, {approval.time}: {approval.reason}" if approval else "not yet",
        "evidence sha256": document.shown_sha256(evidence),
    }


def _trained(evidence: Evidence) -> dict[str, str]:
    """Where nothing was trained: what goes on."""
    if evidence.reuse is None:
        return {}
    version = pack.group_and_version(evidence.reuse.model_package_arn)[1]
    same = f"nothing that training depends on has changed since (sha256 {evidence.reuse.inputs_sha256})"
    return {"trained": f"at commit {evidence.reuse.commit}, as version {version}: {same}"}


def _scores(evidence: Evidence) -> dict[str, str]:
    """What the model answers with, where that is not one of two outcomes."""
    classes, target = evidence.evaluation.classes, evidence.evaluation.target
    if classes:
        return {"classes": ", ".join(classes)}
    return {"target": f"a number from {figure(target.minimum)} to {figure(target.maximum)}"} if target else {}


def _composed(files: Mapping[str, bytes]) -> Evidence:
    evidence = document.load_evidence(files[pack.EVIDENCE])
    approval = files.get(pack.APPROVAL)
    return evidence if approval is None else document.with_approval(evidence, document.load_approval(approval))


def _signed(signer: Signer, known: Pack, name: str) -> bool:
    return signer.verify(known.files[name], known.files.get(f"{name}.sig", b"").decode(errors="replace"))


def _version(registry: Registry, home: str, version: int | None) -> int:
    """The version, or the newest that has evidence."""
    versions, model = _versions(registry.s3, home), registry.model.name
    if not versions:
        raise Problem(f"evidence of {model}", "there is none yet: a version gets it in the first environment", "./road push, ./road status")
    if version is None:
        return versions[-1]
    if version not in versions:
        which = ", ".join(map(str, versions))
        raise Problem(
            f"evidence of {model} version {version}", f"there is none: there is evidence of version {which}", "name one: --version N"
        )
    return version


def _versions(s3: S3Client, home: str) -> list[int]:
    """The versions that have evidence, oldest first. A deployment that was taken back leaves files of its own where there may be none."""
    bucket, _, prefix = home.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    keys = [PurePosixPath(entry["Key"]) for part in pages for entry in part.get("Contents", [])]
    return sorted(int(key.parent.name) for key in keys if key.name == pack.EVIDENCE and key.parent.name.isdecimal())


def _champion(evidence: Evidence, words: Wording) -> str:
    champion = evidence.evaluation.champion
    if champion is None:
        return "none yet: floors alone decide"
    version = f"version {pack.group_and_version(champion.model_package_arn)[1]}"
    if champion.difference is None:
        return f"{version}, not compared: {champion.why}"
    difference = champion.difference
    result = f"{version}; {words.title} {difference.value:+.4f}, from {difference.low:+.4f} to {difference.high:+.4f}"
    if champion.trained_rows:
        result += f", without {champion.trained_rows} rows that it was trained on"
    why = champion.why if champion.compared else f"not judged: {champion.why}"
    return f"{result}; {why}" if why else result


def _report(s3: S3Client, evidence: Evidence) -> dict[str, Any] | None:
    """The report that the evidence binds, out of the archive that training left; None where that is something else by now."""
    archive = pack.read(s3, evidence.report.uri) or b""
    if document.sha256(archive) != evidence.report.sha256:
        return None
    try:
        return pack.json_member(archive, pack.REPORT, evidence.report.uri)
    except DocumentError:
        return None


def _copied_report(s3: S3Client, known: Pack) -> Comparison:
    """The pack's copy of the report."""
    same = "what the evidence binds"
    try:
        copied = document.read_json(known.files.get(pack.REPORT, b""), pack.REPORT)
    except DocumentError as error:
        return Comparison(what="report", expected=same, found=str(error))
    return Comparison(what="report", expected=same, found=same if copied == _report(s3, known.evidence) else "something else")
