"""The commands in the documents are real: each one's tool, options, targets, settings, stacks and outputs exist.

tests/local/test_lessons.py runs the commands of the lessons that need no account.
"""

import re
import shutil
import subprocess

import pytest

from tests.support.apps import templates
from tests.support.commands import TOOLS, faults, script_faults
from tests.support.documents import DOCUMENTS, Document, lesson
from tests.support.folders import ROOT
from tests.support.shell import Command, Script
from tools.templates import resources

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
NOT_REQUIRED_HERE = {"docker", "podman", "finch", "curl", "ssh", "apt-get", "certbot", "sudo", "git", "pip", "npm"}
"""Commands that need not be installed where the tests run."""
FROM_ENVIRONMENT = {"AWS_ENDPOINT_URL", "HOME"}
"""Variables that no document sets."""
INLINE = re.compile(rf"(?:[A-Z_]+=\S+ )*({'|'.join(TOOLS)}) \S.*", re.DOTALL)
SETTING = re.compile(r"(?:CONTEXT|STACK|PROFILE|PREFIX)=.*|-c [a-z_]+=.*")


def _inline_commands(document: Document) -> list[str]:
    """Return the commands in the text, with `$_` for placeholders. A setting becomes a command that takes it."""
    commands = [code for code in document.code if INLINE.fullmatch(code)]
    settings = [code for code in document.code if SETTING.fullmatch(code)]
    commands += [f"make deploy {code}" if code[0] != "-" else f"cdk deploy {code}" for code in settings]
    return [re.sub(r"<[\w-]+>|…", "$_", code) for code in commands]


@every_document
def test_commands_in_blocks_have_no_faults(document: Document) -> None:
    for script in document.scripts:
        assert script_faults(script) == []


@every_document
def test_commands_in_the_text_have_no_faults(document: Document) -> None:
    for command in _inline_commands(document):
        assert script_faults(command, whole=False) == [], command


@every_document
def test_every_command_is_installed_or_defined(document: Document) -> None:
    run = subprocess.run(["bash", "-c", "compgen -b -k"], capture_output=True, text=True, check=True)
    scripts = [Script(script) for script in document.scripts]
    known = {*run.stdout.split(), *TOOLS, *NOT_REQUIRED_HERE}.union(*(script.functions() for script in scripts))
    named = {command.words[0] for script in scripts for command in script.commands()} - {""}
    assert {name for name in named - known if shutil.which(name) is None} == set()


@every_document
def test_every_variable_has_a_value(document: Document) -> None:
    scripts = [Script(script) for script in document.scripts]
    assigned = FROM_ENVIRONMENT.union(*(script.assigned() for script in scripts))
    assert {name for script in scripts for name in script.used() if not name.isdigit()} - assigned == set()


@pytest.mark.parametrize("stem", templates("sandbox"))
def test_every_output_that_commands_read_exists(stem: str) -> None:
    commands = [
        command for script in Document(ROOT / "docs" / f"{stem}.md").scripts for command in Script(script).commands()
    ]
    outputs = {command.words[1] for command in commands if command.words[0] == "output"}
    source = (ROOT / "stacks" / f"{stem}.py").read_text()
    with_some_setting = set(re.findall(r'CfnOutput\(\s*\w+,\s*"(\w+)"', source))
    assert outputs
    assert outputs <= set(templates("sandbox")[stem]["Outputs"]) | with_some_setting


@every_document
def test_lists_of_files_name_existing_files(document: Document) -> None:
    for line in "".join(document.file_lists).splitlines():
        *names, _ = re.split(r" {2,}", line)
        assert [name for name in names if not (ROOT / name).exists()] == []


def test_alarms_name_a_section_that_exists() -> None:
    descriptions = [
        alarm["Properties"]["AlarmDescription"]
        for template in templates("production").values()
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    ]
    assert descriptions
    for description in descriptions:
        place = re.search(r"docs/(\w+)\.md, '(.*?)'", description)
        assert place, description
        assert f"\n## {place[2]}\n" in lesson(place[1])


# -- the checks themselves


