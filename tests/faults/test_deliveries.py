"""What goes wrong around a delivery: pushes and approvals cross, answers come twice, calls are refused, a shift goes back by itself."""

from __future__ import annotations

import itertools
import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

import naming
from localcloud.testing import ACCOUNT, OTHER
from localcloud.testing.pipelines import clone, create, definition, executions, prepare, token
from localcloud.testing.running import Running
from localcloud.testing.waiting import until
from pipelines.deployment import ledger, propagation
from pipelines.deployment.errors import DeploymentError
from tests.reference import CONFIG, MODEL
from tests.support.facts import FACTS, parameters_of, put_facts
from tests.support.ledger import ledger_entry
from tests.support.production import ENVIRONMENT, Production
from tests.support.programs import run_step
from tests.support.scene import ERRORS, Scene
from tests.support.world import World

CROSSED = pytest.mark.fault("two pushes, stale approval")
REFUSED = pytest.mark.fault("permission revoked, throttling")
REPEATED = pytest.mark.fault("duplicate or reordered events")
UNAUTHORISED = pytest.mark.fault("unauthorised invocation")
SILENT = pytest.mark.fault("silent rollback")
CANARY = pytest.mark.fault("bad canary")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A whole localcloud, with IAM enforced."""
    with Running(tmp_path_factory.mktemp("localcloud")) as running:
        yield running


@CROSSED
def test_an_approval_is_for_one_push_and_never_for_the_next(cloud: Running, tmp_path: Path) -> None:
    """The first answer comes when the second push waits already; given again, it is refused."""
    codepipeline, push = cloud.client("codepipeline"), clone(cloud, tmp_path / "clone")
    create(cloud, definition("crossed", prepare(cloud), paths="crossed/**"))
    push("crossed/a", "first")
    stale = until(lambda: token(cloud, "crossed"))
    push("crossed/a", "second")
    second, first = (execution["pipelineExecutionId"] for execution in until(lambda: executions(cloud, "crossed")[:2]))

    def answer(with_token: str) -> None:
        codepipeline.put_approval_result(
            pipelineName="crossed",
            stageName="Approval",
            actionName="Approval",
            token=with_token,
            result={"summary": "yes", "status": "Approved"},
        )

    def reached(execution: str) -> set[str]:
        found = codepipeline.list_action_executions(pipelineName="crossed", filter={"pipelineExecutionId": execution})
        return {detail["stageName"] for detail in found["actionExecutionDetails"]}

    assert "Approval" not in reached(second)
    answer(stale)
    fresh = until(lambda: found if (found := token(cloud, "crossed")) and found != stale else None)
    with pytest.raises(ClientError, match=r"InvalidApprovalToken|ApprovalAlreadyCompleted"):
        answer(stale)

    assert "Last" in reached(first)
    assert "Last" not in reached(second)
    answer(fresh)
    assert until(lambda: "Last" in reached(second))


@REPEATED
def test_deployments_told_twice_and_in_any_order_make_one_ledger(staged: World) -> None:
    registry = staged.registry()
    told = [ledger_entry(execution=f"e-{number}", time=f"2026-11-2{number}T10:00:00Z") for number in (1, 2, 3)]
    for number, order in enumerate(itertools.permutations(told)):
        place = f"order-{number}"
        for entry in (*order, *reversed(order)):
            ledger.record(registry, entry.model_copy(update={"environment": place}))

        entries = ledger.entries(registry, place)
        assert [entry.execution for entry in entries] == [entry.execution for entry in order]
        assert ledger.newest(registry, place) == entries[-1]


@REPEATED
def test_a_rollback_that_is_seen_twice_is_recorded_once(scene: Scene) -> None:
    scene.deploy(goes_back=True)
    scene.production.loud = dict(ERRORS)
    outcomes = []
    for _ in range(2):
        with pytest.raises(DeploymentError):
            scene.step(scene.guard())
        outcomes.append((scene.outcome, scene.registered["ApprovalDescription"], scene.registered["CustomerMetadataProperties"]))

    assert outcomes[0] == outcomes[1]


@REPEATED
def test_evidence_of_an_approval_that_is_recorded_twice_stays_as_it_is(staged: World) -> None:
    staged.prove()
    texts = {staged.approve() for _ in range(2)}

    assert len(texts) == 1
    assert staged.versions["evidence.json"] == staged.versions["approval.json"] == 1
    assert staged.wrong() == set()


@contextmanager
def throttling(times: float) -> Iterator[tuple[str, list[int]]]:
    """An SSM that is too busy for so many requests, and then knows a registry; its address, and the statuses it has answered."""
    statuses: list[int] = []
    parameters = [{"Name": name, "Value": value} for name, value in parameters_of(FACTS).items()]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            statuses.append(400 if len(statuses) < times else 200)
            busy = {"__type": "ThrottlingException", "message": "Rate exceeded"}
            body = json.dumps(busy if statuses[-1] == 400 else {"Parameters": parameters}).encode()
            self.send_response(statuses[-1])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", statuses
    finally:
        server.shutdown()
        server.server_close()


def describe_run(tree: Path, url: str, **keys: str) -> subprocess.CompletedProcess[str]:
    """A step that reads the registry's facts, and then finds that no data set was stored."""
    flags = ("--model", MODEL, "--image-uri", "i", "--commit", "c", "--cause", "push")
    return run_step(tree, "describe_run", *flags, url=url, AWS_MAX_ATTEMPTS="3", **keys)


