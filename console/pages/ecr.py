"""The page of the example ecr."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from botocore.exceptions import ClientError

from console.account import AccountError, LocalAccount
from console.examples import Example
from console.page import ExamplePage

SHOWN_IMAGES = 50
READ_IMAGES = 1000
"""ECR returns images in no order, and at most this number of them in one answer."""


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image in the repository."""

    digest: str
    tags: Sequence[str]
    megabytes: float
    pushed_at: datetime
    scan: str
    """The result of the scan for known vulnerabilities."""


class Page(ExamplePage):
    """Shows the images of the repository with their tags, and the rules of the repository."""

    template: ClassVar[str] = "ecr.html"

    def values(self, example: Example) -> Mapping[str, Any]:
        """Return the name and the address of the repository."""
        uri, _, tag = example.outputs.get("WebImage", "").rpartition(":")
        return {"uri": example.outputs.get("RepositoryUri", uri), "web_tag": tag}

    def live(self, example: Example) -> Mapping[str, str]:
        """Return the images and the rules of the repository."""
        name = example.outputs.get("RepositoryUri", "").partition("/")[2]
        if not name:
            raise AccountError(f"The stack {example.stack} has no repository yet.")
        ecr = self.account.client("ecr")
        (repository,) = ecr.describe_repositories(repositoryNames=[name])["repositories"]
        answer = ecr.describe_images(repositoryName=name, maxResults=READ_IMAGES)
        found = sorted((_image(detail) for detail in answer["imageDetails"]), key=lambda image: image.pushed_at)
        images = found[: -SHOWN_IMAGES - 1 : -1]
        return {
            "images": self.render(
                "_ecr_images.html",
                images=images,
                others=len(found) - len(images),
                web_tag=example.outputs.get("WebImage", "").rpartition(":")[2],
                reason=self._reason_for_no_image(example),
            ),
            "rules": self.render("_ecr_rules.html", repository=repository, rules=_rules(ecr, name)),
        }

    def _reason_for_no_image(self, example: Example) -> str:
        if "WebImage" in example.outputs or not isinstance(self.account, LocalAccount):
            return ""
        tool = self.account.engine.tool
        return "publish_web_image is False" if tool else f"no image can be built ({tool.why})"


def _image(detail: Mapping[str, Any]) -> Image:
    return Image(
        digest=detail["imageDigest"],
        tags=detail.get("imageTags", []),
        megabytes=detail["imageSizeInBytes"] / 1e6,
        pushed_at=detail["imagePushedAt"],
        scan=_scan(detail),
    )


def _scan(detail: Mapping[str, Any]) -> str:
    counts = detail.get("imageScanFindingsSummary", {}).get("findingSeverityCounts", {})
    if counts:
        return ", ".join(f"{number} {severity.lower()}" for severity, number in counts.items())
    status = detail.get("imageScanStatus", {}).get("status", "")
    return "no findings" if status == "COMPLETE" else status.replace("_", " ").lower() or "not scanned"


def _rules(ecr: Any, name: str) -> list[str]:
    try:
        policy = json.loads(ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "LifecyclePolicyNotFoundException":
            raise
        return []
    return [rule_in_words(rule) for rule in sorted(policy["rules"], key=lambda rule: rule["rulePriority"])]


def rule_in_words(rule: Mapping[str, Any]) -> str:
    """Return one sentence that says which images a lifecycle rule deletes.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html
    """
    selection = rule["selection"]
    names = [f"{prefix}*" for prefix in selection.get("tagPrefixList", [])] or selection.get("tagPatternList", [])
    images = {"untagged": "images without a tag", "any": "images"}.get(selection["tagStatus"], "images with a tag")
    if names and list(names) != ["*"]:
        images = f"images with a tag like {' or '.join(names)}"
    verb = "deletes" if rule["action"]["type"] == "expire" else "archives"
    number = selection["countNumber"]
    if selection["countType"] == "imageCountMoreThan":
        return f"ECR {verb} {images}, except the newest {number}."
    since = {"sinceImagePushed": "push", "sinceImagePulled": "last pull"}.get(selection["countType"], "change")
    return f"ECR {verb} {images} {number} day{'s' if number != 1 else ''} after their {since}."
