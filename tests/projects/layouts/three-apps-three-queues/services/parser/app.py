import re

from celery import Celery

parser = Celery("parser", broker="redis://broker:6379/0", backend="redis://broker:6379/1")
parser.conf.task_default_queue = "parser"


@parser.task(name="parser.parse")
def parse(html):
    text = re.sub("<[^>]*>", "", html)
    return text
