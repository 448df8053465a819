"""These tests save files of a copied project while `make watch` runs, and look for the result in the local AWS."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from local.function_code import deployed_functions
from local.function_images import use_deployed_images
from local.project import context
from local.tasks import use_deployed_definitions
from localaws.aws import Engine, LocalAws
from tests.support.deployment import Deployment
from tests.support.folders import ROOT
from tests.support.waiting import wait_for
from tests.support.watching import DEPLOYED_SECONDS, LIVE_SECONDS, Watching, watching_copy

pytestmark = pytest.mark.timeout(300)  # `make local` may run first, and it needs minutes
ANSWER = '\n\ndef handler(*_: object) -> str:\n    return "{}"\n'


@pytest.fixture
def watching(deployment: Deployment, local_aws: LocalAws, tmp_path: Path) -> Iterator[Watching]:
    assert deployment.is_local
    with watching_copy(local_aws.folder, tmp_path) as watching:
        yield watching


def test_a_saved_handler_is_live_and_a_syntax_error_keeps_the_old_code(
    watching: Watching, deployment: Deployment
) -> None:
    name = "lambda_src/api/handler.py"
    lambda_ = deployment.client("lambda")
    function, *_ = deployed_functions(lambda_)["api"]
    source = watching.read(name)

    def answer() -> Any:
        return json.load(lambda_.invoke(FunctionName=function.name, Payload=b"{}")["Payload"])

    watching.save(name, source + ANSWER.format("first"))
    wait_for(lambda: answer() == "first", "the answer of the saved handler", seconds=LIVE_SECONDS)
    watching.save(name, source + "def broken(:\n")
    watching.wait_for(f"{name}, line {len(source.splitlines()) + 1}: invalid syntax\n        def broken(:\n")
    assert answer() == "first"
    watching.save(name, source + ANSWER.format("second"))
    wait_for(lambda: answer() == "second", "the answer of the corrected handler", seconds=LIVE_SECONDS)
    watching.save(name, source)
    wait_for(lambda: answer() != "second", "the answer of the original handler", seconds=LIVE_SECONDS)
    assert deployed_functions(lambda_)["api"][0].is_current()
    assert f"    api: the code of {function.name} is live, " in watching.output()


def test_a_saved_stack_is_deployed(watching: Watching, deployment: Deployment) -> None:
    name, setting = "stacks/api.py", "timeout=Duration.seconds(20)"
    lambda_ = deployment.client("lambda")
    function, *_ = deployed_functions(lambda_)["api"]
    source = watching.read(name)
    assert source.count(setting) == 1

    def timeout() -> int:
        return int(lambda_.get_function_configuration(FunctionName=function.name)["Timeout"])

    watching.save(name, source.replace(setting, "timeout=Duration.seconds(unknown)"))
    watching.wait_for("NameError: name 'unknown' is not defined", seconds=DEPLOYED_SECONDS)
    watching.save(name, source.replace(setting, "timeout=Duration.seconds(21)"))
    watching.wait_for("    stacks: compute-api deployed, ", seconds=DEPLOYED_SECONDS)
    assert timeout() == 21
    watching.save(name, source)
    watching.wait_for("    stacks: compute-api deployed, ", times=2, seconds=DEPLOYED_SECONDS)
    assert timeout() == 20


def test_a_saved_page_runs_in_new_tasks_and_no_request_fails(
    watching: Watching, deployment: Deployment, engine: Engine
) -> None:
    """With a container tool, the tasks run a new image. Otherwise they are processes of the project of `make local`."""
    name = "containers/web/web/page.html"
    ecs, outputs = deployment.client("ecs"), deployment.outputs("fargate")
    watching.wait_for("    stacks: ", seconds=DEPLOYED_SECONDS)
    before = _running_definition(ecs, outputs)

    def page() -> str:
        answer = requests.get(deployment.url(outputs["ServiceUrl"]), timeout=30)
        answer.raise_for_status()
        return answer.text

    def tasks() -> set[str]:
        assert page()
        return set(ecs.list_tasks(cluster=outputs["ClusterName"])["taskArns"])

    old_tasks = tasks()
    watching.save(name, watching.read(name).replace("</body>", "<p>saved page</p></body>"))
    wait_for(lambda: old_tasks.isdisjoint(tasks()), "the end of all old tasks", seconds=DEPLOYED_SECONDS)
    watching.wait_for("    web: new tasks of compute-", seconds=DEPLOYED_SECONDS)
    assert ("<p>saved page</p>" in page()) == bool(engine.tool)
    listed = ecs.list_task_definitions(familyPrefix=before.rpartition(":")[0].rpartition("/")[2])["taskDefinitionArns"]
    assert listed == [before]
    names = use_deployed_definitions(deployment.client("cloudformation"), ecs, ["compute-fargate"])
    assert names == ([outputs["ServiceName"]] if engine.tool else [])
    assert _running_definition(ecs, outputs) == before
    assert "<p>saved page</p>" not in page()


def _running_definition(ecs: Any, outputs: Mapping[str, str]) -> str:
    (service,) = ecs.describe_services(cluster=outputs["ClusterName"], services=[outputs["ServiceName"]])["services"]
    return str(service["taskDefinition"])


def test_a_saved_handler_runs_in_a_new_image_of_the_function(
    watching: Watching, deployment: Deployment, engine: Engine
) -> None:
    """With a container tool, the function runs a new image. Otherwise it runs the project of `make local`."""
    name, lambda_ = "lambda_src/thumbnail/handler.py", deployment.client("lambda")
    pages = lambda_.get_paginator("list_functions").paginate()
    listed = [each for page in pages for each in page["Functions"]]
    (function,) = [each["FunctionName"] for each in listed if each["PackageType"] == "Image"]
    source = watching.read(name)
    watching.wait_for("    stacks: ", seconds=DEPLOYED_SECONDS)

    def image() -> str:
        return str(lambda_.get_function(FunctionName=function)["Code"]["ImageUri"])

    before = image()
    watching.save(name, source + ANSWER.format("saved"))
    watching.wait_for(f"    function_image: {function} runs the code ", seconds=DEPLOYED_SECONDS)
    assert image() != before
    answer = json.load(lambda_.invoke(FunctionName=function, Payload=b"{}")["Payload"])
    assert (answer == "saved") == bool(engine.tool)
    assert use_deployed_images(deployment.client("cloudformation"), lambda_, ["compute-function-image"]) == [function]
    assert image() == before
    watching.save(name, source)
    watching.wait_for("    function_image: ", times=2, seconds=DEPLOYED_SECONDS)
    use_deployed_images(deployment.client("cloudformation"), lambda_, ["compute-function-image"])


def test_ctrl_c_ends_the_watch_and_keeps_the_engine(watching: Watching, local_aws: LocalAws, engine: Engine) -> None:
    processes = [psutil.Process(watching.process.pid), *psutil.Process(watching.process.pid).children(recursive=True)]
    assert len(processes) > 1
    os.killpg(watching.process.pid, signal.SIGINT)  # a terminal sends the signal to the process group
    assert watching.process.wait(LIVE_SECONDS) == 0
    assert watching.output().endswith("stopped watching. The local AWS continues to run; make local-down ends it\n")
    assert not psutil.wait_procs(processes, timeout=LIVE_SECONDS)[1]
    assert local_aws.running_engine() == engine


def test_make_local_deploys_the_code_of_lambda_src(deployment: Deployment) -> None:
    functions = [each for found in deployed_functions(deployment.client("lambda")).values() for each in found]
    assert len(functions) >= 3
    assert all(function.is_current() for function in functions)


def test_the_cdk_cli_of_a_shell_uses_the_settings_of_make_local(local_aws: LocalAws, engine: Engine) -> None:
    script = '. "$1"; echo "$CDK_APP"; python -c "from local.shell import *; print(json.dumps(exported_context()))"'
    run = subprocess.run(
        ["sh", "-c", script, "sh", str(local_aws.env_file)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    app, settings = run.stdout.splitlines()
    assert app == "python3 -m local.app"
    assert json.loads(settings) == context(engine)
