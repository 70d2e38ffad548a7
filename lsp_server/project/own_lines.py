"""Lines that need no other file: what showing one costs where it can't help.

They are cut out of the same packages as the tasks of `tasks`, and asked about in the same way. All
names of such a line's rest are said elsewhere in its own file.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from itertools import accumulate
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from lsp_server.project.tasks import (
    MAX_ANSWER,
    MAX_OF_FILE,
    MAX_OF_PACKAGE,
    MIN_ANSWER,
    N_TASKS,
    NAME,
    Task,
    is_code,
    lines_in_strings,
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
        own: list[Task] = []
        for path in sorted(project.files):
            tasks = _cut(project, path, rng)
            own += [task for _, task in zip(range(MAX_OF_FILE), tasks, strict=False)]
        rng.shuffle(own)
        found += own[:MAX_OF_PACKAGE]
    rng.shuffle(found)
    return found[:n_tasks]


def _cut(project: Project, path: str, rng: random.Random) -> Iterator[Task]:
    """Yield tasks of one file, in a random order."""
    text, language = project.files[path], guess_language(PurePosixPath(path))
    lines, said = text.split("\n"), Counter(NAME.findall(text))
    starts = list(accumulate((len(line) + 1 for line in lines), initial=0))
    in_string = lines_in_strings(text) if language == "python" else frozenset()
    numbers = list(range(len(lines)))
    rng.shuffle(numbers)
    for number in numbers:
        line = lines[number].rstrip()
        if number in in_string or not is_code(line):
            continue
        on_line = Counter(NAME.findall(line))
        ends = [
            name.start()
            for name in NAME.finditer(line)
            if re.match(r"[\w\s.(\[{,=+*&!:<>-]", line[: name.start()][-1:] or " ")
        ]
        rng.shuffle(ends)
        for at in ends:
            answer = line[at:]
            is_short = sum(map(str.isalnum, answer)) >= MIN_ANSWER and len(answer) <= MAX_ANSWER
            if is_short and all(said[name] > on_line[name] for name in NAME.findall(answer)):
                start = starts[number] + at
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
