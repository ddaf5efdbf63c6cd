"""A JSON body sent over the SDK's own connection, with its headers and its errors, but round the rest of it.

For every request the SDK copies its options, makes the same headers and takes the same URL apart again: a third of all the
processor time of a call. Here both are made once.
"""

from __future__ import annotations

import json
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2
    import openai


class Wire:
    """Sends to one path.

    Args:
        client: the SDK's, for the address and the headers.
        connection: what that client sends through.
        path: below its base URL.
    """

    def __init__(self, client: openai.AsyncOpenAI, connection: httpx2.AsyncClient, path: str) -> None:
        import httpx2

        self._connection = connection
        self._url = client.base_url.copy_with(raw_path=client.base_url.raw_path + path.encode("ascii"))
        self._headers = httpx2.Headers(connection.headers)
        for headers in (client.auth_headers, client.default_headers):
            # What the SDK would leave out it marks by something that is no text.
            self._headers.update({name: value for name, value in headers.items() if isinstance(value, str)})

    async def post(self, body: dict[str, object]) -> httpx2.Response:
        """The whole response.

        Raises:
            openai.APIConnectionError: none came, or not in time.
            openai.APIStatusError: it is no success.
        """
        import anyio
        import httpx2
        import openai

        request = httpx2.Request(
            "POST", self._url, headers=self._headers, cookies=self._connection.cookies, content=_json(body)
        )
        try:
            response = await self._connection.send(request)
        except httpx2.TimeoutException as error:
            raise openai.APITimeoutError(request=request) from error
        except (httpx2.RequestError, ssl.SSLError, anyio.EndOfStream) as error:
            raise openai.APIConnectionError(request=request) from error
        if not response.is_success:
            raise status_error(response)
        return response


def status_error(response: httpx2.Response) -> openai.APIStatusError:
    """A response without success, as the SDK tells it."""
    import openai

    try:
        told = response.json()
    except ValueError:
        told = response.text.strip()
    fault = told.get("error", told) if isinstance(told, dict) else told
    return openai.APIStatusError(f"Error code: {response.status_code}", response=response, body=fault)


def _json(body: dict[str, object]) -> bytes:
    """As the SDK writes it."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
