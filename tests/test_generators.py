"""Generators of queries: extraction, a T5 model and a chat endpoint with its faults; kept queries; filters."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import WORDS
from loopback import KEY, Handler, Server, breaks_off, fails, hangs_up, says
from vecsmith.errors import VecsmithError
from vecsmith.tasks import Texts
from vecsmith.tune.generation import GeneratedPair, generate_pairs, usable
from vecsmith.tune.generators import GENERATORS, Passage, load_generator
from vecsmith.tune.generators.extract import split_sentences

BODIES = [f"The {word} is described here. Nobody has a {word} at home, e.g. in Rome. It is rare." for word in WORDS]
TITLES = [f"About a {word}" for word in WORDS]
CORPUS = Texts(
    [str(row) for row in range(len(WORDS))],
    [f"{title} {body}" for title, body in zip(TITLES, BODIES, strict=True)],
    "the toy corpus",
    titles=TITLES,
)


# ---------------------------------------------------------------- extraction


def test_titles_and_sentences_are_taken_out_of_the_passage() -> None:
    pairs, left_out = generate_pairs(load_generator("extract"), CORPUS, 3)
    own = [pair for pair in pairs if pair.passage == CORPUS.texts[0]]
    title, first, span = (
        "About a map",
        "The map is described here.",
        "Nobody has a map at home, e.g. in Rome. It is rare.",
    )
    assert own == [
        GeneratedPair(title, BODIES[0], CORPUS.texts[0]),
        GeneratedPair(first, f"{title} {span}", CORPUS.texts[0]),
        GeneratedPair(span, f"{title} {first}", CORPUS.texts[0]),
    ]
    assert (len(pairs), left_out) == (3 * len(WORDS), {})
    assert generate_pairs(load_generator("extract:first"), CORPUS, 3)[0][0].query == first


def test_a_title_that_the_text_repeats_is_taken_out_of_both_places() -> None:
    generator = load_generator("extract:title")
    passage = Passage("wing theory .", "wing theory . wing theory . a wing is studied .")
    assert generator.generate([passage], 3, 0) == [["wing theory ."]]
    assert generator.positive("wing theory .", passage) == "a wing is studied ."


def test_a_passage_of_one_sentence_without_title_is_left_out() -> None:
    corpus = Texts(
        ["a", "b", "c"], ["One sentence of five words.", " ", "Two words here now. And four words more."], "c"
    )
    pairs, left_out = generate_pairs(load_generator("extract"), corpus, 3)
    assert [pair.query for pair in pairs] == ["Two words here now.", "And four words more."]
    assert left_out == {"passage without a text": 1, "passage without further text": 1}


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("Short.", ["Short."]),
        ("See e.g. Smith et al. for more. This is another one.", None),
        ('He said "it is so." Then he left the house.', ['He said "it is so."', "Then he left the house."]),
        ("It was (cf. Smith. Jr. 1951) true then. (see", None),
        ("It is it (viz. Smith et al. in Rome) here now.", ["It is it (viz. Smith et al. in Rome) here now."]),
        ("Hm. What is it about? It is about maps! Really.", ["Hm. What is it about?", "It is about maps! Really."]),
    ],
)
def test_sentences_lose_no_word(text: str, sentences: list[str] | None) -> None:
    found = split_sentences(text)
    assert " ".join(found) == text
    assert sentences is None or found == sentences


def test_a_seed_draws_the_same_passages_and_sentences() -> None:
    def queries(seed: int) -> list[str]:
        return [pair.query for pair in generate_pairs(load_generator("extract"), CORPUS, 3, seed, limit=4)[0]]

    assert queries(0) == queries(0)
    assert len(queries(0)) == 12
    assert queries(0) != queries(1)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("extrakt", r"Unknown generator 'extrakt': known are .*extract\[:title"),
        ("t5", "Unknown generator 't5'"),
        ("chat:", "Unknown generator 'chat:'"),
        ("extract:titel", "Unknown method of extraction 'titel': did you mean 'title'"),
        ("extract:title,title", "gives a method twice"),
        ("chat:m@http://me:secret@host", "must be an address such as"),
    ],
)
def test_bad_specs_are_refused(spec: str, message: str) -> None:
    with pytest.raises(VecsmithError, match=message):
        load_generator(spec)


def test_every_generator_has_a_usage() -> None:
    assert {loader.usage.partition(":")[0].partition("[")[0] for loader in GENERATORS.values()} == set(GENERATORS)


# ---------------------------------------------------------------- filters


def test_rubbish_is_counted_by_reason() -> None:
    good = "how is a map made"
    generated = [
        [good, "How is a  map made", "???", "", "w " * 65, "map map map map map map", "The passage.", "why"],
        ["I cannot help with that", good + " here"],
        ["I cannot help with that."[:-1]],
        [],
    ]
    pairs = [[GeneratedPair(query, "the passage.", "the passage.") for query in queries] for queries in generated]
    kept, left_out = usable(pairs)
    assert [pair.query for pair in kept] == [good, "why", good + " here"]
    assert left_out == {
        "repeated": 1,
        "query without words": 2,
        "query of more than 64 words": 1,
        "query that repeats its words": 1,
        "copy of the passage": 1,
        "query of several passages": 2,
        "passage without a query": 1,
    }


# ---------------------------------------------------------------- chat


def answer_to(request: dict) -> dict:
    """Write two queries about the passage's title, in the manner of chat models."""
    title = " ".join(request["messages"][1]["content"].split()[:3])
    content = f'<think>A list?</think>\n1. "what is {title}"\n\n- {title} explained\n3) {title} for free'
    return {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": content}}],
    }


