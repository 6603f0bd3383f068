import statistics

from ..worker import worker


@worker.task
def mean(numbers):
    return statistics.fmean(numbers)
