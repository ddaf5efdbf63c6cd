"""Any OpenAI-compatible endpoint, over chat completions. The only importer of `openai`.

Every fault of SDK, network and server becomes one of our errors in `translate`; quirks are learned from refusals.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coach.errors import CoachError, JudgeError, JudgeRefused, JudgeReplyInvalid, JudgeUnavailable
from coach.judges.chat import ChatReply, ChatRequest, Finish, HealthLine, Message, Quirks, Rung
from coach.judges.pace import Pace
from coach.judges.quirks import QuirkNotes, learn, step_down
from coach.judges.retry import rate_limit_wait, retry_after, retrying
from coach.judges.stream import StreamedReply
from coach.models import Usage
from coach.pricing import Price, add_usage, cost_of, estimated, price_of

if TYPE_CHECKING:
    import openai

OPENAI_URL = "https://api.openai.com/v1"
MAX_LESSONS = 6
"""Refusals of parameters taken as lessons within one call; more than there are parameters to drop."""
_SERVER_WORDS = 300
"""Characters of a server's message that are shown."""

_NO_MODEL_CODES = frozenset({"model_not_found", "invalid_model", "unknown_model"})
_NO_MODEL = re.compile(
    r"(?:invalid|unknown|unrecognized|no such) model\b(?! (?:param|setting))|not a valid model\b"
    r"|\bmodel [^.]{0,80}?(?:does not exist|not found|is not available)",
    re.IGNORECASE,
)
"""How servers that answer 400 say that they do not have the model."""
_FINISH: dict[str, Finish] = {"stop": "stop", "length": "length", "content_filter": "content_filter"}


class _Refused(Exception):
    """A status the server gave, before it is known whether it teaches a quirk."""

    def __init__(self, status: int, message: str, error: openai.APIStatusError) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error


class _Counts(NamedTuple):
    prompt: int
    cached: int
    completion: int
    reasoning: int


