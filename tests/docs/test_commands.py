"""Every command in a document is one that works, as far as it can be said without running it.

tests/local/test_lessons.py runs those of the lessons that need no account.
"""

import re
import shutil
import subprocess

import pytest

from tests.support.apps import templates
from tests.support.commands import TOOLS, faults, script_faults
from tests.support.documents import DOCUMENTS, Document
from tests.support.folders import ROOT
from tests.support.shell import Command, Script
from tools.templates import resources

every_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
ELSEWHERE = {"docker", "podman", "finch", "curl", "ssh", "apt-get", "certbot", "sudo", "git", "pip", "npm"}
"""Commands that this machine need not have."""
FROM_OUTSIDE = {"AWS_ENDPOINT_URL", "HOME"}
"""Variables that no document sets."""
INLINE = re.compile(rf"(?:[A-Z_]+=\S+ )*({'|'.join(TOOLS)}) \S.*", re.DOTALL)
SETTING = re.compile(r"(?:CONTEXT|STACK|PROFILE|PREFIX)=.*|-c [a-z_]+=.*")


@pytest.fixture(scope="module")
def builtin() -> set[str]:
    run = subprocess.run(["bash", "-c", "compgen -b -k"], capture_output=True, text=True, check=True)
    return set(run.stdout.split())


@every_document
def test_every_block_is_shell(document: Document) -> None:
    for script in document.scripts:
        run = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert run.returncode == 0, run.stderr + script


@every_document
def test_every_command_of_a_block_is_known_to_its_tool(document: Document) -> None:
    for script in document.scripts:
        assert script_faults(script) == []


@every_document
def test_every_command_exists(document: Document, builtin: set[str]) -> None:
    scripts = [Script(script) for script in document.scripts]
    known = {*builtin, *TOOLS, *ELSEWHERE}.union(*(script.functions() for script in scripts))
    named = {command.words[0] for script in scripts for command in script.commands()} - {""}
    assert {name for name in named - known if shutil.which(name) is None} == set()


@every_document
def test_every_variable_is_set_before_it_is_used(document: Document) -> None:
    scripts = [Script(script) for script in document.scripts]
    assigned = FROM_OUTSIDE.union(*(script.assigned() for script in scripts))
    assert {name for script in scripts for name in script.used() if not name.isdigit()} - assigned == set()


def inline_commands(document: Document) -> list[str]:
    """The commands in the text, and settings as commands that they belong to, with `$_` for what is left open."""
    told = [code for code in document.code if INLINE.fullmatch(code)]
    settings = [code for code in document.code if SETTING.fullmatch(code)]
    told += [f"make deploy {code}" if code[0] != "-" else f"cdk deploy {code}" for code in settings]
    return [re.sub(r"<[\w-]+>|…", "$_", code) for code in told]


@every_document
def test_every_command_in_the_text_is_known_to_its_tool(document: Document) -> None:
    for command in inline_commands(document):
        assert script_faults(command, whole=False) == [], command


