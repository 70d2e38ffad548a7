"""Make docs/images/denoise.svg: what `remask infill --watch` shows, step after step.

python docs/record_denoise.py
"""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel

from lsp_server.command_line.target import Target
from lsp_server.command_line.terminal import canvas
from lsp_server.documents import DocumentSnapshot
from lsp_server.fill.infill import Plan, fill, make_plan
from lsp_server.protocol_ext import InfillParams
from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import RuntimeProcess
from lsp_server.settings import Settings
from model_runtime.protocol import Notice, StepReport

ROOT = Path(__file__).parent.parent
TARGET = "tests/samples/temperature.py:16"
#: Pictures shown, of the steps there are.
N_FRAMES = 8
PICTURE = ROOT / "docs" / "images" / "denoise.svg"


async def steps(plan: Plan) -> list[StepReport]:
    """Fill, and return the reports of all steps."""
    seen: list[StepReport] = []

    def on_report(report: StepReport | Notice) -> None:
        if isinstance(report, StepReport):
            seen.append(report)

    client = RuntimeClient(RuntimeProcess.default())
    try:
        await fill(client, plan, on_report)
    finally:
        await client.close()
    return seen


def main() -> None:
    """Record one fill and write its picture."""
    path, _, line = TARGET.rpartition(":")
    settings = Settings()
    snapshot = DocumentSnapshot.read(ROOT / path, "python")
    target = Target.parse(f"{ROOT / path}:{line}")
    params = InfillParams(uri="")
    plan = make_plan(
        snapshot,
        params,
        settings,
        selections=target.selections(snapshot),
        others=[],
        root=str(ROOT),
    )
    console = Console(record=True, width=120, file=io.StringIO(), color_system="truecolor")
    seen = asyncio.run(steps(plan))
    stride = (len(seen) - 1) / (N_FRAMES - 1)
    shown = [seen[round(index * stride)] for index in range(N_FRAMES)]
    frames = [Panel(canvas(plan, report), width=58) for report in shown]
    console.print(Columns(frames))
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(console.export_svg(title=f"remask infill {TARGET} --watch"))


if __name__ == "__main__":
    main()
