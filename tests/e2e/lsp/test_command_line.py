"""The command `remask`, as people type it."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support.fake_remote import fake_remote
from support.language_client import COMMAND, Home
from support.remote_failures import environment, good

pytestmark = pytest.mark.e2e

SAMPLES = Path(__file__).parents[2] / "samples"
SAMPLE = "temperature.py"


@pytest.fixture
def folder(home: Home) -> Path:
    """Return a folder with the samples in it."""
    home.answer(
        {"when": "fahrenheit: float.*\n.*\n\\s*$", "texts": ["return (fahrenheit - 32) * 5 / 9"]},
        {"when": "ENDLESS", "endless": True, "step_s": 0.01, "texts": ["a b c d"]},
        {"when": "BROKEN", "texts": ["("]},
        {"when": "BUG", "bug": True},
        # Slow enough that no step is passed over for the next one.
        {"when": r"len\(s\.items\)\]\s*$", "texts": ["x = 1\ny = 2"], "n_steps": 2, "step_s": 0.5},
        {"texts": ["x = 1\ny = 2"], "n_steps": 2},
    )
    return Path(shutil.copytree(SAMPLES, home.folder / "samples"))


@pytest.fixture
def remask(home: Home, folder: Path) -> Remask:
    """Return the command, run in the samples' folder."""
    return Remask(home, folder)


class Remask:
    """Runs `remask` in a folder."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.folder = folder
        self.environment = {**home.environment, "PYTHONPATH": str(SAMPLES.parents[1])}

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end; its output is bytes decoded, line ends as they are."""
        ended = subprocess.run(
            [*COMMAND, *words],
            capture_output=True,
            check=False,
            cwd=self.folder,
            env=self.environment,
            timeout=60,
        )
        decoded = ended.stdout.decode(), ended.stderr.decode()
        return subprocess.CompletedProcess(words, ended.returncode, *decoded)


def test_a_selection_becomes_a_diff(remask: Remask) -> None:
    """The README's own line: the change is printed, the file stays."""
    before = (remask.folder / SAMPLE).read_bytes()

    done = remask("infill", f"{SAMPLE}:16")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"--- a/{SAMPLE}\n+++ b/{SAMPLE}\n@@ -13,7 +13,7 @@\n")
    assert "\n-    return 0.0\n+    return (fahrenheit - 32) * 5 / 9\n" in done.stdout
    assert "forwards" in done.stderr
    assert (remask.folder / SAMPLE).read_bytes() == before


def test_the_file_can_be_written(remask: Remask) -> None:
    """In place, its permissions kept, and nothing else left in the folder."""
    path = remask.folder / SAMPLE
    path.chmod(0o640)
    names = sorted(entry.name for entry in remask.folder.iterdir())

    done = remask("infill", f"{SAMPLE}:16", "--write")

    assert done.returncode == 0, done.stderr
    assert "    return (fahrenheit - 32) * 5 / 9\n" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in remask.folder.iterdir()) == names


def test_odd_files_keep_their_bytes(remask: Remask) -> None:
    """A byte order mark, mixed line ends, a form feed: only what was selected changes."""
    path = remask.folder / "odd.py"
    path.write_bytes("\ufeffa = 1\r\n\tb\f\u2028 = 2\r\nc = 3\nd = 4".encode())

    done = remask("infill", "odd.py:3", "--write")

    assert done.returncode == 0, done.stderr
    expected = "\ufeffa = 1\r\n\tb\f\u2028 = 2\r\nx = 1\r\ny = 2\nd = 4"
    assert path.read_bytes() == expected.encode()
    assert "\\ No newline at end of file" in done.stdout


def test_a_program_can_read_the_result(remask: Remask) -> None:
    """`--json` prints one object: edits, diff, model, seed, cost."""
    done = remask("infill", f"{SAMPLE}:16", "--json", "--seed", "7")

    result = json.loads(done.stdout)
    text = (remask.folder / SAMPLE).read_text()
    (edit,) = result["edits"]
    assert text[edit["start"] : edit["end"]] == "0.0"
    assert edit["text"] == "(fahrenheit - 32) * 5 / 9"
    assert (result["seed"], result["model"], result["written"]) == (7, "scripted", False)
    assert result["usage"]["n_forwards"] == 1


