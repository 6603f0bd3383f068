from celery import shared_task


@shared_task(name="high_priority:greet")
def greet(name):
    text = "hello " + name
    return text