def test_make_would_run_what_the_documents_name() -> None:
    scripts = [text for document in DOCUMENTS for text in (*document.scripts, *inline_commands(document))]
    commands = [command for text in scripts for command in Script(text).commands() if command.words[0] == "make"]
    targets = {word for command in commands for word in command.words[1:] if re.fullmatch(r"[a-z-]+", word)}
    assert {"local", "local-down", "test", "synth", "deploy", "smoke", "destroy", "help"} <= targets
    run = subprocess.run(["make", "--dry-run", *sorted(targets)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_commands_in_the_text_are_found() -> None:
    found = [command for document in DOCUMENTS for command in inline_commands(document)]
    assert {"make deploy PREFIX=mine", "npx cdk synth", "cdk deploy -c alarm_email=you@example.com"} <= set(found)
    assert 'aws ec2 terminate-instances --instance-ids "$ID"' in found
    assert all(Document(ROOT / "docs" / f"{stem}.md").scripts for stem in templates("sandbox"))


@every_document
def test_blocks_have_languages_that_are_looked_at(document: Document) -> None:
    assert document.languages <= {"sh", "shell", "console", "mermaid", "python", "json", "text"}


@pytest.mark.parametrize("stem", templates("sandbox"))
def test_every_output_that_commands_ask_for_can_be_there(stem: str) -> None:
    document = Document(ROOT / "docs" / f"{stem}.md")
    commands = [command for script in document.scripts for command in Script(script).commands()]
    asked = {command.words[1] for command in commands if command.words[0] == "output"}
    source = (ROOT / "stacks" / f"{stem}.py").read_text()
    in_some_setting = set(re.findall(r'CfnOutput\(\s*self,\s*"(\w+)"', source))
    assert asked
    assert asked <= set(templates("sandbox")[stem]["Outputs"]) | in_some_setting


@every_document
def test_lists_of_files_name_files(document: Document) -> None:
    for line in "".join(document.file_lists).splitlines():
        *names, _ = re.split(r" {2,}", line)
        assert [name for name in names if not (ROOT / name).exists()] == []


def test_alarms_name_the_place_that_says_what_to_do() -> None:
    found = [
        alarm["Properties"]["AlarmDescription"]
        for template in templates("production").values()
        for alarm in resources(template, "AWS::CloudWatch::Alarm").values()
    ]
    assert found
    for text in found:
        place = re.search(r"(docs/\w+\.md), '(.*?)'", text)
        assert place, text
        assert f"\n## {place[2]}\n" in (ROOT / place[1]).read_text()


# -- what is wrong is found


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("make deply", "make has no target deply"),
        ("make deploy STAK=compute-api", "make takes no STAK"),
        ("make deploy STACK=compute-apis", "there is no stack compute-apis"),
        ("make deploy PROFILE=prod", "profile: 'prod' is not supported"),
        ('make deploy CONTEXT="-c cron_url=https://example.com/"', "Did you mean 'cron_urls'"),
        ('make deploy CONTEXT="-c lightsail_ssh_cidr=0.0.0.0/0"', "lets everybody try to log in"),
        ('make deploy CONTEXT="cron_urls=https://example.com/"', "CONTEXT is not like -c name=value"),
        ('make deploy CONTEXT="-c colour=red"', "the app has no setting colour"),
        ('make snapshots MEANT="compute-api/Nobody"', "there is no compute-api/Nobody"),
        ("npx cdk dif compute-api", "cdk has no command dif"),
        ("npx cdk diff compute-apis", "there is no stack compute-apis"),
        ("npx cdk diff --contxt a=b", "cdk diff has no option --contxt"),
        ("npx cdk diff -c architecture=arm", "architecture: 'arm' is not supported"),
        ("npx tsc", "npx runs cdk alone here"),
        ("aws ecz describe-images", "aws has no command ecz"),
        ("aws ecr describe-image", "aws ecr has no command describe-image"),
        ("aws ecr describe-images --repository-nam x", "aws ecr describe-images has no option --repository-nam"),
        ("aws ecr describe-images", "aws ecr describe-images needs --repository-name"),
        ("aws s3 cp --recursiv a b", "aws s3 cp has no option --recursiv"),
        ("aws ecr wait image-scan-completed", "aws ecr wait has no command image-scan-completed"),
        ("aws ecs list-tasks --query 'a[?b'", "--query a[?b"),
        ("aws ecs list-tasks --query taskArn", "aws ecs list-tasks answers with no taskArn"),
        ("aws ecs describe-services --query 'services[0].[deployments[].[state], events[:5].message]'", "no state"),
        ("aws ecs describe-services --query 'services.status'", "no status"),
        ("aws lightsail get-instance --query 'instance.location.[zone, regionName]'", "no zone"),
        ("aws dynamodb scan --table-name t --query 'Items[].[name.S, size.Z]'", "no Z"),
        ("aws cloudformation describe-stacks --stack-name compute-x", "there is no stack compute-x"),
        ("for x in 1; do out=$(aws ecz list); done", "aws has no command ecz"),
        ("python -m local.job", "python has no module local.job"),
        ("python app2.py", "app2.py does not exist"),
        ("python -c 'print('", "not Python"),
        ("python - << 'END'\nimport\nEND\n", "not Python"),
        ("cp local/foto.jpg x", "local/foto.jpg does not exist"),
    ],
)
def test_a_wrong_command_is_found(command: str, fault: str) -> None:
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
def test_a_right_command_is_not(command: str) -> None:
    assert script_faults(command) == []


def test_words_are_read_as_bash_reads_them() -> None:
    (command,) = Script('tool \'a b\' "c d" e\\ f --g="h i" "$J"k << \'END\'\nfed\nEND\n').commands()
    assert command == Command(("tool", "a b", "c d", "e f", "--g=h i", "\0k"), fed="fed\n")
    assert faults(command) == []
    with pytest.raises(ValueError, match="not understood as shell"):
        Script("if true; then")
