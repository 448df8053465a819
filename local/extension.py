"""What ministack lacks, or drops without a word, and the examples need. Nothing here may change what AWS would accept.

Every mend has a test in tests/test_local_extension.py that fails when a newer ministack no longer needs it.
"""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import ministack.app
from ministack.core import lambda_runtime
from ministack.services import s3
from ministack.services.cloudformation import provisioners


def extend() -> None:
    """Apply every mend to the ministack of this process, before it serves."""
    treat_loopback_as_encrypted()
    keep_bucket_tags()
    run_foreign_bundles()


def treat_loopback_as_encrypted() -> None:
    """Let requests pass that a policy refuses unless `aws:SecureTransport`.

    The engine serves plain HTTP, on 127.0.0.1 alone: what the policy is about, the wire, is not there.
    """
    pin = ministack.app.pin_request_origin
    ministack.app.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)


def keep_bucket_tags() -> None:
    """Store the tags of a bucket that CloudFormation makes, stack tags included.

    CDK's auto-delete helper empties only buckets with its tag, so that without them no stack could be destroyed.
    """
    provisioners._STACK_TAG_PROPERTY["AWS::S3::Bucket"] = ("Tags", "list")
    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    handlers["create"] = _tagging(handlers["create"])
    handlers["update"] = _tagging(handlers["update"])


def _tagging(provision: Callable[..., Any]) -> Callable[..., Any]:
    # create(logical_id, properties, stack) and update(id, old properties, properties, stack) both end alike.
    def provision_and_tag(*arguments: Any) -> Any:
        name, attributes = provision(*arguments)
        s3._bucket_tags[name] = {tag["Key"]: tag["Value"] for tag in arguments[-2].get("Tags", [])}
        return name, attributes

    return provision_and_tag


def run_foreign_bundles() -> None:
    """Run Python functions whose bundle is compiled for Lambda's processor and Python.

    The engine runs them in its own interpreter. Their compiled packages are left out there, and the same versions,
    installed beside the engine, are imported instead (requirements-dev.txt; a test keeps the versions equal).
    """
    spawn = lambda_runtime.Worker._spawn

    def spawn_runnable(worker: Any) -> None:
        if worker.config.get("Runtime", "").startswith("python"):
            worker.code_zip = runnable(worker.code_zip)
        spawn(worker)

    lambda_runtime.Worker._spawn = spawn_runnable


def runnable(bundle: bytes) -> bytes:
    """The zipped bundle without the packages that hold compiled code, or itself where there are none."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as source:
        names = source.namelist()
        compiled = {name.split("/")[0] for name in names if "/" in name and ".so" in name.rsplit("/", 1)[-1]}
        if not compiled:
            return bundle
        kept = io.BytesIO()
        with zipfile.ZipFile(kept, "w") as target:
            for name in names:
                if name.split("/")[0] not in compiled:
                    target.writestr(source.getinfo(name), source.read(name))
    return kept.getvalue()
