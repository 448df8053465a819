"""These tests compare the two thumbnail examples: a function from a zip file, and the same function from an image."""

import pytest

from tests.support.apps import properties_of, templates


@pytest.mark.parametrize("profile", ["sandbox", "production"])
def test_both_thumbnail_functions_have_the_same_resources_and_settings(profile: str) -> None:
    def comparable(stem: str) -> dict[str, object]:
        template = templates(profile)[stem]
        function = dict(properties_of(template, "AWS::Lambda::Function", "Function"))
        different = {"Code", "PackageType", "Handler", "Runtime", "Tags", "Environment"}
        environment = {**function["Environment"]["Variables"], "POWERTOOLS_SERVICE_NAME": ""}
        return {
            "types": sorted(resource["Type"] for resource in template["Resources"].values()),
            "function": {name: value for name, value in function.items() if name not in different},
            "environment": environment,
        }

    assert comparable("function_image") == comparable("thumbnail")
