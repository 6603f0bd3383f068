from celery import shared_task


@shared_task
def reorder(item, *, quantity):
    if quantity < 1:
        raise ValueError("quantity has to be positive")
    return f"{quantity} {item}"
