"""What the worker can do."""

import random
import time

from celery import Task, chain, chord, group
from celery.canvas import Signature

from sample_app.celery_app import celery_app

Number = int | float


@celery_app.task
def divide(x: Number, y: Number) -> float:
    """Fail in the simplest way there is, with `y=0`."""
    return x / y


@celery_app.task(bind=True)
def build_report(self: Task, pages: int, seconds_per_page: float = 0.3) -> dict[str, int]:
    """Take a while, and say how far it is."""
    for done in range(pages):
        self.update_state(state="PROGRESS", meta={"done": done, "total": pages})
        time.sleep(seconds_per_page)  # stands for the work on one page
    return {"pages": pages}


class QuoteUnavailableError(Exception):
    """The exchange did not answer this time; it may when asked again."""


@celery_app.task(
    autoretry_for=(QuoteUnavailableError,),
    max_retries=3,
    retry_backoff=True,  # wait at most 1, 2, 4 seconds …
    retry_jitter=True,  # … and a random part of that, so that many failed tasks do not all come back at once
)
def fetch_quote(symbol: str, failure_chance: float = 0.5) -> dict[str, str | float]:
    """Ask a service that is not always there; retry when it is not."""
    if random.random() < failure_chance:
        raise QuoteUnavailableError(f"no answer for {symbol}")
    return {"symbol": symbol, "price": round(random.uniform(10, 500), 2)}


@celery_app.task
def square(number: Number) -> Number:
    return number**2


@celery_app.task
def add_up(numbers: list[Number]) -> Number:
    return sum(numbers)


@celery_app.task
def describe(total: Number, numbers: list[Number]) -> str:
    return f"{' + '.join(f'{number}²' for number in numbers)} = {total}"


def sum_of_squares(numbers: list[Number]) -> Signature:
    """Square all numbers in parallel, add them up once all are there, then describe the sum."""
    squares = group(square.s(number) for number in numbers)
    return chain(chord(squares, add_up.s()), describe.s(numbers))
