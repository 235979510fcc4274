"""Queries that a model behind an OpenAI-compatible chat endpoint writes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from vecsmith.encoders.endpoint import Endpoint
from vecsmith.plugins import Loader
from vecsmith.tune.generators.base import GENERATORS, Generator, Passage

INSTRUCTION = (
    "You write search queries. You are given a passage. Write {count} different queries that a user could type into a "
    "search engine and that the passage answers. Write one query per line, without numbers, quotes or comments."
)
TEMPERATURE = 1.0
MAX_PASSAGE_CHARACTERS = 8000
"""Longer passages are truncated."""

_REASONING = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\(?\d{1,2}[.):])\s*")


class ChatGenerator(Generator):
    """A chat model behind an OpenAI-compatible endpoint.

    Parameters
    ----------
    name : str
        Name of the model, optionally followed by ``@`` and the address, such as
        ``qwen3@http://localhost:8000/v1``. Otherwise ``OPENAI_BASE_URL`` is the address. ``OPENAI_API_KEY`` is the key.

    Raises
    ------
    VecsmithError
        If the address or the key is malformed.

    References
    ----------
    https://platform.openai.com/docs/api-reference/chat/create. Bonifacio, Abonizio, Fadaee and Nogueira 2022, InPars,
    https://arxiv.org/abs/2202.05144
    """

    workers = 8

    def __init__(self, name: str) -> None:
        self.model, address = name.rsplit("@", 1) if "@http" in name else (name, None)
        self._endpoint = Endpoint("chat/completions", address)
        self.spec = f"chat:{self.model}"

    @property
    def settings(self) -> Mapping[str, Any]:
        return {
            "spec": self.spec,
            "address": self._endpoint.url,
            "instruction": INSTRUCTION,
            "temperature": TEMPERATURE,
            "max_passage_characters": MAX_PASSAGE_CHARACTERS,
        }

    def generate(self, passages: Sequence[Passage], count: int, seed: int) -> list[list[str]]:
        return [self._ask(passage, count, seed)[:count] for passage in passages]

    def _ask(self, passage: Passage, count: int, seed: int) -> list[str]:
        """Return the lines of the model's answer; none if the answer is not a chat completion with a text."""
        messages = [
            {"role": "system", "content": INSTRUCTION.format(count=count)},
            {"role": "user", "content": passage.text[:MAX_PASSAGE_CHARACTERS]},
        ]
        payload = {"model": self.model, "messages": messages, "temperature": TEMPERATURE, "seed": seed}
        answer = self._endpoint.post(payload, self.spec)
        try:
            content = str(answer.json()["choices"][0]["message"]["content"] or "")
        except (ValueError, KeyError, TypeError, IndexError):
            return []
        lines = _REASONING.sub("", content).splitlines()
        queries = (_LIST_MARK.sub("", line).strip().strip("\"'“”") for line in lines)
        return [query for query in queries if query]


GENERATORS["chat"] = Loader(
    "chat:MODEL[@URL]",
    "a chat model behind an OpenAI-compatible endpoint; set OPENAI_API_KEY, and OPENAI_BASE_URL without a URL",
    ChatGenerator,
)
