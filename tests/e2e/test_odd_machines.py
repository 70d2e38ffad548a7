"""Machines that are not a developer's own laptop: containers, network file systems, many users."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.language_client import COMMAND
from support.no_locks import FLOCK

from lsp_server.runtime.address import DIRECTORY_VARIABLE
from model_runtime.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
NO_LOCKS = ROOT / "tests" / "support" / "no_locks.py"
#: Nobody's, as containers give them out.
STRANGERS = (54_321, 54_322)

without_locks = pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() not in FLOCK, reason="needs Linux's seccomp"
)


def as_user(number: int) -> tuple[str, ...]:
    """Return words before a command that run it as another user, in a namespace of the kernel's.

    Its files are those of whoever runs the tests; its name, and so its home, nobody knows.
    """
    return ("unshare", "--user", f"--map-user={number}", f"--map-group={number}")


as_strangers = pytest.mark.skipif(
    not shutil.which("unshare")
    or subprocess.run([*as_user(1), "true"], check=False, capture_output=True).returncode != 0,
    reason="needs Linux's user namespaces",
)


@pytest.fixture
def shared() -> Iterator[Path]:
    """A temporary folder for all users of a machine, and a file of theirs to fill."""
    with tempfile.TemporaryDirectory(prefix="rm-") as name:
        folder = Path(name)
        folder.chmod(0o1777)
        (folder / "a.py").write_text("x = 1\ny = 0\n")
        (folder / "script.json").write_text(json.dumps({"replies": [{"texts": ["z = 2"]}]}))
        yield folder


class User:
    """Somebody at a terminal, with nothing set but what is needed.

    Args:
        shared: the machine's temporary folder.
        before: words before the command; nothing makes it whoever runs the tests.
        more: of the environment.
    """

    def __init__(self, shared: Path, before: tuple[str, ...] = (), **more: str) -> None:
        self._shared = shared
        self._before = before
        self.environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(shared),
            "REMASK_ENGINE": "scripted",
            "REMASK_SCRIPT": str(shared / "script.json"),
            "REMASK_IDLE_EXIT_S": "60",
            **more,
        }

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `remask` to its end."""
        return self.run(*COMMAND, *words)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*self._before, *command],
            capture_output=True,
            text=True,
            check=False,
            cwd=self._shared,
            env=self.environment,
            timeout=120,
        )


@as_strangers
def test_a_user_without_name_and_home_gets_a_fill(shared: Path) -> None:
    """As in a container that runs under any id; where things are kept meanwhile is said."""
    user = User(shared, as_user(STRANGERS[0]))
    try:
        filled = user("infill", "a.py:2")
        checked = user("doctor", "--look")
        pulled = user("pull", "--list")
    finally:
        user("stop")

    assert filled.returncode == 0, filled.stderr
    assert "+z = 2\n" in filled.stdout
    home = shared / f"remask-home-{STRANGERS[0]}"
    assert f"No home folder is known for this user; models and logs are kept in {home}" in (
        checked.stdout
    )
    assert (home / ".local" / "state" / "remask" / "runtime.log").is_file()
    assert home.stat().st_mode & 0o777 == 0o700
    assert (pulled.returncode, "the default, for any laptop" in pulled.stdout) == (0, True)


@as_strangers
def test_somebody_elses_folder_is_no_home(shared: Path) -> None:
    """What others could have put there is not used; the sentence says what to set."""
    (shared / f"remask-home-{STRANGERS[0]}").mkdir()
    (shared / f"remask-home-{STRANGERS[0]}").chmod(0o777)

    done = User(shared, as_user(STRANGERS[0]))("pull", "--list")

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "is not theirs alone: set HOME" in done.stderr


@as_strangers
def test_two_users_of_a_machine_do_not_meet(shared: Path) -> None:
    """Each has a runtime of its own, though both have the same temporary folder."""
    users = [User(shared, as_user(number)) for number in STRANGERS]
    try:
        filled = [user("infill", "a.py:2") for user in users]
        pids = {json.loads(_status(user))["pid"] for user in users}
    finally:
        for user in users:
            user("stop")

    assert [done.returncode for done in filled] == [0, 0], filled[1].stderr
    assert len(pids) == 2


def _status(user: User) -> str:
    code = (
        "import asyncio, json\n"
        "from lsp_server.runtime.client import RuntimeClient\n"
        "from lsp_server.runtime.process import RuntimeProcess\n"
        "status = asyncio.run(RuntimeClient(RuntimeProcess.default()).status())\n"
        "print(json.dumps({'pid': status.pid}))\n"
    )
    return user.run(sys.executable, "-W", "ignore", "-c", code).stdout


