"""Every resource that can have tags has the tags of its stack. Then the bill can show the cost of each example."""

from typing import Any

from tools.templates import Template

KEYS = ("project", "example", "profile")


def faults(template: Template) -> list[str]:
    """Return the resources without one of the tags, and the tags with several values."""
    tags_by_name = {name: _tags(resource) for name, resource in template["Resources"].items()}
    tagged = {name: tags for name, tags in tags_by_name.items() if tags is not None}
    missing = [f"{name} has no tag {key}" for name, tags in tagged.items() for key in KEYS if key not in tags]
    values = {key: {tags[key] for tags in tagged.values() if key in tags} for key in KEYS}
    several = [
        f"{key} is tagged {' and '.join(sorted(key_values))}"
        for key, key_values in values.items()
        if len(key_values) > 1
    ]
    return [*missing, *several] if tagged else ["no resource has tags"]


def _tags(resource: Any) -> dict[str, str] | None:
    tags = resource.get("Properties", {}).get("Tags")
    # Types of Batch have a map of tags, and other types have a list.
    return {tag["Key"]: tag["Value"] for tag in tags} if isinstance(tags, list) else tags
