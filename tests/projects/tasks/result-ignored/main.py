from celery import Celery

celery = Celery("main", broker="redis://localhost:6379/0")


@celery.task(ignore_result=True)
def quiet(x):
    fifth = 10 // x
    print(f"a fifth of 10 is {fifth}")