def test_commands_in_the_text_are_found() -> None:
    found = {command for document in DOCUMENTS for command in _inline_commands(document)}
    assert {"make deploy PREFIX=mine", "npx cdk synth", 'aws ec2 terminate-instances --instance-ids "$ID"'} <= found


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make deply", "make has no target deply"),
        ("make deploy STAK=compute-api", "make takes no STAK"),
        ("make deploy STACK=compute-apis", "compute-apis is not a stack"),
        ("make deploy PROFILE=prod", "profile: 'prod' is not supported"),
        ('make deploy CONTEXT="-c cron_url=https://example.com/"', "Did you mean 'cron_urls'"),
        ('make deploy CONTEXT="-c lightsail_ssh_cidr=0.0.0.0/0"', "lets everybody try to log in"),
        ('make deploy CONTEXT="cron_urls=https://example.com/"', "CONTEXT is not like -c name=value"),
        ('make deploy CONTEXT="-c colour=red"', "the app has no setting colour"),
        ('make snapshots MEANT="compute-api/Nobody"', "compute-api/Nobody does not exist"),
        ("npx cdk dif compute-api", "cdk has no command dif"),
        ("npx cdk diff compute-apis", "compute-apis is not a stack"),
        ("npx cdk diff --contxt a=b", "cdk diff has no option --contxt"),
        ("npx cdk diff -c architecture=arm", "architecture: 'arm' is not supported"),
        ("npx tsc", "npx runs only cdk here"),
        ("aws ecz describe-images", "aws has no command ecz"),
        ("aws ecr describe-image", "aws ecr has no command describe-image"),
        ("aws ecr describe-images --repository-nam x", "aws ecr describe-images has no option --repository-nam"),
        ("aws ecr describe-images", "aws ecr describe-images needs --repository-name"),
        ("aws s3 cp --recursiv a b", "aws s3 cp has no option --recursiv"),
        ("aws ecr wait image-scan-completed", "aws ecr wait has no command image-scan-completed"),
        ("aws ecs list-tasks --query 'a[?b'", "--query a[?b"),
        ("aws ecs list-tasks --query taskArn", "aws ecs list-tasks has no taskArn in its answer"),
        ("aws ecs describe-services --query 'services[0].[deployments[].[state], events[:5].message]'", "no state"),
        ("aws ecs describe-services --query 'services.status'", "no status"),
        ("aws lightsail get-instance --query 'instance.location.[zone, regionName]'", "no zone"),
        ("aws dynamodb scan --table-name t --query 'Items[].[name.S, size.Z]'", "no Z"),
        ("aws cloudformation describe-stacks --stack-name compute-x", "compute-x is not a stack"),
        ("for x in 1; do out=$(aws ecz list); done", "aws has no command ecz"),
        ("python -m local.job", "python has no module local.job"),
        ("python app2.py", "app2.py does not exist"),
        ("python -c 'print('", "not Python"),
        ("python - << 'END'\nimport\nEND\n", "not Python"),
        ("cp local/foto.jpg x", "local/foto.jpg does not exist"),
    ],
)
def test_a_wrong_command_is_reported(command: str, fault: str) -> None:
    assert any(fault in found for found in script_faults(command)), script_faults(command)


@pytest.mark.parametrize(
    "command",
    [
        'make deploy STACK="$STACK" CONTEXT="-c web_image=$IMAGE"',
        'aws ec2 terminate-instances --instance-ids "$ID" --query \'TerminatingInstances[?InstanceId==`"i"`]\'',
        "aws s3api put-object --bucket b --key k --no-bucket-key-enabled",
        "if npx cdk synth -c profile=none; then exit 1; fi",
        "npx cdk gc --unstable=gc",
        "python -c 'import json'",
    ],
)
def test_a_right_command_is_not_reported(command: str) -> None:
    assert script_faults(command) == []


def test_words_are_split_as_in_bash() -> None:
    (command,) = Script('tool \'a b\' "c d" e\\ f --g="h i" "$J"k << \'END\'\ntext\nEND\n').commands()
    assert command == Command(("tool", "a b", "c d", "e f", "--g=h i", "\0k"), stdin="text\n")
    assert faults(command) == []
    with pytest.raises(ValueError, match="not valid shell"):
        Script("if true; then")
