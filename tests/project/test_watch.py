"""These tests check the parts of `make watch` and `make local` that need no local AWS."""

import contextlib
import hashlib
import itertools
import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import MagicMock

import aws_cdk as cdk
import pytest
from aws_cdk.aws_ecr_assets import DockerImageAsset

from local import function_images, images, project, synthesis, tasks, watch
from local.function_code import FunctionCode
from local.project import stand_in_image
from local.saved_files import Part, by_part, part_of, saved_files
from local.synthesis import ROOT, Result, _place_and_message
from local.templates import selected_stacks
from localaws.aws import LocalError
from stacks._bundling import LAMBDA_SRC, _modules

PROJECT_MODULES = ("stacks._app", "stacks._validation")
NAMES = ("first", "second", "third")


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("lambda_src/api/handler.py", Part("function", "api")),
        ("lambda_src/api/openapi.json", Part("function", "api")),
        ("lambda_src/api/deeper/notes.py", Part("function", "api")),
        ("lambda_src/api/requirements.txt", Part("stacks")),
        ("containers/web/web/page.css", Part("image", "web")),
        ("containers/web/Dockerfile", Part("image", "web")),
        ("containers/batch/batch/job.py", Part("image", "batch")),
        ("stacks/cron.py", Part("stacks")),
        ("stacks/lightsail_launch.sh", Part("stacks")),
        ("config.py", Part("stacks")),
        ("cdk.json", Part("stacks")),
        ("lambda_src/api/.handler.py.swp", None),
        ("lambda_src/api/handler.py~", None),
        ("lambda_src/api/__pycache__/handler.cpython-314.pyc", None),
        ("lambda_src/notes.txt", None),
        ("package.json", None),
        ("local/watch.py", None),
        ("../other/stacks/cron.py", None),
    ],
)
def test_a_file_belongs_to_the_part_that_deploys_it(file: str, part: Part | None, tmp_path: Path) -> None:
    assert part_of((tmp_path / file).resolve(), tmp_path) == part


@pytest.mark.slow
def test_saved_files_are_reported_once_and_new_folders_are_watched(tmp_path: Path) -> None:
    api = tmp_path / "lambda_src" / "api"
    api.mkdir(parents=True)
    (api / "handler.py").touch()

    def next_parts() -> Mapping[Part, list[Path]]:
        sets = (by_part(files, tmp_path) for files in itertools.islice(changes, 100))
        return next(filter(None, sets))

    changes = saved_files(tmp_path)
    assert next(changes) == set()  # now the folders are watched
    for text in ("a", "b"):
        (api / "handler.py~").write_text(text)
        (api / "handler.py~").replace(api / "handler.py")
    assert next_parts() == {Part("function", "api"): [api / "handler.py"]}
    assert not by_part(next(changes), tmp_path)
    (api / "deeper").mkdir()
    (api / "deeper" / "notes.py").touch()
    assert Part("function", "api") in next_parts()
    next(changes)
    (api / "deeper" / "notes.py").write_text("changed")
    assert next_parts() == {Part("function", "api"): [api / "deeper" / "notes.py"]}


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """Return a folder with the manifest of three stacks."""
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "t.json"}}
    stacks = {f"compute-{stem}": stack for stem in ("cron", "ecr", "ecs-ec2")}
    manifest = {"artifacts": {"Tree": {"type": "cdk:tree"}, **stacks}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["--all"], ["compute-cron", "compute-ecr", "compute-ecs-ec2"]),
        (["compute-ecr"], ["compute-ecr"]),
        (["compute-ecr", "compute-cron"], ["compute-cron", "compute-ecr"]),
        (["compute-e*", "compute-ecr"], ["compute-ecr", "compute-ecs-ec2"]),
    ],
)
def test_make_local_selects_stacks_by_name(assembly: Path, patterns: list[str], names: list[str]) -> None:
    assert selected_stacks(assembly, patterns) == names


