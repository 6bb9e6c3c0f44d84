"""Processing jobs, on one instance or on several."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from localcloud.core.errors import invalid
from localcloud.sagemaker import jobs
from localcloud.sagemaker.jobs import Job, Plan, require_plain_files, under_ml
from localcloud.sagemaker.records import Request, answer
from localcloud.sagemaker.s3_files import upload


def install() -> None:
    """Answer SageMaker's calls about processing jobs from jobs that run."""
    answer((create_processing_job, stop_processing_job))


class Processing(Job):
    """A processing job."""

    kind, group = "processing", "/aws/sagemaker/ProcessingJobs"

    def outputs(self, s3: Any, *, complete: bool) -> None:
        config = self.request.get("ProcessingOutputConfig", {})
        for output in config.get("Outputs", []) if complete else []:
            for ml in self.hosts.values():
                folder = ml / under_ml(output["S3Output"]["LocalPath"])
                for file in sorted(f for f in folder.rglob("*") if f.is_file()):
                    upload(s3, file, f"{output['S3Output']['S3Uri'].rstrip('/')}/{file.relative_to(folder)}", config.get("KmsKeyId"))

    def finish(self) -> None:
        if self.message:
            self.record.exit_message = self.message[:1024]


def plan(request: Request) -> Plan:
    """Read CreateProcessingJob's request. Raises an AWS error for what localcloud cannot honour."""
    app, inputs = request["AppSpecification"], request.get("ProcessingInputs", [])
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for i in inputs:
        source = i.get("S3Input", {})
        require_plain_files(i["InputName"], i.get("S3Input"), source.get("S3CompressionType"), source.get("S3InputMode"))
    for o in outputs:
        if o.get("S3Output", {}).get("S3UploadMode") != "EndOfJob":
            raise invalid(f"localcloud uploads output {o['OutputName']} at the end of the job only")
    return Plan(
        role=request.get("RoleArn"),
        vpc=request.get("NetworkConfig", {}).get("VpcConfig"),
        image=app["ImageUri"],
        entrypoint=app.get("ContainerEntrypoint"),
        arguments=app.get("ContainerArguments", []),
        inputs=[
            (i["InputName"], s["S3Uri"], under_ml(s["LocalPath"]), s.get("S3DataDistributionType") == "ShardedByS3Key")
            for i in inputs
            for s in [i["S3Input"]]
        ],
        files={"config/processingjobconfig.json": request},
        resources="config/resourceconfig.json",
        cluster=request["ProcessingResources"]["ClusterConfig"],
        folders=["output", *(under_ml(o["S3Output"]["LocalPath"]) for o in outputs)],
        message="output/message",
        isolated=request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False),
    )


def create_processing_job(self: Any) -> ActionResult:
    request = self._get_params()
    job = Processing(self.current_account, self.region, request, plan(request))
    return ActionResult({"ProcessingJobArn": job.record.arn})


def stop_processing_job(self: Any) -> EmptyResult:
    return jobs.stop(self, "processing")