class Endpoint:
    """One endpoint and one model.

    Args:
        model: asked for in every call.
        base_url: ends in /v1; OpenAI's own where None.
        api_key: never shown; local servers mostly need none.
        timeout: seconds for one HTTP request.
        tries: HTTP requests one call may cost, waits between them included in none of them.
        cache_dir: where notes on quirks are kept.
        prices: see `coach.pricing`.
        sleep: how waits are spent; tests pass their own.
        pace: told when the endpoint asks to wait, in a refusal or in rate-limit headers.
    """

    def __init__(
        self,
        *,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 120.0,
        tries: int = 4,
        cache_dir: Path | None = None,
        prices: Mapping[str, Price] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        pace: Pace | None = None,
    ) -> None:
        self._pace = pace or Pace()
        self.model = model
        self.identity = (base_url or OPENAI_URL).rstrip("/")
        self._key = api_key
        self._timeout = timeout
        self._tries = tries
        self._prices = dict(prices or {})
        self._sleep = sleep
        self._notes = QuirkNotes(cache_dir, base_url=self.identity, model=model)
        self._quirks: Quirks | None = None
        self._proven: set[Rung] = set()
        """Rungs on which this endpoint has said something."""
        self._client: openai.AsyncOpenAI | None = None

    async def complete(self, request: ChatRequest, *, on_text: Callable[[str], None] | None = None) -> ChatReply:
        """See `ChatEndpoint.complete`. `on_text` receives all the text so far, each time more of it has come."""
        sent = 0
        unsaid = Usage()
        """Of replies that said nothing."""

        async def attempt() -> ChatReply:
            nonlocal sent, unsaid
            rung = None
            for _ in range(MAX_LESSONS):
                sent += 1
                known = self.quirks
                quirks = known.model_copy(update={"rung": rung}) if rung else known
                try:
                    reply = self.counted(await self._send(request, quirks, on_text), request)
                except _Refused as refusal:
                    lesson = learn(quirks, refusal.status, refusal.message)
                    if rung and lesson:
                        rung = lesson.rung
                    else:
                        self._learn(lesson, known, refusal)
                    continue
                if reply.text.strip() or reply.refusal or reply.finish != "stop":
                    self.spoke(reply, quirks, known)
                    return reply
                unsaid = add_usage(unsaid, reply.usage)
                # Some servers accept a schema they cannot follow and then say nothing at all.
                below = step_down(quirks)
                if below is None:
                    break
                rung = below.rung
            else:
                raise JudgeReplyInvalid(f"{self._where} turned down every form of the request")
            raise JudgeReplyInvalid(f"{self._where} sent an empty reply")

        try:
            async for trial in retrying(self._tries, self._sleep):
                with trial:
                    try:
                        reply = await attempt()
                    except JudgeUnavailable as error:
                        self._pace.held_up(error.retry_after)
                        raise
        except JudgeError as error:
            paid = add_usage(unsaid, error.usage or Usage())
            error.usage = paid.model_copy(update={"calls": sent}) if paid.calls else None
            raise
        usage = add_usage(unsaid, reply.usage) if unsaid.calls else reply.usage
        return reply._replace(usage=usage.model_copy(update={"calls": sent}))

    @property
    def quirks(self) -> Quirks:
        """What is known of the endpoint; read from the notes at first use."""
        if self._quirks is None:
            self._quirks = self._notes.read()
        return self._quirks

    @property
    def thinks(self) -> bool:
        """See `ChatEndpoint.thinks`; learned from the model's replies."""
        return self.quirks.thinks

    @property
    def price(self) -> Price | None:
        """The model's price, where it is known."""
        return price_of(self.model, self._prices)

    def body(self, request: ChatRequest) -> dict[str, object]:
        """The request as this endpoint takes it, for sending it by another way than `complete`."""
        return _body(request, self.quirks, self.model)

    def read(self, content: bytes, quirks: Quirks, *, batch: bool = False) -> ChatReply:
        """The reply that a response holds.

        Args:
            content: the response's body.
            quirks: with which the request was sent.
            batch: it came by the provider's Batch API, which has prices of its own.

        Raises:
            JudgeUnavailable: it is cut off.
            JudgeReplyInvalid: it is malformed.
        """
        # Read here and not by the SDK's models: those cost a millisecond, and pass broken shapes on unchecked.
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            raise JudgeUnavailable(f"{self._where} sent a response that is cut off or no JSON") from None
        return self._reply(body, quirks, batch=batch)

    def usage_in(self, content: bytes, *, batch: bool = False) -> Usage | None:
        """What a response says it used, whatever else it holds; None where it does not say."""
        try:
            body = json.loads(content)
        except (ValueError, RecursionError):
            return None
        usage = self._usage(body.get("usage") if isinstance(body, dict) else None, batch=batch)
        return usage if usage.prompt_tokens or usage.completion_tokens else None

    def counted(self, reply: ChatReply, request: ChatRequest, *, batch: bool = False) -> ChatReply:
        """A reply with its tokens and money, estimated where the endpoint did not count."""
        if reply.usage.prompt_tokens or reply.usage.completion_tokens:
            return reply
        usage = estimated(reply.usage, sum(len(m.content) for m in request.messages))
        return reply._replace(usage=usage.model_copy(update={"cost_usd": cost_of(usage, self.price, batch=batch)}))

    def take_lesson(self, lesson: Quirks | None, assumed: Quirks) -> bool:
        """Whether what `assumed` was refused for can be done otherwise; if so, it is from now on."""
        thinks = {"thinks": self.quirks.thinks}  # no parameter: learned beside this, it is no other way to ask
        if self.quirks != assumed.model_copy(update=thinks):
            return True
        if lesson is None:
            return False
        self._remember(lesson.model_copy(update=thinks))
        return True

    def fell_silent(self, assumed: Quirks) -> bool:
        """Whether to ask otherwise after an empty reply that came by another way than `complete`; see `spoke`."""
        return assumed.rung not in self._proven and self.take_lesson(step_down(assumed), assumed)

    async def aclose(self) -> None:
        """Close all connections; the next call opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def check(self) -> tuple[HealthLine, ...]:
        """For `coach doctor`: is it there, does it know the model, which structured output does it keep to."""
        try:
            offered = await self._offered()
        except CoachError as error:
            return (HealthLine("endpoint", False, error.message, error.hint),)
        there = HealthLine("endpoint", True, f"{self.identity} answers")
        if offered and self.model not in offered:
            return there, HealthLine(
                "model", False, f"{self.model} is not among the endpoint's models", _choice(offered)
            )
        return there, await self._check_output()

    async def offers(self) -> tuple[HealthLine, ...]:
        """For `coach doctor` where no model is named: is it there, and what could be named."""
        try:
            offered = await self._offered()
        except CoachError as error:
            return (HealthLine("endpoint", False, error.message.replace(self._where, self.identity), error.hint),)
        there = HealthLine("endpoint", True, f"{self.identity} answers")
        return there, HealthLine("model", False, "no model is named", _choice(offered))

    async def _check_output(self) -> HealthLine:
        schema: dict[str, object] = {
            "type": "object",
            "properties": {"ready": {"type": "boolean"}},
            "required": ["ready"],
            "additionalProperties": False,
        }
        ask = Message("user", 'Reply with the JSON object {"ready": true} and nothing else.')
        try:
            reply = await self.complete(ChatRequest((ask,), schema, "ready", max_tokens=500))
        except CoachError as error:
            return HealthLine("structured output", False, error.message, error.hint)
        told = {
            "json_schema": "strict JSON Schema",
            "json_object": "JSON objects, without a schema: replies are checked, and asked for again where needed",
            "text": "plain text only: JSON is looked for in the reply",
        }
        return HealthLine("structured output", True, f"{reply.model}: {told[reply.rung]}")

    # --- one request ------------------------------------------------------------------------------------------------

    async def _send(self, request: ChatRequest, quirks: Quirks, on_text: Callable[[str], None] | None) -> ChatReply:
        import httpx2
        import openai

        body = _body(request, quirks, self.model)
        try:
            if on_text is not None:
                return await self._stream(body, quirks, on_text)
            # Round the SDK's typed parameters: it walks through every part of those, which costs more than sending them.
            raw = await self.client().post(
                "/chat/completions", cast_to=httpx2.Response, body=body, options={"security": {"bearer_auth": True}}
            )
            self._pace.wait(rate_limit_wait(raw.headers))
            return self.read(raw.content, quirks)
        except openai.APIStatusError as error:
            raise _Refused(error.status_code, _words_of(error), error) from None
        except openai.OpenAIError as error:
            raise self.translate(error) from None

    async def _stream(self, body: dict[str, object], quirks: Quirks, on_text: Callable[[str], None]) -> ChatReply:
        """The same reply, put together from its pieces; a stream that ends without a finish is a cut connection."""
        parameters: dict[str, Any] = {"model": self.model, "messages": [], "extra_body": body}
        if quirks.stream_usage:
            parameters["stream_options"] = {"include_usage": True}
        import httpx2

        reply = StreamedReply()
        call = self.client().chat.completions.with_streaming_response.create(stream=True, **parameters)
        try:
            async with call as response:
                if "json" in response.headers.get("content-type", ""):
                    return self.read(await response.read(), quirks)  # a server that does not stream
                async for line in response.iter_lines():
                    if reply.feed(line):
                        on_text(reply.text)
        except httpx2.TimeoutException:
            raise JudgeUnavailable(f"{self._where} said nothing more for {self._timeout:g} s") from None
        except httpx2.HTTPError as error:
            raise JudgeUnavailable(f"{self._where} broke off: {clean_words(str(error))}") from None
        whole = reply.body()
        if whole is None:
            raise JudgeUnavailable(f"{self._where} broke off in the middle of its reply")
        return self._reply(whole, quirks)

    def _reply(self, body: object, quirks: Quirks, *, batch: bool = False) -> ChatReply:
        usage = self._usage(body.get("usage") if isinstance(body, dict) else None, batch=batch)
        match body:
            case {"choices": [{"message": dict() as message, **choice}, *_]}:
                pass
            case _:
                fault = self._malformed(body)
                fault.usage = usage if usage.prompt_tokens or usage.completion_tokens else None
                raise fault
        text, refusal = message.get("content"), message.get("refusal")
        finish = _FINISH.get(str(choice.get("finish_reason")), "stop")
        refused = refusal if isinstance(refusal, str) and refusal.strip() else None
        named = body.get("model") if isinstance(body, dict) else None
        return ChatReply(
            text=text if isinstance(text, str) else "",
            finish="refusal" if refused else finish,
            refusal=refused,
            usage=usage,
            rung=quirks.rung,
            model=named if isinstance(named, str) and named else self.model,
            thought=usage.reasoning_tokens > 0 or _thought(message, finish),
        )

    def _malformed(self, body: object) -> JudgeError:
        """A response without a completion; gateways put the status of the server behind them into one of their own."""
        match body:
            case {"error": {"code": int(status), **rest}} if 400 <= status < 600:
                return self.refusal(status, str(rest.get("message", "no reason given")))
            case {"error": error}:
                told = error.get("message", error) if isinstance(error, dict) else error
                return JudgeReplyInvalid(
                    f"{self._where} answered with an error: {self._redact(clean_words(str(told)))}"
                )
            case _:
                return JudgeReplyInvalid(f"{self._where} sent a response without choices")

    def _usage(self, told: object, *, batch: bool) -> Usage:
        counts = _counts(told if isinstance(told, dict) else {})
        usage = Usage(
            calls=1,
            prompt_tokens=counts.prompt,
            cached_tokens=counts.cached,
            completion_tokens=counts.completion,
            reasoning_tokens=counts.reasoning,
        )
        return usage.model_copy(update={"cost_usd": cost_of(usage, self.price, batch=batch)})

    # --- faults -----------------------------------------------------------------------------------------------------

    def _learn(self, lesson: Quirks | None, assumed: Quirks, refusal: _Refused) -> None:
        """Take the lesson, or raise what the refusal means. A call that ran beside this one may have learned it first."""
        if self.take_lesson(lesson, assumed):
            return
        raise self.translate(refusal.error)

    def spoke(self, reply: ChatReply, quirks: Quirks, known: Quirks) -> None:
        """Remember that a model thinks, and a rung that speaks in place of one that never did.

        One empty reply of a rung that has spoken before is an accident.
        """
        learned = known.model_copy(update={"thinks": known.thinks or reply.thought})
        if known.rung not in self._proven:
            learned = learned.model_copy(update={"rung": quirks.rung})
        self._proven.add(quirks.rung)
        if learned != known and self.quirks == known:
            self._remember(learned)

    def _remember(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._notes.write(quirks)

    def translate(self, error: openai.OpenAIError) -> JudgeError:
        """A fault of SDK, network or server as one of our errors."""
        import openai

        if isinstance(error, openai.APITimeoutError):
            return JudgeUnavailable(f"{self._where} did not answer within {self._timeout:g} s")
        if isinstance(error, openai.APIConnectionError):
            cause = clean_words(str(error.__cause__ or error))
            hint = "Is the server running, and the base URL right? `coach doctor` checks it."
            return JudgeUnavailable(f"{self._where} cannot be reached: {cause}", hint=hint)
        if isinstance(error, openai.APIStatusError):
            return self._translate_status(error)
        return JudgeUnavailable(f"{self._where}: {self._redact(clean_words(str(error)))}")

    def _translate_status(self, error: openai.APIStatusError) -> JudgeError:
        wait = retry_after(error.response.headers)
        return self.refusal(error.status_code, _words_of(error), code=error.code, wait=wait)

    def refusal(self, status: int, words: str, *, code: str | None = None, wait: float | None = None) -> JudgeError:
        """What a status means. Where no other request would fare better, it is hopeless.

        Args:
            status: HTTP status.
            words: the server's; made safe here.
            code: the server's name for the fault.
            wait: seconds it asked to stay away.
        """
        said = self._redact(clean_words(words))
        if status in {401, 403}:
            hint = "Check the key in OPENAI_API_KEY or COACH_API_KEY, and that it may use this model."
            return _hopeless(f"{self._where} rejected the key ({status}): {said}", hint)
        if status == 404 or (status in {400, 422} and (code in _NO_MODEL_CODES or _NO_MODEL.search(said))):
            hint = "Check --model and --base-url (it mostly ends in /v1); `coach doctor` lists what is offered."
            return _hopeless(f"{self._where} does not know this model or path ({status}): {said}", hint)
        if status == 402 or (status == 429 and ("insufficient_quota" in said or code == "insufficient_quota")):
            return _hopeless(f"{self._where} has no quota left: {said}", "Add credit, or use another key.")
        if status in {408, 409, 425, 429} or status >= 500:
            return JudgeUnavailable(f"{self._where} answered {status}: {said}", retry_after=wait)
        return JudgeRefused(f"{self._where} rejected the request ({status}): {said}", hint="Try another model.")

    @property
    def _where(self) -> str:
        return f"the model {self.model!r} at {self.identity}"

    def _redact(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text

    # --- the client -------------------------------------------------------------------------------------------------

    def client(self) -> openai.AsyncOpenAI:
        """The SDK's client, opened at first use."""
        if self._client is None:
            import openai

            self._client = openai.AsyncOpenAI(
                api_key=self._key or "none", base_url=self.identity, max_retries=0, timeout=self._timeout
            )
        return self._client

    async def _offered(self) -> set[str]:
        import openai

        try:
            page = await self.client().models.list()
        except openai.NotFoundError:
            return set()
        except openai.OpenAIError as error:
            raise self.translate(error) from None
        return {clean_words(m.id) for m in page.data or []}


