#!/bin/sh
set -e
exec celery -A gallery.jobs worker -l info -Q celery,publishing