@pytest.mark.slow
@REFUSED
def test_a_busy_aws_is_asked_again_and_not_for_ever(tree: Path) -> None:
    with throttling(times=2) as (url, statuses):
        done = describe_run(tree, url)
        assert ("no data set was stored" in done.stderr, statuses) == (True, [400, 400, 200])
    with throttling(times=float("inf")) as (url, statuses):
        done = describe_run(tree, url)

    assert (done.returncode, done.stdout, len(statuses)) == (1, "", 3)
    assert done.stderr.startswith("describe_run: AWS refused or did not answer: An error occurred (ThrottlingException)")
    assert (done.stderr.count("\n"), "run the step again" in done.stderr) == (1, True)


@pytest.mark.slow
@REFUSED
def test_a_permission_that_was_revoked_is_one_line(tmp_path: Path, tree: Path) -> None:
    with Running(tmp_path / "localcloud", region=CONFIG.toolchain.region) as cloud:
        before, after = revoked(cloud, tree)

    assert "no data set was stored" in before.stderr
    assert (after.returncode, after.stdout) == (1, "")
    line = once_asked_again(after.stderr)
    assert "AccessDeniedException" in line
    assert "ssm:GetParametersByPath" in line


def once_asked_again(stderr: str) -> str:
    """The one line of a refusal, after those that say that the call is made again: what was granted a moment ago is refused, too."""
    *again, line = stderr.splitlines()
    assert len(again) == len(propagation.DELAYS), again
    assert all("asked again in" in each for each in again), again
    return line


def revoked(cloud: Running, tree: Path) -> tuple[subprocess.CompletedProcess[str], subprocess.CompletedProcess[str]]:
    """A step before and after its role may no longer read."""
    arn = cloud.role("revoked", trusts={"AWS": ACCOUNT}, allows=[{"Action": "ssm:GetParametersByPath", "Resource": "*"}])
    put_facts(cloud.client("ssm"))
    keys = cloud.assume(arn)
    own = {
        "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
        "AWS_SESSION_TOKEN": keys["SessionToken"],
    }
    before = describe_run(tree, cloud.state["url"], **own)
    cloud.client("iam").delete_role_policy(RoleName="revoked", PolicyName="inline")
    return before, describe_run(tree, cloud.state["url"], **own)


@REFUSED
@pytest.mark.slow
def test_a_stage_that_may_not_look_fails_and_the_version_serves_on(production: Production) -> None:
    before, iam = production.served(), production.away("iam")
    name = naming.verifier_role(CONFIG, MODEL, ENVIRONMENT)
    policy = iam.get_role_policy(RoleName=name, PolicyName="inline")["PolicyDocument"]
    iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps({**policy, "Statement": policy["Statement"][:1]}))
    try:
        with production.asked() as asked:
            refused = production.run(*production.verify(before))
    finally:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=json.dumps(policy))

    assert refused.returncode == 1
    assert "AccessDenied" in once_asked_again(refused.stderr)
    assert (production.served(), asked["failed"], asked["answered"] > 0) == (before, 0, True)


