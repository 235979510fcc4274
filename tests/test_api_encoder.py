"""The API encoder, against a server on loopback that speaks the protocol and has its faults."""

import hashlib
import json
from collections.abc import Callable

import numpy as np
import pytest

from loopback import KEY, Handler, Server, breaks_off, fails, hangs_up, says
from vecsmith.encoders import EncoderOptions, endpoint, load_encoder
from vecsmith.errors import VecsmithError

TEXTS = [f"text {number}" for number in range(7)]


def vector_of(text: str, dimensions: int) -> list[float]:
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:4]))
    return list(3 * rng.standard_normal(8)[:dimensions])


def expected(texts: list[str], dimensions: int = 8) -> np.ndarray:
    vectors = np.array([vector_of(text, dimensions) for text in texts])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def answer_to(request: dict) -> dict:
    dimensions = request.get("dimensions", 8)
    data = [
        {"object": "embedding", "index": index, "embedding": vector_of(text, dimensions)}
        for index, text in enumerate(request["input"])
    ]
    return {"object": "list", "data": data, "model": request["model"], "usage": {"prompt_tokens": 1, "total_tokens": 1}}


@pytest.fixture
def server(loopback: Callable[[Callable[[dict], object]], Server]) -> Server:
    return loopback(answer_to)


def encode(texts: list[str] = TEXTS, spec: str = "api:small", side: str = "passage", **options) -> np.ndarray:
    return load_encoder(spec, EncoderOptions(**options)).encode(texts, side)


def test_texts_go_in_batches_and_come_back_as_unit_vectors(server):
    vectors = encode(batch_size=3)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected(TEXTS), atol=1e-6)
    assert [len(request["input"]) for request in server.requests] == [3, 3, 1]
    for request in server.requests:
        assert request["path"] == "/v1/embeddings"
        assert request["model"] == "small" and "dimensions" not in request
        assert request["headers"]["Authorization"] == f"Bearer {KEY}"


def test_the_default_batch_has_256_texts(server):
    encode([str(number) for number in range(300)])
    assert [len(request["input"]) for request in server.requests] == [256, 44]


def test_dimensions_are_asked_for_and_checked(server):
    vectors = encode(spec="api:org/model@4")
    np.testing.assert_allclose(vectors, expected(TEXTS, 4), atol=1e-6)
    assert server.requests[0]["dimensions"] == 4 and server.requests[0]["model"] == "org/model"
    server.faults = [says(lambda answer: {"data": [{**item, "embedding": [1.0] * 8} for item in answer["data"]]})]
    with pytest.raises(VecsmithError, match="8 dimensions instead of 4"):
        encode(spec="api:org/model@4")


def test_prompts_go_before_the_texts_and_no_input_is_empty(server):
    encode(["a", ""], query_prompt="query: ", side="query")
    encode(["a", ""], query_prompt="query: ")
    assert [request["input"] for request in server.requests] == [["query: a", "query: "], ["a", " "]]


def test_a_server_without_a_key_gets_none(server, monkeypatch, tmp_path):
    monkeypatch.delenv("OPENAI_API_KEY")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    encode()
    assert "Authorization" not in server.requests[0]["headers"]


def test_a_netrc_file_does_not_replace_the_key(server, monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    encode()
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_provenance_tells_models_servers_and_prompts_apart(server, monkeypatch):
    def key(spec: str = "api:small", **options: str) -> str:
        return load_encoder(spec, EncoderOptions(**options)).provenance("query").key

    keys = {key(), key("api:large"), key("api:small@4"), key(query_prompt="query: ")}
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:1/v1/")
    keys.add(key())
    assert len(keys) == 5
    assert load_encoder("api:small").provenance("query").revision == "http://localhost:1/v1/embeddings"
    assert not server.requests


def test_429_is_tried_again_after_the_pause_that_the_server_asks_for(server):
    server.faults = [fails(429, Retry_After="1")]
    np.testing.assert_allclose(encode(), expected(TEXTS), atol=1e-6)
    first, second = server.requests
    assert 0.9 < second["at"] - first["at"] < 5


@pytest.mark.parametrize("retry_after", ["86400", "soon", "-3", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_a_senseless_pause_does_not_stop_the_work(server, monkeypatch, retry_after):
    monkeypatch.setattr(endpoint, "MAX_RETRY_AFTER_SECONDS", 0.05)
    server.faults = [fails(429, Retry_After=retry_after)]
    np.testing.assert_allclose(encode(), expected(TEXTS), atol=1e-6)


@pytest.mark.parametrize("fault", [fails(500), fails(502), fails(529), hangs_up, breaks_off])
def test_passing_faults_are_tried_again(server, fault):
    server.faults = [fault, fault, fault]
    np.testing.assert_allclose(encode(), expected(TEXTS), atol=1e-6)
    assert len(server.requests) == 4


def test_pauses_grow(server, monkeypatch):
    monkeypatch.setattr(endpoint, "BACKOFF_SECONDS", 0.1)
    server.faults = [fails(503)] * 4
    encode()
    pauses = np.diff([request["at"] for request in server.requests])
    assert pauses[3] > pauses[2] + 0.1 > pauses[1] + 0.2


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_lasting_fault_ends_with_the_servers_own_message(server, status):
    server.faults = [fails(status, "the model is overloaded")] * 50
    with pytest.raises(
        VecsmithError, match=rf"answers {status} .*\(the model is overloaded\); run the command again later"
    ):
        encode()
    assert len(server.requests) == endpoint.RETRIES + 1


@pytest.mark.parametrize("fault", [hangs_up, breaks_off])
def test_a_connection_that_always_breaks_is_an_error(server, fault):
    server.faults = [fault] * 100
    with pytest.raises(VecsmithError, match="cannot be reached or closes the connection"):
        encode()
    assert len(server.requests) < 20


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "check OPENAI_API_KEY"),
        (400, "a smaller --batch-size may help"),
        (404, "check OPENAI_BASE_URL"),
        (302, "check"),
    ],
)
def test_other_refusals_are_errors_at_once(server, status, advice):
    server.faults = [fails(status, f"no, {KEY} will not do", Location="http://127.0.0.1:1/")]
    with pytest.raises(
        VecsmithError, match=rf"answers {status} to api:small \(no, … will not do\); {advice}"
    ) as caught:
        encode()
    assert len(server.requests) == 1
    assert KEY not in str(caught.value)


