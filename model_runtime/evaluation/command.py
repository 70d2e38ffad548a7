"""`remask eval`: measure a model, or put measurements side by side.

`remask eval make-project-tasks`, which cuts the tasks of `project`, is the language server's.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model_runtime.errors import RuntimeFault
from model_runtime.settings import add_flags

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

#: What each benchmark measures, the module that does, and its page in the folder of the report.
BENCHMARKS = {
    "humaneval": ("HumanEval-Infilling, its programs run in a sandbox", "fills", "report"),
    "heldout": ("the shipped tasks in nine languages", "fills", "report"),
    "repair": ("planted faults in single lines, and clean lines", "modes", "repair"),
    "holes": ("several lines of one function, jointly and one by one", "modes", "holes"),
    "edits": ("bodies, repairs and holes of HumanEvalPack", "edits", "edits"),
    "rewriting": ("instructions, checked by program", "rewriting", "rewriting"),
    "self-correction": (
        "what each stage after the plain fill is worth", "self_correction", "self-correction",
    ),
    "rules": ("every decoding rule on the default model", "rules", "decoding-rules"),
    "keyboard": ("ghost text at a simulated keyboard", "keyboard", "keyboard"),
    "calibrate": ("weights of ghost text's confidence", "calibrate", ""),
    "typing": ("ghost text while a line is typed", "typing", "typing"),
    "next-edit": ("what is offered after an edit", "next_edit", "next-edit"),
    "project": ("lines that need another file", "project", "project"),
    "perplexity": ("likelihood of the held-out tasks", "perplexity", "perplexity"),
    "join": ("one table and one plot of several reports", "fills", "report"),
    "make-tasks": ("cut held-out tasks out of a training corpus", "heldout", ""),
}  # fmt: skip
#: Those that don't run a model, that can't be resumed, and that are asked for the held-out tasks.
_WITHOUT_MODEL = ("join", "make-tasks")
_AT_ONCE = ("repair", "holes", "perplexity", *_WITHOUT_MODEL)
_HELD_OUT = ("heldout", "perplexity", "rules", "keyboard", "typing", "calibrate")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks and their flags."""
    added = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    of = {name: added.add_parser(name, help=told[0]) for name, told in BENCHMARKS.items()}

    def add(names: Iterable[str], flag: str, words: str | None = None, **how: Any) -> None:
        for name in names:
            of[name].add_argument(flag, help=words, **how)

    of_model = [name for name in of if name not in _WITHOUT_MODEL]
    single_lines = "HumanEval-SingleLineInfilling.jsonl.gz"
    add(["humaneval"], "file", "HumanEval-*Infilling.jsonl.gz", type=Path, nargs="+")
    add(["repair", "holes"], "file", single_lines, type=Path)
    add(["self-correction"], "file", "single lines first", type=Path, nargs="+")
    pack = ("edits", "rewriting")
    add(pack, "file", "HumanEvalPack-LANGUAGE.jsonl.gz", type=Path, nargs="+")
    add(["next-edit"], "tasks", "of lsp_server.next_edit.tasks", type=Path, nargs="+")
    add(["join"], "report", type=Path, nargs="+")
    add(["make-tasks"], "data", "made by `remask train-data`", type=Path)
    add(["make-tasks"], "--out", "the file to write, .jsonl.gz", type=Path, required=True)
    add([*of_model, "join"], "--out", "folder of the report", type=Path, required=True)
    add(of_model, "--limit", "so many tasks, evenly chosen", type=int)
    add([*of_model, "make-tasks"], "--seed", type=int, default=0)
    resumed = [name for name in of if name not in _AT_ONCE]
    add(resumed, "--resume", "go on where an evaluation was cut off", action="store_true")
    add(_HELD_OUT, "--tasks", "other tasks than the shipped ones", type=Path)
    add(["project"], "--tasks", "asked, by lsp_server.project", type=Path, required=True)
    ran = ("humaneval", "repair", "holes")
    add(ran, "--no-run", "don't run completed programs", action="store_true")
    series = ("humaneval", "heldout")
    add(series, "--set", action="append", default=[], metavar="NAME=VALUE")
    swept = "measure once for each value: one line of the plot"
    add(series, "--sweep", swept, metavar="NAME=VALUE,VALUE,…")
    add(series, "--series", "what to call this in the report", default="")
    parts = ("fills", "repairs", "holes")
    add(["self-correction"], "--part", action="append", choices=parts)
    add(["self-correction"], "--repairs", "lines to repair", type=int, default=300)
    add(["self-correction"], "--holes", "functions with holes", type=int, default=60)
    add(["edits"], "--part", action="append", choices=("bodies", "repairs", "holes"))
    add(["edits"], "--tasks", default="telling", choices=("telling", "tuning", "all"))
    add(["edits"], "--holes", "files with holes", type=int, default=100)
    add(["rules"], "--rule", "only this one", action="append", metavar="NAME")
    add(["perplexity"], "--draws", "forwards a gap, for the bound", type=int, default=8)
    published = "a published one: OWNER/NAME or a folder"
    add(["perplexity"], "--checkpoint", published, metavar="MODEL")
    add(["next-edit"], "--fit", "fit the curve of the confidence", action="store_true")
    shown = 'such as "retrieved, comment"'
    add(["project"], "--variant", shown, action="append", metavar="SHOWN")
    add(["project"], "--seconds", "stop after so many; --resume goes on", type=float)
    of["rules"].set_defaults(limit=100)
    of["typing"].set_defaults(limit=100)
    of["make-tasks"].add_argument("--split", choices=("heldout", "train"), default="heldout")
    for name in of_model:
        add_flags(of[name])


def main(arguments: argparse.Namespace) -> int:
    """Measure or join, write and print the page; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    _, module, page = BENCHMARKS[arguments.benchmark]
    try:
        # Only now: some take any engine, and start where there is no torch.
        words: str = import_module(f"model_runtime.evaluation.{module}").main(arguments)
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    if page:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / f"{page}.md").write_text(words, encoding="utf-8")
    sys.stdout.write(words)
    return 0
