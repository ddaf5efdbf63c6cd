"""Any OpenAI-compatible endpoint, over chat completions: sends requests, and learns from refusals how to put them.

What a response holds is read in `response`; what a status or an error of the SDK means is told in `faults`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from coach.errors import JudgeError, JudgeReplyInvalid, JudgeUnavailable
from coach.judgement import Usage
from coach.judges import faults, response
from coach.judges.chat import ChatReply, ChatRequest, Quirks, Rung
from coach.judges.faults import Place, clean_words, words_of
from coach.judges.pace import Pace
from coach.judges.quirks import QuirkNotes, body_of, learn, step_down
from coach.judges.retry import rate_limit_wait, retrying
from coach.judges.stream import StreamedReply
from coach.judges.wire import Wire, names_socks
from coach.pricing import Price, add_usage, price_of
from coach.settings import shown_url

if TYPE_CHECKING:
    import openai

OPENAI_URL = "https://api.openai.com/v1"
MAX_LESSONS = 6
"""Refusals of parameters taken as lessons within one call; more than there are parameters to drop."""


class _Refused(Exception):
    """A status the server gave, before it is known whether it teaches a quirk."""

    def __init__(self, status: int, message: str, error: openai.APIStatusError) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error = error


class _Opened(NamedTuple):
    """What is open while calls are made."""

    client: openai.AsyncOpenAI
    wire: Wire
    """For calls whose reply comes whole."""


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

    Attributes:
        identity: the base URL, without a name and password in it.
        place: how errors name it.
        price: the model's, where it is known.
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
        self._url = (base_url or OPENAI_URL).rstrip("/")
        self.identity = shown_url(self._url)
        self.place = Place(model, self.identity, api_key)
        self.price = price_of(model, dict(prices or {}))
        self._key = api_key
        self._timeout = timeout
        self._tries = tries
        self._sleep = sleep
        self._notes = QuirkNotes(cache_dir, base_url=self.identity, model=model)
        self._quirks: Quirks | None = None
        self._proven: set[Rung] = set()
        """Rungs on which this endpoint has said something."""
        self._opened: _Opened | None = None

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
                raise JudgeReplyInvalid(f"{self.place} turned down every form of the request")
            raise JudgeReplyInvalid(f"{self.place} sent an empty reply")

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
        return reply._replace(usage=usage if usage.calls == sent else usage.model_copy(update={"calls": sent}))

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

    def body(self, request: ChatRequest) -> dict[str, object]:
        """The request as this endpoint takes it, for sending it by another way than `complete`."""
        return body_of(request, self.quirks, self.model)

    def read(self, content: bytes, quirks: Quirks, *, batch: bool = False) -> ChatReply:
        """The reply to a request that was put with these quirks; see `response.read`."""
        return response.read(content, quirks.rung, self.place, price=self.price, batch=batch)

    def usage_in(self, content: bytes, *, batch: bool = False) -> Usage | None:
        """What a response says it used, whatever else it holds; None where it does not say."""
        return response.usage_in(content, price=self.price, batch=batch)

    def counted(self, reply: ChatReply, request: ChatRequest, *, batch: bool = False) -> ChatReply:
        """A reply with its tokens and money, estimated where the endpoint did not count."""
        return response.counted(reply, request, price=self.price, batch=batch)

    def translate(self, error: openai.OpenAIError) -> JudgeError:
        """A fault of SDK, network or server as one of our errors."""
        return faults.translate(error, self.place, timeout=self._timeout)

    def refusal(self, status: int, words: str, *, code: str | None = None) -> JudgeError:
        """What a status means that came by another way than `complete`; see `faults.refusal`."""
        return faults.refusal(status, words, self.place, code=code)

    async def offered(self) -> set[str]:
        """The models it says it has; none where it keeps no list.

        Raises:
            JudgeError: it did not answer, or turned the request down.
        """
        import openai

        try:
            page = await self.client().models.list()
        except openai.NotFoundError:
            return set()
        except openai.OpenAIError as error:
            raise self.translate(error) from None
        return {clean_words(m.id) for m in page.data or []}

    async def aclose(self) -> None:
        """Close all connections; the next call opens new ones."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.wire.aclose()
            await opened.client.close()

    # --- one request ------------------------------------------------------------------------------------------------

    async def _send(self, request: ChatRequest, quirks: Quirks, on_text: Callable[[str], None] | None) -> ChatReply:
        import openai

        body = body_of(request, quirks, self.model)
        try:
            if on_text is not None:
                return await self._stream(body, quirks, on_text)
            sent = await self._open().wire.post(body)
            self._pace.wait(rate_limit_wait(sent.headers))
            return self.read(sent.content, quirks)
        except openai.APIStatusError as error:
            raise _Refused(error.status_code, words_of(error), error) from None
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
            async with call as events:
                if "json" in events.headers.get("content-type", ""):
                    return self.read(await events.read(), quirks)  # a server that does not stream
                async for line in events.iter_lines():
                    if reply.feed(line):
                        on_text(reply.text)
        except httpx2.TimeoutException:
            raise JudgeUnavailable(f"{self.place} said nothing more for {self._timeout:g} s") from None
        except httpx2.HTTPError as error:
            raise JudgeUnavailable(f"{self.place} broke off: {self.place.quoted(str(error))}") from None
        whole = reply.body()
        if whole is None:
            raise JudgeUnavailable(f"{self.place} broke off in the middle of its reply")
        return response.reply_in(whole, quirks.rung, self.place, price=self.price)

    # --- lessons ----------------------------------------------------------------------------------------------------

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

    def spoke(self, reply: ChatReply, quirks: Quirks, known: Quirks) -> None:
        """Remember that a model thinks, and a rung that speaks in place of one that never did.

        One empty reply of a rung that has spoken before is an accident.
        """
        proven = known.rung in self._proven
        self._proven.add(quirks.rung)
        if proven and (known.thinks or not reply.thought):
            return
        rung = known.rung if proven else quirks.rung
        learned = known.model_copy(update={"thinks": known.thinks or reply.thought, "rung": rung})
        if learned != known and self.quirks == known:
            self._remember(learned)

    def _learn(self, lesson: Quirks | None, assumed: Quirks, refusal: _Refused) -> None:
        """Take the lesson, or raise what the refusal means. A call that ran beside this one may have learned it first."""
        if self.take_lesson(lesson, assumed):
            return
        raise self.translate(refusal.error)

    def _remember(self, quirks: Quirks) -> None:
        self._quirks = quirks
        self._notes.write(quirks)

    # --- the client -------------------------------------------------------------------------------------------------

    def client(self) -> openai.AsyncOpenAI:
        """The SDK's client, opened at first use."""
        return self._open().client

    def _open(self) -> _Opened:
        if self._opened is None:
            import httpx2
            import openai

            if names_socks():
                raise faults.socks_proxy()
            try:
                client = openai.AsyncOpenAI(
                    api_key=self._key or "none", base_url=self._url, max_retries=0, timeout=self._timeout
                )
            except (ValueError, OSError, httpx2.InvalidURL) as error:  # an address, a proxy or certificates of no use
                raise faults.settings(error, self.place) from None
            self._opened = _Opened(client, Wire(client, "chat/completions", timeout=self._timeout))
        return self._opened
