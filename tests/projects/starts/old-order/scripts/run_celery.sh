#!/bin/bash
cd "$(dirname "$0")/../lib" || exit 1
su -m nobody -c "celery worker -A lighthouse.lamp -B -l info -c 1"