def test_the_denoising_can_be_watched(remask: Remask) -> None:
    """Each canvas in its place on standard error; standard output holds the diff alone."""
    done = remask("infill", "stack.go:19", "--watch")

    assert done.stderr.count("tokens settled") == 2
    assert "░" in done.stderr
    assert done.stdout.startswith("--- a/stack.go")


def test_holes_need_no_place(remask: Remask) -> None:
    """`--mode holes` finds the markers of a file itself."""
    done = remask("infill", "words.ts", "--mode", "holes")

    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n-") == 2


def test_other_files_can_be_shown(remask: Remask, tmp_path: Path) -> None:
    """Those that are named and no others, wherever they lie."""
    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text("ELSEWHERE = 1\n")
    context = ("--context", "stack.go", "--context", str(elsewhere))
    with fake_remote(good("remask")) as remote:
        remask.environment |= environment("remask", remote.url)
        done = remask("infill", f"{SAMPLE}:16", *context)

    assert done.returncode == 0, done.stderr
    # What comes back makes nothing of what the function is given, so others are asked for.
    shown = [{file["path"] for file in seen["context"]} for _, _, seen in remote.requests]
    assert shown
    assert all(paths == {"stack.go", "elsewhere.py"} for paths in shown)


def test_a_node_can_be_asked_for(remask: Remask) -> None:
    """`--scope body` fills the body of the function around the place."""
    done = remask("infill", "shapes.rs:15:9", "--scope", "body", "--json")

    assert json.loads(done.stdout)["diff"].count("\n-") == 1


def test_a_result_that_does_not_parse_is_told(remask: Remask) -> None:
    """It is still printed: the file may not have parsed before, and the user can judge."""
    (remask.folder / "b.py").write_text("# BROKEN\nx = 1\n")

    done = remask("infill", "b.py:2")

    assert done.returncode == 0
    assert "does not parse" in done.stderr


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        ((f"{SAMPLE}:99",), 2, "no line 99; the file has lines 1 to 22"),
        ((f"{SAMPLE}:16:9-11:5",), 2, "ends before it starts"),
        ((SAMPLE,), 2, f"{SAMPLE}:LINE"),
        ((f"{SAMPLE}:16", "--mode", "melt"), 2, "'infill', 'rewrite', 'repair', 'holes'"),
        ((f"{SAMPLE}:16", "--strength", "2"), 2, "--strength"),
        ((f"{SAMPLE}:16", "--write", "--diff"), 2, "exclude each other"),
        (("gone.py:1",), 1, "gone.py: No such file or directory"),
        ((".:1",), 1, "Is a directory"),
        (("binary.py:1",), 1, "is binary"),
        (("large.py:1",), 1, "more than the limit of 1,048,576"),
        (("latin1.py:1",), 1, "is not UTF-8"),
        ((".env:1",), 1, "may hold secrets"),
        ((f"{SAMPLE}:16", "--context", ".env"), 1, ".env may hold secrets"),
        ((f"{SAMPLE}:16", "--context", "gone.py"), 1, "gone.py: No such file or directory"),
    ],
)
def test_what_can_not_be_done_is_said(
    remask: Remask, words: tuple[str, ...], status: int, says: str
) -> None:
    """One plain message, no traceback, and the exit status tells usage from failure."""
    (remask.folder / "binary.py").write_bytes(b"a\0b\n")
    (remask.folder / "large.py").write_bytes(b"x" * (1024 * 1024 + 1))
    (remask.folder / "latin1.py").write_bytes(b"caf\xe9\n")
    (remask.folder / ".env").write_text("KEY=1\n")

    done = remask("infill", *words)

    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_an_interrupt_cancels(remask: Remask) -> None:
    """Ctrl-C: nothing is written, the status is the shell's own for it, the model is free again."""
    (remask.folder / "c.py").write_text("# ENDLESS\nx = 1\n")
    words = [*COMMAND, "infill", "c.py:2", "--watch"]
    running = subprocess.Popen(
        words, stderr=subprocess.PIPE, cwd=remask.folder, env=remask.environment
    )
    with running:
        assert running.stderr is not None
        for line in running.stderr:
            if b"tokens settled" in line:
                break
        running.send_signal(signal.SIGINT)
        said = running.stderr.read()

    assert running.returncode == 130
    assert said.rstrip().endswith(b"remask: Cancelled.")
    assert remask("infill", f"{SAMPLE}:16").returncode == 0


