"""`remask bench`: what this machine gives, measured in one run, as ratios where it can.

Machines are noisy: figures are medians, ways to do the same thing take turns, and the ratios are
the figures to quote. Nothing here is asserted; tests never time. The report is written after every
part, so a run that is cut off leaves what it has measured.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from model_runtime.bench.apart import apart
from model_runtime.bench.base import CONTEXTS, Setup, Table
from model_runtime.bench.machine import describe_machine, device_text
from model_runtime.bench.report import Report, markdown, write_report
from model_runtime.errors import RuntimeFault, UnknownName
from model_runtime.settings import add_flags, flags_of, load_settings

log = logging.getLogger(__name__)

#: Name, module of this folder, and what it measures; measured in this order.
PARTS = {
    "server": ("server", "the language server, no model behind it"),
    "start": ("start", "bringing the model up, and its memory"),
    "forwards": ("forwards", "milliseconds a forward, by rows and context"),
    "fills": ("fills", "fills by length, context and decoder"),
    "typing": ("keystrokes", "the first draft and the text at each keystroke"),
    "moving": ("moving", "ghost text at one line after another"),
    "following": ("following", "next edits, through server and runtime"),
    "around": ("around", "families that see the file: rows and forwards"),
    "peers": ("peers", "others with the same weights, where installed"),
    "clients": ("clients", "1, 4 and 16 clients at once"),
    "memory": ("memory", "memory over many requests"),
}
#: Measured only where they are asked for: they take long, much room, or a graphics card.
EXTRA = {
    "size": ("size", "a base of 1.5B at full size; takes 5 GB of disk"),
    "whole": ("whole", "a family that sees the file, 0.5B at full size"),
    "kernels": ("kernels", "linear maps of 8 and 4 bits, of several libraries"),
    "gpu": ("gpu", "an accelerator, all that matters once; also --gpu"),
}
#: What the command's own options are where they are not given.
USUAL: dict[str, Any] = {
    "only": "", "gpu": False, "out": None, "repeat": 3, "requests": 1000,
    "max_context": CONTEXTS[-1],
}  # fmt: skip


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parts = "\n".join(f"  {name:9} {purpose}" for name, (_, purpose) in (PARTS | EXTRA).items())
    parser.description = f"{parser.description}. The parts:\n\n{parts}"
    parser.set_defaults(**USUAL)
    add = parser.add_argument
    add("--only", metavar="NAME[,NAME]", help="these parts, no others")
    add("--gpu", action="store_true", help="the part gpu, under ten minutes")
    add("--out", type=Path, help="write the report as PATH.json, PATH.md and PATH.svg")
    add("--repeat", type=int, help=f"repetitions; {USUAL['repeat']} if not given")
    add("--requests", type=int, help="requests of the part memory")
    add("--max-context", type=int, help="leave longer contexts out, in tokens")
    add_flags(parser)


def main(arguments: argparse.Namespace) -> int:
    """Measure, print the report, write it; return the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        names = ["gpu"] if arguments.gpu else chosen_parts(arguments.only)
        setup = Setup(
            settings=load_settings(flags_of(arguments)),
            repeat=max(1, arguments.repeat),
            n_requests=max(1, arguments.requests),
            contexts=tuple(n for n in CONTEXTS if n <= arguments.max_context) or CONTEXTS[:1],
        )
        machine = describe_machine(setup.settings, apart(device_text, setup.settings))
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    report = Report(
        command=command_line(arguments),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine,
        tables=(),
        left_out=tuple(name for name in PARTS if name not in names),
    )
    has_failed = False
    for name in names:
        log.info("%s: %s", name, (PARTS | EXTRA)[name][1])
        started = time.monotonic()
        try:
            tables = apart(measure_part, name, setup)
        except (RuntimeFault, BrokenProcessPool) as fault:
            has_failed = True
            note = f"Not measured: {fault}"
            tables = [Table(part=name, title=name.capitalize(), says="", notes=(note,))]
        log.info("%s took %.0f s", name, time.monotonic() - started)
        report = msgspec.structs.replace(report, tables=(*report.tables, *tables))
        if arguments.out:
            write_report(report, arguments.out)
    sys.stdout.write(markdown(report))
    return 1 if has_failed else 0


def chosen_parts(only: str) -> list[str]:
    """Return the parts that `--only` names, in the order in which they are measured.

    Raises:
        UnknownName: the message lists the parts there are.
    """
    wanted = [name.strip() for name in only.split(",") if name.strip()]
    for name in wanted:
        if name not in PARTS | EXTRA:
            raise UnknownName("part", name, PARTS | EXTRA)
    return [name for name in PARTS | EXTRA if name in (wanted or PARTS)]


def measure_part(name: str, setup: Setup) -> list[Table]:
    """Measure one part in this process."""
    module = import_module(f"model_runtime.bench.{(PARTS | EXTRA)[name][0]}")
    tables: list[Table] = module.measure(setup)
    return [msgspec.structs.replace(table, part=name) for table in tables]


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command that makes the same report again."""
    given = {name: getattr(arguments, name) for name in USUAL}
    given = {name: value for name, value in given.items() if value != USUAL[name]}
    words = ["remask", "bench"]
    for name, value in (given | flags_of(arguments)).items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    return shlex.join(words)