@pytest.mark.parametrize("unknown", ["cron", "compute-nothing", "Tree"])
def test_make_local_rejects_an_unknown_stack(assembly: Path, unknown: str) -> None:
    with pytest.raises(LocalError, match=f"STACK={unknown}: no stack has this name. All stacks: compute-cron, "):
        selected_stacks(assembly, ["compute-cron", unknown])


@pytest.mark.parametrize("package", ["api", "cron", "ecr", "thumbnail"])
def test_make_watch_sends_the_same_files_as_a_deployment(package: str) -> None:
    names = {path.relative_to(LAMBDA_SRC).as_posix() for path in _modules(LAMBDA_SRC / package)}
    assert set(FunctionCode(None, "function", package)._package_files) == names


def test_an_error_of_the_app_names_the_file_and_the_line() -> None:
    error = SyntaxError("invalid syntax", (str(ROOT / "stacks" / "cron.py"), 7, 1, "def (", 7, 2))
    assert _place_and_message(error) == "stacks/cron.py, line 7: invalid syntax"
    with pytest.raises(NameError) as raised:
        exec(compile("\n\nunknown", str(ROOT / "stacks" / "cron.py"), "exec"))  # noqa: S102 - code of this test
    assert _place_and_message(raised.value) == "stacks/cron.py, line 3: NameError: name 'unknown' is not defined"
    assert _place_and_message(ValueError("1\n2\n3\n4\n5")) == "ValueError: 1\n2\n3\n4"


def test_a_new_synthesis_loads_the_stacks_again_but_not_the_validator(monkeypatch: pytest.MonkeyPatch) -> None:
    modules = {
        **{name: SimpleNamespace(__file__=f"{ROOT}/{name.replace('.', '/')}.py") for name in PROJECT_MODULES},
        "json": json,
    }
    monkeypatch.setattr(synthesis, "sys", SimpleNamespace(modules=modules))
    synthesis._forget_project()
    assert list(modules) == ["stacks._validation", "json"]


@pytest.mark.slow
def test_a_new_synthesis_reads_the_files_of_an_image_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Otherwise the next saved stack would give the services their old image."""
    monkeypatch.setattr(synthesis, "sys", SimpleNamespace(modules={"aws_cdk": cdk}))
    hashes = set()
    for base in ("first", "second"):
        (tmp_path / "Dockerfile").write_text(f"FROM {base}")
        stack = cdk.Stack(cdk.App(outdir=str(tmp_path.parent / "cdk.out")))
        hashes.add(DockerImageAsset(stack, "Image", directory=str(tmp_path)).asset_hash)
        synthesis._forget_project()
    assert len(hashes) == 2


def test_each_service_gets_the_task_definition_in_its_own_template() -> None:
    """A stack may have two services. The template of CDK's own stack is YAML text."""
    service = {"Type": "AWS::ECS::Service"}
    template = {
        "Resources": {
            "FirstTask": {"Type": "AWS::ECS::TaskDefinition", "Properties": {}},
            "First": {**service, "Properties": {"TaskDefinition": {"Ref": "FirstTask"}}},
            "SecondTask": {"Type": "AWS::ECS::TaskDefinition", "Properties": {}},
            "Second": {**service, "Properties": {"TaskDefinition": {"Ref": "SecondTask"}}},
            "Failed": {**service, "Properties": {"TaskDefinition": {"Ref": "SecondTask"}}},
        }
    }
    found = [{"LogicalResourceId": name, "PhysicalResourceId": f"arn/{name}"} for name in [*template["Resources"]][:4]]
    cloudformation = MagicMock()
    cloudformation.describe_stack_resources.return_value = {"StackResources": found}
    cloudformation.get_template.side_effect = [{"TemplateBody": "Resources: {}"}, {"TemplateBody": template}]
    assert tasks._deployed_definitions(cloudformation, "CDKToolkit") == {}
    assert tasks._deployed_definitions(cloudformation, "compute-two") == {
        "arn/First": "arn/FirstTask",
        "arn/Second": "arn/SecondTask",
    }


