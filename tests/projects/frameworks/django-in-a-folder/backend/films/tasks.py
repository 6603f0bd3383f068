from cinema.queue import queue
from django.core.exceptions import ValidationError


@queue.task(name="cinema.seats")
def seats(number):
    if not number:
        raise ValidationError("sold out")
    return f"{number} seats"
