"""Everything that a command in the documents names must exist: tools, options, targets, settings, stacks, outputs.

These tests run no command. tests/local/test_lessons.py runs the commands that need no AWS account.
"""

import re
import shutil
import subprocess

import pytest

from tests.support.apps import templates
from tests.support.commands import TOOLS, faults, script_faults
from tests.support.documents import DOCUMENTS, HEADINGS, Document, has_lesson, lesson
from tests.support.folders import ROOT
from tests.support.shell import COMPUTED, Command, Script
from tools.templates import resources

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
TOOLS_OF_READERS = {"docker", "podman", "finch", "curl", "ssh", "apt-get", "certbot", "sudo", "git", "pip", "npm"}
"""Commands that the tests accept, although this machine may not have them."""
ENVIRONMENT_VARIABLES = {"AWS_ENDPOINT_URL", "CDK_DOCKER", "HOME", "LOCAL_AWS_FOLDER"}
"""Variables that documents read but do not set."""
INLINE_COMMAND = re.compile(rf"(?:[A-Z_]+=\S+ )*({'|'.join(TOOLS)}) \S.*", re.DOTALL)
INLINE_SETTING = re.compile(r"(?:CONTEXT|STACK|PROFILE|PREFIX)=.*|-c [a-z_]+=.*")


def _inline_commands(document: Document) -> list[str]:
    """Return the commands in the text. `$_` replaces placeholders. A setting becomes a command with this setting."""
    commands = [code for code in document.code if INLINE_COMMAND.fullmatch(code)]
    settings = [code for code in document.code if INLINE_SETTING.fullmatch(code)]
    commands += [f"make deploy {code}" if code[0] != "-" else f"cdk deploy {code}" for code in settings]
    return [re.sub(r"<[\w-]+>|…", "$_", code) for code in commands]


@every_document
def test_commands_in_code_blocks_are_correct(document: Document) -> None:
    for script in document.scripts:
        assert script_faults(script) == []


@every_document
def test_commands_in_the_text_are_correct(document: Document) -> None:
    for command in _inline_commands(document):
        assert script_faults(command, complete_commands=False) == [], command


@every_document
def test_every_command_is_a_program_or_a_function_of_the_document(document: Document) -> None:
    run = subprocess.run(["bash", "-c", "compgen -b -k"], capture_output=True, text=True, check=True)
    scripts = [Script(script) for script in document.scripts]
    known = {*run.stdout.split(), *TOOLS, *TOOLS_OF_READERS}.union(*(script.functions() for script in scripts))
    named = {command.words[0] for script in scripts for command in script.commands()} - {"", COMPUTED}
    assert {name for name in named - known if shutil.which(name) is None} == set()


@every_document
def test_no_command_ends_the_shell_of_the_reader(document: Document) -> None:
    commands = [command.words[0] for script in document.scripts for command in Script(script).commands()]
    assert {"exit", "exec", "logout"} & set(commands) == set()


@every_document
def test_every_variable_gets_a_value_in_the_document(document: Document) -> None:
    scripts = [Script(script) for script in document.scripts]
    assigned = ENVIRONMENT_VARIABLES.union(*(script.assigned() for script in scripts))
    assert {name for script in scripts for name in script.used() if not name.isdigit()} - assigned == set()


@pytest.mark.parametrize("stem", sorted(filter(has_lesson, templates("sandbox"))))
def test_the_outputs_that_commands_read_exist(stem: str) -> None:
    commands = [
        command for script in Document(ROOT / "docs" / f"{stem}.md").scripts for command in Script(script).commands()
    ]
    outputs = {command.words[1] for command in commands if command.words[0] == "output"}
    source = (ROOT / "stacks" / f"{stem}.py").read_text()
    all_outputs = set(re.findall(r'CfnOutput\(\s*\w+,\s*"(\w+)"', source))
    assert outputs or "Try it" not in HEADINGS
    assert outputs <= set(templates("sandbox")[stem]["Outputs"]) | all_outputs


@every_document
def test_the_files_in_lists_of_files_exist(document: Document) -> None:
    for line in "".join(document.file_lists).splitlines():
        *names, _ = re.split(r" {2,}", line)
        assert [name for name in names if not (ROOT / name).exists()] == []


