from collections import Counter

from celery import shared_task


@shared_task
def tally(votes):
    return dict(Counter(votes))
