from celery import shared_task


@shared_task
def charge(amount):
    return f"charged {amount}"
