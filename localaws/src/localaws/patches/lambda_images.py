"""Patches of image functions: Lambda functions whose code is a container image.

An *environment* is a container, or a process in its place, that runs one invocation at a time. It asks the engine for
the next event. This is Lambda's runtime API: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from ministack.core import lambda_runtime
from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from ministack.services.cloudformation import stacks

from localaws.function_images import FunctionImages

_LOG_PAUSE_SECONDS = 0.05
"""The log of an invocation ends when the environment has written nothing for this time."""


def run_image_functions(images: FunctionImages) -> None:
    """Run image functions as containers, or as processes if there is no container tool.

    Stock engine: runs an image function only with Docker, and only if the image contains AWS's emulator of the runtime.
    AWS's own base images contain it. A slim image contains only the client of the runtime API.
    AWS: each environment asks the runtime API for events, one after the other. Its file system is read-only except
    /tmp, and Lambda chooses the user.
    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html
    With this patch, a line that an environment writes more than 0.05 s after the line before it, and after the answer,
    becomes a part of the next invocation's log.
    Upstream issue: none known.
    """

    class ImageEnvironment(lambda_runtime.ProvidedWorker):  # type: ignore[misc] # ministack has no types
        config: dict[str, Any]

        # ministack already has the runtime API for custom runtimes, whose code is a zip file with the file `bootstrap`.
        def _spawn(self, init_timeout: float | None = None) -> None:
            function = self.config
            environment = images.environment(function)
            endpoint = f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}"
            variables = {"AWS_ENDPOINT_URL": endpoint, **environment.variables}
            self.code_zip = _bundle(environment.bootstrap)
            self.config = {**function, "Environment": {"Variables": variables}}
            try:
                super()._spawn(init_timeout)
            finally:
                self.config = function

        def _drain_stderr_bounded(self, **_: float) -> str:
            pauses = {"first_line_wait": 0.25, "idle_confirm": _LOG_PAUSE_SECONDS, "hard_cap": 2.0}
            return str(super()._drain_stderr_bounded(**pauses))

    stock_class, stock_execute = lambda_runtime._worker_class_for, lambda_svc._execute_function_docker

    def worker_class(config: Mapping[str, Any]) -> Any:
        return ImageEnvironment if config.get("PackageType") == "Image" else stock_class(config)

    def execute(function: Mapping[str, Any], event: Any, request_id: str) -> Any:
        if function["config"].get("PackageType") != "Image":
            return stock_execute(function, event, request_id)
        return lambda_svc._execute_function_provided_warm({**function, "code_zip": b"unused"}, event, request_id)

    lambda_runtime._worker_class_for, lambda_svc._execute_function_docker = worker_class, execute


def _bundle(bootstrap: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("bootstrap", bootstrap)
    return archive.getvalue()


def refuse_missing_images(images: FunctionImages, digest_of_image: Callable[[str], str]) -> None:
    """Refuse to create or update an image function if the registry does not contain its image.

    Stock engine: accepts any name of an image.
    AWS: refuses the request, and CloudFormation fails ("Source image … does not exist").
    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#images-permissions
    With this patch, an image with a stand-in does not need to exist.
    Upstream issue: none known.
    """
    stock_create, stock_update = lambda_svc._create_function, lambda_svc._update_code
    stock_provision = stacks._provision_resource

    def problem(image: str | None) -> str | None:
        if image is None or images.has_stand_in(image):
            return None
        try:
            digest_of_image(image)
        except LookupError:
            return f"Source image {image} does not exist. Provide a valid source image."
        return None

    def create(data: dict[str, Any]) -> Any:
        message = problem(data.get("Code", {}).get("ImageUri"))
        return error_response_json("InvalidParameterValueException", message, 400) if message else stock_create(data)

    def update(name: str, data: dict[str, Any]) -> Any:
        message = problem(data.get("ImageUri"))
        return (
            error_response_json("InvalidParameterValueException", message, 400) if message else stock_update(name, data)
        )

    def provision(kind: str, logical_id: str, properties: Any, stack_name: str) -> Any:
        if kind == "AWS::Lambda::Function" and (message := problem(properties.get("Code", {}).get("ImageUri"))):
            raise ValueError(message)
        return stock_provision(kind, logical_id, properties, stack_name)

    lambda_svc._create_function, lambda_svc._update_code = create, update
    stacks._provision_resource = provision


def pull_images_early(images: FunctionImages) -> None:
    """Pull the image of a function in the background as soon as CloudFormation has created it, or its code is updated.

    Stock engine: pulls the image for the first invocation, which waits for it.
    AWS: optimizes the image before the function becomes active, and an invocation does not wait for it.
    https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#images-lifecycle
    With this patch, the function is active before its image is pulled.
    Upstream issue: none known.
    """
    stock_update, stock_provision = lambda_svc._update_code, stacks._provision_resource

    def update(name: str, data: dict[str, Any]) -> Any:
        answer = stock_update(name, data)
        if answer[0] == HTTPStatus.OK and "ImageUri" in data:
            images.pull_early(data["ImageUri"])
        return answer

    def provision(kind: str, logical_id: str, properties: Any, stack_name: str) -> Any:
        provisioned = stock_provision(kind, logical_id, properties, stack_name)
        if kind == "AWS::Lambda::Function" and "ImageUri" in properties.get("Code", {}):
            images.pull_early(properties["Code"]["ImageUri"])
        return provisioned

    lambda_svc._update_code, stacks._provision_resource = update, provision