@UNAUTHORISED
def test_only_who_may_invoke_an_endpoint_reaches_it(cloud: Running) -> None:
    """The last one is let through: it learns that there is no such endpoint, which nobody else does."""
    here = f"arn:aws:sagemaker:{cloud.region}:{ACCOUNT}:endpoint"

    def answer(account: str = ACCOUNT, **keys: str) -> str:
        runtime = cloud.client("sagemaker-runtime", account, **keys)
        with pytest.raises(ClientError) as caught:
            runtime.invoke_endpoint(EndpointName="lead", Body=b"{}", ContentType="application/json")
        return str(caught.value.response["Error"]["Code"])

    def role(name: str, *resources: str) -> str:
        granted = {"Action": "sagemaker:InvokeEndpoint", "Resource": list(resources)}
        allows = [granted if resources else {"Action": "sagemaker:DescribeEndpoint", "Resource": "*"}]
        return answer(**cloud.assume(cloud.role(name, trusts={"AWS": ACCOUNT}, allows=allows)))

    assert answer(AccessKeyId="AKIANOBODY0000000000", SecretAccessKey="nothing") != "ValidationError"  # pragma: allowlist secret
    assert role("nothing-granted") == "AccessDeniedException"
    assert role("another-granted", f"{here}/lead-2", f"{here.replace(ACCOUNT, OTHER)}/lead") == "AccessDeniedException"
    assert role("granted", f"{here}/lead") == "ValidationError"


@SILENT
def test_a_deployment_that_goes_back_by_itself_fails_the_stage(scene: Scene) -> None:
    scene.deploy(goes_back=True)
    assert scene.production.status == "UPDATE_COMPLETE", "which is what CloudFormation says"
    scene.production.loud = dict(ERRORS)

    with pytest.raises(
        DeploymentError, match=r"serves config-1, not config-2: the deployment was rolled back: alarm config-2-ScoreShift went into ALARM"
    ):
        scene.step(scene.guard())


@SILENT
@CANARY
@pytest.mark.slow
@pytest.mark.parametrize(("does", "alarm"), [({"score": 0.3, "fails": 0.5}, "ServerErrors"), ({"score": 0.9}, "ScoreShift")])
def test_a_bad_canary_goes_back_while_everybody_is_answered(production: Production, does: dict[str, float], alarm: str) -> None:
    """CloudFormation reports success; the version before serves on, and nobody outside the canary's share has seen a failure."""
    before, version = production.served(), production.version(**does)
    with production.asked() as asked:
        production.shift(version)
        failed = production.run(*production.verify(version))
    line = failed.stderr.splitlines()[-1]

    assert (failed.returncode, production.served()) == (1, before)
    assert "the deployment was rolled back: alarm" in line
    assert f"-{alarm} went into ALARM at" in line
    assert asked["failed"] <= asked["answered"] / 4, "half of the traffic is the canary's, and half of that fails"
    assert (asked["failed"] > 0) is ("fails" in does)
    told = production.registered(version)
    assert (told["ModelApprovalStatus"], alarm in told["ApprovalDescription"]) == ("Rejected", True)
    production.back_in_line()


@CANARY
@pytest.mark.slow
def test_a_version_that_hardly_anybody_asked_is_no_success(production: Production) -> None:
    before, version = production.served(), production.version(score=0.3)
    production.shift(version)

    first = production.run(*production.verify(version))
    with production.asked():
        retried = production.run(*production.verify(version))

    assert first.returncode == 1
    assert "rows scored by the version since its deployment began: found 0, accepted is >= 100: too few to judge" in first.stderr
    assert production.registered(version)["ModelApprovalStatus"] == "Approved"
    assert retried.returncode == 0, retried.stderr
    assert production.served() == version != before
    production.run(*production.record(version, "asked-late"))


@CANARY
@pytest.mark.slow
def test_a_version_that_breaks_after_its_bakes_is_taken_back_by_the_stage(production: Production) -> None:
    before, version = production.served(), production.version(score=0.3, fails=0.5, sound=6)
    production.shift(version)
    runtime = production.away("sagemaker-runtime")

    with production.step(*production.verify(version)) as checking:
        while checking.poll() is None:
            try:
                runtime.invoke_endpoint(EndpointName=production.endpoint, Body=b"{}", ContentType="application/json")
            except ClientError:
                continue
            finally:
                threading.Event().wait(0.1)  # as hardly anybody asks
        assert checking.stderr
        line = checking.stderr.read().splitlines()[-1]

    assert "-ServerErrors went into ALARM at" in line
    assert f"it was rolled back and version {before.rpartition('/')[2]} serves again" in line
    assert production.served() == before
    assert (production.ledger[-1].action, production.ledger[-1].rolled_back_from) == ("rolled back", version)
    told = production.road("audit", MODEL, "--json")
    assert json.loads(told.stdout)[0]["action"] == "rolled back"
