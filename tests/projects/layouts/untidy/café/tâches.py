from celery import Celery

célerī = Celery("café", broker="redis://redis:6379/0", backend="redis://redis:6379/0")


@célerī.task
def préparer(boisson):
    été = "un " + boisson + " ☕"
    return été
