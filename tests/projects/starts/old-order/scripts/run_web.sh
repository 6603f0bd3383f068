#!/bin/bash
# wait for the queue
sleep 10
exec python -m uvicorn --app-dir lib --host 0.0.0.0 lighthouse.sea:sea
