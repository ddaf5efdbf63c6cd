"""What a status of the server or an error of the SDK means, as one of our errors. What servers say is made safe here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from coach.errors import JudgeError, JudgeRefused, JudgeUnavailable
from coach.judges.retry import retry_after

if TYPE_CHECKING:
    import openai

_SERVER_WORDS = 300
"""Characters of a server's message that are shown."""
_READ = 4000
"""Characters of a message that are looked at."""
_NO_MODEL_CODES = frozenset({"model_not_found", "invalid_model", "unknown_model"})
_NO_MODEL = re.compile(
    r"(?:invalid|unknown|unrecognized|no such) model\b(?! (?:param|setting))|not a valid model\b"
    r"|\bmodel [^.]{0,80}?(?:does not exist|not found|is not available)",
    re.IGNORECASE,
)
"""How servers that answer 400 say that they do not have the model."""


class Place:
    """Whom a call goes to, as errors name it.

    Args:
        model: asked for.
        identity: the endpoint's base URL.
        key: kept out of all that is shown.
    """

    def __init__(self, model: str, identity: str, key: str | None = None) -> None:
        self.model = model
        self._name = f"the model {model!r} at {identity}"
        self._key = key

    def __str__(self) -> str:
        return self._name

    def quoted(self, words: str) -> str:
        """The server's words, safe to show."""
        # Before words are cut: half a key would not be known again.
        return clean_words(words.replace(self._key, "[key]") if self._key else words)


def translate(error: openai.OpenAIError, place: Place, *, timeout: float) -> JudgeError:
    """A fault of SDK, network or server as one of our errors.

    Args:
        error: the SDK's.
        place: whom the call went to.
        timeout: seconds that it was given.
    """
    import openai

    if isinstance(error, openai.APITimeoutError):
        return JudgeUnavailable(f"{place} did not answer within {timeout:g} s")
    if isinstance(error, openai.APIConnectionError):
        cause = place.quoted(str(error.__cause__ or error))
        hint = "Is the server running, and the base URL right? `coach doctor` checks it."
        return JudgeUnavailable(f"{place} cannot be reached: {cause}", hint=hint)
    if isinstance(error, openai.APIStatusError):
        wait = retry_after(error.response.headers)
        return refusal(error.status_code, words_of(error), place, code=error.code, wait=wait)
    return JudgeUnavailable(f"{place}: {place.quoted(str(error))}")


def refusal(status: int, words: str, place: Place, *, code: str | None = None, wait: float | None = None) -> JudgeError:
    """What a status means. Where no other request would fare better, it is hopeless.

    Args:
        status: HTTP status.
        words: the server's; made safe here.
        place: whom the call went to.
        code: the server's name for the fault.
        wait: seconds it asked to stay away.
    """
    said = place.quoted(words)
    if status in {401, 403}:
        hint = "Check the key in OPENAI_API_KEY or COACH_API_KEY, and that it may use this model."
        return _hopeless(f"{place} rejected the key ({status}): {said}", hint)
    if status == 404 or (status in {400, 422} and (code in _NO_MODEL_CODES or _NO_MODEL.search(said))):
        hint = "Check --model and --base-url (it mostly ends in /v1); `coach doctor` lists what is offered."
        return _hopeless(f"{place} does not know this model or path ({status}): {said}", hint)
    if status == 402 or (status == 429 and ("insufficient_quota" in said or code == "insufficient_quota")):
        return _hopeless(f"{place} has no quota left: {said}", "Add credit, or use another key.")
    if status in {408, 409, 425, 429} or status >= 500:
        return JudgeUnavailable(f"{place} answered {status}: {said}", retry_after=wait)
    return JudgeRefused(f"{place} rejected the request ({status}): {said}", hint="Try another model.")


def socks_proxy() -> JudgeError:
    """What it means that the environment names a SOCKS proxy."""
    hint = "Unset ALL_PROXY, HTTP_PROXY and HTTPS_PROXY for this command, or name an HTTP proxy in them."
    return _hopeless("the environment names a SOCKS proxy, through which no judge can be reached", hint)


def settings(error: Exception, place: Place) -> JudgeError:
    """The SDK could not even begin: an address, a proxy, or certificates that cannot be used."""
    hint = "Check --base-url, and in the environment HTTP_PROXY, HTTPS_PROXY, SSL_CERT_FILE and SSL_CERT_DIR."
    return _hopeless(f"{place} cannot be called: {place.quoted(str(error))}", hint)


def _hopeless(message: str, hint: str) -> JudgeRefused:
    error = JudgeRefused(message, hint=hint)
    error.hopeless = True
    return error


def words_of(error: openai.APIStatusError) -> str:
    """What the server said, with the parameter it named, as it came."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    told = said if isinstance(said, str) else str(body or error.message)
    return (f"{told} ({error.param})" if error.param else told)[:_READ]


def clean_words(text: str) -> str:
    """Untrusted words on one line, without control characters, cut short."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return line if len(line) <= _SERVER_WORDS else line[:_SERVER_WORDS] + "…"