@pytest.fixture
def server(loopback: Callable[[Callable[[dict], object]], Server], monkeypatch: pytest.MonkeyPatch) -> Server:
    # one after the other, so that faults hit known passages
    monkeypatch.setattr("vecsmith.tune.generators.chat.ChatGenerator.workers", 1)
    return loopback(answer_to)


def ask(count: int = 2, limit: int | None = None) -> tuple[list[str], dict[str, int]]:
    pairs, left_out = generate_pairs(load_generator("chat:small"), CORPUS, count, 0, limit)
    return [pair.query for pair in pairs], left_out


ALL = [query for title in TITLES for query in (f"what is {title}", f"{title} explained")]


def content(text: object):
    return says(lambda answer: {"choices": [{"message": {"content": text}}]})


def test_a_chat_model_writes_the_queries(server: Server) -> None:
    assert ask() == (ALL, {})
    first = server.requests[0]
    assert first["path"] == "/v1/chat/completions"
    assert (first["model"], first["headers"]["Authorization"]) == ("small", f"Bearer {KEY}")
    assert "Write 2 different queries" in first["messages"][0]["content"]
    assert first["messages"][1] == {"role": "user", "content": CORPUS.texts[0]}


def test_the_address_may_stand_in_the_spec(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    address = f"http://127.0.0.1:{server.server_port}/v2"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setattr("vecsmith.tune.generators.chat.ChatGenerator.workers", 4)
    pairs, _ = generate_pairs(load_generator(f"chat:org/model@1@{address}"), CORPUS, 2)
    assert [pair.query for pair in pairs] == ALL
    assert {(each["path"], each["model"]) for each in server.requests} == {("/v2/chat/completions", "org/model@1")}


def test_what_was_generated_is_not_asked_for_again(server: Server, cache: Path) -> None:
    ask()
    assert ask() == (ALL, {})
    assert len(server.requests) == len(WORDS)
    # other counts and seeds are other queries; a sample of the same passages is not
    ask(limit=5)
    assert len(server.requests) == len(WORDS)
    generate_pairs(load_generator("chat:small"), CORPUS, 2, seed=1)
    assert len(server.requests) == 2 * len(WORDS)
    assert len(list((cache / "generated").glob("*.jsonl"))) == 2


@pytest.mark.parametrize("fault", [fails(500), fails(429), hangs_up, breaks_off])
def test_passing_faults_are_tried_again(server: Server, fault: Callable[[Handler, dict], None]) -> None:
    server.faults = [fault, fault]
    assert ask() == (ALL, {})
    assert len(server.requests) == len(WORDS) + 2


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (fails(500, "overloaded"), r"answers 500 to chat:small \(overloaded\); run the command again later"),
        (fails(401, f"no {KEY}"), r"answers 401 to chat:small \(no …\); check OPENAI_API_KEY"),
        (fails(400), r"answers 400 to chat:small .*; check the model's name"),
        (hangs_up, "cannot be reached or closes the connection"),
    ],
)
def test_after_a_lasting_fault_the_next_run_continues(
    server: Server, fault: Callable[[Handler, dict], None], message: str
) -> None:
    def dies_after_four(request: dict) -> dict:
        if len(server.requests) == 4:
            server.faults = [fault] * 20
        return answer_to(request)

    server.answer_to = dies_after_four
    with pytest.raises(VecsmithError, match=message) as caught:
        ask()
    assert KEY not in str(caught.value)
    server.faults, server.answer_to = [], answer_to
    asked = [request["messages"][1]["content"] for request in server.requests[:4]]
    server.requests.clear()
    assert ask() == (ALL, {})
    assert [request["messages"][1]["content"] for request in server.requests] == CORPUS.texts[4:]
    assert asked == CORPUS.texts[:4]