@as_strangers
def test_a_home_that_can_not_be_written_is_no_matter(shared: Path) -> None:
    """Without a log and without settings; what is wrong is said where one looks for it."""
    home = shared / "home"
    home.mkdir(mode=0o555)
    user = User(shared, as_user(STRANGERS[0]), HOME=str(home))
    try:
        filled, checked = user("infill", "a.py:2"), user("doctor", "--look")
    finally:
        user("stop")

    assert filled.returncode == 0, filled.stderr
    assert "No log can be written at" in checked.stdout
    assert list(home.iterdir()) == []


@without_locks
@pytest.mark.parametrize("error", [errno.ENOLCK, errno.ENOSYS])
def test_a_file_system_without_locks_is_no_matter(shared: Path, error: int) -> None:
    """One runtime is started and found again, and what it held is free when it has left."""
    run = shared / "run"
    user = User(
        shared,
        (sys.executable, str(NO_LOCKS), str(error)),
        **{DIRECTORY_VARIABLE: str(run), "HOME": str(shared)},
    )
    try:
        filled = [user("infill", "a.py:2") for _ in range(2)]
        pids = {json.loads(_status(user))["pid"] for _ in range(2)}
    finally:
        stopped = user("stop")

    assert [done.returncode for done in filled] == [0, 0], filled[0].stderr
    assert len(pids) == 1
    assert stopped.stdout == "The runtime is stopped.\n"
    assert not (run / f"runtime-{PROTOCOL_VERSION}.lock.held").exists()


@without_locks
def test_what_a_killed_process_held_is_free_again(shared: Path) -> None:
    """A marker in place of a lock names its process; where that is gone, nobody waits for it."""
    hold = (
        "import os, sys\nfrom pathlib import Path\nfrom model_runtime.locking import acquire\n"
        "place = Path(sys.argv[1])\nlock = acquire(place, 5)\n"
        "print(os.listdir(place.parent), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    take = hold.replace("os.kill(os.getpid(), 9)", "print('taken')")
    (shared / "place").mkdir()
    user = User(shared, (sys.executable, str(NO_LOCKS), str(errno.ENOLCK)))

    killed = user.run(sys.executable, "-c", hold, str(shared / "place" / "a.lock"))
    taken = user.run(sys.executable, "-c", take, str(shared / "place" / "a.lock"))

    assert killed.returncode == -9
    assert "a.lock.held" in killed.stdout
    assert taken.stdout.endswith("taken\n"), taken.stderr


@pytest.mark.parametrize("place", ["{shared}/" + 12 * "long-name/" + "run", "~/run", "$HOME/run"])
def test_editor_and_server_share_a_runtime_wherever_it_is(shared: Path, place: str) -> None:
    """Also where its socket's path would be longer than systems allow."""
    more = {DIRECTORY_VARIABLE: place.format(shared=shared), "HOME": str(shared)}
    user = User(shared, **more)
    words = [*COMMAND, "serve", "--port", "0"]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, text=True, cwd=shared, env=user.environment
    ) as front:
        try:
            assert front.stdout is not None
            url = front.stdout.readline().rpartition(" ")[2].strip()
            body = json.dumps({"input_prefix": "x = ", "input_suffix": "\n"}).encode()
            asked = urllib.request.Request(  # noqa: S310 - of this machine's own
                f"{url}/infill", body, {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(asked, timeout=60) as reply:  # noqa: S310 - likewise
                filled = json.load(reply)
            seen = user("doctor", "--look")
        finally:
            front.terminate()
            user("stop")

    assert filled["content"] == "z = 2"
    assert "\nmodel    scripted, none\n" in seen.stdout


def test_places_may_be_written_with_a_tilde_and_variables(shared: Path) -> None:
    """The runtime's folder as a shell would have it, were it asked."""
    more = {"HOME": str(shared), "REMASK_SCRIPT": "$SCRIPTS/script.json", "SCRIPTS": str(shared)}
    user = User(shared, **{DIRECTORY_VARIABLE: "~/run"}, **more)
    try:
        filled = user("infill", "a.py:2")
    finally:
        user("stop")

    assert filled.returncode == 0, filled.stderr
    assert (shared / "run").is_dir()
    assert not (shared / "~").exists()
