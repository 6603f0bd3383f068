import logging

logging.basicConfig(level=logging.INFO)
logging.info("nothing to wait for")
