"""Bases of the hub's repositories: which file is taken, and that it is the one the hub means."""

from __future__ import annotations

import hashlib
import json
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from support.bases import write_base_gguf, write_folder

from model_runtime.engines.loading import adapter_place
from model_runtime.errors import BadRequest, ModelLoadFailed
from model_runtime.settings import RuntimeSettings
from model_runtime.weights import listing
from model_runtime.weights.bases import changed_files, find_base, read_origin
from model_runtime.weights.catalog import HubFile, NamedModel
from model_runtime.weights.fetch import ensure_model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVISION = "0" * 40


class Repository(ThreadingHTTPServer):
    """A stand-in for the hub with one repository, on the loopback."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.n_asked = 0

    def described(self) -> bytes:
        """Return what the hub says of the repository."""
        siblings = [
            {
                "rfilename": name, "size": len(content),
                "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content),
                        "pointerSize": 1},
            }
            for name, content in self.files.items()
        ]  # fmt: skip
        return json.dumps({"id": "o/n", "sha": REVISION, "siblings": siblings}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: Repository

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def _answer(self, *, with_body: bool) -> None:
        if self.path.startswith("/api/models/"):
            self.server.n_asked += 1
            body = self.server.described()
        else:
            body = self.server.files[self.path.partition(f"/resolve/{REVISION}/")[2]]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Serve an empty repository as the hub."""
    with Repository() as repository:
        endpoint = f"http://127.0.0.1:{repository.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = f"{endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        thread = threading.Thread(target=repository.serve_forever, args=(0.01,))
        thread.start()
        yield repository
        repository.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def gguf_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A base's file."""
    folder = tmp_path_factory.mktemp("made")
    return write_base_gguf("qwen2.5-coder", folder / "base.gguf").read_bytes()


def test_a_repository_is_fetched_once_and_remembered(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """Its only GGUF file is taken; a later start asks nobody."""
    hub.files = {"base-q4.gguf": gguf_bytes, "README.md": b"words"}
    base = find_base("o/n", tmp_path)
    assert base.source.read_bytes() == gguf_bytes
    assert base.digest == hashlib.sha256(gguf_bytes).hexdigest()
    n_asked = hub.n_asked
    assert find_base("o/n", tmp_path) == base
    assert find_base("o/n:base-q4.gguf", tmp_path) == base
    assert hub.n_asked == n_asked


def test_of_several_files_one_has_to_be_named(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """Unless one is the Q8_0; a name that is not there gets the names that are."""
    hub.files = {"a-q4_k_m.gguf": gguf_bytes, "a-q5_k_m.gguf": gguf_bytes + b"x"}
    with pytest.raises(ModelLoadFailed, match=r"say which, like o/n:a-q4_k_m\.gguf"):
        find_base("o/n", tmp_path)
    with pytest.raises(ModelLoadFailed, match=r"no file 'b\.gguf' at the hub; it has: a-q4"):
        find_base("o/n:b.gguf", tmp_path)
    assert find_base("o/n:a-q5_k_m.gguf", tmp_path).source.name == "a-q5_k_m.gguf"
    hub.files["a-q8_0.gguf"] = gguf_bytes
    assert find_base("o/n", tmp_path / "anew").source.name == "a-q8_0.gguf"


def test_files_of_one_name_in_two_folders(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """Both are kept: to take one does not cost the other."""
    hub.files = {"q4/base.gguf": gguf_bytes, "q5/base.gguf": gguf_bytes + b"x"}
    first = find_base("o/n:q4/base.gguf", tmp_path)
    second = find_base("o/n:q5/base.gguf", tmp_path)
    assert first.source.read_bytes() == gguf_bytes
    assert second.source.read_bytes() == gguf_bytes + b"x"
    hub.files.clear()
    assert find_base("o/n:q4/base.gguf", tmp_path) == first


@pytest.mark.parametrize("name", ["../base.gguf", "a/../../base.gguf", "/srv/base.gguf"])
def test_a_name_that_leads_elsewhere_is_no_file(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes, name: str
) -> None:
    """What the hub says is not trusted: nothing is written outside of the repository's folder."""
    hub.files = {name: gguf_bytes, "good.gguf": gguf_bytes}
    with pytest.raises(ModelLoadFailed, match=r"no file .*it has: good\.gguf"):
        find_base(f"o/n:{name}", tmp_path / "cache" / "deep")
    assert find_base("o/n", tmp_path / "cache" / "deep").source.name == "good.gguf"


def test_safetensors_of_other_folders_are_another_model(hub: Repository, tmp_path: Path) -> None:
    """What stands in a folder beside (onnx, the original form) is neither fetched nor mixed in."""
    made = write_folder("qwen3", tmp_path / "made")
    hub.files = {path.name: path.read_bytes() for path in made.iterdir()}
    hub.files["original/model.safetensors"] = b"other weights"
    base = find_base("o/n", tmp_path / "cache")
    expected = hub.files["model.safetensors"]
    assert (base.source / "model.safetensors").read_bytes() == expected
    assert [path.name for path in base.source.rglob("*.safetensors")] == ["model.safetensors"]


def test_a_folder_of_safetensors(hub: Repository, tmp_path: Path) -> None:
    """Configuration, tokenizer and every shard come, each by its digest."""
    made = write_folder("qwen3", tmp_path / "made")
    hub.files = {path.name: path.read_bytes() for path in made.iterdir()}
    base = find_base("o/n", tmp_path / "cache")
    assert base.source.is_dir()
    assert (base.source / "tokenizer.json").read_bytes() == hub.files["tokenizer.json"]


def test_a_file_that_changes_at_the_hub_is_noticed(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """What is here stays what was fetched, and whoever pulls again is told."""
    hub.files = {"base.gguf": gguf_bytes}
    base = find_base("o/n", tmp_path)
    assert changed_files("o/n", tmp_path) == []
    hub.files["base.gguf"] = gguf_bytes[:-1] + b"!"
    assert changed_files("o/n", tmp_path) == ["base.gguf"]
    assert find_base("o/n", tmp_path).digest == base.digest


def test_files_that_are_not_here_may_change(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """Nobody is told of them, and who asks for one later gets the one of that time."""
    hub.files = {"a.gguf": gguf_bytes, "b.gguf": b"old"}
    find_base("o/n:a.gguf", tmp_path)
    hub.files |= {"b.gguf": gguf_bytes + b"b", "c.gguf": gguf_bytes + b"c"}
    assert changed_files("o/n", tmp_path) == []
    assert find_base("o/n:c.gguf", tmp_path).source.read_bytes() == gguf_bytes + b"c"
    assert find_base("o/n:b.gguf", tmp_path).source.read_bytes() == gguf_bytes + b"b"
    hub.files["a.gguf"] = gguf_bytes + b"a"
    assert changed_files("o/n", tmp_path) == ["a.gguf"]


def test_what_does_not_have_the_digest_is_refused(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes
) -> None:
    """The hub says one digest and sends another file."""
    hub.files = {"base.gguf": gguf_bytes}
    base = find_base("o/n", tmp_path)
    origin = read_origin(base.source.parent)
    assert origin is not None
    hub.files["base.gguf"] = gguf_bytes[:-1] + b"!"
    known = origin.files["base.gguf"]
    source = HubFile("o/n", REVISION, "base.gguf")
    model = NamedModel("o/n", "base.gguf", known.sha256, known.n_bytes, "", (source,))
    with pytest.raises(ModelLoadFailed, match="wrong digest"):
        ensure_model(model, lambda *_: None, tmp_path / "other", model.sources)


def test_a_hub_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One sentence says what to do instead."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(ModelLoadFailed, match=r"the hub can't be asked for it.*give a file"):
        find_base("o/n", tmp_path)


def test_a_setting_is_written_between_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments, other keys and tables stay; a path with quotes comes back as it was."""
    path = tmp_path / "runtime.toml"
    monkeypatch.setattr(listing, "settings_path", lambda: path)
    path.write_text('# mine\nthreads = 2\nmodel = "old"  \n', encoding="utf-8")
    listing.write_settings({"model": 'C:\\a "b".gguf', "engine": "local"})
    text = path.read_text(encoding="utf-8")
    assert text == ('engine = "local"\n# mine\nthreads = 2\nmodel = "C:\\\\a \\"b\\".gguf"\n')


def test_models_of_the_cache_are_listed_and_removed(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """What was fetched is here under its name, and gone after it is removed; others stay."""
    monkeypatch.setenv("REMASK_CACHE_DIR", str(tmp_path))
    hub.files = {"base.gguf": gguf_bytes}
    find_base("o/n", tmp_path)
    (tmp_path / "published" / "p--q").mkdir()
    assert [model.name for model in listing.models_here(tmp_path)] == ["o/n", "p/q"]

    class Arguments:
        name = "o/n"

    assert listing.remove(Arguments()) == 0  # type: ignore[arg-type]  # all that is read of it
    assert "o/n: removed" in capsys.readouterr().out
    assert [model.name for model in listing.models_here(tmp_path)] == ["p/q"]
    assert listing.remove(Arguments()) == 1  # type: ignore[arg-type]  # likewise
    assert "is not in" in capsys.readouterr().err


def test_an_adapter_of_ones_own_outlives_its_base(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """It took hours to train, and nobody else has it."""
    monkeypatch.setenv("REMASK_CACHE_DIR", str(tmp_path))
    hub.files = {"base.gguf": gguf_bytes}
    adapter = adapter_place(find_base("o/n", tmp_path))
    own = adapter_place(find_base(str(write_folder("qwen3", tmp_path / "mine")), tmp_path))
    made_ready = tmp_path / "own" / "mine-0123456789ab-int8-v1"
    made_ready.mkdir(parents=True)
    (made_ready / "weights.safetensors").write_bytes(b"x")
    for place in (adapter, own):
        place.write_bytes(b"trained")
    assert [model.name for model in listing.models_here(tmp_path)] == ["o/n", "own"]
    for name in ("o/n", "own"):
        assert listing.remove(SimpleNamespace(name=name)) == 0  # type: ignore[arg-type]  # likewise
    assert f"stays: {adapter}" in capsys.readouterr().out
    assert adapter.read_bytes() == own.read_bytes() == b"trained"
    assert not made_ready.exists()
    assert (tmp_path / "mine" / "model.safetensors").exists()
    assert list(listing.models_here(tmp_path)) == []
    assert find_base("o/n", tmp_path).source.read_bytes() == gguf_bytes


@pytest.mark.parametrize("used", ["o/n", "o/n:base.gguf"])
def test_the_model_in_use_is_marked(
    hub: Repository, tmp_path: Path, gguf_bytes: bytes, used: str
) -> None:
    """Whichever of its names it was taken by; a file of it that is not here is said not to be."""
    hub.files = {"base.gguf": gguf_bytes}
    find_base("o/n", tmp_path)
    settings = RuntimeSettings(model=used)
    assert "* o/n: " in "\n".join(listing.described(settings, tmp_path))
    lines = "\n".join(listing.described(RuntimeSettings(model="o/n:b.gguf"), tmp_path))
    assert "* o/n: " not in lines
    assert "* o/n:b.gguf: not here yet" in lines


@pytest.mark.parametrize(
    "text", ['"model" = "old"\n', "'model'='old'\n", "model = 'old' # mine\n", "[table]\nx = 1\n"]
)
def test_a_key_is_set_however_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Twice would be no settings file."""
    path = tmp_path / "runtime.toml"
    monkeypatch.setattr(listing, "settings_path", lambda: path)
    path.write_text(text, encoding="utf-8")
    listing.write_settings({"model": "new"})
    assert tomllib.loads(path.read_text(encoding="utf-8")) == tomllib.loads(text) | {"model": "new"}


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffmodel = 'old'\n", 'model = """\nold"""\n', 'note = """\nmodel = 1\n"""\n',
        "[table]\nmodel = 1\n", "model.x = 1\n", "threads = \n",
    ],
)  # fmt: skip
def test_a_settings_file_that_would_break_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """Not a letter of it is changed, and the user is told what to write where."""
    path = tmp_path / "runtime.toml"
    monkeypatch.setattr(listing, "settings_path", lambda: path)
    path.write_text(text, encoding="utf-8")
    with pytest.raises(
        BadRequest, match=r'runtime\.toml.*write there: engine = "x" and model = "n'
    ):
        listing.write_settings({"engine": "x", "model": "new"})
    assert path.read_text(encoding="utf-8") == text


def test_a_settings_file_elsewhere_stays_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who keeps settings in a repository has a link to them."""
    there, path = tmp_path / "dotfiles.toml", tmp_path / "runtime.toml"
    there.write_text("threads = 2\n", encoding="utf-8")
    path.symlink_to(there)
    monkeypatch.setattr(listing, "settings_path", lambda: path)
    listing.write_settings({"model": "new"})
    assert path.is_symlink()
    assert tomllib.loads(there.read_text(encoding="utf-8")) == {"threads": 2, "model": "new"}