@pytest.mark.parametrize("running", ["web:saved-1", "web@sha256:old"])
def test_all_new_tasks_start_at_once_because_their_image_has_a_digest(
    monkeypatch: pytest.MonkeyPatch, running: str
) -> None:
    """With a tag, ECS starts one task before the others. The running image has a tag or a digest.

    A container with another image keeps it.
    """
    registry = "0.dkr.ecr.us-east-1.amazonaws.com"
    ecs, aws = MagicMock(), MagicMock()
    monkeypatch.setattr(images, "_run", MagicMock())
    monkeypatch.setattr("localaws.docker_for_cdk.arguments", lambda *arguments: arguments[-1])
    monkeypatch.setattr(tasks, "_update_services", MagicMock())
    aws.client("ecr").describe_images.return_value = {"imageDetails": [{"imageDigest": "sha256:new"}]}
    container, sidecar = {"name": "web", "image": f"{registry}/{running}"}, {"name": "proxy", "image": "public/proxy:1"}
    ecs.describe_services.return_value = {"services": [{"taskDefinition": "old"}]}
    ecs.describe_task_definition.return_value = {"taskDefinition": {"containerDefinitions": [container, sidecar]}}
    new_image = partial(images.build_image, aws, MagicMock(), images.image_in("web"))
    tasks.run_image(ecs, {"service/cluster/web": ["web"]}, new_image)
    registered = ecs.register_task_definition.call_args.kwargs["containerDefinitions"]
    assert registered == [{**container, "image": f"{registry}/web@sha256:new"}, sidecar]
    assert aws.client("ecr").describe_images.call_args.kwargs["repositoryName"] == "web"