@pytest.mark.parametrize("missing", [1, 20])
def test_a_line_that_a_kill_left_incomplete_is_asked_for_again(server: Server, cache: Path, missing: int) -> None:
    ask()
    [work] = (cache / "generated").glob("*.jsonl")
    whole = work.read_bytes()
    work.write_bytes(whole[:-missing])
    server.requests.clear()
    assert ask() == (ALL, {})
    assert [request["messages"][1]["content"] for request in server.requests] == CORPUS.texts[-1:]
    assert work.read_bytes() == whole


@pytest.mark.parametrize(
    "fault",
    [
        content(""),
        content(None),
        content("\n \n"),
        content("<think>I think and think"),
        says(lambda answer: {"choices": []}),
        says(lambda answer: ["rubbish"]),
        says(lambda answer: None),
        says(lambda answer: {"choices": [{"message": "text"}]}),
        lambda handler, request: handler.reply(200, "not a completion"),
    ],
)
def test_empty_answers_are_counted_and_asked_for_again(server: Server, fault: Callable[[Handler, dict], None]) -> None:
    server.faults = [fault, fault]
    assert ask() == (ALL[4:], {"passage without a query": 2})
    assert ask() == (ALL, {})


def test_a_model_that_only_refuses_is_an_error(server: Server) -> None:
    server.faults = [content("I'm sorry, but I can't help with that.")] * len(WORDS)
    with pytest.raises(VecsmithError, match=r"no usable query \(12 × query of several passages\); use another"):
        ask()


def test_a_model_that_never_answers_is_given_up_early(server: Server) -> None:
    corpus = Texts([str(row) for row in range(200)], [f"passage {row}" for row in range(200)], "many")
    server.faults = [content("")] * 200
    with pytest.raises(VecsmithError, match="returns no query for the first 50 passages; check the model"):
        generate_pairs(load_generator("chat:small"), corpus, 1)
    assert len(server.requests) < 60


# ---------------------------------------------------------------- T5


@pytest.fixture(scope="module")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Write a T5 with random weights and a tokenizer of a few words, and return its folder."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = str(tmp_path_factory.mktemp("t5") / "tiny")
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    names = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(folder)
    torch.manual_seed(0)
    sizes = {"vocab_size": len(vocabulary), "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    special = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1}
    transformers.T5ForConditionalGeneration(transformers.T5Config(**sizes, **special)).save_pretrained(folder)
    return folder


def test_a_t5_writes_seeded_queries_that_are_kept(tiny_t5: str, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vecsmith.tune.generators.t5.T5Generator.block_passages", 5)
    monkeypatch.setattr("vecsmith.tune.generation.MIN_DISTINCT", 0)
    first, _ = generate_pairs(load_generator(f"t5:{tiny_t5}"), CORPUS, 3)
    assert {word for pair in first for word in pair.query.split()} <= {*WORDS, "<unk>"}
    assert 12 < len(first) <= 36
    assert all(pair.positive == pair.passage for pair in first)
    [work] = (cache / "generated").glob("*.jsonl")
    assert [len(json.loads(line)[1]) for line in work.read_text().splitlines()] == [5, 5, 2]
    # a run that was killed after the first block draws the same queries
    whole = work.read_bytes()
    work.write_bytes(whole[: whole.index(b"\n") + 10])
    again, _ = generate_pairs(load_generator(f"t5:{tiny_t5}"), CORPUS, 3)
    assert (again, work.read_bytes()) == (first, whole)
    other, _ = generate_pairs(load_generator(f"t5:{tiny_t5}"), CORPUS, 3, seed=1)
    assert other != first


def test_a_folder_that_is_no_t5_is_refused(cross_encoder: str, tmp_path: Path) -> None:
    with pytest.raises(VecsmithError, match=r"cannot be loaded .* sequence-to-sequence model"):
        generate_pairs(load_generator(f"t5:{cross_encoder}"), CORPUS, 1)
    with pytest.raises(VecsmithError, match="is not a model"):
        generate_pairs(load_generator(f"t5:{tmp_path}"), CORPUS, 1)


def test_a_full_disk_keeps_what_was_generated(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.open

    class Full:
        """A file on a disk with room for three lines."""

        def __init__(self, file) -> None:
            self.file, self.lines = file, 0

        def __getattr__(self, name: str):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_) -> None:
            self.file.close()

        def __iter__(self):
            return iter(self.file)

        def write(self, line: bytes) -> None:
            self.lines += 1
            if self.lines > 3:
                self.file.write(line[:7])
                raise OSError(28, "No space left on device")
            self.file.write(line)

    def opened(path: Path, mode: str = "r", *more, **options):
        file = real(path, mode, *more, **options)
        return Full(file) if mode == "a+b" else file

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", opened)
        with pytest.raises(OSError, match="No space left"):
            ask()
    server.requests.clear()
    assert ask() == (ALL, {})
    assert len(server.requests) == len(WORDS) - 3
    [work] = (cache / "generated").glob("*.jsonl")
    assert len(list(map(json.loads, work.read_text().splitlines()))) == len(WORDS)
