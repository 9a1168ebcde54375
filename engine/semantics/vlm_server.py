"""Asks a vision-language model over the API that OpenAI made common. Trusts nothing that comes back.

No redirect is followed, silence and endless answers end, and neither the key nor a picture is ever logged or put into a
message: of a failed answer only its kind is reported.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from engine.errors import UsageError
from engine.semantics.vlm_settings import VlmSettings

_LARGEST_ANSWER = 2**20
_LONGEST_PAUSE_S = 30.0
_WHOLE_ANSWER = 3.0  # times the longest silence
_TALKATIVE = ("openai", "httpx", "httpx2", "httpcore", "httpcore2")
_OPTIONAL = ("response_format", "temperature", "max_tokens")
"""What a server may refuse to know; left out when it does."""


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Question:
    """One request.

    Attributes:
        prompt: the text before the pictures.
        jpegs: the pictures.
        schema: JSON schema that the answer has to follow.
        labels: how many labels it has to have.
    """

    prompt: str
    jpegs: tuple[bytes, ...]
    schema: dict[str, Any]
    labels: int

    @property
    def most_answered(self) -> int:
        """Tokens that the answer may have: each label is a few words."""
        return 64 + 24 * self.labels


class FailedError(Exception):
    """A segment got no usable answer; the text says why and has nothing of what was sent."""


class RefusedError(FailedError):
    """The server will not answer any request of this kind: the key, the model, a redirect."""


@dataclass
class Spent:
    """What a run has used so far, and what it may use."""

    settings: VlmSettings
    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @property
    def cost(self) -> float:
        """Dollars; a server on this computer costs nothing."""
        if is_local():
            return 0.0
        return (self.tokens_in * self.settings.price_in + self.tokens_out * self.settings.price_out) / 1e6

    def begin(self) -> None:
        """Count a request before it is sent. Raises RefusedError where the budget is used up."""
        with self._lock:
            used_up = (
                self.requests >= self.settings.most_requests
                or self.tokens_in + self.tokens_out >= self.settings.most_tokens
                or (self.cost >= self.settings.most_cost > 0)
            )
            if used_up:
                raise RefusedError("the budget is used up")
            self.requests += 1

    def add(self, tokens_in: int, tokens_out: int) -> None:
        """Count what an answer says it took."""
        with self._lock:
            self.tokens_in += max(tokens_in, 0)
            self.tokens_out += max(tokens_out, 0)


class Server:
    """A server that speaks the API.

    Args:
        settings: see there.
        spent: is counted up.

    Raises:
        UsageError: the client is not installed, or there is neither a key nor a server of one's own.
    """

    def __init__(self, settings: VlmSettings, spent: Spent) -> None:
        check_server()
        import openai

        for name in _TALKATIVE:  # at their debug level they write whole requests
            logging.getLogger(name).setLevel(logging.WARNING)
        self.settings, self.spent = settings, spent
        self._openai = openai
        self._left_out: set[str] = set()
        self._closed = threading.Event()
        self._refusal = "the run was stopped"
        self._http = openai.DefaultHttpxClient(follow_redirects=False, timeout=settings.timeout_s)
        self._client = openai.OpenAI(
            api_key=os.environ.get("OPENAI_API_KEY") or "none",
            base_url=os.environ.get("OPENAI_BASE_URL") or None,
            max_retries=0,
            timeout=settings.timeout_s,
            http_client=self._http,
        )

    def close(self) -> None:
        """Break off what is under way."""
        self._closed.set()
        self._http.close()

    def ask(self, question: Question, check: Callable[[Any], Answer]) -> Answer:
        """The answer, as `check` makes it of the JSON that comes back.

        Args:
            question: what to send.
            check: turns the answer's JSON into what is wanted; raises ValueError if it is of no use.

        Raises:
            FailedError: no attempt gave a usable answer.
            RefusedError: nor would any other request.
        """
        try:
            return self._request(question, check)
        except RefusedError as error:
            self._refusal = str(error)  # segments that wait for their turn are not requested either
            self._closed.set()
            raise

    def _request(self, question: Question, check: Callable[[Any], Answer]) -> Answer:
        reason = "no request was made"
        for attempt in range(self.settings.attempts):
            if self._closed.is_set():
                raise RefusedError(self._refusal)
            self.spent.begin()
            try:
                return check(self._answer(question))
            except ValueError as error:
                reason, pause = f"its answer was of no use ({error})", None
            except self._openai.OpenAIError as error:
                reason, pause = self._judged(error)
            except _CutOffError as error:
                reason, pause = str(error), None
            except Exception as error:  # of the HTTP library, whichever it is: a connection that broke off half-way
                reason, pause = f"the connection failed ({type(error).__name__})", None
            if attempt + 1 < self.settings.attempts:
                self._pause(attempt, pause)
        raise FailedError(reason)

    def _judged(self, error: Exception) -> tuple[str, float | None]:
        """Why a request failed, and the pause that the server asks for. Raises RefusedError where it is no use to go
        on."""
        if isinstance(error, self._openai.APITimeoutError):
            return "it did not answer in time", None
        status = getattr(error, "status_code", None)
        if status is None:
            return f"the connection failed ({type(error).__name__})", None
        if 300 <= status < 400:
            raise RefusedError("it points to another address, which is not followed") from None
        if status in (401, 403):
            raise RefusedError(f"it refuses the key ({status})") from None
        if status == 404:
            raise RefusedError(f"it does not know the address or the model '{self.settings.model}' (404)") from None
        if status == 400 or status == 422:
            unknown = self._unknown_part(error)
            if unknown is None:
                raise RefusedError(f"it does not accept the request ({status})") from None
            self._left_out.add(unknown)
            return f"it does not know {unknown}", 0.0
        headers = getattr(getattr(error, "response", None), "headers", {})
        return f"it answered with an error ({status})", _seconds(headers.get("retry-after", ""))

    def _unknown_part(self, error: Exception) -> str | None:
        text = f"{getattr(error, 'param', '')} {getattr(error, 'body', '')} {error}"
        names = [name for name in _OPTIONAL if name not in self._left_out and name in text]
        return names[0] if names else None

    def _pause(self, attempt: int, retry_after_s: float | None) -> None:
        own = self.settings.backoff_s * 2**attempt * random.uniform(0.8, 1.2)
        self._closed.wait(min(own if retry_after_s is None else retry_after_s, _LONGEST_PAUSE_S))

    def _answer(self, question: Question) -> Any:
        """One request. The JSON in the answer. Raises ValueError, _CutOffError, the client's errors."""
        pictures = [
            {"type": "image_url", "image_url": {"url": f"data:image/jpeg;base64,{base64.b64encode(one).decode()}"}}
            for one in question.jpegs
        ]
        options: dict[str, Any] = {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "labels", "strict": True, "schema": question.schema},
            },
            "temperature": 0,
            "max_tokens": question.most_answered,
        }
        messages: Any = [{"role": "user", "content": [{"type": "text", "text": question.prompt}, *pictures]}]
        with self._client.chat.completions.with_streaming_response.create(
            model=self.settings.model,
            messages=messages,
            **{name: value for name, value in options.items() if name not in self._left_out},
        ) as response:
            content = self._read(response)
        return self._parsed(content)

    def _read(self, response: Any) -> bytes:
        """The body, as long as it comes in time and is no longer than an answer."""
        end = time.monotonic() + _WHOLE_ANSWER * self.settings.timeout_s
        content = bytearray()
        for part in response.iter_bytes():
            content += part
            if len(content) > _LARGEST_ANSWER:
                raise _CutOffError("its answer does not end")
            if time.monotonic() > end or self._closed.is_set():
                raise _CutOffError("it did not answer in time")
        return bytes(content)

    def _parsed(self, content: bytes) -> Any:
        try:
            answer = json.loads(content)
            usage = answer.get("usage") or {}
            self.spent.add(int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
            message = answer["choices"][0]["message"]
            text = message.get("content")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            raise ValueError("it is not in the API's form") from None
        if message.get("refusal") or not isinstance(text, str):
            raise ValueError("the model declined")
        start, end = text.find("{"), text.rfind("}")  # servers without schemas put words or marks around it
        try:
            return json.loads(text[start : end + 1])
        except ValueError:
            raise ValueError("it is not JSON") from None


class _CutOffError(Exception):
    """The answer was broken off by us."""


def _seconds(text: str) -> float | None:
    """Of a Retry-After header that holds a number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1e6 else None


def check_server() -> None:
    """Raises UsageError if the client is not installed, or there is neither a key nor a server of one's own."""
    import importlib.util

    if importlib.util.find_spec("openai") is None:
        raise UsageError(
            "--labeler openai needs the openai client, which is not installed.",
            "Run `pip install openai` in the engine's environment.",
        )
    if not (os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL")):
        raise UsageError(
            "--labeler openai needs a key in OPENAI_API_KEY, or the address of a server in OPENAI_BASE_URL.",
            "A server on your own computer (vLLM, Ollama, LM Studio) needs the address alone.",
        )


def server_name() -> str:
    """Host of the server, without anything secret that an address may hold."""
    address = os.environ.get("OPENAI_BASE_URL", "")
    return (urlsplit(address).hostname or "an address of no known form") if address else "api.openai.com"


def is_encrypted() -> bool:
    """Whether nobody on the way can read along; nobody is where the server is this computer."""
    address = os.environ.get("OPENAI_BASE_URL", "")
    return is_local() or not address or urlsplit(address).scheme == "https"


def is_local() -> bool:
    """Whether the server is this computer, so that nothing is sent away and nothing costs."""
    return server_name() in ("localhost", "127.0.0.1", "::1")
