"""The page of both web services: which task answers, how ECS replaces a stopped task, and how the service scales."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from botocore.exceptions import BotoCoreError, ClientError

from console.account import AccountError
from console.examples import Example
from console.load import Load
from console.page import Action, ActionError, ExamplePage, Form
from console.web_tasks import Task, TaskColours, WebService, read_service, task_limits
from local.waiting import wait_for

PATIENCE_SECONDS = 120
"""The page waits so long for the replacement of a task."""


@dataclass(frozen=True, kw_only=True)
class Replacement:
    """A task that a person stopped, and the requests until another task replaced it."""

    task: Task
    began: float
    totals: tuple[int, int]
    """The numbers of answered and failed requests before the click."""
    answered: int = 0
    failed: int = 0
    seconds: float = 0
    new_task: Task | None = None
    problem: str = ""

    @property
    def has_ended(self) -> bool:
        """Whether a new task has replaced the stopped task, or the page no longer waits for one."""
        return self.new_task is not None or bool(self.problem)


class WebServicePage(ExamplePage):
    """Shows the tasks of a service by zone, while the page sends requests."""

    template: ClassVar[str] = "web_service.html"

    def __init__(self, *arguments: Any) -> None:
        """Start no load. A click starts it."""
        super().__init__(*arguments)
        self._load = Load()
        self._replacement: Replacement | None = None
        self._lock = threading.Lock()
        self._zones: dict[str, set[str]] = {}
        self._colour = TaskColours()

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the limits of scaling, and the address of the web page."""
        minimum, maximum = task_limits(example)
        return {"minimum": minimum, "maximum": maximum, "url": self.account.url(example.outputs.get("ServiceUrl", ""))}

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the load, the tasks by zone, and the events of the service."""
        service, load = read_service(self.account, example), self._load.look()
        names = {task.id for task in service.tasks}
        self._measure()
        return {
            "load": self.render("_web_load.html", example=example, load=load, names=names, colour=self._colour),
            "replacement": self.render("_web_replacement.html", replacement=self._replacement),
            "tasks": self.render(
                "_web_tasks.html",
                example=example,
                service=service,
                zones=self._by_zone(service),
                load=load,
                colour=self._colour,
            ),
            "events": self.render("_web_events.html", service=service),
        }

    def actions(self) -> Mapping[str, Action]:
        """Return the load switch, and the buttons that stop a task and change the number of tasks."""
        return {
            "load": Action(self._switch_load),
            "stop-task": Action(self._stop_task),
            "scale": Action(self._scale),
        }

    def _by_zone(self, service: WebService) -> dict[str, list[Task]]:
        # A zone without a task stays on the page, so that a person sees where the new task starts.
        zones = self._zones.setdefault(service.name, set())
        zones.update(task.zone for task in service.tasks)
        return {zone: [task for task in service.tasks if task.zone == zone] for zone in sorted(zones)}

    def _switch_load(self, example: Example, form: Form) -> str:
        if form.get("on") == "yes":
            self._start_load(example)
            return "The page now sends 10 requests a second."
        self._load.stop()
        return "The page no longer sends requests."

    def _start_load(self, example: Example) -> None:
        if "ServiceUrl" not in example.outputs:
            raise ActionError("The stack has no web page yet. Wait until it is deployed.")
        self._load.start(f"{self.account.url(example.outputs['ServiceUrl'])}api/whoami")

    def _stop_task(self, example: Example, form: Form) -> str:
        service = read_service(self.account, example)
        task = next((task for task in service.tasks if task.id == form.get("task")), None)
        if task is None:
            raise ActionError("This task does not run any more.")
        with self._lock:
            if self._replacement and not self._replacement.has_ended:
                raise ActionError(f"ECS still replaces the task {self._replacement.task.short_id}. Wait for it.")
            self._start_load(example)
            self._replacement = Replacement(
                task=task,
                began=time.monotonic(),
                totals=self._load.totals(),
            )
        threading.Thread(target=self._stop_and_watch, args=(example, service.cluster, task), daemon=True).start()
        return f"ECS stops the task {task.short_id}. The page counts the requests until a new task replaces it."

    def _stop_and_watch(self, example: Example, cluster: str, task: Task) -> None:
        try:
            self.account.client("ecs").stop_task(cluster=cluster, task=task.id, reason="a click in the console")
            new_task = wait_for(lambda: self._new_task(example, task), seconds=PATIENCE_SECONDS, pause=0.2)
            problem = "" if new_task else f"No new task is healthy after {PATIENCE_SECONDS} seconds."
        except (AccountError, BotoCoreError, ClientError) as error:
            new_task, problem = None, self.account.explanation(error)
        self._measure(new_task=new_task, problem=problem)

    def _new_task(self, example: Example, stopped: Task) -> Task | None:
        service = read_service(self.account, example)
        if not service.is_steady or stopped.id in {task.id for task in service.tasks}:
            return None
        return service.tasks[-1]  # the tasks are in the order of their creation

    def _measure(self, **changes: Any) -> None:
        with self._lock:
            if self._replacement and not self._replacement.has_ended:
                answered, failed = self._load.totals()
                answered_before, failed_before = self._replacement.totals
                self._replacement = replace(
                    self._replacement,
                    answered=answered - answered_before,
                    failed=failed - failed_before,
                    seconds=time.monotonic() - self._replacement.began,
                    **changes,
                )

    def _scale(self, example: Example, form: Form) -> str:
        minimum, maximum = task_limits(example)
        service = read_service(self.account, example)
        number = service.desired + (1 if form.get("step") == "more" else -1)
        if number < minimum:
            raise ActionError(f"The service has at least {minimum} tasks. The template sets this minimum.")
        if number > maximum:
            raise ActionError(f"The service has at most {maximum} tasks. The template sets this maximum.")
        self.account.client("ecs").update_service(cluster=service.cluster, service=service.name, desiredCount=number)
        return f"ECS changes the number of tasks from {service.desired} to {number}."