def _hopeless(message: str, hint: str) -> JudgeRefused:
    error = JudgeRefused(message, hint=hint)
    error.hopeless = True
    return error


def _choice(offered: set[str]) -> str:
    shown = f"It offers: {', '.join(sorted(offered)[:8])}. " if offered else ""
    return f"{shown}Name one with --model or COACH_MODEL."


def _body(request: ChatRequest, quirks: Quirks, model: str) -> dict[str, object]:
    """The request as this endpoint takes it."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": m.role, "content": m.content} for m in request.messages],
        quirks.token_limit: request.max_tokens,
    }
    if quirks.rung == "json_schema":
        schema = {"name": request.schema_name, "strict": True, "schema": request.schema}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    elif quirks.rung == "json_object":
        body["response_format"] = {"type": "json_object"}
    if request.temperature is not None and quirks.temperature:
        body["temperature"] = request.temperature
    if request.seed is not None and quirks.seed:
        body["seed"] = request.seed
    return body


def _counts(told: Mapping[str, Any]) -> _Counts:
    """Token counts under the names different servers give them; what is missing or odd counts as 0."""

    def number(*path: str) -> int:
        value: Any = told
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, int) and value > 0 else 0

    prompt = number("prompt_tokens")
    cached = number("prompt_tokens_details", "cached_tokens") or number("prompt_cache_hit_tokens")
    reasoning = number("completion_tokens_details", "reasoning_tokens")
    return _Counts(prompt, min(cached, prompt), number("completion_tokens"), reasoning)


def _thought(message: Mapping[str, Any], finish: Finish) -> bool:
    """Whether a reply shows that its model thinks: under the names servers give it, in the text, or for want of any text."""
    text = message.get("content")
    said = text.strip() if isinstance(text, str) else ""
    aside = message.get("reasoning_content") or message.get("reasoning")
    return bool(aside) or said.startswith("<think") or (finish == "length" and not said)


def _words_of(error: openai.APIStatusError) -> str:
    """What the server said, with the parameter it named, made safe and short."""
    body = error.body
    said = body.get("message") if isinstance(body, dict) else None
    told = said if isinstance(said, str) else str(body or error.message)
    return clean_words(f"{told} ({error.param})" if error.param else told)


def clean_words(text: str) -> str:
    """Untrusted words on one line, without control characters, cut short."""
    line = re.sub(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+", " ", text).strip()
    return line if len(line) <= _SERVER_WORDS else line[:_SERVER_WORDS] + "…"
