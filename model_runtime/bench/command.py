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

import msgspec

from model_runtime.bench.apart import apart
from model_runtime.bench.base import CONTEXTS, Setup, Table
from model_runtime.bench.machine import describe_machine, device_text
from model_runtime.bench.report import Report, markdown, write_report
from model_runtime.errors import RuntimeFault, UnknownName
from model_runtime.settings import add_flags, flags_of, load_settings

log = logging.getLogger(__name__)

#: Name, module, and what it measures; measured in this order.
PARTS = {
    "server": ("model_runtime.bench.server", "the language server, no model behind it"),
    "start": ("model_runtime.bench.start", "bringing the model up, and its memory"),
    "forwards": ("model_runtime.bench.forwards", "milliseconds a forward, by rows and context"),
    "fills": ("model_runtime.bench.fills", "fills by length, context and decoder"),
    "typing": ("model_runtime.bench.keystrokes", "the first draft and the text at each keystroke"),
    "moving": ("model_runtime.bench.moving", "ghost text at one line after another"),
    "following": ("model_runtime.bench.following", "next edits, through server and runtime"),
    "around": ("model_runtime.bench.around", "families that see the file: rows and forwards"),
    "peers": ("model_runtime.bench.peers", "others with the same weights, where installed"),
    "clients": ("model_runtime.bench.clients", "1, 4 and 16 clients at once"),
    "memory": ("model_runtime.bench.memory", "memory over many requests"),
}
#: Measured only where they are asked for: they take long, much room, or a graphics card.
EXTRA = {
    "size": ("model_runtime.bench.size", "a base of 1.5B at full size; takes 5 GB of disk"),
    "whole": ("model_runtime.bench.whole", "a family that sees the file, 0.5B at full size"),
    "kernels": ("model_runtime.bench.kernels", "linear maps of 8 and 4 bits, of several libraries"),
    "gpu": ("model_runtime.bench.gpu", "an accelerator, all that matters once; also --gpu"),
}
REPEAT = 3
N_REQUESTS = 1000


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parts = "\n".join(f"  {name:9} {purpose}" for name, (_, purpose) in (PARTS | EXTRA).items())
    parser.description = f"{parser.description}. The parts:\n\n{parts}"
    parser.add_argument("--only", default="", metavar="NAME[,NAME]", help="these parts, no others")
    parser.add_argument("--gpu", action="store_true", help="the part gpu, under ten minutes")
    parser.add_argument(
        "--out", type=Path, help="write the report as PATH.json, PATH.md and PATH.svg"
    )
    parser.add_argument(
        "--repeat", type=int, default=REPEAT, help=f"repetitions; {REPEAT} if not given"
    )
    parser.add_argument(
        "--requests", type=int, default=N_REQUESTS, help="requests of the part memory"
    )
    parser.add_argument(
        "--max-context", type=int, default=CONTEXTS[-1], help="leave longer contexts out, in tokens"
    )
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
    tables: list[Table] = import_module((PARTS | EXTRA)[name][0]).measure(setup)
    return [msgspec.structs.replace(table, part=name) for table in tables]


def command_line(arguments: argparse.Namespace) -> str:
    """Return the command that makes the same report again."""
    words = ["remask", "bench"]
    words += ["--only", arguments.only] if arguments.only else []
    words += ["--gpu"] if arguments.gpu else []
    words += ["--out", str(arguments.out)] if arguments.out else []
    words += ["--repeat", str(arguments.repeat)] if arguments.repeat != REPEAT else []
    words += ["--requests", str(arguments.requests)] if arguments.requests != N_REQUESTS else []
    is_cut = arguments.max_context != CONTEXTS[-1]
    words += ["--max-context", str(arguments.max_context)] if is_cut else []
    for name, value in flags_of(arguments).items():
        words += [f"--{name.replace('_', '-')}", value]
    return shlex.join(words)
