"""Errors of the server as values: a status, a code for programs, words for people."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException

from roadlift.errors import InputError, LimitError, ModelError, OutputError, RoadliftError, UsageError
from roadlift.server.wording import without_flags

CODES: dict[type[RoadliftError], str] = {
    UsageError: "bad_request",
    InputError: "unusable_image",
    LimitError: "over_limit",
    ModelError: "unusable_model",
    OutputError: "no_space",
}


class Problem(HTTPException):
    """Ends a request, or a job, with a status and words.

    Example:
        >>> Problem(404, "not_found", "There is no such job.").code
        'not_found'
    """

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(status, message, headers)
        self.code = code
        self.message = message


def code_of(status: int) -> str:
    """Return the code of a status that has no better one: its name.

    Example:
        >>> code_of(405)
        'method_not_allowed'
    """
    try:
        return HTTPStatus(status).name.lower()
    except ValueError:
        return "error"


def words_of(error: RoadliftError) -> tuple[int, str, str]:
    """Return status, code and message of an error of ours, in words that fit the page."""
    code = next((code for kind, code in CODES.items() if isinstance(error, kind)), "error")
    return error.http_status, code, without_flags(str(error))
