"""Lines that need no other file: what showing one costs where it can't help.

They are cut out of the same packages as the tasks of `tasks`, and asked about in the same way. All
names of such a line's rest are said elsewhere in its own file.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsp_server.project.tasks import (
    MAX_OF_PACKAGE,
    N_TASKS,
    NAME,
    Task,
    can_be_guessed,
    lines_of_code,
    some_of_each,
)
from lsp_server.syntax.languages import guess_language
from model_runtime.protocol.eval_tasks import OWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from lsp_server.project.tasks import Project


def own_lines(projects: Iterable[Project], n_tasks: int = N_TASKS, seed: int = 0) -> list[Task]:
    """Return tasks of these packages, spread over packages and files."""
    rng = random.Random(seed)  # noqa: S311  not for secrets
    found: list[Task] = []
    for project in projects:
        own = some_of_each(_cut(project, path, rng) for path in sorted(project.files))
        rng.shuffle(own)
        found += own[:MAX_OF_PACKAGE]
    rng.shuffle(found)
    return found[:n_tasks]


def _cut(project: Project, path: str, rng: random.Random) -> Iterator[Task]:
    """Yield tasks of one file, in a random order."""
    text, language = project.files[path], guess_language(PurePosixPath(path))
    said = Counter(NAME.findall(text))
    for begun, whole in lines_of_code(text, language, rng):
        line = whole.rstrip()
        on_line = Counter(NAME.findall(line))
        ends = [
            name.start()
            for name in NAME.finditer(line)
            if re.match(r"[\w\s.(\[{,=+*&!:<>-]", line[: name.start()][-1:] or " ")
        ]
        rng.shuffle(ends)
        for at in ends:
            answer = line[at:]
            is_known = all(said[name] > on_line[name] for name in NAME.findall(answer))
            if is_known and can_be_guessed(answer):
                start = begun + at
                yield Task(
                    id=f"{OWN}/{project.name}/{path}/{start}",
                    kind=OWN,
                    language=language,
                    project=project.name,
                    path=path,
                    start=start,
                    end=start + len(answer),
                    needed=None,
                )
                break
