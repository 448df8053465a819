"""Functions that find faults in the commands of the documents, such as an unknown option. They run no command.

The commands and options come from the tools themselves: the AWS CLI, the CDK CLI and the Makefile.
"""

import importlib.util
import itertools
import json
import re
import shlex
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import awscli
import jmespath
from awscli.clidriver import create_clidriver

from config import CONTEXT_SETTINGS, from_context
from settings_checks import ConfigError
from tests.support.apps import EVERY_STACK, stack_name, templates
from tests.support.folders import ROOT
from tests.support.queries import unknown_fields
from tests.support.shell import COMPUTED, Command, Script

STACKS = {stack_name(stem) for _, stem in EVERY_STACK}


def script_faults(text: str, *, complete_commands: bool = True) -> list[str]:
    """Return the faults of the commands in a script. Without `complete_commands`, required options may be missing.

    Commands in the condition of an `if` are not checked, because they are allowed to fail.
    """
    commands = [command for command in Script(text).commands() if not command.may_fail]
    return [
        fault
        for command in commands
        for fault in (*faults(command), *(missing_options(command) if complete_commands else ()))
    ]


def faults(command: Command) -> list[str]:
    """Return the faults of a command: names that the tool does not have, and files that do not exist."""
    check = TOOLS.get(command.words[0])
    return [*(check(command) if check else ()), *_missing_files(command)]


def _missing_files(command: Command) -> Iterator[str]:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    for word in command.words[1:]:
        if word.partition("/")[0] in folders and "/" in word and COMPUTED not in word and not (ROOT / word).exists():
            yield f"{word} does not exist"


# -- make


@cache
def _makefile() -> tuple[set[str], set[str]]:
    """Return the names of all targets, and of all variables with a default."""
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))
    return targets, set(re.findall(r"^([A-Z]+) \?=", text, re.MULTILINE))


def _make(command: Command) -> Iterator[str]:
    targets, variables = _makefile()
    for word in command.words[1:]:
        name, is_variable, value = word.partition("=")
        if not is_variable:
            if name not in targets and COMPUTED not in name:
                yield f"make has no target {name}"
        elif name not in variables:
            yield f"make has no variable {name}"
        elif name in VALUE_CHECKS:
            yield from VALUE_CHECKS[name](value)


def _stack_faults(value: str) -> Iterator[str]:
    if COMPUTED not in value and value not in STACKS:
        yield f"{value} is not a stack"


