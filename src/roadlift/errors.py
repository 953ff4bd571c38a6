"""The error tree. Every error that roadlift raises on purpose is one of these.

::

    RoadliftError
    ├── UsageError    the call itself is wrong: an option, a name, a combination    exit 2, HTTP 400
    ├── InputError    a file or array cannot be used as it is                       exit 3, HTTP 422
    ├── LimitError    the work is larger than a stated limit                        exit 4, HTTP 413
    ├── ModelError    a model file is broken, unsafe or does not fit                exit 5, HTTP 422
    └── OutputError   the result cannot be written                                  exit 6, HTTP 507

A message says what was found, what is allowed and what to do next.
"""

from __future__ import annotations

from typing import ClassVar


class RoadliftError(Exception):
    """Root of all errors that roadlift raises on purpose."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500


class UsageError(RoadliftError):
    """An option, a name or a combination of them is not allowed."""

    exit_code = 2
    http_status = 400


class InputError(RoadliftError):
    """An input file or array cannot be used as it is."""

    exit_code = 3
    http_status = 422


class LimitError(RoadliftError):
    """The work asked for is larger than a stated limit."""

    exit_code = 4
    http_status = 413


class ModelError(RoadliftError):
    """A model file is broken, unsafe, or does not fit the input."""

    exit_code = 5
    http_status = 422


class OutputError(RoadliftError):
    """A result cannot be written."""

    exit_code = 6
    http_status = 507
