from sums.base import base


@base.task
def square(number):
    return number * number
