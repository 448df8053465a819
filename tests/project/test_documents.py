"""Tests of the program that `make docs` runs."""

import pytest

from tools.documents import rename_stacks

LESSON = "aws cloudformation describe-stacks --stack-name compute-ecs-ec2 --output text\n"


@pytest.mark.parametrize(
    ("text", "renamed"),
    [
        ("make deploy STACK=compute-api", "make deploy STACK=mine-api"),
        ("`compute-ecs-ec2`, compute-ecs-ec2-server", "`mine-ecs-ec2`, mine-ecs-ec2-server"),
        ("compute-apis, aws-compute-api, compute-other", "compute-apis, aws-compute-api, compute-other"),
    ],
)
def test_only_names_of_stacks_get_the_new_prefix(text: str, renamed: str) -> None:
    assert rename_stacks(text, LESSON, ["api", "ecs-ec2"], "mine") == renamed
    back = LESSON.replace("compute-", "mine-")
    assert rename_stacks(renamed, back, ["api", "ecs-ec2"], "compute") == text


def test_a_lesson_without_the_old_prefix_is_an_error() -> None:
    with pytest.raises(ValueError, match="no command of the lesson"):
        rename_stacks("", "make deploy", ["api"], "mine")