def _context_faults(value: str) -> Iterator[str]:
    words = shlex.split(value)
    if words[::2] != ["-c"] * (len(words) // 2):
        yield f"CONTEXT must look like -c name=value: {value}"
    yield from _setting_faults(words[1::2])


def _profile_faults(value: str) -> Iterator[str]:
    yield from _setting_faults([f"profile={value}"])


def _resource_faults(value: str) -> Iterator[str]:
    existing = {
        f"{stack_name(stem)}/{name}" for profile, stem in EVERY_STACK for name in templates(profile)[stem]["Resources"]
    }
    yield from (f"{word} does not exist" for word in value.split() if word not in existing)


VALUE_CHECKS: dict[str, Callable[[str], Iterator[str]]] = {
    "STACK": _stack_faults,
    "CONTEXT": _context_faults,
    "PROFILE": _profile_faults,
    "MEANT": _resource_faults,
}


def _setting_faults(settings: list[str]) -> Iterator[str]:
    """Yield the app's errors for wrong settings, given as `name=value`. Values that bash computes are not checked."""
    context = dict(setting.partition("=")[::2] for setting in settings)
    try:
        from_context({name: value for name, value in context.items() if COMPUTED not in value})
    except ConfigError as error:
        yield str(error)
    known = {"profile", "stacks", *CONTEXT_SETTINGS}
    yield from (f"the app has no setting {name}" for name in context if name not in known)


# -- cdk


@cache
def _cdk_model() -> Any:
    file = ROOT / "node_modules" / "aws-cdk" / "lib" / "cli" / "cli-type-registry.json"
    return json.loads(file.read_text())


def _cdk(command: Command) -> Iterator[str]:
    model, words = _cdk_model(), list(command.words[1:])
    if not words:
        return
    if words[0] not in model["commands"]:
        yield f"cdk has no command {words[0]}"
        return
    options = {**model["globalOptions"], **model["commands"][words[0]].get("options", {})}
    aliases = {option["alias"]: name for name, option in options.items() if isinstance(option.get("alias"), str)}
    rest = iter(words[1:])
    for word in rest:
        if not word.startswith("-"):
            yield from _stack_faults(word)
            continue
        name, has_value, _ = word.lstrip("-").partition("=")
        option = options.get(aliases.get(name, name))
        if option is None:
            yield f"cdk {words[0]} has no option {word}"
        elif option["type"] != "boolean" and not has_value:
            value = next(rest, "")
            if aliases.get(name, name) == "context":
                yield from _setting_faults([value])


def _npx(command: Command) -> Iterator[str]:
    if command.words[1] != "cdk":
        yield f"documents use npx only for cdk, not for {command.words[1]}"
    yield from _cdk(Command(command.words[1:]))


# -- aws


@cache
def _aws_help(path: tuple[str, ...]) -> Any:
    """Return the help object of a command of the AWS CLI. Raises KeyError for an unknown command."""
    if not path:
        driver = create_clidriver()
        # Without this line, the CLI reads an environment variable that it sets itself and that a test may have removed.
        driver.session.set_config_variable("data_path", str(Path(awscli.__file__).parent / "data"))
        return driver.create_help_command()
    return _aws_help(path[:-1]).command_table[path[-1]].create_help_command()


def _aws(command: Command) -> Iterator[str]:
    words, path = command.words[1:], _aws_path(command)
    unknown = words[len(path)] if len(path) < len(words) else ""
    if unknown and not unknown.startswith("-") and getattr(_aws_help(path), "command_table", None):
        yield " ".join(("aws", *path, f"has no command {unknown}"))
        return
    known = {**_aws_help(path).arg_table, **_aws_help(()).arg_table}
    yield from (f"aws {' '.join(path)} has no option --{name}" for name in _options(command) if name not in known)
    for name, value in itertools.pairwise(words):
        if name == "--stack-name":
            yield from _stack_faults(value)
        if name == "--query":
            yield from _query_faults(value.replace(COMPUTED, "x"), path)


def _aws_path(command: Command) -> tuple[str, ...]:
    """Return the command of the AWS CLI without its arguments, such as (`s3`, `cp`)."""
    path: tuple[str, ...] = ()
    for word in command.words[1:]:
        if word not in (getattr(_aws_help(path), "command_table", None) or {}):
            break
        path = (*path, word)
    return path


def _options(command: Command) -> list[str]:
    return [word[2:] for word in command.words if word.startswith("--") and COMPUTED not in word]


def missing_options(command: Command) -> Iterator[str]:
    """Yield a fault for each required option that a command of the AWS CLI lacks."""
    if command.words[0] != "aws":
        return
    path, given = _aws_path(command), _options(command)
    for name, option in _aws_help(path).arg_table.items():
        required = option.required and option.cli_name.startswith("--")
        if required and not {name, f"no-{name}"} & set(given):
            yield f"aws {' '.join(path)} needs --{name}"


def _query_faults(query: str, path: tuple[str, ...]) -> Iterator[str]:
    answer = getattr(getattr(_aws_help(path), "obj", None), "output_shape", None)
    try:
        unknown = unknown_fields(query, answer) if answer else []
    except jmespath.exceptions.JMESPathError as error:
        yield f"--query {query}: {error}"
    else:
        yield from (f"the answer of aws {' '.join(path)} has no field {field}" for field in unknown)


# -- python


def _python(command: Command) -> Iterator[str]:
    yield from _syntax_errors(command.stdin)
    match command.words[1:]:
        case ("-m", module, *_) if importlib.util.find_spec(module) is None:
            yield f"python has no module {module}"
        case ("-c", code, *_):
            yield from _syntax_errors(code)
        case (file, *_) if file.endswith(".py") and not (ROOT / file).exists():
            yield f"{file} does not exist"


def _syntax_errors(code: str) -> Iterator[str]:
    try:
        compile(code, "the document", "exec")
    except SyntaxError as error:
        yield f"not valid Python: {error}"


TOOLS: dict[str, Callable[[Command], Iterator[str]]] = {
    "aws": _aws,
    "cdk": _cdk,
    "make": _make,
    "npx": _npx,
    "python": _python,
    "python3": _python,
}
