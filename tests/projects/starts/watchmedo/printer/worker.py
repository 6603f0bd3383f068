import os

from printer.queues import queues

paper = os.environ["PAPER"]


@queues.task
def print_page(text):
    return "(" + paper + ") " + text
