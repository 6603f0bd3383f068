from celery import Celery

survey = Celery("survey", broker="redis://redis:6379/0", backend="db+sqlite:///survey.sqlite")


@survey.task
def average(answers):
    total = sum(answers)
    return total / len(answers)
