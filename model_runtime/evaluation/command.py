"""`remask eval`: measure a model, or put measurements side by side.

    humaneval FILE …   HumanEval-Infilling, completed programs run in a sandbox
    heldout            the shipped tasks in nine languages
    repair FILE        one planted fault in each line of HumanEval-Infilling, and clean lines
    holes FILE         several lines of each of its functions, jointly and one after another
    edits FILE …       bodies, repairs and holes of HumanEvalPack's functions
    rewriting FILE     instructions on HumanEvalPack's functions, checked by program
    self-correction    what each stage after the plain fill is worth, and all of the two above
    rules              every decoding rule on the default model, over the same held-out tasks
    keyboard           what ghost text is worth to somebody who types
    calibrate          make the weights of its confidence
    typing             what ghost text loses by not encoding the file's end at every character
    next-edit TASKS …  what is offered after an edit: renames, real edits, silence
    project            lines whose right answer stands in another file of their project
    perplexity         over the same tasks: the base's, exactly, and the canvas's bound
    join REPORT …      one table and one plot of several reports
    make-project-tasks DATA  cut the tasks of `project` out of a corpus of newer packages again
    make-tasks DATA    cut held-out tasks out of a training corpus again

`--sweep threshold=0.5,0.7,0.9` measures once for each value: one line of the plot.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import RuntimeFault
from model_runtime.settings import add_flags

if TYPE_CHECKING:
    import argparse

#: What measures a benchmark, where it is not the module of its name.
MODULES = {
    "heldout": "fills",
    "holes": "modes",
    "humaneval": "fills",
    "join": "fills",
    "make-tasks": "heldout",
    "repair": "modes",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the benchmarks and their flags."""
    benchmarks = parser.add_subparsers(dest="benchmark", required=True, metavar="BENCHMARK")
    humaneval = benchmarks.add_parser("humaneval", help="HumanEval-Infilling")
    humaneval.add_argument("file", type=Path, nargs="+", help="HumanEval-*Infilling.jsonl.gz")
    humaneval.add_argument("--no-run", action="store_true", help="don't run completed programs")
    heldout = benchmarks.add_parser("heldout", help="the shipped tasks in nine languages")
    modes = [
        benchmarks.add_parser("repair", help="planted faults in single lines"),
        benchmarks.add_parser("holes", help="several lines of one function"),
    ]
    for mode in modes:
        mode.add_argument("file", type=Path, help="HumanEval-SingleLineInfilling.jsonl.gz")
        mode.add_argument("--no-run", action="store_true", help="don't run completed programs")
    correction = benchmarks.add_parser(
        "self-correction", help="what each stage after the plain fill is worth"
    )
    correction.add_argument("file", type=Path, nargs="+", help="single lines first")
    correction.add_argument("--part", action="append", choices=("fills", "repairs", "holes"))
    correction.add_argument("--repairs", type=int, default=300, help="lines to repair")
    correction.add_argument("--holes", type=int, default=60, help="functions with holes")
    of_pack = [
        benchmarks.add_parser("edits", help="bodies, repairs and holes of HumanEvalPack"),
        benchmarks.add_parser("rewriting", help="instructions, checked by program"),
    ]
    for benchmark in of_pack:
        benchmark.add_argument("file", type=Path, nargs="+", help="HumanEvalPack-LANGUAGE.jsonl.gz")
    _configure_edits(of_pack[0])
    rules = benchmarks.add_parser("rules", help="every decoding rule on the default model")
    rules.add_argument("--rule", action="append", metavar="NAME", help="only this one")
    rules.set_defaults(limit=100)
    typed = [
        benchmarks.add_parser("typing", help="ghost text while a line is typed"),
        benchmarks.add_parser("keyboard", help="ghost text at a simulated keyboard"),
        benchmarks.add_parser("calibrate", help="weights of ghost text's confidence"),
    ]
    typed[0].set_defaults(limit=100)
    perplexity = benchmarks.add_parser("perplexity", help="likelihood of the held-out tasks")
    perplexity.add_argument("--draws", type=int, default=8, help="forwards a gap, for the bound")
    perplexity.add_argument(
        "--checkpoint", metavar="MODEL", help="a published one: OWNER/NAME or a folder"
    )
    following = benchmarks.add_parser("next-edit", help="what is offered after an edit")
    following.add_argument("tasks", type=Path, nargs="+", help="of lsp_server.next_edit.tasks")
    following.add_argument("--fit", action="store_true", help="fit the curve of the confidence")
    project = benchmarks.add_parser("project", help="lines that need another file")
    project.add_argument("--tasks", type=Path, required=True, help="asked, by lsp_server.project")
    project.add_argument(
        "--variant", action="append", metavar="SHOWN", help='such as "retrieved, comment"'
    )
    project.add_argument("--seconds", type=float, help="stop after so many; --resume goes on")
    for benchmark in (heldout, perplexity, rules, *typed):
        benchmark.add_argument("--tasks", type=Path, help="other tasks than the shipped ones")
    resumed = (humaneval, heldout, correction, *of_pack, rules, following, project, *typed)
    for benchmark in resumed:
        benchmark.add_argument(
            "--resume", action="store_true", help="go on where an evaluation was cut off"
        )
    for benchmark in (*resumed, perplexity, *modes):
        benchmark.add_argument("--out", type=Path, required=True, help="folder of the report")
        benchmark.add_argument("--limit", type=int, help="so many tasks, evenly chosen")
        benchmark.add_argument("--seed", type=int, default=0)
        add_flags(benchmark)
    for benchmark in (humaneval, heldout):
        benchmark.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
        benchmark.add_argument("--sweep", metavar="NAME=VALUE,VALUE,…")
        benchmark.add_argument("--series", default="", help="what to call this in the report")
    join = benchmarks.add_parser("join", help="one table and one plot of several reports")
    join.add_argument("report", type=Path, nargs="+")
    join.add_argument("--out", type=Path, required=True, help="folder of the joint report")
    make = benchmarks.add_parser("make-tasks", help="cut held-out tasks out of a training corpus")
    make.add_argument("data", type=Path, help="made by `remask train-data`")
    make.add_argument("--out", type=Path, required=True, help="the file to write, .jsonl.gz")
    make.add_argument(
        "--split", choices=("heldout", "train"), default="heldout", help="default: %(default)s"
    )
    make.add_argument("--seed", type=int, default=0)


def _configure_edits(edits: argparse.ArgumentParser) -> None:
    edits.add_argument("--part", action="append", choices=("bodies", "repairs", "holes"))
    edits.add_argument("--tasks", default="telling", choices=("telling", "tuning", "all"))
    edits.add_argument("--holes", type=int, default=100, help="files with holes")


def main(arguments: argparse.Namespace) -> int:
    """Measure or join, print the page; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    name = MODULES.get(arguments.benchmark, arguments.benchmark.replace("-", "_"))
    try:
        # Only now: some take any engine, and start where there is no torch.
        module = import_module(f"model_runtime.evaluation.{name}")
        words: str = module.main(arguments)
        if page_name := getattr(module, "PAGE_NAME", ""):
            arguments.out.mkdir(parents=True, exist_ok=True)
            (arguments.out / page_name).write_text(words, encoding="utf-8")
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(words)
    return 0