def test_a_refusal_without_json_is_quoted(server):
    server.faults = [lambda handler, request: handler.send_error(403, "Forbidden by the gateway")]
    with pytest.raises(VecsmithError, match=r"answers 403.*Forbidden by the gateway"):
        encode()


def test_vectors_are_ordered_by_index(server):
    server.faults = [says(lambda answer: {"data": answer["data"][::-1]})]
    np.testing.assert_allclose(encode(), expected(TEXTS), atol=1e-6)


def changed(position: int, **values: object):
    def change(answer: dict) -> dict:
        answer["data"][position] |= values
        return answer

    return says(change)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (says(lambda answer: {"data": answer["data"][:-1]}), "6 vectors for 7 texts"),
        (says(lambda answer: {"data": answer["data"] + answer["data"][:1]}), "8 vectors for 7 texts"),
        (says(lambda answer: {"data": []}), "0 vectors for 7 texts"),
        (changed(2, index=1), "wrong indices"),
        (changed(2, embedding=[1.0, 2.0]), "is not a list of embeddings"),
        (changed(2, embedding=[[1.0] * 8]), "is not a list of embeddings"),
        (changed(2, embedding=None), "is not a list of embeddings"),
        (changed(2, embedding=["a"] * 8), "is not a list of embeddings"),
        (changed(2, embedding=[float("nan")] * 8), "not lists of finite numbers"),
        (changed(2, embedding=[1e300] * 8), "not lists of finite numbers"),
        (changed(2, index="two"), "is not a list of embeddings"),
        (says(lambda answer: {"object": "list"}), "is not a list of embeddings"),
        (says(lambda answer: ["nothing"]), "is not a list of embeddings"),
        (says(lambda answer: None), "is not a list of embeddings"),
    ],
)
def test_a_wrong_answer_is_an_error(server, fault, message):
    server.faults = [fault]
    with pytest.raises(VecsmithError, match=message):
        encode()


def test_truncated_json_is_an_error(server):
    def truncated(handler: Handler, request: dict) -> None:
        body = json.dumps(answer_to(request)).encode()[:-40]
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.faults = [truncated]
    with pytest.raises(VecsmithError, match="is not a list of embeddings"):
        encode()


def test_batches_of_different_dimensions_are_an_error(server):
    server.faults = [says(lambda answer: {"data": [{**item, "embedding": [1.0] * 4} for item in answer["data"]]})]
    with pytest.raises(VecsmithError, match="different numbers of dimensions"):
        encode(batch_size=4)


def test_a_server_that_is_not_there_is_an_error(server, monkeypatch):
    server.shutdown()
    server.server_close()
    with pytest.raises(VecsmithError, match=r"cannot be reached.*check OPENAI_BASE_URL") as caught:
        encode()
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["localhost:8000", "ftp://host/v1", "http://", "http://me:secret@host/v1", "http://a b/"]
)
def test_an_address_that_cannot_be_right_is_refused(monkeypatch, address):
    monkeypatch.setenv("OPENAI_BASE_URL", address)
    with pytest.raises(VecsmithError, match="OPENAI_BASE_URL must be an address") as caught:
        load_encoder("api:small")
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_right_is_refused_without_being_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-one\nsk-two")
    with pytest.raises(VecsmithError, match="OPENAI_API_KEY contains characters") as caught:
        load_encoder("api:small")
    assert "sk-" not in str(caught.value)


def test_a_line_end_after_the_key_does_no_harm(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY + "\n")
    encode()
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {KEY}"


def test_a_longest_input_is_refused():
    with pytest.raises(VecsmithError, match="leave --max-length out"):
        load_encoder("api:small", EncoderOptions(max_length=10))
