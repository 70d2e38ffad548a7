"""`remask`: one command for everything.

`lsp`, `infill`, `doctor` and `stop` are clients of the runtime; `install` puts editor clients in
place. What needs tensors is handed over to `python -m model_runtime`, a process of its own. Imports
wait for the command that needs them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Literal, NoReturn

import typer

from lsp_server import version
from lsp_server.command_line.install import EditorName  # noqa: TC001
from lsp_server.errors import BadSelection, ServerFault
from lsp_server.protocol_ext import InfillParams, Scope
from lsp_server.settings import Lines  # noqa: TC001
from model_runtime.protocol import Mode  # noqa: TC001

#: What the runtime's own command line does, and we only pass on.
HANDED_OVER = {
    "models": "Say which models are here, which fit this machine, which would be better.",
    "pull": "Download a model ahead of its first use.",
    "use": "Take a model from now on.",
    "remove": "Delete a model from this disk.",
    "serve": "Serve fill-in-the-middle requests over HTTP.",
    "bench": "Measure this machine.",
    "eval": "Measure a model's quality.",
    "train": "Train a diffusion adapter.",
    "train-data": "Fetch and make the training corpus.",
}

LogLevel = Literal["debug", "info", "warning", "error"]

_EXIT_FAILED = 1
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="remask",
    help="Diffusion language models in the code editor.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain usage errors: one line that says what is allowed, in any terminal.
    rich_markup_mode=None,
)


def main() -> NoReturn:
    """Run the command line and leave with its exit status."""
    try:
        app()
    except BadSelection as fault:
        _fail(str(fault), _EXIT_USAGE)
    except ServerFault as fault:
        _fail(str(fault), _EXIT_FAILED)
    sys.exit(0)


@app.callback(invoke_without_command=True)
def _root(
    *, show_version: Annotated[bool, typer.Option("--version", help="Say which one.")] = False
) -> None:
    if show_version:
        typer.echo(f"remask {version()}")
        raise typer.Exit


@app.command()
def lsp(
    log_level: Annotated[
        LogLevel, typer.Option(help="What to write to standard error.")
    ] = "warning",
) -> None:
    """Speak the language server protocol over standard input and output."""
    from lsp_server.stdio import serve

    serve(log_level)


@app.command()
def infill(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE[:LINE[:COLUMN][-LINE[:COLUMN]]]",
            help="What to fill. Whole lines without columns: indentation and line end stay.",
        ),
    ],
    *,
    mode: Annotated[Mode, typer.Option(help="What to do with it.")] = "infill",
    scope: Annotated[
        Scope, typer.Option(help="The selection, or the syntax node around it.")
    ] = "selection",
    instruction: Annotated[str, typer.Option(help="What you want, in words.")] = "",
    strength: Annotated[
        float | None, typer.Option(min=0, max=1, help="How much a rewrite may change.")
    ] = None,
    lines: Annotated[Lines, typer.Option(help="How many the result may have.")] = "auto",
    model: Annotated[str | None, typer.Option(help="Instead of the default one.")] = None,
    sampler: Annotated[str | None, typer.Option(help="The decoding rule.")] = None,
    seed: Annotated[int | None, typer.Option(help="To get the same result again.")] = None,
    context: Annotated[
        list[Path] | None, typer.Option(help="Another file to show to the model; repeatable.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Change the file.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Only print the change (default).")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show the canvas denoise.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Fill nothing; print what the model is shown.")
    ] = False,
) -> None:
    """Fill a place in a file and print the change as a diff."""
    from lsp_server.command_line.target import Target
    from lsp_server.command_line.terminal import Output, infill_file

    if write and diff:
        raise BadSelection("--write and --diff exclude each other.")
    params = InfillParams(
        uri="",
        mode=mode,
        scope=scope,
        instruction=instruction,
        lines=lines,
        strength=strength,
        model=model,
        sampler=sampler,
        seed=seed,
    )
    output = Output(write=write, watch=watch, json=json, explain=explain)
    try:
        infill_file(Target.parse(target), params, context or (), output)
    except KeyboardInterrupt:
        _fail("Cancelled.", _EXIT_INTERRUPTED)


@app.command()
def doctor(
    *,
    look: Annotated[
        bool, typer.Option("--look", help="Only say what runs; start nothing.")
    ] = False,
    report: Annotated[
        bool,
        typer.Option("--report", help="With facts for a bug report, and no text of yours."),
    ] = False,
) -> None:
    """Try the whole way from an editor to a filled line, and say what to mend."""
    from lsp_server.command_line.doctor import check_up

    try:
        is_well = asyncio.run(check_up(typer.echo, only_look=look, report=report))
    except KeyboardInterrupt:
        _fail("Cancelled.", _EXIT_INTERRUPTED)
    if not is_well:
        raise typer.Exit(_EXIT_FAILED)


@app.command()
def stats(
    *,
    reset: Annotated[bool, typer.Option("--reset", help="Forget it all.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """Say what became of the ghost text that was shown: counts alone, kept on this machine."""
    import msgspec
    from rich import print as show

    from lsp_server.command_line.stats import tables
    from lsp_server.tally import forget, read_counts, tally_path

    path = tally_path()
    if reset:
        forget(path)
        typer.echo("Nothing is kept of ghost text any more.")
        return
    counts = read_counts(path)
    if json:
        typer.echo(msgspec.json.encode(counts).decode())
    elif not counts.by_language:
        typer.echo("No ghost text was shown yet, or setting inline.statistics is off.")
    else:
        typer.echo(f"Ghost text since {counts.since}; right: accepted whole, or typed as it stood.")
        for table in tables(counts):
            show()
            show(table)


@app.command()
def stop() -> None:
    """Let the runtime finish what it does, then end it."""
    from lsp_server.runtime.client import RuntimeClient
    from lsp_server.runtime.process import RuntimeProcess

    was_running = asyncio.run(RuntimeClient(RuntimeProcess.default()).stop())
    typer.echo("The runtime is stopped." if was_running else "No runtime was running.")


@app.command("install")
def install_client(
    editor: Annotated[EditorName, typer.Argument(help="Whose client.")],
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Take it away again.")] = False,
    command: Annotated[
        str, typer.Option(help="VS Code's command, where it is not one of the usual.")
    ] = "",
) -> None:
    """Put an editor's client in place."""
    from lsp_server.command_line.install import install

    for sentence in install(editor, remove=remove, command=command):
        typer.echo(sentence)


def _hand_over(name: str, purpose: str) -> None:
    @app.command(
        name,
        help=purpose,
        add_help_option=False,
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    )
    def run_command(context: typer.Context) -> None:
        from lsp_server.runtime.address import DIRECTORY_VARIABLE, default_directory

        # What takes grammars is done on this side.
        if name == "eval" and context.args[:1] == ["make-project-tasks"]:
            from lsp_server.project.tasks import main as make

            sys.exit(make(context.args[1:]))
        if name == "eval" and context.args[:1] == ["project"]:
            from lsp_server.project.asking import asked_for

            context.args[:] = asked_for(context.args)
        # Where the user's runtime listens is decided on this side only.
        os.environ[DIRECTORY_VARIABLE] = str(default_directory())
        words = [sys.executable, "-m", "model_runtime", name, *context.args]
        if sys.platform == "win32":
            # There exec would give the terminal back before the command is done.
            sys.exit(subprocess.call(words))
        sys.stdout.flush()
        os.execv(sys.executable, words)  # noqa: S606 - the list is ours


def _fail(text: str, status: int) -> NoReturn:
    typer.echo(f"remask: {text}", err=True)
    sys.exit(status)


for _name, _purpose in HANDED_OVER.items():
    _hand_over(_name, _purpose)
