"""git: delta search in threads, memory maps, many short processes."""

from harness import PROGRAMS, Box, case

WHEN = {"GIT_AUTHOR_DATE": "2020-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2020-01-01T00:00:00Z",
        "GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@example.org", "GIT_COMMITTER_NAME": "C",
        "GIT_COMMITTER_EMAIL": "c@example.org", "GIT_CONFIG_NOSYSTEM": "1"}


@case("git", "git")
def git(box: Box) -> None:
    box.run("/bin/bash", PROGRAMS / "history.sh", env=WHEN)
