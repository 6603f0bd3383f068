from celery import Celery
app = Celery("python2")
print "started"