def test_doctor_and_stop_say_what_runs(remask: Remask) -> None:
    """Nothing, then the runtime with its model, then nothing again; to look starts none."""
    assert "not running" in remask("doctor", "--look").stdout
    assert "No runtime was running" in remask("stop").stdout

    remask("infill", f"{SAMPLE}:16")
    report = remask("doctor", "--look")

    assert report.returncode == 0
    assert "\nmodel    scripted, none\n" in report.stdout
    assert "problem" not in report.stdout
    assert "is stopped" in remask("stop").stdout
    gone = remask("doctor", "--look")
    assert (gone.returncode, "not running" in gone.stdout) == (0, True)


def test_doctor_tries_the_whole_way(remask: Remask) -> None:
    """Server, device, socket, runtime, model and a filled line, each told as it is tried."""
    report = remask("doctor")

    words = [line.split()[0] for line in report.stdout.splitlines() if line[0] != " "]
    found = [word for word in words if word != "problem"]
    parts = ["remask", "server", "device", "socket", "runtime", "model", "log", "fill"]
    assert list(dict.fromkeys(found)) == parts
    assert re.search(r"\nfill     one line in [\d.]+ s, .*: return x = 1\n", report.stdout)
    # What the tests run with need not be the first `remask` on the PATH.
    problems = [line for line in report.stdout.splitlines() if line.startswith("problem")]
    assert all("Editors start `remask` from the PATH" in problem for problem in problems)


@pytest.mark.parametrize("words", [["doctor"], ["doctor", "--look"]])
def test_doctor_says_why_nothing_can_run(remask: Remask, words: list[str]) -> None:
    """What a runtime died of is told, though none is there to ask."""
    remask.environment["REMASK_ENGINE"] = "magic"
    assert remask("infill", f"{SAMPLE}:16").returncode == 1

    report = remask(*words)

    assert report.returncode == 1
    assert "It last said: unknown engine 'magic'; allowed: " in report.stdout


def test_doctor_says_what_is_wrong_with_what_runs(remask: Remask, home: Home) -> None:
    """A runtime whose engine can't be made stays there to be asked."""
    home.answer({"when": "("})
    failed = remask("infill", f"{SAMPLE}:16")

    report = remask("doctor")

    assert (failed.returncode, report.returncode) == (1, 1)
    assert "unterminated subpattern" in failed.stderr
    problems = [line for line in report.stdout.splitlines() if line.startswith("problem  ")]
    assert any("unterminated subpattern" in problem for problem in problems)


def test_a_report_holds_nothing_of_the_users(remask: Remask) -> None:
    """Neither text nor names nor places, though the runtime hit a bug that quotes them."""
    secret = remask.folder / "hush_hush.py"
    secret.write_text("# BUG hush_hush\nx = 1\n")
    remask.environment["REMASK_REMOTE_URL"] = "https://hush_hush.example"
    assert remask("infill", "hush_hush.py:2").returncode == 1

    report = remask("doctor", "--report")

    said = report.stdout
    for private in ("hush_hush", str(remask.folder), str(Path.home()), str(SAMPLES.parents[1])):
        assert private not in said
    assert "  File model_runtime/service/worker.py, line " in said
    assert "\nsettings engine = scripted, " in said
    assert "remote_url is set" in said
    assert " model_runtime.service.server client " in said
    assert " bug " in said
    assert "torch " in said


def test_what_needs_tensors_is_handed_over(remask: Remask) -> None:
    """The words after the command's name reach the runtime's own command line as they are."""
    done = remask("pull", "--help")

    assert done.returncode == 0
    assert "python -m model_runtime pull" in done.stdout


def test_the_command_says_which_one_it_is(remask: Remask) -> None:
    """For bug reports."""
    assert remask("--version").stdout.startswith("remask ")
