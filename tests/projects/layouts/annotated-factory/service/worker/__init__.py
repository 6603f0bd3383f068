from service.queue import build_queue

queue = build_queue("service")