def test_descriptions_of_alarms_name_a_section_of_a_document() -> None:
    descriptions = [
        alarm["Properties"]["AlarmDescription"]
        for template in templates("production").values()
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    ]
    assert descriptions
    for description in descriptions:
        reference = re.search(r"docs/(\w+)\.md, '(.*?)'", description)
        assert reference, description
        if has_lesson(reference[1]) and reference[2] in HEADINGS:
            assert f"\n## {reference[2]}\n" in lesson(reference[1])


# -- tests of the checks


def test_inline_commands_are_read_from_the_documents() -> None:
    commands = {command for document in DOCUMENTS for command in _inline_commands(document)}
    assert {"make deploy PREFIX=mine", "npx cdk synth", 'aws ec2 terminate-instances --instance-ids "$ID"'} <= commands


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make deply", "make has no target deply"),
        ("make deploy STAK=compute-api", "make has no variable STAK"),
        ("make deploy STACK=compute-apis", "compute-apis is not a stack"),
        ("make deploy PROFILE=prod", "profile: 'prod' is not supported"),
        ('make deploy CONTEXT="-c cron_url=https://example.com/"', "Did you mean 'cron_urls'"),
        ('make deploy CONTEXT="-c lightsail_ssh_cidr=0.0.0.0/0"', "lets everybody try to log in"),
        ('make deploy CONTEXT="cron_urls=https://example.com/"', "CONTEXT must look like -c name=value"),
        ('make deploy CONTEXT="-c colour=red"', "the app has no setting colour"),
        ('make snapshots MEANT="compute-api/Nobody"', "compute-api/Nobody does not exist"),
        ("npx cdk dif compute-api", "cdk has no command dif"),
        ("npx cdk diff compute-apis", "compute-apis is not a stack"),
        ("npx cdk diff --contxt a=b", "cdk diff has no option --contxt"),
        ("npx cdk diff -c architecture=arm", "architecture: 'arm' is not supported"),
        ("npx tsc", "only for cdk, not for tsc"),
        ("aws ecz describe-images", "aws has no command ecz"),
        ("aws ecr describe-image", "aws ecr has no command describe-image"),
        ("aws ecr describe-images --repository-nam x", "aws ecr describe-images has no option --repository-nam"),
        ("aws ecr describe-images", "aws ecr describe-images needs --repository-name"),
        ("aws s3 cp --recursiv a b", "aws s3 cp has no option --recursiv"),
        ("aws ecr wait image-scan-completed", "aws ecr wait has no command image-scan-completed"),
        ("aws ecs list-tasks --query 'a[?b'", "--query a[?b"),
        ("aws ecs list-tasks --query taskArn", "the answer of aws ecs list-tasks has no field taskArn"),
        (
            "aws ecs describe-services --query 'services[0].[deployments[].[state], events[:5].message]'",
            "no field state",
        ),
        ("aws ecs describe-services --query 'services.status'", "no field status"),
        ("aws lightsail get-instance --query 'instance.location.[zone, regionName]'", "no field zone"),
        ("aws dynamodb scan --table-name t --query 'Items[].[name.S, size.Z]'", "no field Z"),
        ("aws cloudformation describe-stacks --stack-name compute-x", "compute-x is not a stack"),
        ("for x in 1; do out=$(aws ecz list); done", "aws has no command ecz"),
        ("python -m local.job", "python has no module local.job"),
        ("python app2.py", "app2.py does not exist"),
        ("python -c 'print('", "not valid Python"),
        ("python - << 'END'\nimport\nEND\n", "not valid Python"),
        ("cp local/foto.jpg x", "local/foto.jpg does not exist"),
    ],
)
def test_a_wrong_command_is_reported(command: str, fault: str) -> None:
    assert any(fault in reported for reported in script_faults(command)), script_faults(command)


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
def test_a_correct_command_is_not_reported(command: str) -> None:
    assert script_faults(command) == []


def test_scripts_are_split_into_words_as_bash_does() -> None:
    (command,) = Script('tool \'a b\' "c d" e\\ f --g="h i" "$J"k << \'END\'\ntext\nEND\n').commands()
    assert command == Command(("tool", "a b", "c d", "e f", "--g=h i", "\0k"), stdin="text\n")
    assert faults(command) == []
    with pytest.raises(ValueError, match="not valid shell"):
        Script("if true; then")