def test_each_container_belongs_to_the_folder_that_its_image_was_built_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fork has two images with the same Dockerfile, one of them with a file that changed after the synthesis."""
    assembly, hashes = tmp_path / "cdk.out", {"web": "1" * 64, "shop": "2" * 64}
    registry = {"Fn::Sub": "${AWS::AccountId}.dkr.ecr.us-east-1.amazonaws.com/assets:"}
    for folder in (tmp_path / "containers", assembly):
        for name, digest in hashes.items():
            copy = folder / (f"asset.{digest}" if folder == assembly else name)
            (copy / "code").mkdir(parents=True)
            (copy / "Dockerfile").write_text("FROM python")
            (copy / "code" / "main.py").write_text(name)
            (copy / "code" / "page.html").write_text(f"{folder}")
    uris = {name: {"Fn::Sub": registry["Fn::Sub"] + digest} for name, digest in hashes.items()}
    uris |= {"database": {"Fn::Sub": registry["Fn::Sub"] + "3" * 64}}  # the assembly has no asset with this tag
    uris |= {"archive": {"Fn::Sub": registry["Fn::Sub"] + "4" * 64}}  # a tar file
    containers: list[dict[str, object]] = [{"Name": f"{name}-container", "Image": uri} for name, uri in uris.items()]
    containers += [{"Name": "proxy", "Image": "public/proxy:1"}, {"Name": "local", "Image": stand_in_image(tmp_path)}]
    template = {
        "Task": {"Type": "AWS::ECS::TaskDefinition", "Properties": {"ContainerDefinitions": containers}},
        "Service": {"Type": "AWS::ECS::Service", "Properties": {"TaskDefinition": {"Ref": "Task"}}},
    }
    assets: dict[str, object] = {
        **{digest: {"source": {"directory": f"asset.{digest}"}} for digest in hashes.values()},
        "4" * 64: {"source": {"executable": ["sh", "-c", "docker load -i archive.tar"]}},
    }
    (assembly / "two.template.json").write_text(json.dumps({"Resources": template}))
    (assembly / "two.assets.json").write_text(json.dumps({"dockerImages": assets}))
    stack = {"type": "aws:cloudformation:stack", "properties": {"templateFile": "two.template.json"}}
    (assembly / "manifest.json").write_text(json.dumps({"artifacts": {"two": stack, "not-deployed": stack}}))
    monkeypatch.setattr(project, "ROOT", tmp_path)
    cloudformation = MagicMock()
    cloudformation.get_paginator.return_value.paginate.return_value = [{"Stacks": [{"StackName": "two"}]}]
    cloudformation.describe_stack_resources.return_value = {
        "StackResources": [{"LogicalResourceId": name, "PhysicalResourceId": f"arn/{name}"} for name in template]
    }
    assert tasks.container_folders(cloudformation, assembly) == {
        "arn/Service": {"web-container": "web", "shop-container": "shop", "local": "web"}
    }


def test_a_saved_image_is_built_for_its_own_services(monkeypatch: pytest.MonkeyPatch) -> None:
    run_image, aws, engine = MagicMock(), MagicMock(), MagicMock()
    monkeypatch.setattr(tasks, "run_image", run_image)
    monkeypatch.setattr(watch, "build_image", lambda *arguments: arguments)
    monkeypatch.setattr(watch, "FileLock", MagicMock())
    session = watch.Watch(aws, engine, MagicMock(is_busy=True))
    session._function_folders = {}
    session._container_folders = {
        "arn/Shop": {"main": "shop", "more": "web"},
        "arn/Page": {"main": "web"},
        "arn/Database": {"main": "database"},
    }
    session.deploy({Part("image", "web"): []})
    (_, services, new_image), _ = run_image.call_args
    assert services == {"arn/Shop": ["more"], "arn/Page": ["main"]}
    assert new_image("repository") == (aws, engine, images.image_in("web"), "repository")


def test_make_watch_finds_a_service_that_was_deployed_after_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    run_image = MagicMock()
    monkeypatch.setattr(tasks, "run_image", run_image)
    monkeypatch.setattr(tasks, "container_folders", lambda *_: {"arn/New": {"main": "web"}})
    monkeypatch.setattr(function_images, "function_folders", lambda *_: {})
    monkeypatch.setattr(watch, "FileLock", MagicMock())
    watch.Watch(MagicMock(), MagicMock(), MagicMock(is_busy=False)).deploy({Part("image", "web"): []})
    (_, services, _), _ = run_image.call_args
    assert services == {"arn/New": ["main"]}


@pytest.mark.parametrize(
    ("definition", "state", "line"),
    [
        ("old", "COMPLETED", "not deployed, the old code continues to run: the new tasks of web failed, so ECS"),
        ("old", "IN_PROGRESS", "not deployed, the old code continues to run: the new tasks of web failed, so ECS"),
        ("new", "IN_PROGRESS", "not deployed yet: the new tasks of web are not healthy after 0 s. As soon as they are"),
        ("new", "COMPLETED", ""),
    ],
)
def test_make_watch_distinguishes_slow_tasks_from_failed_tasks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], definition: str, state: str, line: str
) -> None:
    """Slow tasks may become healthy later. After failed tasks, ECS returns to the old task definition."""
    monkeypatch.setattr(tasks, "PATIENCE_SECONDS", 0)
    record = {"taskDefinition": definition, "deployments": [{"rolloutState": state}]}
    ecs = MagicMock()
    ecs.describe_services.return_value = {"services": [record]}
    with watch._one_line("web"):
        tasks._update_services(ecs, {"arn:aws:ecs:us-east-1:0:service/cluster/web": "new"})
    printed = capsys.readouterr().out
    assert printed.startswith(f"    web: {line}" if line else "")
    assert bool(printed) == bool(line)


def test_the_functions_of_a_package_get_their_code_at_the_same_time(capsys: pytest.CaptureFixture[str]) -> None:
    """All updates run before one of them ends. The lines have the order of the functions, and one names each error."""
    all_run = threading.Barrier(3, timeout=10)
    last_has_ended = threading.Event()

    def update(name: str) -> None:
        all_run.wait()
        if name == "third":
            last_has_ended.set()
        assert last_has_ended.wait(10)
        if name != "first":
            raise LocalError(f"the error of {name}")

    session = watch.Watch(MagicMock(), MagicMock(), MagicMock())
    session._functions = {
        "api": [cast("FunctionCode", SimpleNamespace(name=name, update=partial(update, name))) for name in NAMES]
    }
    session.deploy({Part("function", "api"): []})
    lines = [line.split(", 0")[0] for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        "    api: the code of first is live",
        "    api: the code of second is not deployed: the error of second",
        "    api: the code of third is not deployed: the error of third",
    ]


def write_image_function(folder: Path, name: str, reference: str, dockerfile: str = "") -> dict[str, str]:
    """Write a stack with an image function into the assembly, and its image into containers/. Return its resource."""
    (folder / "containers" / name).mkdir(parents=True)
    ignored = (
        f"# text\n*\n!containers\n!containers/{name}\n!lambda_src/{name}_package\n!lambda_src/{name}_package/*.py\n"
    )
    (folder / "containers" / name / "Dockerfile.dockerignore").write_text(ignored)
    code = {"ImageUri": {"Fn::Sub": f"${{AWS::AccountId}}.dkr.ecr.us-east-1.amazonaws.com/{reference}"}}
    function = {"Type": "AWS::Lambda::Function", "Properties": {"Code": code}}
    (folder / "cdk.out" / f"{name}.template.json").write_text(json.dumps({"Resources": {"Function": function}}))
    images = {reference.rpartition(":")[2]: {"source": {"dockerFile": dockerfile}}} if dockerfile else {}
    (folder / "cdk.out" / f"{name}.assets.json").write_text(json.dumps({"dockerImages": images}))
    return {"LogicalResourceId": "Function", "PhysicalResourceId": f"the-{name}"}


@pytest.fixture
def watch_of_fork(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[watch.Watch, MagicMock]]:
    """Return a function that creates the watch of a fork with two image functions. It also returns its Lambda client.

    The argument `has_tool` says whether there is a container tool. `is_synthesized` is False if an interrupted
    synthesis has left incomplete files.
    """

    def create(*, has_tool: bool, is_synthesized: bool = True) -> tuple[watch.Watch, MagicMock]:
        (tmp_path / "cdk.out").mkdir()
        resources, names = {}, ("first", "second_one")
        for name in names:
            if has_tool:
                dockerfile = f"containers/{name}/Dockerfile"
                reference = f"assets:{hashlib.sha256(name.encode()).hexdigest()}"
                resources[name] = write_image_function(tmp_path, name, reference, dockerfile)
            else:
                reference = f"stand-in/{name.replace('_', '-')}@sha256:{'0' * 64}"
                resources[name] = write_image_function(tmp_path, name, reference)
        stack = {"type": "aws:cloudformation:stack"}
        artifacts = {name: {**stack, "properties": {"templateFile": f"{name}.template.json"}} for name in names}
        manifest = tmp_path / "cdk.out" / "manifest.json"
        manifest.write_text("{")
        cloudformation, lambda_ = MagicMock(), MagicMock()
        stacks = [{"StackName": name} for name in names]
        cloudformation.get_paginator.return_value.paginate.return_value = [{"Stacks": stacks}]
        cloudformation.describe_stack_resources.side_effect = lambda StackName: {  # noqa: N803 - boto3 uses this name
            "StackResources": [resources[StackName]]
        }
        functions = [{"FunctionName": f"the-{name}", "PackageType": "Image"} for name in names]
        lambda_.get_paginator.return_value.paginate.return_value = [{"Functions": functions}]
        lambda_.get_function.side_effect = lambda FunctionName: {  # noqa: N803 - boto3 uses this name
            "Code": {"ImageUri": f"registry/{FunctionName}:1"}
        }
        clients = {"cloudformation": cloudformation, "lambda": lambda_, "ecs": MagicMock()}
        aws = MagicMock(folder=tmp_path)
        aws.client.side_effect = lambda service, _: clients[service]
        monkeypatch.setattr(project, "ROOT", tmp_path)
        monkeypatch.setattr(watch, "SOURCE", tmp_path / "lambda_src")
        monkeypatch.setattr(watch, "build_image", lambda _aws, _engine, image, to: f"{to}:{image.dockerfile}")
        monkeypatch.setattr(watch, "stand_in_image", lambda *folders, name: f"{name}:{folders[0].name}")

        def synthesize() -> Result:
            manifest.write_text(json.dumps({"artifacts": artifacts}))
            return Result(None)

        synthesizer = MagicMock(is_busy=False)
        synthesizer.result.side_effect = synthesize
        session = watch.Watch(aws, MagicMock(tool=MagicMock() if has_tool else None), synthesizer)
        session._cdk = MagicMock(assembly=tmp_path / "cdk.out")
        if is_synthesized:
            synthesize()
        session.start()
        return session, lambda_

    return create


@pytest.mark.parametrize("has_tool", [True, False])
@pytest.mark.parametrize("name", ["first", "second_one"])
@pytest.mark.parametrize("kind", ["image", "function"])
def test_an_image_function_gets_the_image_of_its_own_folder(
    watch_of_fork: Callable[..., tuple[watch.Watch, MagicMock]], *, has_tool: bool, name: str, kind: str
) -> None:
    """A fork has two image functions. Each image contains the code of its own package."""
    session, lambda_ = watch_of_fork(has_tool=has_tool)
    session.deploy({Part("image", name) if kind == "image" else Part("function", f"{name}_package"): []})
    image = f"containers/{name}/Dockerfile" if has_tool else name
    lambda_.update_function_code.assert_called_once_with(
        FunctionName=f"the-{name}", ImageUri=f"registry/the-{name}:{image}"
    )


def test_a_folder_without_a_deployed_function_replaces_no_image(
    watch_of_fork: Callable[..., tuple[watch.Watch, MagicMock]], capsys: pytest.CaptureFixture[str]
) -> None:
    session, lambda_ = watch_of_fork(has_tool=True)
    session.deploy({Part("image", "another"): []})
    assert capsys.readouterr().out.splitlines()[-1] == "    another: no deployed function or service runs this image"
    lambda_.update_function_code.assert_not_called()


@pytest.mark.parametrize("part", [Part("image", "first"), Part("function", "first_package")])
def test_an_image_that_is_saved_during_the_first_synthesis_is_replaced_after_it(
    watch_of_fork: Callable[..., tuple[watch.Watch, MagicMock]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    part: Part,
) -> None:
    """An interrupted synthesis has left incomplete files. Only complete ones name the image of a function."""
    monkeypatch.setattr(watch, "changed_stacks", lambda *_: [])
    monkeypatch.setattr(watch, "use_deployed_definitions", lambda *_: [])
    monkeypatch.setattr(function_images, "use_deployed_images", lambda *_: ["the-first"])
    session, lambda_ = watch_of_fork(has_tool=True, is_synthesized=False)
    session.deploy({part: []})
    lambda_.update_function_code.assert_not_called()
    session.deploy_synthesized_stacks()
    lambda_.update_function_code.assert_any_call(
        FunctionName="the-first", ImageUri="registry/the-first:containers/first/Dockerfile"
    )
    lines = capsys.readouterr().out.splitlines()
    assert not any("no deployed function or service runs this image" in line for line in lines)
    assert "    stacks: the-first returned to the image of the stack" in lines


def test_the_watch_ends_even_if_the_exception_of_ctrl_c_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def lose_exception() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            watch._stop()

    session = MagicMock()
    session.deploy_synthesized_stacks.side_effect = lose_exception
    monkeypatch.setattr(watch, "_is_stopped", threading.Event())
    monkeypatch.setattr(watch, "saved_files", lambda: iter([set(), set()]))
    for name in ("Watch", "Synthesizer", "context"):
        monkeypatch.setattr(watch, name, MagicMock(return_value=session))
    with pytest.raises(KeyboardInterrupt):
        watch.watch(MagicMock(is_incomplete=False))
    session.deploy.assert_called_once()
